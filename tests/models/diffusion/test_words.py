"""Between prompts."""

import torch

from reverie.models.diffusion.words import Words, mix, slerp


def test_slerp_goes_along_the_sphere_from_one_end_to_the_other() -> None:
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    assert torch.equal(slerp(a, b, 0), a) and torch.equal(slerp(a, b, 1), b)
    half = slerp(a, b, 0.5)
    assert torch.allclose(half, torch.full((1, 2), 3 / 2**0.5))
    assert torch.allclose(slerp(a, 2 * a, 0.5), 1.5 * a)  # parallel: straight


def test_shares_count_in_relation_to_each_other() -> None:
    words = [Words(torch.randn(1, 3, 4), torch.randn(1, 5)) for _ in range(2)]
    one, two = mix(list(zip(words, (1.0, 3.0), strict=True))), mix(list(zip(words, (0.25, 0.75), strict=True)))
    assert torch.equal(one.tokens, two.tokens) and one.pooled is not None and one.pooled.shape == (1, 5)
