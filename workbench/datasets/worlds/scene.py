"""One scene: which entities lie where, what is seen of them, and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.worlds.curves import curve_points, thin_mask
from workbench.datasets.worlds.domains import DOMAINS, Domain, companion, entity_colour
from workbench.datasets.worlds.finish import finish
from workbench.datasets.worlds.fixed import Ints, Mask, draw, grid, image_generator, pick
from workbench.datasets.worlds.layouts import LAYOUTS
from workbench.datasets.worlds.shapes import Box, Pose, compact_mask
from workbench.datasets.worlds.spec import KINDS, Counts, WorldSpec
from workbench.datasets.worlds.textures import TEXTURES, blend, pack, unpack


@dataclass(frozen=True)
class Entity:
    """One entity that is seen in a scene.

    Attributes:
        name: Word for it: its shape, or the kind of stuff.
        kind: "stuff", "large", "medium", "small" or "thin".
    """

    name: str
    kind: str

    @property
    def isthing(self) -> bool:
        return self.kind != "stuff"


@dataclass(frozen=True)
class Scene:
    """A picture and its labels.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) int32, ids 1 to len(entities); every pixel belongs to one entity.
        entities: Entity of label k at index k - 1, in painting order.
        domain: Name of the visual domain.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    entities: tuple[Entity, ...]
    domain: str


@dataclass(frozen=True)
class _Layer:
    """An entity before it is painted: its whole mask within a box (top, left, bottom, right)."""

    entity: Entity
    mask: Mask
    box: Box
    base_colour: tuple[int, int, int] | None = None

    def window(self, canvas: Ints) -> Ints:
        top, left, bottom, right = self.box
        return canvas[top:bottom, left:right]


def make_scene(spec: WorldSpec, split: int, index: int) -> Scene:
    """Make scene ``index`` of a split; depends on the seed and these two numbers alone."""
    rng = image_generator(spec.seed, split, index)
    size = spec.sizes[int(rng.integers(len(spec.sizes)))]
    domain = DOMAINS[pick(rng, spec.domains)]
    layers = _stuff_layers(rng, domain, size, spec) + _thing_layers(rng, domain, size, spec)
    layers, labels = _keep_visible(layers, size, spec)
    painted = _paint(rng, domain, layers, labels, spec)
    kinds = [layer.entity.kind for layer in layers]
    image = finish(rng, domain, painted, labels, kinds, spec.noise)
    return Scene(image, labels, tuple(layer.entity for layer in layers), domain.name)


def _stuff_layers(
    rng: np.random.Generator, domain: Domain, size: tuple[int, int], spec: WorldSpec
) -> list[_Layer]:
    """Divide the picture among stuff; the first region lies under everything."""
    box = (0, 0, *size)
    count = min(draw(rng, *spec.stuff), len(domain.stuff))
    regions = [np.ones(size, dtype=bool), *LAYOUTS[domain.layout](rng, size, count - 1)]
    # The first name suits the base and, of aerial pictures, the last one the road.
    order = [0, *sorted(int(k) for k in rng.permutation(len(domain.stuff) - 1)[: count - 1] + 1)]
    if domain.layout == "fields" and count > 1:
        order[-1] = len(domain.stuff) - 1
        order[:-1] = [int(k) for k in rng.permutation(len(domain.stuff) - 1)[: count - 1]]
    layers = []
    for region, at in zip(regions, order, strict=False):
        name, colour = domain.stuff[at]
        layers.append(_Layer(Entity(name, "stuff"), region, box, colour))
    return layers


def _thing_layers(
    rng: np.random.Generator, domain: Domain, size: tuple[int, int], spec: WorldSpec
) -> list[_Layer]:
    """Draw the compact and thin entities, larger ones below; thin ones lie among the small."""
    ranked: list[tuple[int, _Layer]] = []
    for rank, kind in enumerate(KINDS):
        counts: Counts = getattr(spec, kind)
        for _ in range(draw(rng, *counts.count)):
            make = _thin_layer if kind == "thin" else _compact_layer
            layer = make(rng, domain, size, kind, counts)
            ranked.append((min(rank, 2) * 4 + draw(rng, 0, 5), layer))
    ranked.sort(key=lambda pair: pair[0])
    return [layer for _, layer in ranked if layer.mask.size]


def _compact_layer(
    rng: np.random.Generator, domain: Domain, size: tuple[int, int], kind: str, counts: Counts
) -> _Layer:
    side = draw(rng, *counts.size)
    small = kind == "small"
    name = pick(rng, domain.small_shapes if small else domain.shapes)
    margin = min(side // 2, 8) if small else side // 4
    row = draw(rng, margin, size[0] - 1 - margin)
    column = draw(rng, margin, size[1] - 1 - margin)
    aspect = draw(rng, 75, 133)
    tall, wide = max(side // 2, 2), max(side * aspect // 200, 2)
    turn = draw(rng, -2, 2) if domain.upright else draw(rng, 0, 63)
    block = domain.block if not small else max(domain.block // 2, 1)
    pose = Pose(row, column, wide, tall, 0 if domain.block > 1 else turn, block)
    mask, box = compact_mask(name, pose, size)
    return _Layer(Entity(name, kind), mask, box)


def _thin_layer(
    rng: np.random.Generator, domain: Domain, size: tuple[int, int], kind: str, counts: Counts
) -> _Layer:
    name = pick(rng, domain.thin_shapes)
    points = curve_points(name, rng, draw(rng, *counts.size), size)
    mask, box = thin_mask(points, draw(rng, *counts.width), size, max(domain.block // 2, 1))
    return _Layer(Entity(name, kind), mask, box)


def _keep_visible(
    layers: list[_Layer], size: tuple[int, int], spec: WorldSpec
) -> tuple[list[_Layer], NDArray[np.int32]]:
    """Leave out what is hardly seen; return the rest with labels from 1.

    Leaving an entity out only uncovers others, so one pass is enough. The lowest entity that
    stays takes the pixels that nothing else covers.
    """
    labels = _label(layers, size)
    seen = np.bincount(labels.ravel(), minlength=len(layers) + 1)[1:]
    kept = []
    for layer, visible in zip(layers, seen.tolist(), strict=True):
        least = max(spec.min_visible_area, 1)
        if layer.entity.isthing:
            least = max(least, int(layer.mask.sum()) * spec.min_visible_percent // 100)
        if visible >= least:
            kept.append(layer)
    if not kept[0].mask.all() or kept[0].mask.shape != size:
        kept[0] = _Layer(kept[0].entity, np.ones(size, bool), (0, 0, *size), kept[0].base_colour)
    return kept, _label(kept, size)


def _label(layers: list[_Layer], size: tuple[int, int]) -> NDArray[np.int32]:
    labels = np.zeros(size, dtype=np.int32)
    for number, layer in enumerate(layers, start=1):
        layer.window(labels)[layer.mask] = number
    return labels


def _paint(
    rng: np.random.Generator,
    domain: Domain,
    layers: list[_Layer],
    labels: NDArray[np.int32],
    spec: WorldSpec,
) -> Ints:
    """Paint the layers bottom to top into (H, W, 3) int32 colours."""
    image = np.zeros(labels.shape, dtype=np.int32)
    for layer in layers:
        if (
            layer.entity.isthing
            and domain.name == "photo"
            and draw(rng, 1, 100) <= spec.shadow_percent
        ):
            _shadow(image, layer)
        window = layer.window(image)
        window[layer.mask] = _surface(rng, domain, layer, window, spec)
    return unpack(image)


def _surface(
    rng: np.random.Generator, domain: Domain, layer: _Layer, below: Ints, spec: WorldSpec
) -> Ints:
    """Return the (P,) packed colours of an entity at the P pixels of its mask."""
    top, left, bottom, right = layer.box
    rows, columns = grid(top, left, bottom - top, right - left)
    if layer.base_colour is not None:
        shift = rng.integers(-18, 19, 3).astype(np.int32)
        first = np.clip(np.array(layer.base_colour, dtype=np.int32) + shift, 0, 255)
        texture = pick(rng, domain.grounds)
        second = companion(rng, first, domain.contrast // 2)
    else:
        first = _contrasting(rng, domain, layer, below, spec.contrast)
        fine = layer.entity.kind in ("small", "thin")
        texture = "flat" if fine else pick(rng, domain.surfaces)
        second = companion(rng, first, domain.contrast)
    weights = TEXTURES[texture](rng, rows, columns)
    colours = pack(blend(first, second))[weights[layer.mask]]
    if layer.entity.kind in ("large", "medium"):
        _accent(rng, domain, layer, colours, spec)
        if domain.name == "photo":
            light = _light(rows, columns)[layer.mask]
            colours = pack(np.minimum(unpack(colours) * light[:, None] >> 8, 255))
    return colours


def _contrasting(
    rng: np.random.Generator, domain: Domain, layer: _Layer, below: Ints, contrast: int
) -> Ints:
    """Draw a colour at least ``contrast`` from the mean below, or the best of 12 draws."""
    covered = below[layer.mask]
    under = unpack(covered[:: max(len(covered) // 200, 1)])
    mean = under.sum(axis=0) // len(under)
    best, best_distance = entity_colour(rng, domain), -1
    for _ in range(12):
        colour = entity_colour(rng, domain)
        distance = int(abs(colour - mean).sum())
        if distance > best_distance:
            best, best_distance = colour, distance
        if distance >= contrast:
            break
    return best


def _accent(
    rng: np.random.Generator, domain: Domain, layer: _Layer, colours: Ints, spec: WorldSpec
) -> None:
    """Draw a mark of another colour inside an entity: a part of it, not an entity."""
    if draw(rng, 1, 100) > spec.accent_percent:
        return
    height, width = layer.mask.shape
    radius = max(min(height, width) // 8, 3)
    name = pick(rng, domain.small_shapes)
    pose = Pose(height // 2, width // 2, radius, radius, 0, max(domain.block // 2, 1))
    mark, (top, left, bottom, right) = compact_mask(name, pose, (height, width))
    marked = np.zeros((height, width), dtype=bool)
    marked[top:bottom, left:right] = mark
    colours[marked[layer.mask]] = pack(entity_colour(rng, domain))


def _light(rows: Ints, columns: Ints) -> Ints:
    """Return (h, w) brightness, 256 for unchanged, of a surface lit from the upper left."""
    down = (rows - rows[0, 0]) * 64 // max(rows.shape[0], 1)
    across = (columns - columns[0, 0]) * 32 // max(columns.shape[1], 1)
    return 290 - down - across


def _shadow(image: Ints, layer: _Layer, offset: int = 3) -> None:
    """Darken what lies right below an entity, in place."""
    top, left, bottom, right = layer.box
    window = image[top + offset : bottom + offset, left + offset : right + offset]
    mask = layer.mask[: window.shape[0], : window.shape[1]]
    window[mask] = pack(unpack(window[mask]) * 170 >> 8)
