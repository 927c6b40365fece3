# Tables XI and XII: what is counted, for `python -m workbench.stages.count` (20 s a row, CPU, no weights).
# "Assumed" values are ours: the paper does not state them. Counts of tokens are by hand, no tokenizer.
_base_ = '../../_base_/models/mask2former_r50.py'
custom_imports = dict(imports=['projects.gella.costs'], allow_failed_imports=False)

# A colormap of a COCO picture (640x480) at Mask2Former's test size, short side 800, padded to
# multiples of 32. Assumed: 5.3 says only that the colormap encoder follows Mask2Former's image encoder.
colormap_size = (800, 1088)
resnet_channels = [256, 512, 1024, 2048]
swin_channels = [192, 384, 768, 1536]
mobilenet_channels = [24, 32, 96, 1280]
blended_channels = [256, 256, 256, 256]  # assumed: the mask decoder's own width
visual_tokens = 576  # (336 / 14)^2

# Caption: 41 words at 1.3 tokens a word (COCO's Localized Narratives, recalled). Answer: 11 nouns at 6
# tokens each, and the sentence around them. Instruction: LLaVA-v1.5's system text and Table III's. Assumed.
grounding_tokens = dict(visual=visual_tokens, instruction=60, caption=55, answer=75)
# LISA asks once a phrase. PNG val has 56,531 segments in 8,380 narratives (recalled), 6.7 a narrative.
# Prompt: system text and one of the release's questions. Its five answers have 6 tokens on average,
# the end token included. Its release generates without a key-value cache (dvlab-research/LISA,
# model/LISA.py at 2fd1438: use_cache False, and the last pass is read for all tokens).
lisa_phrases = 7
lisa_tokens = dict(visual=256, image_marks=2, prompt=62)
lisa_answer = 6

components = dict(
    # LISA: openai/clip-vit-large-patch14 (its release's default); GLaMM and GELLA: the 336 px one.
    clip_224=dict(type='clip_vision', image_size=224),
    clip_336=dict(type='clip_vision', image_size=336),
    sam_encoder=dict(type='sam_image_encoder'),
    mobilenet_v2=dict(
        type='backbone',
        config=dict(type='MobileNetV2', out_indices=(1, 2, 4, 7), init_cfg=[]),
        size=colormap_size),
    mobilenet_v2_classifier=dict(type='classifier', in_channels=1280, num_classes=1000),
    # Attention width and heads are assumed; Eq. 14 as printed (image tokens ask).
    resoblend=dict(
        type='resoblend',
        image_channels=1024,
        grid=24,
        mask_channels=mobilenet_channels,
        size=colormap_size,
        out_channels=256,
        channels=256,
        heads=8,
        query='image'),
    mask_decoder=dict(
        type='mask2former_decoder',
        head={{_base_.model.head}},
        in_channels=blended_channels,
        size=colormap_size),
    sam_decoder=dict(type='sam_mask_decoder'),
    # 32,000 tokens and <IMAGE>, <SEG>.
    llm=dict(type='llama', size='7B', tokens=grounding_tokens, vocab_size=32002),
    # 32,000 tokens and [SEG], <im_start>, <im_end>.
    lisa_llm=dict(
        type='llama', size='7B', tokens=lisa_tokens, generated=lisa_answer, vocab_size=32003),
    projection=dict(type='linear_layers', widths=[1024, 4096], tokens=visual_tokens),
    lisa_projection=dict(type='linear_layers', widths=[1024, 4096], tokens=256),
    # Masks of Mask2Former with Swin-L, whose cost 5.3.2 quotes.
    swin_large=dict(
        type='backbone',
        config=dict(
            type='SwinTransformer',
            pretrain_img_size=384,
            embed_dims=192,
            depths=[2, 2, 18, 2],
            num_heads=[6, 12, 24, 48],
            window_size=12,
            init_cfg=None),
        size=colormap_size),
    swin_decoder=dict(
        type='mask2former_decoder',
        head={{_base_.model.head}},
        in_channels=swin_channels,
        size=colormap_size,
        num_classes=133,
        num_queries=200))

# What a column counts: M parameters, or giga multiply-adds, each counted once. Null: measured elsewhere.
metrics = dict(
    XI=dict(
        image_encoder_sam_M='parameters',
        image_encoder_clip_M='parameters',
        mask_encoder_M='parameters',
        decoder_M='parameters'),
    XII=dict(
        LLM_GFLOPs='multiply_adds',
        IME_GFLOPs='multiply_adds',
        MMD_GFLOPs='multiply_adds',
        ALL_GFLOPs='multiply_adds',
        LLM_s=None,
        IME_s=None,
        MMD_s=None,
        ALL_s=None,
        AR=None))
# A cell further from the printed one needs an explanation.
tolerance = 0.05

how_counted = dict(
    type='statement',
    text='Counted at the sizes of the paper, on the meta device, whatever the scale of the run. A '
    "GFLOP is here one giga multiply-add: half of what PyTorch's FlopCounterMode counts, which takes "
    '2 a multiply-add; grid_sample is added as 4 multiply-adds a value; element-wise operations, '
    'normalisation, softmax and interpolation are left out.')
at_paper_sizes = dict(
    type='statement', text='Counted at the sizes of the paper, whatever the scale of the run.')
whole_sam = dict(
    type='counted',
    text='SAM ViT-H has {encoder:.2f} M in its image encoder and {whole:.2f} M in all: the printed '
    "641 is the whole of SAM, so its decoder's {decoder:.2f} M are counted in the decoder column again "
    '(inference).',
    encoder=['parameters', ['sam_encoder']],
    whole=['parameters', ['sam_encoder', 'sam_decoder']],
    decoder=['parameters', ['sam_decoder']])
decoder_channels = dict(
    type='counted',
    about='decoder_M',
    text="The decoder's size depends on the channels it is fed: {here:.2f} M with 256 in each level "
    "(assumed), {mobile:.2f} M with MobileNetV2's, {resnet:.2f} M with ResNet-50's, and {coco:.2f} M "
    "({coco_off:+.1%}) with those and COCO's 133 classes, which rounds to the printed value. "
    'Inference: the printed value is that of the released Mask2Former on ResNet-50.',
    here=['parameters', ['mask_decoder']],
    mobile=['parameters', [dict(component='mask_decoder', in_channels=mobilenet_channels)]],
    resnet=['parameters', [dict(component='mask_decoder', in_channels=resnet_channels)]],
    coco=['parameters', [
        dict(component='mask_decoder', in_channels=resnet_channels, num_classes=133)]])
mmd_area = dict(type='implied_area', about='MMD_GFLOPs', component='mask_decoder')
sum_of_cells = dict(
    type='statement',
    about='ALL_GFLOPs',
    text='The sum of the three cells before, and so of their differences.')
glamm_decoder = dict(
    type='counted',
    text="Counted as the paper says, with a Mask2Former decoder fed like GELLA's (assumed). GLaMM's "
    "release (mbzuai-oryx/groundingLMM, model/GLaMM.py at 7d53a1e) decodes with SAM's instead: "
    '{sam_M:.2f} M, {sam_G:.2f} giga multiply-adds a mask.',
    sam_M=['parameters', ['sam_decoder']],
    sam_G=['multiply_adds', ['sam_decoder']])

rows = dict(
    XI=dict(
        lisa=dict(
            cells=dict(
                image_encoder_sam_M=['sam_encoder'],
                image_encoder_clip_M=['clip_224'],
                decoder_M=['sam_decoder']),
            remarks=[at_paper_sizes, whole_sam]),
        glamm=dict(
            cells=dict(
                image_encoder_sam_M=['sam_encoder'],
                image_encoder_clip_M=['clip_336'],
                decoder_M=['mask_decoder']),
            remarks=[at_paper_sizes, whole_sam, glamm_decoder, decoder_channels]),
        gella=dict(
            cells=dict(
                image_encoder_clip_M=['clip_336'],
                mask_encoder_M=['mobilenet_v2'],
                decoder_M=['mask_decoder']),
            remarks=[
                at_paper_sizes,
                dict(
                    type='counted',
                    text='No cell holds ResoBlend: {blend:.1f} M with attention of width 256, which is '
                    'assumed; the language model (LLaMA-7B {llm:.1f} M with two special tokens, its '
                    'projection {projection:.1f} M) is left out by the table. The masks are of '
                    'Mask2Former with Swin-L: {swin:.1f} M, quoted in 5.3.2 as 218.',
                    blend=['parameters', ['resoblend']],
                    llm=['parameters', ['llm']],
                    projection=['parameters', ['projection']],
                    swin=['parameters', ['swin_large', 'swin_decoder']]),
                dict(
                    type='counted',
                    about='mask_encoder_M',
                    text='MobileNetV2 without its ImageNet classifier, which no mask encoder has; with '
                    'it {whole:.2f} M ({whole_off:+.1%}). Inference: the printed value is the '
                    "classifier's.",
                    whole=['parameters', ['mobilenet_v2', 'mobilenet_v2_classifier']]),
                decoder_channels])),
    XII={
        'lisa-gflops': dict(
            cells=dict(
                LLM_GFLOPs=[['lisa_llm', lisa_phrases], ['lisa_projection', lisa_phrases]],
                IME_GFLOPs=['sam_encoder', 'clip_224'],
                MMD_GFLOPs=[['sam_decoder', lisa_phrases]],
                ALL_GFLOPs=['LLM_GFLOPs', 'IME_GFLOPs', 'MMD_GFLOPs']),
            remarks=[
                how_counted,
                dict(
                    type='counted',
                    text='Assumed: 7 phrases an image, each asked for on its own with 320 tokens, '
                    "answered in 6 and generated without a key-value cache, as LISA's release does; "
                    'with a cache {cached:.0f}. The encoders are counted once an image.',
                    cached=['multiply_adds', [
                        dict(component='lisa_llm', tokens=dict(prompt=325), generated=1, times=7)]]),
                dict(
                    type='implied_passes',
                    cell='LLM_GFLOPs',
                    component='lisa_llm',
                    phrases=lisa_phrases,
                    beside=11987),
                dict(
                    type='counted',
                    about='MMD_GFLOPs',
                    text="SAM's decoder takes {one:.2f} giga multiply-adds a mask, so {phrases:.1f} for "
                    '7 phrases: the printed value is far from that. Inference: it '
                    'is not of this decoder, being exactly twice the 113 of the Mask2Former decoder: '
                    "that counted at 2 a multiply-add, or the 226 that Mask2Former's paper gives "
                    'for its whole ResNet-50 model (recalled).',
                    one=['multiply_adds', ['sam_decoder']],
                    phrases=['multiply_adds', [['sam_decoder', lisa_phrases]]]),
                sum_of_cells]),
        'glamm-gflops': dict(
            cells=dict(
                LLM_GFLOPs=['llm', 'projection'],
                IME_GFLOPs=['sam_encoder', 'clip_336'],
                MMD_GFLOPs=['mask_decoder'],
                ALL_GFLOPs=['LLM_GFLOPs', 'IME_GFLOPs', 'MMD_GFLOPs']),
            remarks=[
                how_counted,
                glamm_decoder,
                dict(
                    type='statement',
                    text="The language model is counted like GELLA's, as the paper prints one value "
                    "for both. GLaMM's release generates without a key-value cache, like LISA's; the "
                    'printed value leaves no room for that.'),
                dict(type='implied_tokens', about='LLM_GFLOPs', component='llm'),
                mmd_area,
                sum_of_cells]),
        'gella-gflops': dict(
            cells=dict(
                LLM_GFLOPs=['llm', 'projection'],
                IME_GFLOPs=['clip_336', 'mobilenet_v2'],
                MMD_GFLOPs=['mask_decoder'],
                ALL_GFLOPs=['LLM_GFLOPs', 'IME_GFLOPs', 'MMD_GFLOPs']),
            remarks=[
                how_counted,
                dict(
                    type='counted',
                    text="The encoders' column shows the convention: {ime:.1f} with a multiply-add "
                    'counted once, {twice:.1f} if it counts twice. No cell holds ResoBlend: '
                    '{blend:.1f} with Eq. 14 as printed, {mask:.1f} if the colormap asks and the image '
                    'answers. With LLaMA-13B ({params:.1f} M) the language model takes {large:.0f}. '
                    'The masks are of Mask2Former with Swin-L: {swin:.0f} at the assumed size, '
                    'quoted in 5.3.2 as 541.',
                    ime=['multiply_adds', ['IME_GFLOPs']],
                    twice=['multiply_adds', [['IME_GFLOPs', 2]]],
                    blend=['multiply_adds', ['resoblend']],
                    mask=['multiply_adds', [dict(component='resoblend', query='mask')]],
                    params=['parameters', [dict(component='llm', size='13B')]],
                    large=['multiply_adds', [dict(component='llm', size='13B')]],
                    swin=['multiply_adds', ['swin_large', 'swin_decoder']]),
                dict(type='implied_tokens', about='LLM_GFLOPs', component='llm'),
                mmd_area,
                sum_of_cells]),
    })
