"""Data sets on disk: reading, checking and generating them."""

from workbench.datasets.load import load_entities, load_referring, load_videos
from workbench.datasets.referring import ReferringDataset, ReferringImage
from workbench.datasets.schema import RLE, EntityDataset, EntityImage, Finding
from workbench.datasets.video import Track, Video, VideoDataset

__all__ = [
    "RLE",
    "EntityDataset",
    "EntityImage",
    "Finding",
    "ReferringDataset",
    "ReferringImage",
    "Track",
    "Video",
    "VideoDataset",
    "load_entities",
    "load_referring",
    "load_videos",
]
