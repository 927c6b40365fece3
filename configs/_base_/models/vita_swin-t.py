# VITA on Swin-T: 3 encoder and 3 clip decoder layers (*assumed*; the paper states none).
_base_ = './mask2former_swin-t.py'
clip_attention = dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True)
clip_ffn = dict(
    embed_dims=256,
    feedforward_channels=2048,
    num_fcs=2,
    ffn_drop=0.0,
    act_cfg=dict(type='ReLU', inplace=True))

model = dict(
    head=dict(
        type='VITAHead',
        frame_loss_weight=1.0,
        similarity_loss_weight=0.5,
        clip_encoder=dict(
            num_layers=3,
            layer_cfg=dict(self_attn_cfg=clip_attention, ffn_cfg=clip_ffn)),
        clip_decoder=dict(
            num_layers=3,
            return_intermediate=True,
            layer_cfg=dict(
                self_attn_cfg=clip_attention,
                cross_attn_cfg=clip_attention,
                ffn_cfg=clip_ffn),
            init_cfg=None)))
