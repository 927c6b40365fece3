"""One picture to look at a world of expressions: targets with the texts that mean them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.datasets.worlds.encode import resize_image
from workbench.datasets.worlds.fixed import Mask
from workbench.datasets.worlds.png import write_png

COLUMNS, MOST = 5, 15
CELL, TEXT, GAP = 192, 96, 6
LETTERS = 31  # of the bitmap font in a cell's width
TARGET, IGNORED = (255, 40, 200), (90, 90, 90)


class ExpressionSheet:
    """Keeps the first targets offered and draws them with their texts below."""

    def __init__(self) -> None:
        self._cells: list[tuple[NDArray[np.uint8], Sequence[str]]] = []

    def add(
        self,
        image: NDArray[np.uint8],
        target: Mask,
        texts: Sequence[str],
        ignored: Mask | None = None,
    ) -> None:
        """Offer a picture, a target and its texts; they are kept while there is room."""
        if len(self._cells) >= MOST:
            return
        shown = image.copy()
        if ignored is not None:
            shown[ignored] = IGNORED
        inner = target.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                inner &= np.roll(target, step, axis)
        shown[target & ~inner] = TARGET
        self._cells.append((shown, texts))

    def write(self, path: Path) -> None:
        """Draw the sheet as PNG."""
        rows = max((len(self._cells) + COLUMNS - 1) // COLUMNS, 1)
        size = (COLUMNS * (CELL + GAP), rows * (CELL + TEXT + GAP))
        sheet = Image.new("RGB", size, (245, 245, 245))
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default_imagefont()
        for number, (image, texts) in enumerate(self._cells):
            row, column = divmod(number, COLUMNS)
            left, top = column * (CELL + GAP), row * (CELL + TEXT + GAP)
            sheet.paste(Image.fromarray(resize_image(image, (CELL, CELL))), (left, top))
            lines = [line for text in texts for line in textwrap.wrap(_plain(text), LETTERS)]
            pen.multiline_text((left + 2, top + CELL + 2), "\n".join(lines[:8]), (0, 0, 0), font)
        write_png(path, np.asarray(sheet))


def _plain(text: str) -> str:
    """Return a text in the letters of the bitmap font, which are Latin-1's."""
    return "- " + text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
