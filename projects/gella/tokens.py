"""Prompts and answers as token ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from projects.gella.prompts import IMAGE, SEG
from workbench.errors import BadInput, MissingInput

IGNORED = -100


@dataclass(frozen=True)
class Tokens:
    """A prompt with or without its answer.

    Attributes:
        ids: Token ids, beginning with the start token and with one ``<IMAGE>``.
        labels: The same ids where the answer is to be learned, ``IGNORED`` on the prompt.
    """

    ids: list[int]
    labels: list[int]


class PromptTokenizer:
    """A language model's tokenizer with the two special tokens.

    Args:
        folder: ``save_pretrained`` folder of a language model.
        max_tokens: Longest prompt and answer together, without the visual tokens.

    Raises:
        MissingInput: No folder, or a folder without tokenizer.
        BadInput: The tokenizer has no start or end token.
    """

    def __init__(self, folder: str | Path, max_tokens: int) -> None:
        from transformers import AutoTokenizer

        folder = Path(folder)
        if not folder.is_dir():
            raise MissingInput(folder, "run the stage pretrain, or give a language model's folder")
        if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
            raise MissingInput(folder / "tokenizer.json", "copy the tokenizer into the folder")
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        self.tokenizer.add_tokens([IMAGE, SEG], special_tokens=True)
        if self.tokenizer.bos_token_id is None or self.tokenizer.eos_token_id is None:
            fix = "set bos_token and eos_token in tokenizer_config.json"
            raise BadInput(folder, "tokenizer", "has no start or end token", fix)
        self.max_tokens = max_tokens
        self.image_id = self.tokenizer.convert_tokens_to_ids(IMAGE)
        self.seg_id = self.tokenizer.convert_tokens_to_ids(SEG)
        self.end_id = self.tokenizer.eos_token_id

    def __len__(self) -> int:
        return len(self.tokenizer)

    def prompt(self, text: str, where: str = "caption") -> Tokens:
        """Encode what the model continues.

        Raises:
            BadInput: It leaves no room for an answer.
        """
        ids = [self.tokenizer.bos_token_id, *self._encode(text)]
        self._check(ids, where)
        return Tokens(ids, [IGNORED] * len(ids))

    def example(self, text: str, answer: str, where: str = "caption") -> Tokens:
        """Encode a prompt and the answer to learn, ended by the end token.

        Raises:
            BadInput: Longer than the context: it is never cut.
        """
        prompt = [self.tokenizer.bos_token_id, *self._encode(text)]
        wanted = [*self._encode(f" {answer}"), self.end_id]
        self._check(prompt + wanted, where)
        return Tokens(prompt + wanted, [IGNORED] * len(prompt) + wanted)

    def decode(self, ids: list[int]) -> str:
        """Return the text of generated ids up to the end token, with ``<SEG>`` in it."""
        if self.end_id in ids:
            ids = ids[: ids.index(self.end_id)]
        return self.tokenizer.decode(ids, skip_special_tokens=False).strip()

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _check(self, ids: list[int], where: str) -> None:
        if len(ids) > self.max_tokens:
            problem = f"{len(ids)} tokens, the context holds {self.max_tokens}"
            raise BadInput(where, "length", problem, "shorten the caption or raise max_tokens")
