"""Image level, association and batch level together (Eq. 2-7)."""

import copy

import pytest
import torch
import torch.nn.functional as F

from projects.cropformer.cropformer_head import entities_per_view
from projects.cropformer.view_association import ViewAssociation
from projects.cropformer.view_encoding import sine_view_encoding
from tests.projects.conftest import draw_entities


def test_image_level_is_plain_mask2former(build, batch) -> None:
    crop, plain = build("cropformer").eval(), build("mask2former").eval()
    plain.load_state_dict(crop.state_dict(), strict=False)
    inputs = crop.data_preprocessor(batch([2, 2], 2), False)["inputs"]
    image = crop.head(crop.extract_feat(inputs), 2).image
    alone = inputs.flatten(0, 1)[:, None]
    classes, masks = plain.head.predict(plain.extract_feat(alone), 1)
    torch.testing.assert_close(image.class_logits[-1], classes, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(image.mask_logits[-1], masks, rtol=1e-4, atol=1e-4)


def test_image_level_losses_are_halved(build, batch, losses) -> None:
    data = batch([3], 2)
    model = build("cropformer")
    halved = losses(model, copy.deepcopy(data))
    model.head.image_loss_weight = 1.0
    full = losses(model, data)
    for name, loss in full.items():
        factor = 0.5 if name.startswith("image.") else 1.0
        torch.testing.assert_close(halved[name], factor * loss)


def test_deep_supervision_on_both_levels(build, batch, losses) -> None:
    model = build("cropformer")
    names = losses(model, batch([3], 2))
    layers = len(model.head.transformer_decoder.layers)
    for level in ("image", "batch"):
        assert sum(name.startswith(level) and "loss_dice" in name for name in names) == layers + 1


def test_levels_share_the_decoder(build) -> None:
    own = dict(build("cropformer").head.named_parameters())
    plain = dict(build("mask2former").head.named_parameters())
    assert {name.split(".")[0] for name in own.keys() - plain.keys()} == {"association"}


def test_entity_absent_from_the_crop(build, batch, losses) -> None:
    model = build("cropformer")
    data = batch([3], 2)
    data["data_samples"][0].gt_instances.masks[1, 1] = False
    split = entities_per_view([data["data_samples"][0].gt_instances])
    assert [item.ids.tolist() for item in split] == [[0, 1, 2], [0, 2]]
    assert all(torch.isfinite(loss).all() for loss in losses(model, data).values())


def test_absent_entity_is_pushed_to_nothing_in_that_view(build) -> None:
    """A mask that fires in a view without the entity costs more than one that does not."""
    head = build("mask2former", num_queries=1).head
    entities = draw_entities(2, 2, (16, 16))[:1]
    entities.masks[0, 1] = False
    quiet = entities.masks.float() * 20 - 10
    loud = quiet.clone()
    loud[0, 1] = 10

    def total(masks: torch.Tensor) -> float:
        torch.manual_seed(0)
        return float(
            sum(head._loss_by_feat_single(torch.zeros(1, 1, 2), masks[None], [entities], [{}]))
        )

    assert total(loud) > total(quiet) + 4


def test_association_follows_the_order_of_queries() -> None:
    torch.manual_seed(0)
    module = ViewAssociation(embed_dims=16, num_heads=4, feedforward_channels=32).eval()
    embeddings, positions = torch.randn(2, 3, 7, 16), torch.randn(7, 16)
    order = torch.randperm(7)
    expected = module(embeddings, positions)[:, order]
    torch.testing.assert_close(module(embeddings[:, :, order], positions[order]), expected)


def test_association_treats_crops_as_a_set() -> None:
    torch.manual_seed(0)
    module = ViewAssociation(embed_dims=16, num_heads=4, feedforward_channels=32).eval()
    embeddings, positions = torch.randn(1, 5, 7, 16), torch.randn(7, 16)
    shuffled = embeddings[:, [0, 3, 1, 4, 2]]
    torch.testing.assert_close(module(shuffled, positions), module(embeddings, positions))


def test_association_that_starts_as_the_identity_gives_the_full_views_embeddings() -> None:
    torch.manual_seed(0)
    sizes = {"embed_dims": 16, "num_heads": 4, "feedforward_channels": 32}
    module = ViewAssociation(**sizes, start="identity")
    module.init_weights()
    embeddings, positions = torch.randn(2, 3, 7, 16), torch.randn(7, 16)
    queries = module(embeddings, positions)
    torch.testing.assert_close(queries, F.layer_norm(embeddings[:, 0], (16,)), atol=1e-4, rtol=0)
    queries.square().sum().backward()
    for layer in module.layers:
        for last in (layer.cross_attention.out_proj, layer.self_attention.out_proj, layer.ffn[2]):
            assert last.weight.grad.any()
    with pytest.raises(ValueError, match="'zero' is not one of"):
        ViewAssociation(**sizes, start="zero")


def test_view_encoding_values() -> None:
    """View t of T at 2 pi (t + 1) / (T + 1e-6): first come its sine and cosine."""
    codes = sine_view_encoding(2, 8)
    torch.testing.assert_close(codes[:, 0], torch.tensor([0.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(codes[:, 1], torch.tensor([-1.0, 1.0]), atol=1e-5, rtol=0)
    assert not sine_view_encoding(5, 8, "none").any()
    roles = sine_view_encoding(5, 8, "role")
    torch.testing.assert_close(roles[:2], codes)
    assert (roles[1:] == roles[1]).all()
    with pytest.raises(ValueError, match="sideways"):
        sine_view_encoding(2, 8, "sideways")


@pytest.mark.parametrize("batch_size", [1, 2])
def test_prediction_on_an_image_smaller_than_the_input(build, batch, batch_size) -> None:
    model = build("cropformer").eval()
    data = batch([2] * batch_size, 5)
    for sample in data["data_samples"]:
        sample.set_metainfo({"ori_shape": (20, 30), "view_boxes": [(0, 0, 30, 20)] * 5})
    with torch.no_grad():
        results = model(**model.data_preprocessor(data, False), mode="predict")
    for result in results:
        assert all(mask["size"] == [20, 30] for mask in result.pred_entities.masks)
