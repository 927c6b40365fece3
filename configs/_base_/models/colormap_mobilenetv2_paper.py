# MobileNetV2 of full width, its levels those that GELLA's config takes.
encoder = dict(
    type='MobileNetV2',
    out_indices=(1, 2, 4, 7),
    init_cfg=dict(
        type='Pretrained', checkpoint='weights/mobilenet_v2_batch256_imagenet-ff34753d.pth'))
levels = [24, 32, 96, 1280]
