"""What was made of the frame before, moved along with the picture: less flicker at the same fixed noise.

Source of the idea: dreamlite-stream (arXiv 2606.05981).  Grey pictures have four pixels to a latent's side.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Grey = NDArray[np.uint8]  # (4 Y, 4 X)
FINER = 4
SMALLEST = 16  # pixels of a side, from where on ways are looked for
DOUBT = 12.0  # levels: a place that differs by so much from where it seems to come from is trusted by a third


def grey(frame: NDArray[np.uint8], rows: int, columns: int) -> Grey:
    """Of a frame (H, W, 3), for latents of so many rows and columns."""
    small = cv2.resize(frame, (columns * FINER, rows * FINER), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def motion(now: Grey, before: Grey) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each place of `now` was `before`, (4 Y, 4 X, 2) in pixels of these, and how far that is to be trusted."""
    if min(now.shape) < SMALLEST:
        return np.zeros((*now.shape, 2), np.float32), np.exp(
            -np.square(cv2.absdiff(now, before) / DOUBT), dtype=np.float32
        )
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    search.setFinestScale(0)
    moved = np.asarray(search.calc(now, before, None), np.float32)
    rows, columns = np.indices(now.shape, np.float32)
    found = cv2.remap(
        before, columns + moved[..., 0], rows + moved[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    apart = cv2.blur(cv2.absdiff(now, found).astype(np.float32), (FINER, FINER))
    return moved, np.exp(-np.square(apart / DOUBT)).astype(np.float32)


def steadied(source: Tensor, made: Tensor, now: Grey, before: Grey, share: float) -> Tensor:
    """Latents (1, C, Y, X) of the camera, a share of them what was made of the picture before at the same place.

    Args:
        made: latents that came out for the picture `before`.
        share: 0 leaves the camera's as they are; where the picture cannot be followed, less is taken.
    """
    y, x = source.shape[2:]
    moved, trust = motion(now, before)
    small = cv2.resize(moved, (x, y), interpolation=cv2.INTER_AREA) / FINER
    rows, columns = np.indices((y, x), np.float32)
    places = np.stack(((columns + small[..., 0] + 0.5) / x, (rows + small[..., 1] + 0.5) / y), -1) * 2 - 1
    grid = torch.from_numpy(places.astype(np.float32))[None].to(made.device)
    warped = F.grid_sample(made.float(), grid, padding_mode="border", align_corners=False).to(source)
    weight = torch.from_numpy(share * cv2.resize(trust, (x, y), interpolation=cv2.INTER_AREA)).to(source)
    return source + weight * (warped - source)
