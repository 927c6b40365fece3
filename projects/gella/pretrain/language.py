"""Stage ``pretrain`` of a small LLaMA: next token on captions and on repeating a sentence.

Beside the next token, the last layer's states must tell the tokens just read. States of a large
language model do, and GELLA lives by it: a noun is known from the state at the ``<SEG>`` after it.
A small one trained on the next token alone loses them there (*ours*, see the project's README).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import DATASETS, MODELS
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from projects.gella import prompts
from projects.gella.pretrain.tokenizer import REPEAT, captions_of, train_tokenizer
from workbench.engine.draws import DrawDataset

IGNORED = -100


@DATASETS.register_module()
class CaptionDataset(DrawDataset):
    """Captions as token sequences: plain, or as a dialogue in which the assistant repeats one.

    Repeating stands for what instruction tuning gives LLaVA: answers that take words from the
    question (*assumed*). Noun lists are not among the texts.

    Args:
        manifest: Data manifest with narratives.
        splits: Splits whose captions are read.
        vocab_size: Of the tokenizer, which is trained on the same captions.
        repeat: Share of dialogues.
        shuffle: Share of dialogues whose words are in random order: they can only be read, not
            recalled.
    """

    def __init__(
        self,
        manifest: str,
        splits: Sequence[str],
        vocab_size: int,
        repeat: float = 0.5,
        shuffle: float = 0.0,
    ) -> None:
        self.captions = captions_of(Path(manifest), splits)
        self.tokenizer = train_tokenizer(self.captions, vocab_size)
        self.repeat, self.shuffle = repeat, shuffle

    def __len__(self) -> int:
        return len(self.captions)

    def load(self, index: int) -> dict[str, Tensor]:
        """Return token ids (L,) of one text, and how many at its beginning are not learned."""
        text = self.captions[index]
        asked = []
        if np.random.rand() < self.repeat:
            if np.random.rand() < self.shuffle:
                text = " ".join(np.random.permutation(text.split()))
            asked = self._ids(prompts.dialogue(REPEAT.format(text)))
            text = f" {text}"
        begin = [self.tokenizer.bos_token_id, *asked]
        ids = [*begin, *self._ids(text), self.tokenizer.eos_token_id]
        return {"tokens": torch.tensor(ids), "given": len(begin)}

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


@MODELS.register_module()
class LanguagePretraining(BaseModel):
    """A LLaMA with random weights, trained to predict the next token.

    Args:
        config: Fields of ``LlamaConfig``.
        tokenizer: ``manifest``, ``splits`` and ``vocab_size`` of the tokenizer to save beside it.
        recalled: How many of the tokens before the last one read a state must tell.
        recall_share: Share of the places that are asked, drawn anew in each iteration.
        recall_weight: Factor of the loss of each.
    """

    def __init__(
        self,
        config: dict,
        tokenizer: dict,
        recalled: int = 0,
        recall_share: float = 0.25,
        recall_weight: float = 1.0,
        init_cfg: dict | None = None,
    ) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        super().__init__(init_cfg=init_cfg)
        self.tokenizer_config = tokenizer
        fields = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, **config}
        self.model = LlamaForCausalLM(LlamaConfig(vocab_size=tokenizer["vocab_size"], **fields))
        width = self.model.config.hidden_size
        self.recall = nn.ModuleList(nn.Linear(width, width) for _ in range(recalled))
        self.recall_share, self.recall_weight = recall_share, recall_weight

    def forward(self, tokens: Sequence[Tensor], given: Sequence[int], mode: str = "tensor") -> Any:
        """Return the loss of sequences (L,) beyond their first ``given`` tokens, or the logits."""
        device = self.model.device
        lengths = torch.tensor([len(row) for row in tokens], device=device)[:, None]
        ids = pad_sequence([row.to(device) for row in tokens], batch_first=True, padding_value=2)
        there = torch.arange(ids.shape[1], device=device)[None] < lengths
        hidden = self.model.model(input_ids=ids, attention_mask=there.long()).last_hidden_state
        logits = self.model.lm_head(hidden)
        if mode != "loss":
            return logits
        places = torch.arange(ids.shape[1], device=device)[None]
        learned = there & (places >= torch.as_tensor(given, device=device)[:, None])
        targets = ids.masked_fill(~learned, IGNORED)[:, 1:]
        loss = F.cross_entropy(
            logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )
        with torch.no_grad():
            right = (logits[:, :-1].argmax(-1) == targets)[targets != IGNORED]
        recall = self._recall_loss(hidden, ids, learned)
        return {"loss": loss, **recall, "accuracy": right.float().mean()}

    def _recall_loss(self, hidden: Tensor, ids: Tensor, learned: Tensor) -> dict[str, Tensor]:
        """Return the loss of naming the tokens before the last one read."""
        if not len(self.recall):
            return {}
        asked = learned & (torch.rand(learned.shape, device=learned.device) < self.recall_share)
        losses = []
        for back, head in enumerate(self.recall, start=1):
            at = asked[:, back:]
            named = self.model.lm_head(head(hidden[:, back:][at]))
            losses.append(F.cross_entropy(named, ids[:, :-back][at]))
        return {"loss_recall": torch.stack(losses).sum() * self.recall_weight}

    def export(self, folder: Path) -> None:
        """Write model and tokenizer as an ordinary ``save_pretrained`` folder."""
        self.model.save_pretrained(folder)
        given = self.tokenizer_config
        texts = captions_of(Path(given["manifest"]), given["splits"])
        train_tokenizer(texts, given["vocab_size"]).save_pretrained(folder)
