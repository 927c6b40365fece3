"""Data sets on disk: reading, checking and generating them."""

from workbench.datasets.load import load_entities
from workbench.datasets.schema import RLE, EntityDataset, EntityImage, Finding

__all__ = ["RLE", "EntityDataset", "EntityImage", "Finding", "load_entities"]
