"""The machine-readable mark that a file was made with a generative model.

Source: IPTC Photo Metadata Standard, DigitalSourceType, value "compositeWithTrainedAlgorithmicMedia" (a capture edited
with generative AI); XMP in ISO base media files: XMP specification part 3, 1.3.4 (a `uuid` box).
"""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import av

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
XMP_BOX = uuid.UUID("BE7ACFCB-97A9-42E8-9C71-999491E3AFAC").bytes
COMMENT = f"AI-generated: restyled by Reverie; DigitalSourceType {SOURCE_TYPE}"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Reverie"
 Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def tags(suffix: str) -> dict[str, str]:
    """Container metadata to write with the file."""
    named = {"comment": COMMENT}
    return named | {"DIGITAL_SOURCE_TYPE": SOURCE_TYPE, "XMP": XMP.decode()} if suffix in (".mkv", ".webm") else named


def mark(path: Path, suffix: str) -> None:
    """Append the XMP box to a finished mp4 or mov; the other containers carry it in their tags."""
    if suffix in (".mp4", ".mov"):
        with path.open("ab") as file:
            file.write(struct.pack(">I4s", 8 + 16 + len(XMP), b"uuid") + XMP_BOX + XMP)


def read_mark(path: Path) -> str | None:
    """The DigitalSourceType a file carries, or None.  Raises ValueError if it cannot be opened."""
    if any(SOURCE_TYPE.encode() in xmp for xmp in _xmp_boxes(path)):
        return SOURCE_TYPE
    try:
        with av.open(str(path)) as container:
            text = " ".join(container.metadata.values())
    except av.FFmpegError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    return SOURCE_TYPE if SOURCE_TYPE in text else None


def _xmp_boxes(path: Path) -> list[bytes]:
    """XMP packets in the top-level boxes of an ISO base media file; none if it is no such file."""
    found, at, size = [], 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if length == 1:  # the length follows in 64 bits
                (length,) = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))
            elif kind == b"uuid" and file.read(16) == XMP_BOX:
                found.append(file.read(min(length - 24, 1_000_000)))
            if length < 8:  # to the end of the file, or no box at all
                break
            at += length
    return found
