import pytest
import torch
import torch.nn.functional as F

from projects.gella.pretrain import LanguagePretraining

SMALL = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def build(**changes):
    torch.manual_seed(0)
    return LanguagePretraining(SMALL, {"vocab_size": 20}, **changes)


def test_states_must_tell_the_tokens_before_the_last_one_read():
    model = build(recalled=2, recall_share=1.0, recall_weight=0.5)
    tokens, given = torch.randint(3, 20, (9,)), 4
    losses = model([tokens], [given], mode="loss")
    hidden = model.model.model(input_ids=tokens[None]).last_hidden_state[0]
    # From the first token that is learned on: state 4 tells tokens 3 and 2, and so on.
    expected = sum(
        F.cross_entropy(model.model.lm_head(head(hidden[given:])), tokens[given - back : -back])
        for back, head in enumerate(model.recall, start=1)
    )
    assert losses["loss_recall"].item() == pytest.approx(0.5 * expected.item(), rel=1e-5)


def test_recall_is_off_by_default_and_not_exported(tmp_path):
    assert "loss_recall" not in build()([torch.arange(5)], [1], mode="loss")
    model = build(recalled=1)
    model.model.save_pretrained(tmp_path)
    from transformers import LlamaForCausalLM

    assert LlamaForCausalLM.from_pretrained(tmp_path).config.vocab_size == 20
