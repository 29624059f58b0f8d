"""Who learns how."""

import torch

from reverie.models.config import NANO
from reverie.models.network import Network
from reverie.models.train.optimiser import Muon, optimisers, orthogonal


def test_every_parameter_has_exactly_one_optimiser() -> None:
    network = Network(NANO)
    made = optimisers(network, 1e-3)
    held = [id(p) for o in made for group in o.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())
    muon, adam = made
    assert isinstance(muon, Muon)
    (slow,) = (g for g in adam.param_groups if g["rate"] == 0.1)
    names = {id(p): name for name, p in network.named_parameters()}
    assert {names[id(p)].split(".")[0] for p in slow["params"]} == {
        "connector",
        "film",
        "modulation",
        "colour",
        "blocks",
    }


def test_updates_are_nearly_orthogonal() -> None:
    torch.manual_seed(0)
    for shape in ((16, 64), (64, 16)):
        singular = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
        assert singular.min() > 0.6 and singular.max() < 1.3


def test_a_step_goes_downhill() -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(8, 8))
    muon, wanted = Muon([weight], lr=0.1), torch.randn(8, 8)
    first = float((weight - wanted).square().mean().detach())
    for _ in range(60):
        muon.zero_grad()
        (weight - wanted).square().mean().backward()
        muon.step()
    assert float((weight - wanted).square().mean().detach()) < 0.3 * first
