"""Causal language models of `transformers`: from a folder, or by config with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from projects.gella.image_encoder import quiet
from workbench.errors import BadInput, MissingInput

_LOCAL: dict[str, Any] = {
    "local_files_only": True,
    "use_safetensors": True,
    "dtype": torch.float32,
}


def load_language_model(folder: Path) -> nn.Module:
    """Load a LLaMA-architecture model.

    Args:
        folder: A ``save_pretrained`` folder of a causal language model, or of LLaVA, whose language
            part is taken: in the layout of ``llava-hf`` (nested) or of the LLaVA release (a LLaMA
            with the projector's weights beside it).

    Raises:
        MissingInput: No config or no weights in safetensors.
        BadInput: The config is not JSON.
    """
    kind = _config(folder)
    if not any(folder.glob("*.safetensors")):
        fix = "convert its weights to safetensors: pickled weights are not read"
        raise MissingInput(folder / "model.safetensors", fix)
    with quiet():
        if "text_config" in kind:
            return _nested(folder)
        if str(kind.get("model_type")).startswith("llava"):
            return _released_llava(folder, kind)
        from transformers import AutoModelForCausalLM

        model: nn.Module = AutoModelForCausalLM.from_pretrained(str(folder), **_LOCAL)
        return model


def build_language_model(config: dict[str, Any]) -> nn.Module:
    """Return a LLaMA with random weights from fields of ``LlamaConfig``."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**config))


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise MissingInput(path, "run the stage pretrain, or give a LLaMA folder")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(path, "JSON", f"cannot be read ({error})", "copy the model again") from error
    if not isinstance(content, dict):
        raise BadInput(path, "top level", "not an object", "copy the model again")
    return content


def _nested(folder: Path) -> nn.Module:
    from transformers import LlamaForCausalLM, LlavaForConditionalGeneration

    whole = LlavaForConditionalGeneration.from_pretrained(str(folder), **_LOCAL)
    inner = whole.model.language_model
    with torch.device("meta"):
        model = LlamaForCausalLM(inner.config)
    model.model, model.lm_head = inner, whole.lm_head
    return model


def _released_llava(folder: Path, fields: dict[str, Any]) -> nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(**{**fields, "model_type": "llama", "architectures": None})
    model: nn.Module = LlamaForCausalLM.from_pretrained(str(folder), config=config, **_LOCAL)
    return model
