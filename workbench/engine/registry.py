"""Imports whatever this package registers in MMEngine and MMDetection.

A config of one's own that is run with MMDetection's tools names it in ``custom_imports``;
our own commands import it themselves.
"""

from workbench.engine.dataset import EntityImageDataset
from workbench.engine.draws import DrawSampler
from workbench.engine.hooks import SeedEachIteration
from workbench.engine.metric_adapters import EntityAP

__all__ = ["DrawSampler", "EntityAP", "EntityImageDataset", "SeedEachIteration"]
