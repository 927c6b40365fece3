# MobileNetV2 of half width, without its last 1 x 1 convolution to 1,280 channels.
encoder = dict(type='MobileNetV2', widen_factor=0.5, out_indices=(1, 2, 4, 6))
levels = [16, 16, 48, 160]
