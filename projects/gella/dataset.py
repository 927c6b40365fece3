"""Narratives with pictures and masks as samples of GELLA's three tasks (4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS, MODELS
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from projects.gella import prompts
from projects.gella.image_encoder import clip_pixels
from projects.gella.picture_cache import Arrays, cached_arrays, entity_labels
from projects.gella.samples import GroundingSample, colored
from projects.gella.tokens import PromptTokenizer, Tokens
from workbench.datasets import EntityImage
from workbench.datasets.json_files import read_json
from workbench.datasets.narratives import Narrative, NarrativeDataset, Phrase, load_narratives
from workbench.datasets.schema import Category
from workbench.engine.draws import DrawDataset
from workbench.errors import BadInput
from workbench.files import sha256_file, sha256_tree
from workbench.grounding.schema import category_sentence
from workbench.paths import store_root
from workbench.photos import read_photo

FEATURE_BATCH = 32


@DATASETS.register_module()
class GroundingDataset(DrawDataset):
    """Grounded narratives, mixed in training with captions that are not grounded.

    Args:
        manifest: Data manifest with narratives.
        split: Split of grounded narratives.
        language: Folder of the language model, for its tokenizer.
        image_encoder: Config of the image encoder: its input size, and its features if cached.
        colormap_size: Side of the square colormap in pixels.
        captions: Split whose captions serve noun extraction and description; the grounded
            split itself by default.
        ratios: Shares of the tasks describe, extract and ground; grounding alone by default.
        assignment: Colours of the colormap, "random" or "location".
        max_tokens: Longest prompt and answer.
        cache: Whether frozen image features and label maps are kept on disk between runs.
        max_samples: Keep the first narratives only.
        category_share: Share of the pictures to ground that come with the names of all categories
            of the split (5.3.3) instead of their narrative; those that a picture lacks mean
            nothing in it.

    Raises:
        BadInput: Unknown task, shares that do not sum to 1, an empty split, or a cache of an
            encoder that is trained.
    """

    def __init__(
        self,
        manifest: str,
        split: str,
        language: str,
        image_encoder: dict[str, Any],
        colormap_size: int,
        captions: str | None = None,
        ratios: Mapping[str, float] | None = None,
        assignment: str = "random",
        max_tokens: int = 512,
        cache: bool = True,
        max_samples: int | None = None,
        category_share: float = 0.0,
    ) -> None:
        self.ratios = _checked_ratios(ratios or {"ground": 1.0})
        self.size, self.assignment, self.cache = colormap_size, assignment, cache
        self.tokenizer = PromptTokenizer(language, max_tokens)
        self.manifest, self.encoder_config = Path(manifest), image_encoder
        self.input_size = int(image_encoder_size(image_encoder))
        self.grounded = self._open(split)
        self.captions = self.grounded
        if captions is not None and self.ratios["ground"] < 1:
            self.captions = self._open(captions)
        available = len(self.grounded.narratives)
        self.count = available if max_samples is None else min(max_samples, available)
        self.category_share = category_share
        entities = self.grounded.narratives.entities
        self.categories = entities.seen_categories() if category_share else ()

    def _open(self, split: str) -> _Split:
        narratives = load_narratives(self.manifest, split)
        if len(narratives) == 0:
            raise BadInput(self.manifest, f"splits.{split}", "no narrative", "run prep again")
        arrays = None
        if self.cache:
            arrays = cached_pictures(
                self.manifest, split, narratives.entities, self.encoder_config, self.size
            )
        return _Split(narratives, arrays)

    def __len__(self) -> int:
        return self.count

    def load(self, index: int) -> dict[str, GroundingSample]:
        """Return sample ``index``, or one of another task as the shares say."""
        task = self._task()
        if task == "ground":
            return {"samples": self._ground(index)}
        split = self.captions
        at = int(np.random.randint(len(split.narratives)))
        narrative, image = split.narratives[at]
        if task == "describe":
            tokens = self.tokenizer.example(prompts.describe_prompt(), narrative.caption)
        else:
            tokens = self.answer(narrative)
        return {"samples": GroundingSample(task, self._image(split, at, image), tokens)}

    def _task(self) -> str:
        if self.ratios["ground"] >= 1:
            return "ground"
        return str(np.random.choice(list(self.ratios), p=list(self.ratios.values())))

    def _ground(self, index: int) -> GroundingSample:
        narrative, image = self.grounded.narratives[index]
        listed = bool(self.categories) and np.random.random() < self.category_share
        if listed:
            narrative = category_narrative(image, self.categories)
        labels = self._label_map(index, image)
        rng = np.random.default_rng(np.random.randint(2**31))
        colormap, masks = colored(labels, len(image.masks), self.assignment, rng)
        targets = phrase_targets(narrative, image)
        grounded = torch.tensor([listed or phrase.grounded for phrase in narrative.phrases])
        pixels = self._image(self.grounded, index, image)
        tokens = self.answer(narrative)
        return GroundingSample("ground", pixels, tokens, colormap, masks, targets, grounded)

    def answer(self, narrative: Narrative) -> Tokens:
        """Return the noun extraction of a narrative with its answer."""
        nouns = [phrase.text for phrase in narrative.phrases]
        where = f"{self.manifest}: image {narrative.image_id}"
        prompt = prompts.extract_prompt(narrative.caption)
        return self.tokenizer.example(prompt, prompts.nouns_answer(nouns), where)

    def _label_map(self, index: int, image: EntityImage) -> NDArray[np.uint16]:
        split = self.grounded
        if split.arrays is None:
            return entity_labels(decode_masks(image), self.size)
        return np.asarray(split.arrays["labels"][split.picture_of(index)])

    def _image(self, split: _Split, index: int, image: EntityImage) -> torch.Tensor:
        if split.arrays is None:
            return clip_pixels(read_photo(image.file), self.input_size)
        features = split.arrays["features"][split.picture_of(index)]
        return torch.from_numpy(features.astype(np.float32))


def cached_pictures(
    manifest: Path,
    split: str,
    entities: Sequence[EntityImage],
    encoder_config: dict[str, Any],
    size: int,
) -> Arrays:
    """Return what is the same in every run on a split, computed once.

    Args:
        manifest: Data manifest.
        split: Name of the split.
        entities: Its N pictures.
        encoder_config: Of the frozen image encoder.
        size: Side of the square label maps in pixels.

    Returns:
        ``labels`` (N, size, size) uint16 and ``features`` (N, C_v, g, g) float16.

    Raises:
        BadInput: The encoder is trained.
    """
    if not encoder_config.get("frozen", True):
        fix = "set cache=False or frozen=True"
        raise BadInput("image_encoder", "frozen", "features of a trained encoder", fix)
    pretrained = encoder_config.get("pretrained")
    input_size = image_encoder_size(encoder_config)
    depends_on = {
        "manifest": sha256_file(manifest),
        "split": read_json(manifest, "run prep")["splits"][split],
        "size": size,
        "encoder": sha256_tree(Path(pretrained)) if pretrained else encoder_config,
        "input_size": input_size,
        "code": [sha256_file(Path(__file__).with_name(f"{name}.py"))
                 for name in ("picture_cache", "image_encoder", "colormap")],
    }  # fmt: skip
    root = store_root() / "work_dirs" / "pictures"
    return cached_arrays(
        root, depends_on, lambda: _computed(entities, encoder_config, input_size, size)
    )


def _computed(
    entities: Sequence[EntityImage], encoder_config: dict[str, Any], input_size: int, size: int
) -> Arrays:
    labels = np.stack([entity_labels(decode_masks(image), size) for image in entities])
    encoder = MODELS.build(encoder_config).eval()
    pixels = (clip_pixels(read_photo(image.file), input_size) for image in entities)
    features = []
    with torch.no_grad():
        for batch in _batches(pixels, FEATURE_BATCH):
            features.append(encoder(torch.stack(batch)).numpy().astype(np.float16))
    return {"labels": labels, "features": np.concatenate(features)}


class _Split:
    """Narratives of a split and the cached arrays of its pictures."""

    def __init__(self, narratives: NarrativeDataset, arrays: Arrays | None) -> None:
        self.narratives, self.arrays = narratives, arrays

    def picture_of(self, index: int) -> int:
        """Return the position of narrative ``index``'s picture among the split's pictures."""
        return self.narratives.picture_index(index)


def image_encoder_size(config: dict[str, Any]) -> int:
    """Return the input side of an image encoder's config without loading its weights."""
    pretrained = config.get("pretrained")
    if pretrained is None:
        return int(config["config"]["image_size"])
    content = read_json(Path(pretrained) / "config.json", "run the stage pretrain")
    return int(content.get("vision_config", content)["image_size"])


def phrase_targets(narrative: Narrative, image: EntityImage) -> torch.Tensor:
    """Return (V, G) bool: whether phrase v means entity g."""
    position = {segment: at for at, segment in enumerate(image.segment_ids)}
    targets = torch.zeros(len(narrative.phrases), len(image.masks), dtype=torch.bool)
    for row, phrase in enumerate(narrative.phrases):
        for segment in phrase.segment_ids:
            targets[row, position[segment]] = True
    return targets


def category_narrative(image: EntityImage, categories: Sequence[Category]) -> Narrative:
    """Return all names as a narrative in which each means the entities of its class."""
    sentence, end = category_sentence([category.name for category in categories]), 0
    phrases = []
    for category in categories:
        start = sentence.index(category.name, end)
        end = start + len(category.name)
        owners = zip(image.segment_ids, image.category_ids, strict=True)
        meant = tuple(segment for segment, owner in owners if owner == category.category_id)
        phrases.append(Phrase(category.name, start, end, meant, len(meant) > 1))
    return Narrative(int(image.image_id), 0, sentence, tuple(phrases))


def decode_masks(image: EntityImage) -> NDArray[np.bool_]:
    """Return the (N, H, W) bool masks of a picture."""
    if not image.masks:
        return np.zeros((0, image.height, image.width), bool)
    return coco_mask.decode(list(image.masks)).astype(bool).transpose(2, 0, 1)


def _checked_ratios(ratios: Mapping[str, float]) -> dict[str, float]:
    unknown = set(ratios) - set(prompts.TASKS)
    if unknown:
        fix = f"use {', '.join(prompts.TASKS)}"
        raise BadInput("config", f"ratios.{sorted(unknown)[0]}", "unknown task", fix)
    shares = {task: float(ratios.get(task, 0)) for task in prompts.TASKS}
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) < 0:
        raise BadInput("config", "ratios", f"{shares}", "give shares that sum to 1")
    return shares


def _batches(items: Any, size: int) -> Any:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
