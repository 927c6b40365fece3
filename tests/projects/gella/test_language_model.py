"""Language models from folders of different layouts, and by config."""

import json

import pytest
import torch
from mmdet.registry import MODELS
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from projects.gella.language_model import load_language_model
from workbench.errors import BadInput, MissingInput

LLAMA = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
IDS = torch.tensor([[1, 7, 8, 9]])


@pytest.fixture
def llama():
    torch.manual_seed(1)
    return LlamaForCausalLM(LlamaConfig(**LLAMA)).eval()


def test_llama_folder(llama, tmp_path):
    llama.save_pretrained(tmp_path)
    loaded = load_language_model(tmp_path).eval()
    assert torch.equal(loaded(IDS).logits, llama(IDS).logits)


def test_language_part_of_a_nested_llava(tmp_path):
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        image_size=16, patch_size=8,
    )  # fmt: skip
    torch.manual_seed(2)
    config = LlavaConfig(
        vision_config=vision, text_config=LlamaConfig(**LLAMA), image_token_index=49
    )
    whole = LlavaForConditionalGeneration(config).eval()
    whole.save_pretrained(tmp_path)
    loaded = load_language_model(tmp_path).eval()
    assert not any(parameter.is_meta for parameter in loaded.parameters())
    assert torch.equal(loaded(IDS).logits, whole(input_ids=IDS).logits)
    assert len(loaded.generate(IDS, max_new_tokens=3, do_sample=False)[0]) <= 7


def test_layout_of_the_llava_release(llama, tmp_path):
    """A LLaMA whose config calls itself llava, with a projector among the weights."""
    from safetensors.torch import load_file, save_file

    llama.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.mm_projector.0.weight"] = torch.zeros(32, 16)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_language_model(tmp_path).eval()
    assert torch.equal(loaded(IDS).logits, llama(IDS).logits)


def test_by_config_without_weights(pretrained):
    config = {"type": "LanguageDecoder", "image_channels": 8, "pretrained": pretrained["llm"]}
    decoder = MODELS.build({**config, "config": {**LLAMA, "num_hidden_layers": 3}})
    assert len(decoder.model.model.layers) == 3
    assert decoder.model.get_input_embeddings().num_embeddings >= len(decoder.tokenizer)


def test_pickled_weights_are_not_read(llama, tmp_path):
    llama.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(MissingInput, match="safetensors"):
        load_language_model(tmp_path)


def test_broken_config(tmp_path):
    with pytest.raises(MissingInput, match=r"config\.json"):
        load_language_model(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(BadInput, match=r"config\.json"):
            load_language_model(tmp_path)


def test_pooled_visual_tokens(pretrained):
    """A 4 x 4 grid gives 16 tokens, or 4, each of them the mean of four."""
    config = {"type": "LanguageDecoder", "image_channels": 8, "pretrained": pretrained["llm"]}
    whole = MODELS.build(config)
    pooled = MODELS.build({**config, "visual_pool": 2})
    pooled.load_state_dict(whole.state_dict())
    image = torch.randn(1, 8, 4, 4)
    every, fewer = whole._visual(image)[0].unflatten(0, (4, 4)), pooled._visual(image)[0]
    assert (every.flatten(0, 1).shape[0], fewer.shape[0]) == (16, 4)
    torch.testing.assert_close(fewer[1], every[:2, 2:].mean((0, 1)))
