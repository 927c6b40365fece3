"""Random masks for comparisons with slow implementations: as segmenters give them, and worse."""

import numpy as np
from pycocotools import mask as mask_utils

HEIGHT, WIDTH = 112, 128


def rle(mask):
    encoded = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}


def random_mask(rng):
    """A rectangle, now and then empty, of one pixel, everything, or in two parts."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    kind = rng.choice(["box", "box", "box", "empty", "pixel", "all", "parts"])
    if kind == "all":
        mask[:] = True
    for _ in range({"empty": 0, "all": 0, "parts": 2}.get(kind, 1)):
        top, left = rng.integers(0, HEIGHT), rng.integers(0, WIDTH)
        height, width = (1, 1) if kind == "pixel" else rng.integers(1, 100, 2)
        mask[top : top + height, left : left + width] = True
    return mask


def near(rng, mask):
    """The mask moved by up to two pixels, as a segmenter would find it."""
    return np.roll(mask, rng.integers(-2, 3, 2), (0, 1))


def random_dataset(seed, most=30, num_images=5, num_classes=1, crowds=0.1, ties=False, first_id=1):
    """A COCO dict and results on it: duplicates, misses, ties, classes taken for others."""
    rng = np.random.default_rng(seed)
    images, annotations, results = [], [], []
    for image_id in range(1, num_images + 1):
        images.append({"id": image_id, "height": HEIGHT, "width": WIDTH})
        # The second image has no ground truth, the third no detections.
        masks = [random_mask(rng) for _ in range(rng.integers(1, most + 1) * (image_id != 2))]
        found = [near(rng, mask) for mask in masks for _ in range(rng.integers(0, 3))]
        found += [random_mask(rng) for _ in range(rng.integers(0, most + 1))]
        for mask in masks:
            annotations.append(
                {
                    "id": len(annotations) + first_id,
                    "image_id": image_id,
                    "category_id": int(rng.integers(num_classes)),
                    "segmentation": rle(mask),
                    "area": int(mask.sum()),
                    "iscrowd": int(rng.random() < crowds),
                }
            )
        for mask in found if image_id != 3 else []:
            score = rng.choice([0.2, 0.5, 0.9]) if ties else rng.random()
            results.append(
                {
                    "image_id": image_id,
                    "category_id": int(rng.integers(num_classes)),
                    "segmentation": rle(mask),
                    "score": float(score),
                }
            )
    categories = [{"id": number, "name": f"class {number}"} for number in range(num_classes + 1)]
    truth = {"images": images, "annotations": annotations, "categories": categories}
    return truth, [results[at] for at in rng.permutation(len(results))]
