"""Pictures by the shipped weights: the README's, the docs' page of all looks, the camera page's thumbnails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models import nano_kernel
from reverie.models.train.clips import cover, read
from reverie.models.train.sources import Source

PROMPTS = (
    "pencil sketch", "watercolour painting", "comic book", "neon outlines", "cyberpunk city at night", "blueprint",
    "vintage engraving", "pixel art", "pop art poster", "golden hour", "chalk on a blackboard",
)  # fmt: skip
WIDTH, HEIGHT, COLUMNS = 384, 288, 4
SCENE, STRIP = (288, 512), (272, 153)  # height and width painted, width and height shown
SCENES = (("astronaut.png", 1.25, (0.0, 0.4)), ("coffee.png", 1.0, (0.6, 0.5)), ("china.jpg", 1.0, (0.5, 0.5)))
INTRODUCTION = """# Gallery

Every look of the camera page on the same three pictures, one step of the shipped weights at 512x288, nothing retouched.
`python -m reverie.models.train gallery` makes this page. What convinces and what does not yet, with figures, says the
[model card](model-card.md).

![The three pictures themselves](gallery/camera.jpg)

*Left: Eileen Collins, NASA, public domain. Middle: coffee, by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0.
Right: a temple in China, by Daniel Buechele, CC BY 2.0. The looks below are derived from them.*

"""


def portrait(sources: list[Source]) -> NDArray[np.uint8]:
    """The astronaut of scikit-image (NASA, public domain), (HEIGHT, WIDTH, 3) RGB."""
    (path,) = (source.path for source in sources if source.path.name == "astronaut.png")
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)[:384]
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def gallery(sources: list[Source], path: Path) -> None:
    """Write a JPEG: the source first, then one picture per prompt, its words below."""
    source, model = portrait(sources), nano_kernel.load()
    tiles = [_labelled(source, "camera")]
    for prompt in PROMPTS:
        stream = model.stream()
        stream.start(prompt)
        tiles.append(_labelled(stream.step(np.stack([source] * 3))[-1], prompt))
    rows = [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


def page(sources: list[Source], to: Path, presets: Path) -> None:
    """Write gallery.md, beside it in `gallery` a JPEG per look, and the camera page's thumbnails of the same pictures.

    Args: presets: folder of the thumbnails (240x160 WebP); its presets.json beside it lists prompts and file names.
    """
    model, shown = nano_kernel.load(), scenes(sources)
    folder = to.parent / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    _strip(shown, folder / "camera.jpg")
    rows = []
    for preset in json.loads((presets.parent / "presets.json").read_text()):
        painted = []
        for scene in shown:
            stream = model.stream()
            stream.start(preset["prompt"])
            painted.append(stream.step(np.stack([scene] * 2))[-1])
        _strip(painted, folder / f"{preset['file']}.jpg")
        thumbnail = cv2.resize(painted[0][:, 40:472], (240, 160), interpolation=cv2.INTER_AREA)
        cv2.imwrite(
            str(presets / f"{preset['file']}.webp"), cv2.cvtColor(thumbnail, cv2.COLOR_RGB2BGR),
            [cv2.IMWRITE_WEBP_QUALITY, 82],
        )  # fmt: skip
        rows.append(f"## {preset['prompt']}\n\n![{preset['prompt']}](gallery/{preset['file']}.jpg)\n")
    to.write_text(INTRODUCTION + "\n".join(rows))


def scenes(sources: list[Source]) -> list[NDArray[np.uint8]]:
    """A person, a room's table and a street, (288, 512, 3) RGB each."""
    found = {source.path.name: source.path for source in sources}
    return [cover(read(found[name]), zoom, np.array(place), SCENE) for name, zoom, place in SCENES]


def _strip(pictures: Sequence[NDArray[np.uint8]], path: Path) -> None:
    whole = np.concatenate([cv2.resize(each, STRIP, interpolation=cv2.INTER_AREA) for each in pictures], 1)
    cv2.imwrite(str(path), cv2.cvtColor(whole, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 84])


def _labelled(picture: NDArray[np.uint8], words: str) -> NDArray[np.uint8]:
    tile = np.full((HEIGHT + 30, WIDTH + 6, 3), 255, np.uint8)
    tile[:HEIGHT, 3:-3] = picture
    cv2.putText(tile, words, (8, HEIGHT + 20), cv2.FONT_HERSHEY_DUPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return tile
