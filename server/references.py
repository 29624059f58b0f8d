"""Reference pictures that clients send: read with care, because a small file can hold a huge picture.

Nothing is fetched by address: a client that has an URL sends what lies there.
"""

from __future__ import annotations

import base64
import binascii
import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000
MAX_SIDE = 1024  # of what a model is given
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def from_base64(text: str) -> NDArray[np.uint8]:
    """A picture of a message; a data URL is understood too.  Raises ValueError with one sentence."""
    if text.startswith(("http://", "https://")):
        raise ValueError("pictures are not fetched by address; send the picture's bytes as base64")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if len(text) > MAX_BYTES * 4 // 3 + 4:
        raise ValueError(f"a reference picture may have {MAX_BYTES} bytes, this has about {len(text) * 3 // 4}")
    try:
        return decode(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise ValueError("image_data is not base64") from None


def decode(data: bytes, max_side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, upright, no side longer than `max_side`.  Raises ValueError with one sentence."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"a reference picture may have {MAX_BYTES} bytes, this has {len(data)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own limit: ours comes first
            with Image.open(io.BytesIO(data), formats=KINDS) as opened:  # reads the header only
                width, height = opened.size
                if width * height > MAX_PIXELS:
                    raise ValueError(f"a reference picture may have {MAX_PIXELS} pixels, this has {width}x{height}")
                opened.draft("RGB", (max_side, max_side))
                picture = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise ValueError(f"the reference picture is none of {', '.join(KINDS)}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"a reference picture may have {MAX_PIXELS} pixels, this has many more") from None
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"the reference picture is damaged: {type(error).__name__}") from None
    picture.thumbnail((max_side, max_side))
    return np.asarray(picture)


def to_base64(picture: NDArray[np.uint8]) -> str:
    """A JPEG of it, as `from_base64` reads."""
    held = io.BytesIO()
    Image.fromarray(picture).save(held, "JPEG", quality=92)
    return base64.b64encode(held.getvalue()).decode()
