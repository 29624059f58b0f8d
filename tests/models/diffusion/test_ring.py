"""The ring against full attention."""

import torch

from reverie.models.diffusion.ring import Layer, Ring


def filled(count: int) -> Ring:
    ring = Ring([Layer(torch.zeros(1, 8, 1, 2), torch.zeros(1, 8, 1, 2))], 4, 2)
    ring.count = count
    return ring


def test_the_first_chunk_stays_and_the_others_follow_each_other() -> None:
    order = []
    for count in range(9):
        ring = filled(count)
        order.append(int(ring.next("cpu")[0]) // 2)
    assert order == [0, 1, 2, 3, 1, 2, 3, 1, 2]


def test_places_are_by_age_and_masks_by_what_is_there() -> None:
    assert filled(0).places() == [0, 0, 0, 0] and filled(2).places()[:2] == [0, 1]
    assert filled(4).places() == [0, 1, 2, 3]
    assert filled(5).places() == [0, 3, 1, 2]  # slot 1 holds the newest
    assert filled(7).places() == [0, 1, 2, 3]
    assert filled(1).mask("cpu", 2).flatten().tolist() == [True] * 2 + [False] * 6 + [True] * 2
    assert filled(9).mask("cpu", 2).all()


def test_a_chunk_that_rests_is_carried_to_where_the_next_one_goes() -> None:
    ring = filled(5)  # slot 1 holds the newest
    for kept in ring.layers[0]:
        kept.copy_(torch.arange(16.0).view(1, 8, 1, 2))
    ring.carry()
    for kept in ring.layers[0]:
        assert torch.equal(kept[:, 4:6], kept[:, 2:4]) and kept[0, 6, 0, 0] == 12
