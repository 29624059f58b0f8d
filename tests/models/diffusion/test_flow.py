"""Optical flow from frame to frame."""

from itertools import pairwise

import cv2
import numpy as np
import torch

from reverie.models.diffusion import flow


def scene(shift: int) -> np.ndarray:
    """Smooth noise that moves to the right."""
    base = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (256, 512), np.uint8), (0, 0), 6)
    base = cv2.normalize(base, None, 0, 255, cv2.NORM_MINMAX)
    return np.repeat(base[:, 128 - shift : 384 - shift, None], 3, 2)


def test_latents_move_with_the_picture() -> None:
    before, now = (flow.grey(scene(shift), 32, 32) for shift in (0, 16))  # 16 pixels: two latents
    made = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(made, 5, 1, 2)
    found = flow.steadied(torch.zeros_like(smooth), smooth, now, before, 1.0)
    inner = found[..., 4:-4, 6:-4]
    apart = (inner - smooth[..., 4:-4, 4:-6]).norm() / inner.norm()
    assert apart < 0.35 < (inner - smooth[..., 4:-4, 6:-4]).norm() / inner.norm()


def test_what_cannot_be_followed_is_not_taken() -> None:
    before = flow.grey(scene(0), 32, 32)
    other = flow.grey(255 - scene(0), 32, 32)
    made = torch.ones(1, 4, 32, 32)
    assert flow.steadied(torch.zeros_like(made), made, before, before, 0.5).allclose(torch.tensor(0.5), atol=0.02)
    assert flow.steadied(torch.zeros_like(made), made, other, before, 0.5).mean() < 0.25
    tiny = flow.grey(scene(0)[:16, :16], 2, 2)
    assert flow.steadied(made[..., :2, :2], made[..., :2, :2], tiny, tiny, 0.5).shape == (1, 4, 2, 2)


def test_noise_that_stands_where_the_picture_stands_flickers_less() -> None:
    seen, random = flow.grey(scene(0), 32, 32), torch.Generator().manual_seed(0)
    made = torch.randn(1, 4, 32, 32, generator=random)
    noisy = [torch.randn(made.shape, generator=random) for _ in range(20)]
    kept = [made]
    for source in noisy:
        kept.append(flow.steadied(source, kept[-1], seen, seen, 0.6))
    change = [sum(float((a - b).norm()) for a, b in pairwise(x)) for x in (noisy, kept[2:])]
    assert change[1] < 0.5 * change[0]
