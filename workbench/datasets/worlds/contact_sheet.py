"""One picture to look at a world: scenes beside their masks, grouped by domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.datasets.worlds.domains import hue_colour
from workbench.datasets.worlds.encode import resize_image
from workbench.datasets.worlds.png import write_png
from workbench.datasets.worlds.scene import Scene

PER_DOMAIN = 5
CELL = 192
HEADER = 22
GAP = 4


class ContactSheet:
    """Keeps the first scenes of each domain and draws them, one row a domain."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Scene]] = {}

    def add(self, scene: Scene) -> None:
        """Offer a scene; it is kept while its domain's row has room."""
        row = self._rows.setdefault(scene.domain, [])
        if len(row) < PER_DOMAIN:
            row.append(scene)

    def write(self, path: Path) -> None:
        """Draw the sheet as PNG."""
        step = CELL + GAP
        height = max(len(self._rows), 1) * (step + HEADER)
        sheet = Image.new("RGB", (PER_DOMAIN * (2 * step + GAP), height), (245, 245, 245))
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default_imagefont()
        for number, (domain, scenes) in enumerate(sorted(self._rows.items())):
            top = number * (step + HEADER)
            title = f"{domain}: pictures, each beside its entities"
            pen.text((6, top + 5), title, fill=(20, 20, 20), font=font)
            for column, scene in enumerate(scenes):
                left = column * (2 * step + GAP)
                sheet.paste(_fitted(scene.image), (left, top + HEADER))
                sheet.paste(_fitted(overlay(scene)), (left + CELL, top + HEADER))
        write_png(path, np.asarray(sheet))


def _fitted(image: NDArray[np.uint8]) -> Image.Image:
    """Return the picture shrunk to fit a cell."""
    height, width = image.shape[:2]
    long = max(height, width)
    return Image.fromarray(resize_image(image, (height * CELL // long, width * CELL // long)))


def overlay(scene: Scene) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8: entities in colours of their own with light borders."""
    count = len(scene.entities)
    colours = np.zeros((count + 1, 3), dtype=np.int32)
    for number in range(1, count + 1):
        # Steps of 5/13 of the hue circle keep neighbours in painting order apart.
        colours[number] = hue_colour(number * 590 % 1536, 200, 110 + number % 3 * 65)
    picture = colours[scene.labels]
    border = np.zeros(scene.labels.shape, dtype=bool)
    border[:, 1:] |= scene.labels[:, 1:] != scene.labels[:, :-1]
    border[1:] |= scene.labels[1:] != scene.labels[:-1]
    picture[border] = 250
    return picture.astype(np.uint8)
