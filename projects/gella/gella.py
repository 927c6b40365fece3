"""GELLA: nouns of a caption grounded in given entity masks (4.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModel
from torch import Tensor

from projects.gella.association import association_loss
from projects.gella.inference import ground_photos
from projects.gella.language import Generated
from projects.gella.mask_decoder import Reconstruction
from projects.gella.samples import GroundingSample
from projects.gella.tokens import Tokens
from workbench.engine.ranks import weight_among_ranks
from workbench.errors import MissingInput
from workbench.grounding.schema import GroundingAnswer, GroundingRequest


class Grounded(NamedTuple):
    """Nouns of one picture and what they mean.

    Attributes:
        text: The answer, with ``<SEG>`` after each noun.
        probabilities: (V, G) in [0, 1], association of noun v with input mask g.
        mask_logits: (G, h, w), the input masks as reconstructed.
        entityness: (G,) in [0, 1], of the query tied to each mask.
    """

    text: str
    probabilities: Tensor
    mask_logits: Tensor
    entityness: Tensor


@MODELS.register_module()
class Gella(BaseModel):
    """Two single-modal encoders and two dual-modal decoders (Figure 6).

    Args:
        image_encoder: Low-resolution CLIP, Z_v.
        colormap_encoder: MMDetection backbone with four levels of strides 4 to 32, Z_c.
        resoblend: Blends image tokens into the pyramid, Z_vc.
        mask_decoder: Rebuilds the masks; its queries are the entity embeddings E_vc.
        language: Writes nouns; its ``<SEG>`` states are the noun embeddings E_vl.
        association: Compares the two.
        colormap_size: Side of the square colormap in pixels at inference.
        assignment: Colours of the colormap at inference, "random" or "location".
        masks_pretrained: Folder of a pretrained mask path, of whose parts this one starts;
            layers of another shape, or that it lacks, keep their own start.
        association_weight: Factor of L_asso; 1 is the paper's uniform weighting (Eq. 17).
        init_cfg: As in MMEngine.
    """

    def __init__(
        self,
        image_encoder: dict,
        colormap_encoder: dict,
        resoblend: dict,
        mask_decoder: dict,
        language: dict,
        association: dict,
        colormap_size: int,
        assignment: str = "random",
        masks_pretrained: str | None = None,
        association_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.image_encoder = MODELS.build(image_encoder)
        self.colormap_encoder = MODELS.build(colormap_encoder)
        channels = self.image_encoder.channels
        self.resoblend = MODELS.build({**resoblend, "image_channels": channels})
        levels = [self.resoblend.out_channels] * len(self.resoblend.levels)
        self.mask_decoder = MODELS.build({**mask_decoder, "in_channels": levels})
        self.masks_pretrained = masks_pretrained
        self.language = MODELS.build({**language, "image_channels": channels})
        self.association = MODELS.build(
            {
                **association,
                "language_channels": self.language.channels,
                "entity_channels": self.mask_decoder.decoder_embed_dims,
            }
        )
        self.colormap_size, self.assignment = colormap_size, assignment
        self.association_weight = association_weight
        self._times: dict[str, float] = {}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.mask_decoder.parameters()).device

    def init_weights(self) -> None:
        """Initialise what is not pretrained, and start the mask path from its pretraining."""
        for part in (self.colormap_encoder, self.mask_decoder):
            part.init_weights()
        if self.masks_pretrained is not None:
            start_from(self, Path(self.masks_pretrained))

    def forward(self, samples: list[GroundingSample], mode: str = "tensor") -> Any:
        """Run a batch: "loss" for training, otherwise teacher-forced grounding."""
        if mode == "loss":
            return self.loss(samples)
        tokens = [sample.tokens for sample in samples]
        return self.ground(samples, self.nouns(self.image_features(samples), tokens, True))

    def loss(self, samples: list[GroundingSample]) -> dict[str, Tensor]:
        """Return the losses of Eq. 17; samples that are not grounded train the language alone."""
        image = self.image_features(samples)
        answers = self.language(image, [sample.tokens for sample in samples])
        losses = {"loss_ans": answers.loss}
        if answers.recall is not None:
            losses["loss_recall"] = answers.recall
        chosen = [at for at, sample in enumerate(samples) if sample.task == "ground"]
        if not chosen:
            self.mask_decoder.take_part_in_means(self.device)
            weight_among_ranks(0, self.device)
            return losses
        decoded = self.reconstruct(image[chosen], [samples[at] for at in chosen])
        masks = [samples[at].masks.to(self.device) for at in chosen]
        seg_losses, matches = self.mask_decoder.losses_and_matches(decoded, masks)
        logits, targets = [], []
        for row, at in enumerate(chosen):
            nouns = answers.segments[at][samples[at].grounded.to(self.device)]
            logits.append(self.association(nouns, decoded.embeddings[row]))
            targets.append(_query_targets(samples[at], matches[row], logits[-1]))
        weight = weight_among_ranks(sum(each.numel() for each in logits), self.device)
        losses["loss_asso"] = association_loss(logits, targets) * weight * self.association_weight
        return {**losses, **seg_losses}

    def ground_photos(
        self, requests: list[GroundingRequest], withheld: str | None = None
    ) -> list[GroundingAnswer]:
        """Ground captions of whole photographs, see `projects.gella.inference`."""
        return ground_photos(self, requests, withheld)

    @contextmanager
    def clock(self, component: str) -> Iterator[None]:
        """Add the time of a block to a component's."""
        begin = time.perf_counter()
        yield
        spent = time.perf_counter() - begin
        self._times[component] = self._times.get(component, 0.0) + spent

    def component_times(self) -> dict[str, float]:
        """Return seconds by component (image, colormap, masks, language) since the last call."""
        times, self._times = self._times, {}
        return times

    def image_features(self, samples: list[GroundingSample]) -> Tensor:
        """Return Z_v, (B, C_v, g, g): encoded here, or as the samples bring it."""
        images = torch.stack([sample.image for sample in samples]).to(self.device)
        return self.image_encoder(images) if images.shape[1] == 3 else images

    def reconstruct(
        self, image: Tensor, samples: list[GroundingSample], every_layer: bool = True
    ) -> Reconstruction:
        """Encode colormaps, blend the image in and decode; losses need every layer's masks."""
        colormaps = torch.stack([sample.colormap for sample in samples]).to(self.device)
        with self.clock("colormap"):
            pyramid = self.colormap_encoder(colormaps.float() / 127.5 - 1)
        with self.clock("masks"):
            return self.mask_decoder.reconstruct(self.resoblend(image, list(pyramid)), every_layer)

    def grey_features(self, count: int) -> Tensor:
        """Return Z_v of ``count`` grey images: what is shown where the image is withheld."""
        size = self.image_encoder.size
        grey = self.image_encoder(torch.zeros(1, 3, size, size, device=self.device))
        return grey.expand(count, -1, -1, -1)

    @torch.no_grad()
    def nouns(self, image: Tensor, tokens: list[Tokens], teacher_forced: bool) -> list[Generated]:
        """Extract the nouns of captions, or read those of given answers.

        Args:
            image: Z_v, (B, C_v, g, g).
            tokens: B prompts, under teacher forcing with their answers.
            teacher_forced: Whether the answers are given; their texts are then left empty.
        """
        with self.clock("language"):
            if not teacher_forced:
                return self.language.generate(image, tokens)
            return [Generated("", found) for found in self.language(image, tokens).segments]

    @torch.no_grad()
    def ground(
        self, samples: list[GroundingSample], answers: list[Generated], blank: bool = False
    ) -> list[Grounded]:
        """Associate nouns with the masks of colormaps.

        Args:
            samples: With colormap and masks; no more masks than the decoder has queries.
            answers: The nouns of each sample.
            blank: Whether black colormaps are shown instead: the control that tells whether the
                model makes use of them.
        """
        image = self.image_features(samples)
        shown = samples
        if blank:
            shown = [replace(s, colormap=torch.zeros_like(s.colormap)) for s in samples]
        decoded = self.reconstruct(image, shown, every_layer=False)
        return [
            self._tied(sample, decoded, row, answer.segments, answer.text)
            for row, (sample, answer) in enumerate(zip(samples, answers, strict=True))
        ]

    def _tied(
        self, sample: GroundingSample, decoded: Reconstruction, row: int, nouns: Tensor, text: str
    ) -> Grounded:
        """Tie queries to the input masks and associate the nouns with these."""
        masks = sample.masks.to(self.device)
        class_logits, mask_logits = decoded.class_logits[-1][row], decoded.mask_logits[-1][row]
        queries = self.mask_decoder.tie(class_logits, mask_logits, masks)
        logits = self.association(nouns, decoded.embeddings[row][queries])
        entityness = F.softmax(class_logits, dim=-1)[queries, 0]
        return Grounded(text, logits.sigmoid(), mask_logits[queries], entityness)


def start_from(model: BaseModel, folder: Path) -> int:
    """Copy the tensors of a pretrained mask path that fit; return how many did.

    Raises:
        MissingInput: The folder has no weights.
    """
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise MissingInput(path, "run the stages pretrain and pretrain_joint")
    own = model.state_dict()
    fitting = {
        name: value
        for name, value in load_file(str(path)).items()
        if name in own and own[name].shape == value.shape
    }
    model.load_state_dict(fitting, strict=False)
    return len(fitting)


def _query_targets(sample: GroundingSample, match: tuple[Tensor, Tensor], logits: Tensor) -> Tensor:
    """Return G^A, (V, N): 1 where a noun means the entity that a query is matched to."""
    queries, entities = match
    wanted = sample.targets[sample.grounded].to(logits.device)
    targets = torch.zeros_like(logits)
    targets[:, queries] = wanted[:, entities].to(logits.dtype)
    return targets
