"""Small generated worlds, written in the on-disk layouts of the real data sets."""

from workbench.datasets.worlds.spec import WorldSpec, load_specs, parse_spec
from workbench.datasets.worlds.writer import write_world, write_worlds

__all__ = ["WorldSpec", "load_specs", "parse_spec", "write_world", "write_worlds"]
