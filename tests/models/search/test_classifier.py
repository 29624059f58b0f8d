import numpy as np
import pytest

from reverie.models.search import classifier

pytestmark = pytest.mark.skipif(not classifier.is_here(), reason=f"{classifier.PACKAGES} are not installed")
data = pytest.importorskip("skimage.data")


def test_photographs_get_the_names_that_people_give_them() -> None:
    _, likely = classifier.look([data.chelsea(), data.coffee()])
    names = classifier.names()
    assert [names[row.argmax()] for row in likely] == ["Egyptian Mau", "espresso"]
    np.testing.assert_allclose(likely.sum(1), 1, rtol=1e-5)


def test_features_and_names_have_their_sizes_also_of_odd_pictures() -> None:
    features, likely = classifier.look([np.zeros((17, 400, 3), np.uint8), np.zeros((300, 16, 3), np.uint8)])
    assert features.shape == (2, classifier.FEATURES) and likely.shape == (2, classifier.CLASSES)
    assert len(classifier.names()) == classifier.CLASSES
    assert classifier.look([])[0].shape == (0, classifier.FEATURES)


def test_the_streamlined_network_says_what_the_packaged_one_says() -> None:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    packaged = EfficientNet.from_name("efficientnet-lite0").eval()
    x = torch.rand(1, 3, 224, 224) * 2 - 1
    with torch.inference_mode():
        expected = packaged.extract_features(x)
        torch.testing.assert_close(
            classifier._streamlined(packaged).extract_features(x), expected, rtol=1e-3, atol=1e-4
        )
