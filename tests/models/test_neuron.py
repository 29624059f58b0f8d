"""Programs for Trainium's cycle model have the shapes that they claim."""

import numpy as np

from reverie.kernels.tasks import Conv, Project
from reverie.models.config import NANO
from reverie.models.neuron import LLM, WIDE, Filled, language, video


def channels(made: Filled) -> set[int]:
    return {node.task.outs for node in made.program.nodes if isinstance(node.task, Conv)}


def test_nano_has_its_weights() -> None:
    made = video(NANO, 32, 64)
    assert made.buffers[made.program.find("video.weights")].any()
    assert {32, 64, 128, 192} <= channels(made)


def test_the_wide_network_has_multiples_of_128() -> None:
    assert all(width % 128 == 0 for width in WIDE.widths) and WIDE.heads == 8


def test_the_llm_has_135_million_weights() -> None:
    tasks = [node.task for node in language().program.nodes if isinstance(node.task, Project)]
    assert (
        sum(t.width * (t.end - t.begin) for t in tasks)
        == 30 * 3 * 576 * 1536 + 30 * 576 * (576 * 2 + 2 * 192) + 49_152 * 576
    )
    assert LLM.layers == 30


def test_contents_are_put_where_a_name_says() -> None:
    made = video(NANO, 32, 64)
    made.put("strength", np.array([0.5], np.float32))
    assert made.buffers[made.program.find("strength")][:4].view(np.float32)[0] == 0.5
