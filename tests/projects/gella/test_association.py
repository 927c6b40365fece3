import math

import pytest
import torch

from projects.gella.association import AssociationHead, association_loss


def test_loss_by_hand():
    """-log(sigmoid(2)), -log(1 - sigmoid(0)) and -log(1 - sigmoid(1)): their mean."""
    logits = [torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0]])]
    targets = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0]])]
    wanted = (math.log1p(math.exp(-2)) + math.log(2) + math.log1p(math.exp(1))) / 3
    assert association_loss(logits, targets).item() == pytest.approx(wanted, abs=1e-6)


def test_no_pair_no_loss():
    assert association_loss([torch.zeros(0, 5)], [torch.zeros(0, 5)]) == 0


@pytest.mark.parametrize(("structure", "layers"), [("fc", 1), ("fc-relu-fc", 2)])
def test_structures_of_table_xxiii(structure, layers):
    head = AssociationHead(8, 6, 4, structure)
    linear = [m for m in head.language.modules() if isinstance(m, torch.nn.Linear)]
    assert len(linear) == layers
    assert head(torch.randn(3, 8), torch.randn(5, 6)).shape == (3, 5)


def test_order_of_entities_only_permutes_the_answer():
    head, nouns, entities = AssociationHead(8, 6, 4), torch.randn(3, 8), torch.randn(5, 6)
    order = torch.tensor([3, 0, 4, 1, 2])
    assert torch.allclose(head(nouns, entities)[:, order], head(nouns, entities[order]))


def test_unknown_structure():
    with pytest.raises(ValueError, match="structure"):
        AssociationHead(8, 6, 4, "mlp")
