"""A byte-level BPE tokenizer trained on a data set's captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from projects.gella import prompts
from workbench.datasets.narratives import load_narratives

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

START, END, UNKNOWN = "<s>", "</s>", "<unk>"
REPEAT = "Please repeat the sentence. The sentence is {}"


def captions_of(manifest: Path, splits: Sequence[str]) -> list[str]:
    """Return the captions of some splits, in order."""
    return [
        narrative.caption
        for split in splits
        for narrative in load_narratives(manifest, split).narratives
    ]


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer; the same texts give the same one.

    Single bytes are in the vocabulary, so that any text can be encoded.

    Args:
        texts: Captions.
        vocab_size: Tokens, with bytes and special ones.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[UNKNOWN, START, END, prompts.IMAGE, prompts.SEG],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *_instructions()], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        unk_token=UNKNOWN,
        pad_token=END,
        additional_special_tokens=[prompts.IMAGE, prompts.SEG],
        clean_up_tokenization_spaces=False,
    )


def _instructions() -> Iterator[str]:
    """Yield the fixed texts, often enough that their words become tokens."""
    for number in range(1, 100):
        yield prompts.describe_prompt()
        yield prompts.extract_prompt("It.")
        yield f"{prompts.dialogue(REPEAT.format('It.'))} It."
        yield f" There are {prompts.in_words(number)} semantic nouns, including a {prompts.SEG}."
        yield prompts.nouns_answer(["it"])
