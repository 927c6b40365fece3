"""Data sets of two small pictures in the real layouts, made by hand, that a test may damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.workbench.datasets.hand_made import LABELS
from workbench.datasets.rle import label_masks
from workbench.datasets.sginw import ANNOTATIONS

Entry = dict[str, Any]
PICTURE = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
OBJECT = LABELS == 2


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PICTURE).save(path)


def gray(path: Path, values: np.ndarray, kind: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(kind)).save(path)


def coco(path: Path, images: list[Entry], first_id: int = 1, **fields: Any) -> None:
    """Write entities 1, 2 and 3 of each image, of classes 0, 1 and 0."""
    masks = label_masks(LABELS, [1, 2, 3])
    annotations = [
        {
            "id": first_id + 3 * at + k,
            "image_id": image["id"],
            "category_id": k % 2,
            "segmentation": mask,
        }
        for at, image in enumerate(images)
        for k, mask in enumerate(masks)
    ]
    names = [{"id": 0, "name": "Airplane"}, {"id": 1, "name": "Wing"}]
    content = {"images": images, "annotations": annotations, "categories": names, **fields}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def lvis(root: Path) -> Entry:
    images = []
    for number, folder in ((9, "train2017"), (30, "val2017")):
        name = f"{folder}/{number:012d}.jpg"
        picture(root / name)
        images.append({"id": number, "coco_url": f"http://host/{name}", "height": 4, "width": 6})
    images[0] |= {"neg_category_ids": [7, 8], "not_exhaustive_category_ids": [1]}
    coco(root / "annotations/lvis_v1_val.json", images)
    return {"annotations": "annotations/lvis_v1_val.json", "images": "."}


def sginw(root: Path) -> Entry:
    images = []
    for number in (0, 1):
        name = f"a-{number}_jpg.rf.0.jpg"
        picture(root / "Airplane-Parts/valid" / name)
        images.append({"id": number, "file_name": name, "height": 4, "width": 6})
    coco(root / f"Airplane-Parts/valid/{ANNOTATIONS}", images, first_id=0)
    return {
        "annotations": f"Airplane-Parts/valid/{ANNOTATIONS}",
        "images": "Airplane-Parts/valid",
    }


def ocid(root: Path) -> Entry:
    for place, ids in (("ARID10/floor/left", [0, 1, 2, 3]), ("YCB10/table/top", [0, 2, 3, 4])):
        folder = root / "OCID-dataset" / place / "seq01"
        picture(folder / "rgb/result_1.png")
        # Label 1 is background here, label 2 and 3 of the table's scene are ids 3 and 4.
        gray(folder / "label/result_1.png", np.array(ids)[LABELS], np.uint16)
    return {"images": "OCID-dataset"}


def semantic_list(root: Path) -> Entry:
    """EntitySeg: a list of names, void 255; a name may hold spaces and dots."""
    lines = ("a picture.jpg a.png", "b.1.jpg b.1.png")
    for line in lines:
        name, png = line.rsplit(" ", 1)
        picture(root / "images_lr" / name)
        gray(root / "maps" / png, np.array([255, 0, 149, 7])[LABELS])
    (root / "train.txt").write_text("".join(f"{line}\n" for line in lines))
    values = {"first": 0, "classes": 150, "ignore": 255}
    return {"annotations": "train.txt", "images": "images_lr", "masks": "maps", **values}


def semantic_stems(root: Path) -> Entry:
    """ADE20K: equal names, void 0, a table of class names."""
    for name in ("ADE_val_00000001", "ADE_val_00000002"):
        picture(root / f"images/validation/{name}.jpg")
        gray(root / f"annotations/validation/{name}.png", np.array([0, 1, 150, 8])[LABELS])
    rows = [f"{k}\t0\t0\t0\tname {k}\n" for k in range(1, 151)]
    (root / "objectInfo150.txt").write_text("".join(["Idx\tRatio\tTrain\tVal\tName\n", *rows]))
    values = {"first": 1, "classes": 150, "ignore": 0, "names": "objectInfo150.txt"}
    return {"images": "images/validation", "masks": "annotations/validation", **values}


def instance_maps(root: Path) -> Entry:
    for name in ("x", "y"):
        picture(root / f"images/{name}.jpg")
        gray(root / f"masks/{name}.png", np.array([0, 20, 300, 4])[LABELS], np.uint16)
    return {"images": "images", "masks": "masks"}


def dis5k(root: Path) -> Entry:
    for at, (low, high) in enumerate(((0, 1), (128, 255))):
        name = f"1#Accessories#1#Bag#{at}_s_o"
        picture(root / f"DIS-VD/im/{name}.jpg")
        gray(root / f"DIS-VD/gt/{name}.png", np.where(OBJECT, high, low))
    return {"images": "DIS-VD/im", "masks": "DIS-VD/gt"}


def fss1000(root: Path) -> Entry:
    for name in ("abacus", "zebra", "unlisted"):
        picture(root / f"fewshot_data/{name}/1.jpg")
        colours = np.where(OBJECT, 255, 127)[..., None].repeat(3, axis=-1)
        gray(root / f"fewshot_data/{name}/1.png", colours)
    (root / "fss_test_set.txt").write_text("zebra\nabacus\n")
    return {"annotations": "fss_test_set.txt", "images": "fewshot_data"}


def entityseg_panoptic(root: Path) -> Entry:
    """EntitySeg: records name the picture, the map has the part before the first dot."""
    ids = np.array([0, 5, 300, 70_000])[LABELS]
    rgb = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], axis=-1)
    items = []
    for number, name in ((1, "p.jpg"), (2, "q.v2.jpg")):
        picture(root / "images_lr" / name)
        gray(root / f"maps/{name.split('.')[0]}.png", rgb)
        segments = [{"id": i, "category_id": c} for i, c in ((5, 640), (300, 1), (70_000, 640))]
        items.append({"image_id": number, "file_name": name, "segments_info": segments})
    names = [{"id": 1, "name": "a", "isthing": 1}, {"id": 640, "name": "b", "isthing": 0}]
    (root / "panoptic.json").write_text(json.dumps({"annotations": items, "categories": names}))
    return {"annotations": "panoptic.json", "images": "images_lr", "masks": "maps"}


LAYOUTS: dict[str, tuple[str, Callable[[Path], Entry]]] = {
    "lvis": ("lvis", lvis),
    "sginw": ("sginw", sginw),
    "ocid": ("ocid", ocid),
    "semantic list": ("semantic_maps", semantic_list),
    "semantic stems": ("semantic_maps", semantic_stems),
    "instance maps": ("instance_maps", instance_maps),
    "dis5k": ("binary_masks", dis5k),
    "fss1000": ("fss1000", fss1000),
    "entityseg panoptic": ("coco_panoptic", entityseg_panoptic),
}


def write_layout(name: str, root: Path, split: str = "val") -> Path:
    """Write a layout and its manifest; return the manifest's path."""
    form, make = LAYOUTS[name]
    root.mkdir(parents=True, exist_ok=True)
    content = {"name": "hand", "format": form, "root": ".", "splits": {split: make(root)}}
    manifest = root / "manifest.json"
    manifest.write_text(json.dumps(content), encoding="utf-8")
    return manifest
