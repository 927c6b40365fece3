"""Grounding of whole photographs: describe, extract nouns, ground (5.3.1, 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from projects.gella import prompts
from projects.gella.image_encoder import clip_pixels
from projects.gella.picture_cache import entity_labels
from projects.gella.samples import GroundingSample, colored
from projects.gella.tokens import Tokens
from workbench.errors import BadInput
from workbench.grounding.schema import GroundingAnswer, GroundingRequest

if TYPE_CHECKING:
    from projects.gella.gella import Gella, Grounded


@torch.no_grad()
def ground_photos(
    model: Gella, requests: list[GroundingRequest], withheld: str | None = None
) -> list[GroundingAnswer]:
    """Answer requests with GELLA; see `workbench.grounding.schema`.

    A picture with more entities than the mask decoder has queries is grounded in several passes,
    each with a colormap of as many entities as there are queries and the others left black.

    Raises:
        BadInput: No entity, masks of another size than the photograph, an empty caption, one longer
            than the model's context, or nouns given with some requests only.
    """
    for request in requests:
        check_request(request)
    images = _encoded(model, requests)
    if withheld == "image":
        images = model.grey_features(len(requests))
    captions = _captions(model, requests, images)
    tokens = [
        _tokens(model, request, caption)
        for request, caption in zip(requests, captions, strict=True)
    ]
    answers = model.nouns(images, tokens, teacher_forced=_forced(requests))
    limit = model.mask_decoder.num_queries
    samples, owners = [], []
    for at, request in enumerate(requests):
        for begin in range(0, len(request.masks), limit):
            part = request.masks[begin : begin + limit]
            samples.append(_sample(model, images[at], tokens[at], part))
            owners.append(at)
    said = [answers[at] for at in owners]
    grounded = model.ground(samples, said, blank=withheld == "colormap")
    return [
        _answer(
            request, captions[at], [g for g, o in zip(grounded, owners, strict=True) if o == at]
        )
        for at, request in enumerate(requests)
    ]


def check_request(request: GroundingRequest) -> None:
    """Refuse what cannot be grounded.

    Raises:
        BadInput: See :func:`ground_photos`.
    """
    if len(request.masks) == 0:
        raise BadInput("entities", "masks", "no entity", "give entity masks of the photograph")
    if request.masks.shape[1:] != request.photo.shape[:2]:
        found = " x ".join(map(str, request.masks.shape[1:]))
        size = " x ".join(map(str, request.photo.shape[:2]))
        problem = f"masks are {found} pixels, the photograph {size}"
        raise BadInput("entities", "size", problem, "give the masks of this photograph")
    if request.caption is not None and not request.caption.strip():
        raise BadInput(
            "caption", "text", "is empty", "give a sentence, or none to have one written"
        )


def _forced(requests: list[GroundingRequest]) -> bool:
    """Return whether the nouns are given, which goes for all requests of a call or for none."""
    given = {request.nouns is not None for request in requests}
    if len(given) > 1:
        fix = "give nouns with every request of a call or with none"
        raise BadInput("requests", "nouns", "given with some requests only", fix)
    return given == {True}


def _encoded(model: Gella, requests: list[GroundingRequest]) -> Tensor:
    size = model.image_encoder.size
    pixels = torch.stack([clip_pixels(request.photo, size) for request in requests])
    with model.clock("image"):
        return model.image_encoder(pixels.to(model.device))


def _captions(model: Gella, requests: list[GroundingRequest], images: Tensor) -> list[str]:
    """Return the requests' captions, those that are missing written by the model."""
    captions = [request.caption for request in requests]
    missing = [at for at, caption in enumerate(captions) if caption is None]
    if missing:
        prompt = model.language.tokenizer.prompt(prompts.describe_prompt())
        with model.clock("language"):
            written = model.language.generate(images[missing], [prompt] * len(missing))
        for at, answer in zip(missing, written, strict=True):
            captions[at] = answer.text.replace(prompts.SEG, "").strip() or "A picture."
    return [str(caption) for caption in captions]


def _tokens(model: Gella, request: GroundingRequest, caption: str) -> Tokens:
    tokenizer = model.language.tokenizer
    prompt = prompts.extract_prompt(caption)
    if request.nouns is None:
        return tokenizer.prompt(prompt)
    return tokenizer.example(prompt, prompts.nouns_answer(request.nouns))


def _sample(
    model: Gella, image: Tensor, tokens: Tokens, masks: NDArray[np.bool_]
) -> GroundingSample:
    labels = entity_labels(masks, model.colormap_size)
    colormap, shown = colored(labels, len(masks), model.assignment, np.random.default_rng(0))
    return GroundingSample("ground", image, tokens, colormap, shown)


def _answer(request: GroundingRequest, caption: str, passes: list[Grounded]) -> GroundingAnswer:
    """Join the passes of one picture."""
    nouns = request.nouns
    if nouns is None:
        nouns = tuple(prompts.read_answer(passes[0].text))[: len(passes[0].probabilities)]
    logits = torch.cat([each.mask_logits for each in passes])
    return GroundingAnswer(
        caption=caption,
        answer=passes[0].text,
        nouns=nouns,
        probabilities=torch.cat([each.probabilities for each in passes], dim=1).cpu().numpy(),
        reconstructed=_at_photo_size(logits, request.photo.shape[:2]),
        entityness=torch.cat([each.entityness for each in passes]).cpu().numpy(),
    )


def _at_photo_size(logits: Tensor, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Undo the square padding of (N, h, h) mask logits: (N, H, W) bool."""
    longer = max(size)
    inner = [max(round(side * logits.shape[-1] / longer), 1) for side in size]
    picture = logits[:, : inner[0], : inner[1]]
    rows = []
    for mask in picture.float().cpu().numpy():
        rows.append(cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_LINEAR) > 0)
    return np.stack(rows)
