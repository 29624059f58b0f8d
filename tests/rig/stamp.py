"""A frame number drawn into the picture so large that it survives a change of look.

The lowest sixth of the frame holds 2 rows of 16 blocks.  A bit is a pair of neighbouring blocks, white-black
for 1 and black-white for 0, so only their order matters, not how dark a look makes either.  The first four
pairs are always 1010; they tell a look that turns black into white.  Twelve pairs hold the number in Gray code:
from one frame to the next a single pair changes, so a look that mixes neighbouring frames reads as one of the two.
stamp.js is the same in a page.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS, STRIP_ROWS = 16, 12, 2  # of blocks in a frame; the last two rows are the stamp
MARK = (1, 0, 1, 0)
BITS = 12
NUMBERS = 1 << BITS
CONTRAST = 10.0  # of 255; below it a pair is not read
REACH = 45  # frames: a stamp that would be older is a misreading


def draw(frame: NDArray[np.uint8], number: int) -> None:
    """Draw `number` modulo 4096 into `frame`, (H, W, 3) uint8 RGB, in place."""
    number %= NUMBERS
    gray = number ^ (number >> 1)
    bits = [*MARK, *((gray >> i) & 1 for i in range(BITS))]
    blocks = np.array([(b, 1 - b) for b in bits], np.uint8).reshape(STRIP_ROWS, COLUMNS) * 255
    height, width = frame.shape[:2]
    strip = height // ROWS * STRIP_ROWS
    rows = np.arange(strip) * STRIP_ROWS // strip
    columns = np.arange(width) * COLUMNS // width
    frame[height - strip :] = blocks[rows][:, columns, None]


def read(frame: NDArray[np.uint8], newest: int) -> int | None:
    """The full number in `frame`, at most `REACH` before `newest`; None if it cannot be told."""
    height = frame.shape[0]
    strip = frame[height - height // ROWS * STRIP_ROWS :].mean(axis=2)
    values = []
    for row in np.array_split(strip, STRIP_ROWS):
        for block in np.array_split(row, COLUMNS, axis=1):
            y, x = block.shape[0] // 4, block.shape[1] // 4
            values.append(float(block[y : -y or None, x : -x or None].mean()))
    return decode(values, newest)


def decode(blocks: list[float], newest: int) -> int | None:
    """As `read`, from the 32 mean brightnesses of the blocks."""
    pairs = [a - b for a, b in zip(blocks[::2], blocks[1::2], strict=True)]
    if min(abs(pair) for pair in pairs) < CONTRAST:
        return None
    bits = [int(pair > 0) for pair in pairs]
    if bits[0] != MARK[0]:
        bits = [1 - bit for bit in bits]
    if tuple(bits[: len(MARK)]) != MARK:
        return None
    gray = sum(bit << i for i, bit in enumerate(bits[len(MARK) :]))
    number = 0
    while gray:
        number ^= gray
        gray >>= 1
    age = (newest - number) % NUMBERS
    return newest - age if age <= min(newest, REACH) else None
