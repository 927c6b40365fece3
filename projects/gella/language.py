"""Language decoder: a LLaMA that reads visual tokens and writes nouns with ``<SEG>`` (Eq. 10-12).

Letters: B sequences, T visual tokens, L text tokens, D width of the language model.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from projects.gella.language_model import build_language_model, load_language_model
from projects.gella.tokens import IGNORED, PromptTokenizer, Tokens
from workbench.engine.ranks import weight_among_ranks


class Answers(NamedTuple):
    """Teacher-forced answers of a batch.

    Attributes:
        loss: Scalar L_ans, cross-entropy over the answers' tokens (Eq. 12).
        segments: Per sequence (V, D): last-layer embeddings at its ``<SEG>`` tokens, E_vl.
        recall: Scalar loss of naming nouns from these; None where nothing is to be named.
    """

    loss: Tensor
    segments: list[Tensor]
    recall: Tensor | None = None


class Generated(NamedTuple):
    """A generated answer.

    Attributes:
        text: With ``<SEG>``, without the end token.
        segments: (V, D), one a ``<SEG>``.
    """

    text: str
    segments: Tensor


@MODELS.register_module()
class LanguageDecoder(BaseModule):
    """A causal language model of `transformers` with a linear projection of visual tokens.

    Args:
        image_channels: C_v of the visual tokens.
        pretrained: Folder of a LLaMA-architecture model or of LLaVA, with its tokenizer.
        config: Instead of its weights, fields of ``LlamaConfig``: random weights. The tokenizer is
            that of ``pretrained`` all the same.
        visual_pool: Side of the square of image tokens that one visual token is the mean of; 1, the
            paper's way, takes every token.
        max_tokens: Longest prompt and answer, without visual tokens.
        max_new_tokens: Longest generated answer.
        recalled: How many of the tokens before a ``<SEG>`` its state must tell in training (*ours*:
            states of a large model do anyway, those of a small one learn it too slowly); 0 is the
            paper's way.
        recall_weight: Factor of the loss of each.
    """

    def __init__(
        self,
        image_channels: int,
        pretrained: str,
        config: dict | None = None,
        visual_pool: int = 1,
        max_tokens: int = 512,
        max_new_tokens: int = 192,
        recalled: int = 0,
        recall_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.tokenizer = PromptTokenizer(pretrained, max_tokens)
        self.model = (
            load_language_model(Path(pretrained))
            if config is None
            else build_language_model(config)
        )
        if self.model.get_input_embeddings().num_embeddings < len(self.tokenizer):
            self.model.resize_token_embeddings(len(self.tokenizer))
        self.max_new_tokens, self.visual_pool = max_new_tokens, visual_pool
        self.project = nn.Linear(image_channels, self.channels)
        self.recall_weight = recall_weight
        self.recall = nn.ModuleList(
            nn.Linear(self.channels, self.channels) for _ in range(recalled)
        )

    @property
    def channels(self) -> int:
        """Width D of the embeddings."""
        return int(self.model.config.hidden_size)

    def forward(self, image: Tensor, tokens: list[Tokens]) -> Answers:
        """Read prompts and answers.

        Args:
            image: (B, C_v, g, g) grid features.
            tokens: B examples.
        """
        visual = self._visual(image)
        ids, labels = self._padded(tokens)
        embeddings, mask = self._spliced(visual, ids, [len(t.ids) for t in tokens])
        hidden = self.model.model(inputs_embeds=embeddings, attention_mask=mask).last_hidden_state
        text = self._text_only(hidden, ids, visual.shape[1])
        learned = labels[:, 1:] != IGNORED
        logits = self.model.lm_head(text[:, :-1][learned])
        loss = F.cross_entropy(logits, labels[:, 1:][learned])
        loss = loss * weight_among_ranks(len(logits), logits.device)
        answered = (ids == self.tokenizer.seg_id) & (labels != IGNORED)
        segments = [row[seg] for row, seg in zip(text, answered, strict=True)]
        return Answers(loss, segments, self._recall_loss(text, ids, answered))

    def _recall_loss(self, text: Tensor, ids: Tensor, answered: Tensor) -> Tensor | None:
        """Return the loss of naming, from the states at ``<SEG>``, the tokens before it."""
        if not len(self.recall):
            return None
        weight = weight_among_ranks(int(answered.sum()), text.device)
        if not answered.any():
            return None
        rows, places = answered.nonzero(as_tuple=True)
        losses = [
            F.cross_entropy(
                self.model.lm_head(head(text[rows, places])),
                ids[rows, (places - back).clamp(min=0)],
            )
            for back, head in enumerate(self.recall, start=1)
        ]
        return torch.stack(losses).sum() * self.recall_weight * weight

    @torch.no_grad()
    def generate(
        self, image: Tensor, prompts: list[Tokens], use_cache: bool = True
    ) -> list[Generated]:
        """Continue prompts greedily.

        Args:
            image: (B, C_v, g, g).
            prompts: B prompts.
            use_cache: Whether keys and values of earlier tokens are kept.
        """
        visual = self._visual(image)
        reversed_ids = [torch.tensor(t.ids, device=visual.device).flip(0) for t in prompts]
        ids = pad_sequence(reversed_ids, batch_first=True, padding_value=self.tokenizer.end_id)
        embeddings, mask = self._spliced(
            visual, ids.flip(1), [len(t.ids) for t in prompts], left=True
        )
        out = self.model.generate(
            inputs_embeds=embeddings,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            pad_token_id=self.tokenizer.end_id,
            eos_token_id=self.tokenizer.end_id,
            use_cache=use_cache,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
        # Step i gives token i from the embeddings of token i - 1: step 0 read the prompt.
        read = [step[-1][:, -1] for step in out.hidden_states[1:]]
        states = torch.stack(read, dim=1) if read else embeddings[:, :0]
        return [self._answer(row, state) for row, state in zip(out.sequences, states, strict=True)]

    def _answer(self, ids: Tensor, states: Tensor) -> Generated:
        """Read one generated row; a ``<SEG>`` that was the very last token has no embedding."""
        ended = (ids == self.tokenizer.end_id).nonzero()
        length = int(ended[0]) if len(ended) else len(ids)
        kept = ids[: min(length, len(states))]
        text = self.tokenizer.decode(kept.tolist())
        return Generated(text, states[: len(kept)][kept == self.tokenizer.seg_id])

    def _visual(self, image: Tensor) -> Tensor:
        """Return (B, T, D) visual tokens H_v (Eq. 10)."""
        pooled = F.avg_pool2d(image, self.visual_pool) if self.visual_pool > 1 else image
        return self.project(pooled.flatten(2).transpose(1, 2))

    def _padded(self, tokens: list[Tokens]) -> tuple[Tensor, Tensor]:
        device = self.project.weight.device
        ids = [torch.tensor(t.ids, device=device) for t in tokens]
        labels = [torch.tensor(t.labels, device=device) for t in tokens]
        return (
            pad_sequence(ids, batch_first=True, padding_value=self.tokenizer.end_id),
            pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        )

    def _spliced(
        self, visual: Tensor, ids: Tensor, lengths: list[int], left: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Put the visual tokens where ``<IMAGE>`` stands.

        Args:
            visual: (B, T, D).
            ids: (B, L) with one ``<IMAGE>`` a row.
            lengths: Tokens of each row without padding.
            left: Whether padding is on the left.

        Returns:
            Embeddings (B, L - 1 + T, D) and the attention mask, 1 for tokens.
        """
        embedded = self.model.get_input_embeddings()(ids)
        places = self._image_places(ids)
        rows = [
            torch.cat([row[:at], image, row[at + 1 :]])
            for row, image, at in zip(embedded, visual, places, strict=True)
        ]
        padding = ids.shape[1] - torch.tensor(lengths, device=ids.device)[:, None]
        total = ids.shape[1] - 1 + visual.shape[1]
        positions = torch.arange(total, device=ids.device)[None]
        mask = positions >= padding if left else positions < total - padding
        return torch.stack(rows), mask.long()

    def _text_only(self, hidden: Tensor, ids: Tensor, visual_tokens: int) -> Tensor:
        """Undo the splice: (B, L, D) states of the text, ``<IMAGE>``'s the last visual one."""
        rows = [
            torch.cat([row[:at], row[at + visual_tokens - 1 :]])
            for row, at in zip(hidden, self._image_places(ids), strict=True)
        ]
        return torch.stack(rows)

    def _image_places(self, ids: Tensor) -> list[int]:
        return (ids == self.tokenizer.image_id).int().argmax(1).tolist()
