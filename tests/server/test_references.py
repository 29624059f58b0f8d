"""Pictures from strangers."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from reverie.server.references import MAX_BYTES, MAX_PIXELS, MAX_SIDE, decode, from_base64


def encoded(kind: str, size: tuple[int, int] = (32, 16), colour: tuple[int, int, int] = (200, 40, 90)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_kind_becomes_rgb(kind: str) -> None:
    picture = decode(encoded(kind))
    assert picture.shape == (16, 32, 3) and picture.dtype == np.uint8
    assert np.abs(picture.mean((0, 1)) - (200, 40, 90)).max() < 12


def test_base64_with_and_without_a_data_url_and_no_address() -> None:
    plain = base64.b64encode(encoded("PNG")).decode()
    assert (from_base64(plain) == from_base64(f"data:image/png;base64,{plain}")).all()
    with pytest.raises(ValueError, match="not fetched by address"):
        from_base64("http://127.0.0.1/x.png")
    with pytest.raises(ValueError, match="not base64"):
        from_base64("!!!!")


def test_a_large_picture_is_made_small_and_a_turned_one_upright() -> None:
    assert max(decode(encoded("JPEG", (3000, 1500))).shape[:2]) == MAX_SIDE
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (32, 16)).save(out, "JPEG", exif=exif)
    assert decode(out.getvalue()).shape == (32, 16, 3)


def test_a_small_file_with_a_huge_picture_is_refused_by_its_header() -> None:
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000_000))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(ValueError, match=f"{MAX_PIXELS} pixels, this has"):
        decode(bomb)


def test_what_is_no_picture_or_too_large_is_refused_in_a_sentence() -> None:
    png = encoded("PNG")
    for data, words in ((b"hi", "none of"), (b"", "none of"), (png[:45], "damaged"), (b"<svg/>", "none of")):
        with pytest.raises(ValueError, match=words):
            decode(data)
    with pytest.raises(ValueError, match=str(MAX_BYTES)):
        decode(bytes(MAX_BYTES + 1))
    with pytest.raises(ValueError, match=str(MAX_BYTES)):
        from_base64("A" * (MAX_BYTES * 4 // 3 + 8))
