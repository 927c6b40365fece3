# VITA: clip queries from frame queries; 3 clip decoder layers as in VITA, 1 encoder layer.
_base_ = './mask2former_mini.py'
clip_attention = dict(embed_dims=64, num_heads=4, dropout=0.0, batch_first=True)
clip_ffn = dict(
    embed_dims=64,
    feedforward_channels=256,
    num_fcs=2,
    ffn_drop=0.0,
    act_cfg=dict(type='ReLU', inplace=True))

model = dict(
    head=dict(
        type='VITAHead',
        frame_loss_weight=1.0,
        similarity_loss_weight=0.5,
        clip_encoder=dict(
            num_layers=1,
            layer_cfg=dict(self_attn_cfg=clip_attention, ffn_cfg=clip_ffn)),
        clip_decoder=dict(
            num_layers=3,
            return_intermediate=True,
            layer_cfg=dict(
                self_attn_cfg=clip_attention,
                cross_attn_cfg=clip_attention,
                ffn_cfg=clip_ffn),
            init_cfg=None)))
