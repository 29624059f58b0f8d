"""Arrays in, arrays out, without await: what a notebook needs."""

import sys

import numpy as np

from reverie.client import Frames, sync


def main(url: str = "http://127.0.0.1:8080", prompt: str = "stained glass") -> np.ndarray:
    y, x = np.mgrid[0:288, 0:512]
    waves = [np.stack((x / 2 + n, y, x / 4 + y / 2), -1).astype(np.uint8) for n in range(0, 256, 4)]
    with sync.connect(url, Frames(waves), prompt) as session:
        return next(frame.image for frame in session if frame.step)


if __name__ == "__main__":
    print(main(*sys.argv[1:]).shape)
