"""How well words find pictures: packaged photographs, clips and looks that nothing was fitted to.

How to read it: recall_at_5 is, per question, the share of what is relevant among the first five (of at most five), then
the mean.  Objects, people and `seen` (looks) are indexed as footage is, with what is measured of them and nothing else:
neither their captions nor the prompt of their look.  `styles` are the same looks as sessions keep them: with the prompt
that was worn, one of many that a user may type for it; the questions are other words.  `hybrid` is what searches use; `vector` and `words` are its halves; `all` is the mean over all questions.  Needs the packages
that `python -m reverie.models.train sources` and `... data` bring, and the Debian package tuxpaint-stamps-default
(GPL-2, measured with and never trained on).
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from environment import environment
from tqdm import tqdm

from reverie.models.search import space
from reverie.models.train import sources
from reverie.models.train.search import MANIFEST, on_white
from reverie.models.train.vocabulary import NAMES
from reverie.server import segment
from reverie.server.search.archive import Archive, Query
from reverie.server.search.eye import Eye, Sight
from reverie.server.search.moments import Entry, Moment, caption

CACHE = Path.home() / ".cache" / "reverie" / "train"
DEEP = 50  # answers that are looked through for five whose truth is known
MODES = ("hybrid", "vector", "words")
TENANTS = {"styles": "sessions"}  # others are asked of footage
STAMPS = ("animals", "food", "vehicles", "household")
OBJECTS = {
    "a monkey or an ape": "gorilla|tamarin|chimpanzee", "big wild cat": "tiger|lion$", "cattle on a farm": "cow|bull|zebu|yak",
    "a horse": "horse", "striped horse of the savanna": "zebra", "elephant": "elephant", "desert animal with humps": "camel|dromedary",
    "sheep": "sheep|ram$|lamb", "deer in the forest": "deer|doe|caribou|wapiti", "a bunny": "rabbit", "a rodent": "rat$|mouse|squirrel|beaver|marmot|capybara",
    "a dog": "dog|dingo", "fox": "fox", "brown bear": "bear$", "kangaroo": "kangaroo", "koala": "koala", "pig": " pig|boar",
    "an insect": "hornet|hoverfly|grasshopper|bee$|mantis|fly$|xanthia", "frog": "frog", "lizard": "iguana", "marine mammal": "whale|dolphin$|orca|sea lion|otter",
    "a penguin": "penguin", "pink flamingo": "flamingo", "an owl": "owl", "chicken or rooster": "hen$|chicken|rooster",
    "duck on a pond": "duck|drake|gander", "peacock": "peacock|peahen", "ostrich": "ostrich|rhea", "pelican": "pelican", "sea bird": "gull|pelican|penguin",
    "tropical fish": "lionfish|clownfish|butterflyfish|wrasse|trout|stripey|dolphinfish|groper", "lobster": "lobster", "giraffe": "giraffe", "hippo": "hippopotamus",
    "an apple": "apple$|[\u201d\"] apple", "citrus fruit": "orange|lime|lemon|mandarin", "banana": "banana", "strawberry": "strawberr", "pineapple": "pineapple",
    "a mushroom": "mushroom", "broccoli": "broccoli", "bell pepper": "pepper$", "pizza": "pizza", "corn": "corn", "pumpkin or squash": "pumpkin|squash",
    "fire engine": "fire truck", "race car": "race car|sports car", "a bus": " bus", "pickup truck": "pickup", "hot air balloon": "balloon", "airplane": "airplane", "sailing boat": "sail",
    "garbage truck": "garbage truck", "teapot": "teapot", "coffee cup": "mug", "tools for repairs": "wrench|hammer|pliers|saw|mallet", "scissors": "scissors",
}  # fmt: skip
"""Questions in free words, and what is relevant by the caption's words."""
LOOKS = {
    "drawn with a pencil": "pencil", "sketched with a burnt stick of charcoal": "charcoal", "white chalk on a blackboard": "chalkboard", "technical blueprint": "blueprint",
    "old engraving with fine lines": "engraving", "scribbled in wax crayon by a kid": "crayon", "thick oil paint": "oil|impasto", "water colours on paper": "watercolour",
    "like van gogh": "van_gogh", "made of dots": "pointillism|halftone", "a page out of a superhero comic": "comic", "glowing neon outlines": "neon", "seen through a heat camera": "thermal",
    "green night vision goggles": "night_vision", "old black and white film": "noir", "brown vintage photograph": "sepia", "pixelated retro game": "pixel_art|eight_bit",
    "like the window of a church": "stained_glass", "little tiles": "mosaic", "anime cartoon": "anime|cartoon",
}  # fmt: skip
PEOPLE = {
    "one person": "1 person",
    "two people": "2 people",
    "a portrait of somebody": "1 person",
    "nobody there": "nobody",
    "an empty landscape without people": "nobody",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="only the last line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder), space.load())
        about = index(archive)
        kinds = {"objects": OBJECTS, "styles": LOOKS, "people": PEOPLE, "seen": LOOKS}
        shares = {
            kind: {mode: recall(archive, kind, questions, about, mode) for mode in MODES}
            for kind, questions in kinds.items()
        }  # fmt: skip
        shares["all"] = {mode: [each for row in shares.values() for each in row[mode]] for mode in MODES}
        table = {
            kind: {mode: round(float(np.mean(each)), 3) for mode, each in row.items()} for kind, row in shares.items()
        }
        report = {
            "bench": "retrieval", "environment": environment(), "items": len(about), "questions": len({q for questions in kinds.values() for q in questions}),
            "space": archive.space.name, "recall_at_5": table,
        }  # fmt: skip
        if not args.json:
            for kind, row in table.items():
                print(f"{kind:8}", "  ".join(f"{mode} {value:.2f}" for mode, value in row.items()))
                for question, pattern in kinds.get(kind, {}).items():
                    hits = archive.find(TENANTS.get(kind, "seen"), Query(question, limit=5))
                    print("   ", question, "→", ", ".join(about[hit.moment.id][1] for hit in hits), f"({pattern})")
        archive.close()
    print(json.dumps(report))


def index(archive: Archive) -> dict[str, tuple[str, str]]:
    """Put everything in; id -> (kind, what it is)."""
    about: dict[str, tuple[str, str]] = {}
    place = segment.folder()
    eye = Eye(archive.space, segment.Segmenter(place) if segment.is_here(place) else None)
    for n, (kind, what, picture) in enumerate(tqdm([*items()], mininterval=10)):
        for tenant in ("seen", "sessions"):
            prompt = prompts(what)[n % len(prompts(what))] if (tenant, kind) == ("sessions", "styles") else ""
            eye.put(Sight(0.0, picture, None, prompt))
            window, _ = eye.finish() or (None, None)
            assert window is not None
            moment = Moment(
                f"{n:04}", kind, n, n + 1, prompt, caption(window.facts, prompt), window.facts, hints=window.hints
            )
            archive.put(tenant, Entry(moment, window.vectors))
        about[moment.id] = kind, what
    return about


def prompts(look: str) -> list[str]:
    """What users may type for a look: the vocabulary's phrases, also those that nothing was fitted to."""
    return [each for phrases in NAMES[look] for each in phrases]


def items() -> Iterator[tuple[str, str, np.ndarray]]:
    package = sources.manifest(MANIFEST)[1]
    for source in sources.fetch(CACHE / "packages", [package]):
        words = source.path.with_suffix(".txt")
        if source.path.parts[-2] == "cartoon" or not words.exists() or not set(source.path.parts) & set(STAMPS):
            continue
        picture = on_white(source.path)
        if picture is not None:
            yield "objects", words.read_text(errors="ignore").splitlines()[0].rstrip(".!"), picture
    held = np.load(CACHE / "data" / "held.npy", mmap_mode="r")
    about = json.loads((CACHE / "data" / "index.json").read_text())
    wanted = "|".join(LOOKS.values()).split("|")
    for item in range(0, len(held), 6):
        for look, name in enumerate(about["looks"]):
            if name in wanted:
                yield "styles", name, np.array(held[item, 0, 1 + look])
    from skimage import data

    face = cv2.resize(data.astronaut()[:300, 60:360], (288, 288))
    film = (
        np.load(CACHE / "data" / "video.npy", mmap_mode="r")[::6, 0] if (CACHE / "data" / "video.npy").exists() else []
    )
    for picture in (face, *film):
        yield "people", "1 person", np.array(picture)
        yield "people", "2 people", np.hstack([np.array(picture), np.array(picture)[:, ::-1]])
    for item in range(0, 6):  # landscapes
        yield "people", "nobody", np.array(held[item, 0, 0])
    for picture in (data.coffee(), data.rocket(), data.chelsea()):
        yield "people", "nobody", picture


def recall(
    archive: Archive, kind: str, questions: dict[str, str], about: dict[str, tuple[str, str]], mode: str
) -> list[float]:
    """Of each question."""
    shares = []
    for question, pattern in questions.items():
        tenant, own_kind = TENANTS.get(kind, "seen"), "styles" if kind == "seen" else kind
        relevant = {each for each, (own, what) in about.items() if own == own_kind and re.search(pattern, what, re.I)}
        limit = DEEP if kind == "people" else 5
        found = [hit.moment.id for hit in archive.find(tenant, Query(question, limit=limit, mode=mode))]
        if kind == "people":  # looks are drawn of people too, and of how many nobody has said; animals are nobody
            found = [each for each in found if about[each][0] != "styles"]
        hits = set(found[:5])
        if pattern == "nobody":
            relevant |= {each for each in hits if about[each][0] != kind}
        if not relevant:
            continue  # its pictures are too large to be cut out
        shares.append(len(hits & relevant) / min(5, len(relevant)))
    return shares


if __name__ == "__main__":
    main()
