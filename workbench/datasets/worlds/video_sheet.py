"""One picture to look at a world of videos: one row a video, frames above their entities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.worlds.contact_sheet import overlay
from workbench.datasets.worlds.png import write_png
from workbench.datasets.worlds.scene import Entity, Scene
from workbench.datasets.worlds.video_scene import VideoScene

MOST_VIDEOS, MOST_FRAMES = 5, 8
GAP = 4


class VideoSheet:
    """Keeps the first videos offered and draws them."""

    def __init__(self) -> None:
        self._videos: list[VideoScene] = []

    def add(self, video: VideoScene) -> None:
        """Offer a video; it is kept while there is room."""
        if len(self._videos) < MOST_VIDEOS:
            self._videos.append(video)

    def write(self, path: Path) -> None:
        """Draw the sheet as PNG."""
        side = self._videos[0].labels.shape[1] + GAP if self._videos else GAP
        size = (MOST_FRAMES * side, 2 * max(len(self._videos), 1) * side)
        sheet = Image.new("RGB", size, (245, 245, 245))
        for number, video in enumerate(self._videos):
            entities = tuple(Entity(look.name, "large") for look in video.looks)
            for at, image in enumerate(video.frames[:MOST_FRAMES]):
                masks = overlay(Scene(image, video.labels[at], entities, "video"))
                for row, picture in ((0, image), (1, masks)):
                    place = (at * side, (2 * number + row) * side)
                    sheet.paste(Image.fromarray(picture), place)
        write_png(path, np.asarray(sheet))
