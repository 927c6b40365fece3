"""Surface textures: each gives, per pixel, how far the colour lies between two base colours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.datasets.worlds.fixed import Ints, along, draw, smooth_noise

Texture = Callable[[np.random.Generator, Ints, Ints], Ints]


def _flat(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    return np.zeros((rows.shape[0], columns.shape[1]), dtype=np.int32)


def _gradient(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    ramp = along(rows, columns, draw(rng, 0, 63))
    low, high = int(ramp.min()), int(ramp.max())
    return (ramp - low) * 256 // max(high - low, 1)


def _stripes(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    period = draw(rng, 7, 18)
    duty = draw(rng, 2, period - 3)
    return (along(rows, columns, draw(rng, 0, 63)) % period < duty) * np.int32(256)


def _waves(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    period = draw(rng, 8, 24)
    bend = abs(along(rows, columns, draw(rng, 0, 63)) % 40 - 20) // 3
    phase = (along(rows, columns, draw(rng, 0, 63)) + bend) % period
    return abs(2 * phase - period) * 256 // period


def _checks(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    side, turn = draw(rng, 5, 12), draw(rng, 0, 15)
    cells = along(rows, columns, turn) // side + along(rows, columns, turn + 16) // side
    return (cells % 2) * np.int32(256)


def _dots(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    period, turn = draw(rng, 8, 16), draw(rng, 0, 15)
    across = along(rows, columns, turn) % period - period // 2
    down = along(rows, columns, turn + 16) % period - period // 2
    return (across * across + down * down <= (period * period) // 10) * np.int32(256)


def _bricks(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    height = draw(rng, 6, 10)
    shifted = columns + (rows // height % 2) * height
    return ((rows % height == 0) | (shifted % (2 * height) == 0)) * np.int32(256)


def _cloudy(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    return smooth_noise(rng, rows.shape[0], columns.shape[1], draw(rng, 8, 40))


def _grainy(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    coarse = smooth_noise(rng, rows.shape[0], columns.shape[1], draw(rng, 12, 32))
    fine = rng.integers(0, 257, coarse.shape).astype(np.int32)
    return (coarse + fine) >> 1


def _planks(rng: np.random.Generator, rows: Ints, columns: Ints) -> Ints:
    width, turn = draw(rng, 10, 20), draw(rng, 0, 3) * 16
    across = along(rows, columns, turn)
    tone = (across // width * 97) % 5 * 40
    return np.where(across % width == 0, 256, tone).astype(np.int32)


TEXTURES: dict[str, Texture] = {
    "flat": _flat,
    "gradient": _gradient,
    "stripes": _stripes,
    "waves": _waves,
    "checks": _checks,
    "dots": _dots,
    "bricks": _bricks,
    "cloudy": _cloudy,
    "grainy": _grainy,
    "planks": _planks,
}


def blend(first: Ints, second: Ints) -> Ints:
    """Return the (257, 3) colours between two (3,) RGB colours, by texture weight."""
    return first + ((second - first) * np.arange(257, dtype=np.int32)[:, None] >> 8)


def pack(colours: Ints) -> Ints:
    """Return (...,) packed colours, R + 256 G + 65536 B, of (..., 3) RGB.

    A canvas of one number a pixel is painted many times faster than one of three.
    """
    return colours[..., 0] | colours[..., 1] << 8 | colours[..., 2] << 16


def unpack(packed: Ints) -> Ints:
    """Return (..., 3) RGB of packed colours."""
    return np.stack([packed & 255, packed >> 8 & 255, packed >> 16], axis=-1)
