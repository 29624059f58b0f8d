"""The camera, small, in a corner: reverie serve --effect client/examples/effects/picture_in_picture.py"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

wants_camera = True  # ctx.camera is then the newest picture of the camera
SHARE, MARGIN, BORDER = 0.28, 0.03, 2  # of the width, of the width, pixels


def effect(frame: NDArray[np.uint8], ctx: Any) -> None:
    """Args: frame: (H, W, 3) uint8 RGB, changed in place."""
    if not ctx.styled or ctx.camera is None:
        return  # the camera fills the picture already
    height, width = frame.shape[:2]
    wide = round(SHARE * width)
    tall = round(wide * ctx.camera.shape[0] / ctx.camera.shape[1])
    top = left = round(MARGIN * width)
    if top + tall + BORDER > height:
        return
    frame[top - BORDER : top + tall + BORDER, left - BORDER : left + wide + BORDER] = 255
    frame[top : top + tall, left : left + wide] = cv2.resize(ctx.camera, (wide, tall), interpolation=cv2.INTER_AREA)
