"""How people ask for a look: nouns by hand, sentences by template, and which of them are never trained on."""

from __future__ import annotations

import random

NOUNS: dict[str, tuple[str, ...]] = {
    "pencil": (
        "pencil sketch", "graphite drawing", "pencil drawing on white paper", "hand drawn sketch", "sketchbook page",
        "fine pencil lines", "light grey graphite lines", "drawing with hatching", "a portrait drawn in pencil",
        "monochrome pencil art", "rough sketch", "artist's sketch", "drawn by hand with a pencil", "cross-hatched drawing",
        "doodle in pencil", "soft pencil shading",
    ),
    "charcoal": (
        "charcoal drawing", "charcoal sketch", "smudged charcoal", "dark charcoal on paper", "black charcoal portrait",
        "coal drawing", "burnt wood drawing", "heavy black smudges", "expressive charcoal strokes", "soot and paper",
        "charcoal study", "dark smudgy drawing", "black chalk drawing on grey paper", "moody charcoal art",
    ),
    "chalkboard": (
        "chalk on a blackboard", "chalkboard drawing", "white chalk lines", "school blackboard", "green chalkboard",
        "chalk art", "drawn with chalk", "blackboard sketch", "classroom chalk drawing", "dusty chalk on slate",
        "chalk outlines on a dark board", "teacher's board drawing", "slate board with white chalk", "chalk doodles",
    ),
    "blueprint": (
        "blueprint", "architect's blueprint", "white lines on blue paper", "technical drawing", "engineering plan",
        "cyanotype plan", "blue technical drawing", "construction plan", "draftsman's blueprint", "schematic",
        "blue and white plan with a grid", "construction drawing on blue", "architectural drawing", "cad drawing on blue paper",
    ),
    "engraving": (
        "vintage engraving", "banknote engraving", "old etching", "copper plate engraving", "woodcut print",
        "19th century illustration", "engraved lines", "old book illustration", "etched plate", "sepia engraving",
        "ink lines on old paper", "an old print made of lines", "dollar bill portrait", "antique print",
        "lithograph with horizontal lines",
    ),
    "watercolour": (
        "watercolor painting", "watercolour", "aquarelle", "soft watercolor washes", "painted with watercolors",
        "pale washes of paint", "delicate watercolour", "wet paint on paper", "water paint", "light watercolor sketch",
        "pastel watercolor illustration", "gentle aquarelle", "storybook watercolor", "loose watercolour portrait",
    ),
    "oil": (
        "oil painting", "oil on canvas", "thick brush strokes", "impasto", "classical oil portrait", "old master painting",
        "painted in oils", "painterly brush strokes", "rich oil colours", "rembrandt painting", "museum painting",
        "palette knife painting", "canvas painting", "renaissance painting", "van gogh painting", "painted with a wide brush",
    ),
    "cartoon": (
        "cartoon", "cel shaded animation", "animated movie", "anime", "toon shading", "flat colours with black outlines",
        "saturday morning cartoon", "animation film", "cartoon character", "anime character", "manga in colour",
        "drawn cartoon with bold outlines", "disney style cartoon", "cel animation", "animated tv show", "toon",
    ),
    "comic": (
        "comic book", "halftone comic", "comic with halftone dots", "vintage comic panel", "superhero comic",
        "ben day dots", "roy lichtenstein", "printed comic page", "american comic", "bold ink and dots", "graphic novel",
        "newspaper comic strip", "marvel comic", "comic panel with ink and dots", "halftone print",
    ),
    "pixel_art": (
        "pixel art", "8-bit video game", "retro game", "16 bit game", "pixelated", "blocky pixels", "old arcade game",
        "minecraft", "big square pixels", "low resolution sprites", "nintendo game", "mosaic of squares", "pixels",
        "8 bit", "super nintendo graphics", "lego blocks",
    ),
    "neon": (
        "neon outlines", "glowing neon lines", "tron", "neon sign", "glowing edges on black", "neon light drawing",
        "luminous outlines in the dark", "laser lines", "electric glowing contours", "fluorescent wireframe",
        "neon tubes", "light painting", "glow in the dark outlines", "glowing wireframe", "neon edges",
    ),
    "cyberpunk": (
        "cyberpunk", "cyberpunk city", "blade runner", "synthwave", "vaporwave", "pink and cyan night",
        "magenta and teal light", "futuristic city at night", "sci-fi neon night colours", "cyberpunk 2077", "retrowave",
        "tokyo at night", "purple and cyan lighting", "futuristic purple glow", "outrun", "night city",
    ),
    "thermal": (
        "thermal camera", "heat map", "infrared camera", "heat vision", "predator vision", "thermal imaging",
        "heat signature", "flir camera", "temperature map", "infrared heat", "rainbow heat colours", "body heat image",
        "thermography", "as seen by a thermal camera", "infrared",
    ),
    "golden_hour": (
        "golden hour", "warm sunset light", "sunset", "golden light", "late afternoon sun", "warm evening glow",
        "sunny and warm", "amber light", "warm cinematic grade", "bathed in sunlight", "golden evening", "summer evening",
        "orange sunset", "warm golden colours", "sunrise", "desert light",
    ),
    "noir": (
        "film noir", "black and white film", "high contrast black and white", "old movie", "1940s detective film",
        "dramatic black and white", "classic hollywood portrait", "noir", "monochrome photo", "silent film",
        "black and white photo", "sin city", "hitchcock movie", "moody black and white", "vintage black and white photograph",
    ),
    "risograph": (
        "risograph print", "riso print", "two colour print", "pink and blue print", "duotone print", "screen print in two inks",
        "zine print", "pink and navy risograph", "indie poster print", "printed with two inks", "misprinted zine",
        "pink halftone print", "duotone pink and blue", "screen printed poster",
    ),
    "night_vision": (
        "night vision", "night vision goggles", "green night camera", "military night scope", "infrared night vision",
        "green phosphor screen", "spy camera at night", "night scope", "soldier's night goggles", "surveillance camera at night",
        "green night vision camera", "green monochrome monitor", "matrix green", "night surveillance",
    ),
    "pop_art": (
        "pop art", "andy warhol", "warhol screen print", "pop art poster", "bright pop art colours", "flat pop art inks",
        "obama hope poster", "posterized", "red yellow and purple poster", "sixties pop art", "bold poster art",
        "stencil poster", "marilyn by warhol", "street art poster", "shepard fairey poster",
    ),
    "original": (
        "original", "no effect", "the original video", "unchanged", "leave it as it is", "no style", "just the camera",
        "normal", "without any effect", "raw camera picture", "as it is", "do not change anything", "plain video",
        "natural", "remove the effect",
    ),
}  # fmt: skip
HELD_NOUNS = 3  # the last nouns of each look
TEMPLATES = (
    "{x}", "{x} style", "turn me into a {x}", "make it look like {x}", "in the style of {x}", "as {x}", "like {x}",
    "I want {x}", "can you make this {x} please", "{x}, {mood}", "a {mood} {x}", "{x} of a person", "{x} look",
    "show me as {x}", "make me {x}", "give it a {x} look", "convert to {x}", "{x}, highly detailed", "{x} filter",
    "please draw this as {x}", "render everything as {x}", "let it be {x}", "paint it like {x}", "{x} effect",
    "{x} portrait, {mood}", "the room as {x}", "change the video to {x}", "a beautiful {x}",
)  # fmt: skip
MOODS = (
    "calm", "dramatic", "soft light", "cozy", "bold", "gentle", "dreamy", "strong contrast", "simple", "elegant",
    "playful", "masterpiece", "vivid", "quiet", "cinematic", "beautiful", "modern", "classic", "detailed", "moody",
)  # fmt: skip
PER_LOOK = 180
HELD_SHARE = 0.15


def phrases(seed: int = 0) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Phrases per look to train on, and those held out: other sentences, and nouns never seen at all."""
    seen, unseen = {}, {}
    for look, nouns in NOUNS.items():
        rng = random.Random(f"{seed} {look}")
        known, new = nouns[:-HELD_NOUNS], nouns[-HELD_NOUNS:]
        made = sorted({_sentence(rng, known) for _ in range(4 * PER_LOOK)} - set(known))
        rng.shuffle(made)
        held = int(PER_LOOK * HELD_SHARE)
        seen[look] = [*known, *made[held:PER_LOOK]]
        unseen[look] = [*new, *(_sentence(rng, new) for _ in range(9)), *made[:held]]
    return seen, unseen


def _sentence(rng: random.Random, nouns: tuple[str, ...]) -> str:
    return rng.choice(TEMPLATES).format(x=rng.choice(nouns), mood=rng.choice(MOODS))
