"""Writes videos as YouTube-VIS 2019, UVO v1.0 and VIPSeg lay them out on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from workbench.datasets.rle import label_masks
from workbench.datasets.schema import RLE
from workbench.datasets.vipseg import CATEGORIES, FAULTY, PER_CATEGORY, VOID
from workbench.datasets.worlds.coco_layout import plain_counts
from workbench.datasets.worlds.domains import hue_colour
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.grounding_scene import GROUNDS, SHAPES
from workbench.datasets.worlds.png import write_gray_png, write_png
from workbench.datasets.worlds.referring_spec import VIDEO_SPLITS, VideoSpec
from workbench.datasets.worlds.video_scene import VideoScene, make_video_scene
from workbench.datasets.worlds.video_sheet import VideoSheet

# VIPSeg: every so many videos have a patch of void, or of the release's faulty value.
VOID_EVERY = 3
PATCH = 6

Record = dict[str, Any]
Entries = dict[str, Record]


def _videos(spec: VideoSpec, split: str) -> Iterator[tuple[int, VideoScene]]:
    # The place in the format's own list, not in the world's, starts a split's streams.
    number = VIDEO_SPLITS[spec.format].index(split)
    for index in range(spec.splits[split]):
        yield index, make_video_scene(spec, number, index)


def _things(video: VideoScene) -> list[int]:
    return [n for n, look in enumerate(video.looks, start=1) if look.colour is not None]


def _track(
    video: VideoScene, number: int, codes: list[RLE], *, compressed: bool
) -> tuple[Record, list[RLE | None]]:
    """Return an entity's record and its masks, null where it is not seen."""
    areas = [int(coco_mask.area(code)) for code in codes]
    boxes = [[int(side) for side in coco_mask.toBbox(code)] for code in codes]
    height, width = video.labels.shape[1:]
    masks = [code if area else None for code, area in zip(codes, areas, strict=True)]
    written = [m if m is None or compressed else plain_counts(m) for m in masks]
    record = {
        "height": height,
        "width": width,
        "length": len(codes),
        "iscrowd": 0,
        "category_id": SHAPES.index(video.looks[number - 1].name) + 1,
        "segmentations": written,
        "bboxes": [box if area else None for box, area in zip(boxes, areas, strict=True)],
        "areas": [area or None for area in areas],
    }
    return record, masks


def _tracks(video: VideoScene, *, compressed: bool) -> Iterator[tuple[Record, list[RLE | None]]]:
    """Yield the things' records and masks."""
    things = _things(video)
    frames = [label_masks(labels, things) for labels in video.labels]
    for at, number in enumerate(things):
        yield _track(video, number, [codes[at] for codes in frames], compressed=compressed)


def _video_record(number: int, names: list[str], video: VideoScene) -> Record:
    height, width = video.labels.shape[1:]
    return {
        "id": number,
        "width": width,
        "height": height,
        "length": len(names),
        "file_names": names,
    }


def write_ytvis(root: Path, spec: VideoSpec) -> Entries:
    """Write YouTube-VIS 2019; return the manifest's entries.

    Unlike the real one, ``valid`` has its ground truth: there is no server here.
    """
    sheet = VideoSheet()
    entries: Entries = {}
    for split in spec.splits:
        videos: list[Record] = []
        annotations: list[Record] = []
        for index, video in _videos(spec, split):
            names = [f"{split}{index:06d}/{at * 5:05d}.jpg" for at in range(len(video.frames))]
            for name, image in zip(names, video.frames, strict=True):
                write_jpeg(root / split / "JPEGImages" / name, image)
            videos.append(_video_record(index + 1, names, video))
            for record, _ in _tracks(video, compressed=False):
                owner = {"id": len(annotations) + 1, "video_id": index + 1}
                annotations.append({**owner, **record})
            sheet.add(video)
        path = f"annotations/youtube_vis_2019_{split}.json"
        categories = [
            {"supercategory": "thing", "id": number, "name": name}
            for number, name in enumerate(SHAPES, start=1)
        ]
        content = {"videos": videos, "annotations": annotations, "categories": categories}
        write_compact_json(root / path, {"info": {"description": "generated"}, **content})
        entries[split] = {"annotations": path, "images": f"{split}/JPEGImages", "masks": None}
    sheet.write(root / "contact_sheet.png")
    return entries


def write_uvo(root: Path, spec: VideoSpec) -> Entries:
    """Write UVO's dense videos and, from the middle of each, its frame set."""
    sheet = VideoSheet()
    entries: Entries = {}
    for split in spec.splits:
        videos: list[Record] = []
        dense: list[Record] = []
        images: list[Record] = []
        singles: list[Record] = []
        for index, video in _videos(spec, split):
            clip, middle = f"clip_{split}_{index:04d}", len(video.frames) // 2
            names = [f"{clip}/{at}.png" for at in range(len(video.frames))]
            for name, image in zip(names, video.frames, strict=True):
                write_png(root / "uvo_videos_dense_frames" / name, image)
            write_png(root / "uvo_videos_frames" / names[middle], video.frames[middle])
            videos.append({**_video_record(index + 1, names, video), "ytid": clip})
            height, width = video.labels.shape[1:]
            images.append(
                {"id": index + 1, "file_name": names[middle], "height": height, "width": width}
            )
            for record, masks in _tracks(video, compressed=True):
                owner = {"id": len(dense) + 1, "video_id": index + 1}
                dense.append({**owner, **record, "category_id": 1})
                if masks[middle] is not None:
                    singles.append(_single(len(singles) + 1, index + 1, masks[middle]))
            sheet.add(video)
        entries |= _write_uvo_files(root, split, (videos, dense), (images, singles))
    sheet.write(root / "contact_sheet.png")
    return entries


def _single(number: int, image_id: int, mask: RLE | None) -> Record:
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "area": int(coco_mask.area(mask)),
        "bbox": [int(side) for side in coco_mask.toBbox(mask)],
        "segmentation": mask,
    }


def _write_uvo_files(
    root: Path,
    split: str,
    dense: tuple[list[Record], list[Record]],
    frames: tuple[list[Record], list[Record]],
) -> Entries:
    """Write the two files of a split from (videos or images, annotations)."""
    categories = [{"id": 1, "name": "object", "supercategory": "object"}]
    files = (
        ("_dense", f"VideoDenseSet/UVO_video_{split}_dense.json", "videos", dense),
        ("_frame", f"FrameSet/UVO_frame_{split}.json", "images", frames),
    )
    entries: Entries = {}
    for kind, path, key, (records, entities) in files:
        content = {key: records, "annotations": entities, "categories": categories}
        write_compact_json(root / path, {"info": {"description": "generated"}, **content})
        folder = "uvo_videos_dense_frames" if key == "videos" else "uvo_videos_frames"
        entries[f"{split}{kind}"] = {"annotations": path, "images": folder, "masks": None}
    entries[f"{split}_frame"]["format"] = "coco_instances"
    return entries


def write_vipseg(root: Path, spec: VideoSpec) -> Entries:
    """Write VIPSeg as released: frames, label maps of 16 bits, lists of videos."""
    sheet = VideoSheet()
    entries: Entries = {}
    names = [*GROUNDS, *SHAPES]
    categories = [
        {
            "id": number,
            "name": name,
            "isthing": int(name in SHAPES),
            "color": hue_colour(number * 590 % 1536, 200, 220).tolist(),
        }
        for number, name in enumerate(names)
    ]
    write_compact_json(root / CATEGORIES, categories)
    for split in spec.splits:
        listed = []
        for index, video in _videos(spec, split):
            listed.append(f"{index}_{split}")
            values = _values(video, names)
            for at, (image, labels) in enumerate(zip(video.frames, video.labels, strict=True)):
                stem = f"{listed[-1]}/{at * 3 + 1:08d}"
                write_jpeg(root / f"imgs/{stem}.jpg", image)
                painted = _patched(values[labels], index)
                write_gray_png(root / f"panomasks/{stem}.png", painted)
            sheet.add(video)
        (root / f"{split}.txt").write_text("".join(f"{n}\n" for n in listed), encoding="utf-8")
        entries[split] = {"annotations": f"{split}.txt", "images": "imgs", "masks": "panomasks"}
    sheet.write(root / "contact_sheet.png")
    return entries


def _values(video: VideoScene, names: list[str]) -> NDArray[np.uint16]:
    """Return the value in VIPSeg's label maps of each label of a video."""
    found = np.zeros(len(video.looks) + 1, np.uint16)
    instances: dict[str, int] = {}
    for number, look in enumerate(video.looks, start=1):
        category = names.index(look.name) + 1
        if look.colour is None:
            found[number] = category
            continue
        instance = instances.setdefault(look.name, 0)
        instances[look.name] += 1
        found[number] = category * PER_CATEGORY + instance
    return found


def _patched(values: NDArray[np.uint16], index: int) -> NDArray[np.uint16]:
    """Put a patch that belongs to nothing into the corner of some videos."""
    if index % VOID_EVERY < 2:
        values[:PATCH, :PATCH] = (VOID, FAULTY)[index % VOID_EVERY]
    return values
