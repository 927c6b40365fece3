"""Categories of the generated worlds: a word for each shape and each kind of stuff."""

from __future__ import annotations

from workbench.datasets.worlds.curves import THIN_SHAPES
from workbench.datasets.worlds.domains import DOMAINS
from workbench.datasets.worlds.shapes import SHAPES

THINGS: tuple[str, ...] = (*sorted(SHAPES), *THIN_SHAPES)
STUFF: tuple[str, ...] = tuple(sorted({name for d in DOMAINS.values() for name, _ in d.stuff}))

# As COCO's, the ids leave a gap between things and stuff.
STUFF_FROM = 101
CATEGORY_IDS: dict[str, int] = {
    **{name: number for number, name in enumerate(THINGS, start=1)},
    **{name: number for number, name in enumerate(STUFF, start=STUFF_FROM)},
}
