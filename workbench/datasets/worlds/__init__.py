"""Small generated worlds, written in the on-disk layouts of the real data sets."""

from workbench.datasets.worlds.spec import WorldSpec, load_specs, parse_spec
from workbench.datasets.worlds.writer import parse_world, write_world, write_worlds

__all__ = ["WorldSpec", "load_specs", "parse_spec", "parse_world", "write_world", "write_worlds"]
