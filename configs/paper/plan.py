# What `esg plan` takes for granted at paper scale, where no run is recorded: see docs/dvc.md.

# The config whose `components` are the parts below.
components_of = 'gella/costs'
# Memory in GiB and dense peak in TFLOPS of a device, as its vendor's data sheet states them.
# "float32" is without tensor cores, as PyTorch multiplies matrices unless told otherwise; "half" is
# bfloat16 or, for V100, float16.
devices = {
    'v100-32g': dict(memory_gib=32, float32=15.7, half=125),
    'a100-40g': dict(memory_gib=40, float32=19.5, half=312),
    'a100-80g': dict(memory_gib=80, float32=19.5, half=312),
    'h100-80g': dict(memory_gib=80, float32=67, half=989),
    'h200-141g': dict(memory_gib=141, float32=67, half=989),
}
# The one that Table VI names; 5.1 and 5.3: 8 of them, unless `launch` in params.yaml says otherwise.
device = 'a100-40g'
num_devices = 8
# Share of the peak that is sustained; assumed, alike for every device and precision.
utilisation = 0.4

# Width to height of a picture: COCO's 640x480, assumed for all.
aspect = 4 / 3
# Models that are not counted as a whole: parts as in `components`. frozen: no gradients. share: task
# whose share of the training samples uses the part. fields: arguments that a config's model has.
colormap = (1024, 1024)
parts = dict(
    Gella=[
        dict(component='clip_336', frozen=True),
        dict(component='llm'),
        dict(component='projection'),
        dict(component='mobilenet_v2', size=colormap, share='ground'),
        dict(component='resoblend', size=colormap, share='ground', fields=dict(query='resoblend.query')),
        dict(component='mask_decoder', size=colormap, share='ground'),
    ],
    ColormapReconstructor=[
        dict(component='mobilenet_v2', size=colormap, fields=dict(config='colormap_encoder')),
        dict(
            component='mask_decoder',
            size=colormap,
            fields=dict(in_channels='mask_decoder.in_channels')),
    ])
# What is different of the parts with another language model than components name, by its weights.
language = {'llava-v1.5-13b': dict(llm=dict(size='13B'), projection=dict(widths=[1024, 5120]))}

# Bytes of a predicted mask as a run-length code in JSON (assumed).
mask_bytes = 2000
# GiB of pictures and annotations to download, by folder below data_root, as the data sets' pages
# state them (recalled). PNG and LVIS lie over COCO 2017's files.
downloads_gib = dict(coco=18.5, ADEChallengeData2016=0.9, refer_seg=12.5)
download_of = dict(png='coco', lvis='coco')
