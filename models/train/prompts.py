"""How people ask for a look: names by hand (vocabulary.py), sentences by grammar, and what is never trained on.

Three kinds are held out: words (the last names of each look, no word of which occurs in any training phrase), sentences
(15 % of them, made of known words) and whole combinations of a look and wishes (`COMBINATIONS`).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

from reverie.models.train.looks import LOOKS
from reverie.models.train.looks.marks import COLOURS
from reverie.models.train.looks.scene import Wish
from reverie.models.train.paraphrase import paraphrases
from reverie.models.train.vocabulary import NAMES

HELD_SHARE = 0.15
A_LITTLE = 0.45  # strength of "only a little"
VARIANTS = 18  # wishes per look, the plain one not counted
PLAIN_PHRASES, WISH_PHRASES = 60, 10
COMBINATIONS = (
    ("charcoal", Wish(colour="blue")),
    ("stained_glass", Wish(size="small", mood="warm")),
    ("cartoon", Wish(outlines=False)),
    ("oil", Wish(mood="dark", strength=A_LITTLE)),
    ("neon", Wish(line="bold", colour="green")),
)
"""Held out whole: neither these nor a request that adds to them is drawn or said in training."""


TEMPLATES = (
    "{x}", "{x}", "{x} style", "turn me into a {x}", "make it look like {x}", "in the style of {x}", "as {x}",
    "like {x}", "i want {x}", "can you make this {x} please", "{x} look", "show me as {x}", "make me {x}",
    "give it a {x} look", "convert to {x}", "{x} filter", "please make this {x}", "render everything as {x}",
    "let it be {x}", "{x} effect", "change the video to {x}", "a beautiful {x}", "now {x}", "could it be {x}?",
    "i'd like to see this as {x}", "switch to {x}", "everything should look like {x}", "try {x}", "do {x}",
    "{x}, highly detailed",
)  # fmt: skip
CONTENT = (
    "of me", "of a man", "of a woman", "of my room", "of my face", "of a cat", "with my friend", "of the street",
    "of people", "for a video call", "of my dog", "of a landscape", "of the whole scene", "on my camera",
)  # fmt: skip
COLOUR_PHRASES = (
    "{colour} {x}", "{x} in {colour}", "{x}, {colour}", "{x} with {colour} colour", "{x} all in {colour}",
    "{x} in {colour} tones",
)  # fmt: skip
LINE_PHRASES = {
    "fine": (
        "fine lines", "thin lines", "with delicate lines", "thin outlines", "very fine linework",
        "with hair-thin lines",
    ),
    "bold": (
        "bold lines", "thick lines", "with heavy lines", "thick outlines", "strong bold linework", "with fat lines",
    ),
}  # fmt: skip
SIZE_PHRASES = {
    "small": (
        "small marks", "tiny pattern", "fine texture", "with small strokes", "smaller details", "dense and small",
    ),
    "large": (
        "large marks", "big pattern", "coarse texture", "with big strokes", "bigger shapes", "coarse and large",
    ),
}  # fmt: skip
MOOD_PHRASES = {
    "warm": (
        "warm colours", "cosy and warm", "warm light", "warm and friendly", "autumn mood",
    ),
    "cold": (
        "cold colours", "cool and icy", "cold light", "chilly", "wintry mood",
    ),
    "dark": (
        "dark", "gloomy", "sombre", "very dark and moody", "in the shadows",
    ),
    "bright": (
        "bright", "light and airy", "cheerful and bright", "sunny and bright", "full of light",
    ),
    "vivid": (
        "vivid colours", "vibrant", "saturated colours", "very colourful", "intense colours",
    ),
    "faded": (
        "faded colours", "pale", "washed out", "muted colours", "worn and pale",
    ),
    "dramatic": (
        "dramatic", "strong contrast", "high drama", "hard contrast", "theatrical",
    ),
    "dreamy": (
        "dreamy", "soft glow", "hazy", "like in a dream", "soft and glowing",
    ),
}  # fmt: skip
TIME_PHRASES = {
    "morning": (
        "in the early morning", "at dawn", "at break of day", "in the morning light", "on a misty morning",
    ),
    "noon": (
        "at noon", "in the midday sun", "at lunch time", "at high noon", "in the middle of the day",
    ),
    "evening": (
        "in the evening", "in the evening sun", "late in the day", "as the sun sets", "shortly before dark",
    ),
    "night": (
        "at night", "after dark", "in the middle of the night", "long past midnight", "late at night",
    ),
}  # fmt: skip
NO_OUTLINES = (
    "no outlines", "without outlines", "no contours", "without any lines around things", "but no outlines please",
)  # fmt: skip
SUBTLE = (
    "only a little {x}", "just a hint of {x}", "{x}, but only a little", "subtle {x}", "slightly {x}",
    "{x}, very subtle", "a touch of {x}", "{x}, half as strong", "{x}, not too much",
)  # fmt: skip
NONSENSE = (
    "", "asdf", "qwerty", "xyz", "hjkl hjkl", "1234", "...", "???", "blorp", "zzz", "abc abc abc", "lorem ipsum", "0",
    "fghj", "wxyz 77", "ooo", "aaaa", "uiop", "!!", "hm", "ok", "hello", "test", "one two three",
)  # fmt: skip
SHADES = {
    "red": ("red", "crimson", "scarlet"), "turquoise": ("turquoise", "teal"), "purple": ("purple", "violet"),
    "blue": ("blue", "ultramarine"), "green": ("green", "emerald"), "brown": ("brown", "chestnut"), "pink": ("pink", "rose"),
    "black": ("black", "jet black"),
}  # fmt: skip


def variants(look: str) -> list[Wish]:
    """The plain wish, each single wish that the look hears, and some pairs; never a held-out combination."""
    hears, rng = LOOKS[look].hears, random.Random(look)
    single = {
        "line": [Wish(line=v) for v in LINE_PHRASES],
        "size": [Wish(size=v) for v in SIZE_PHRASES if v in hears],
        "colour": [Wish(colour=v) for v in COLOURS],
        "mood": [Wish(mood=v) for v in MOOD_PHRASES],
        "time": [Wish(time=v) for v in TIME_PHRASES],
        "outlines": [Wish(outlines=False)],
        "strength": [Wish(strength=A_LITTLE)],
    }
    single = {part: wishes for part, wishes in single.items() if part in hears or part == "size"}
    ones = [wish for wishes in single.values() for wish in wishes]
    pairs = [
        _both(a, b) for one, other in itertools.combinations(single, 2)
        for a in single[one] for b in single[other]
        if not (b.outlines is False and a.line)
    ]  # fmt: skip
    few = [w for part in ("line", "size", "outlines", "strength") for w in single.get(part, [])]
    many = [wish for wish in ones if wish not in few]
    rng.shuffle(many)
    rng.shuffle(pairs)
    allowed = [wish for wish in (*few, *many[:9], *pairs) if not held_out(look, wish)]
    return [Wish(), *allowed[:VARIANTS]]


def _both(a: Wish, b: Wish) -> Wish:
    plain = Wish()
    return replace(a, **{k: v for k in Wish.__slots__ if (v := getattr(b, k)) != getattr(plain, k)})


def held_out(look: str, wish: Wish) -> bool:
    """Whether the wish holds all of a combination that is never trained on."""
    return any(look == name and _both(wish, whole) == wish for name, whole in COMBINATIONS)


def phrases(seed: int = 0) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Phrases of each plain look: to train on; and held out, half of them names never seen, half new sentences."""
    seen, unseen = {}, {}
    for look in LOOKS:
        seen[look], sentences = split(look, Wish(), seed)
        new = list(NAMES[look][1])
        rng = random.Random(f"{seed} new {look}")
        unseen[look] = [*new, *itertools.islice(_sentences(rng, look, NAMES[look][1], Wish()), len(new)), *sentences]
    return seen, unseen


def split(look: str, wish: Wish, seed: int = 0) -> tuple[list[str], list[str]]:
    """Phrases of known words for a look and a wish: those to train on, and the share of sentences held out."""
    rng = random.Random(f"{seed} {look} {wish}")
    if look == "original" and wish == Wish():
        return [*NAMES[look][0], *NONSENSE[:-6]], list(NONSENSE[-6:])
    names, own = NAMES[look][0], paraphrases().get(look, []) if wish == Wish() else []
    wanted = PLAIN_PHRASES if wish == Wish() else WISH_PHRASES
    made: dict[str, None] = {}
    for phrase in itertools.islice(_sentences(rng, look, names, wish), 3 * wanted):
        if phrase not in names:
            made[phrase] = None
    sentences = list(made)[:wanted]
    sentences = [phrase for phrase in sentences if phrase not in own]
    held, own_held = round(HELD_SHARE * len(sentences)), round(HELD_SHARE * len(own))
    known = [*(names if wish == Wish() else ()), *own[own_held:], *sentences[held:]]
    return known, [*own[:own_held], *sentences[:held]]


def say(look: str, wish: Wish, count: int, seed: int = 0) -> list[str]:
    """Phrases for any wish, a held-out combination too, of known words."""
    return list(
        itertools.islice(_sentences(random.Random(f"{seed} say {look} {wish}"), look, NAMES[look][0], wish), count)
    )


def _sentences(rng: random.Random, look: str, names: tuple[str, ...], wish: Wish) -> Iterator[str]:
    while True:
        said = rng.choice(names)
        if wish.colour:
            said = rng.choice(COLOUR_PHRASES).format(x=said, colour=rng.choice(SHADES.get(wish.colour, (wish.colour,))))
        extras = [
            rng.choice(table[value])
            for table, value in (
                (LINE_PHRASES, wish.line),
                (SIZE_PHRASES, wish.size),
                (MOOD_PHRASES, wish.mood),
                (TIME_PHRASES, wish.time),
            )
            if value
        ]
        if not wish.outlines:
            extras.append(rng.choice(NO_OUTLINES))
        rng.shuffle(extras)
        if rng.random() < 0.3 and look != "original":
            said += " " + rng.choice(CONTENT)
        said = ", ".join([rng.choice(TEMPLATES).format(x=said), *extras])
        yield rng.choice(SUBTLE).format(x=said) if wish.strength < 1 else said
