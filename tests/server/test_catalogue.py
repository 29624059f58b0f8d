"""Old names and new."""

import pytest

from reverie.server.catalogue import IMAGE, REALTIME, VIDEO, Wire, names


@pytest.mark.parametrize(
    "name",
    ["mirage", "mirage_v2", "lucy_v2v_720p_rt", "lucy_2_rt", "live_avatar", "lucy", "lucy-2", "lucy-restyle", "live-avatar",
     "lucy-2.1-vton", "lucy-2.1", "lucy-2.5", "lucy-2.6", "lucy-vton-3.6", "lucy-restyle-2", "lucy-restyle-latest",
     "lucy-latest", "lucy-vton-3.5", "lucy-vton-latest", "lucy-vton-2", "lucy-vton-3", "lucy-2.1-vton-2"],
)  # fmt: skip
def test_every_realtime_name_that_was_ever_known_is_served(name: str) -> None:
    assert names(name, "nano") == (name, "nano")
    assert REALTIME[name].width >= 1088 and 20 <= REALTIME[name].fps <= 30


def test_sizes_are_those_of_the_newest_registries() -> None:
    assert REALTIME["lucy-2.5"] == Wire(30, 1280, 720) and REALTIME["mirage_v2"] == Wire(22, 1280, 704)


def test_our_own_name_and_no_name_are_the_model_served_and_others_are_nothing() -> None:
    assert names("", "nano") == names("nano", "nano") == ("nano",)
    assert names("toy", "nano") == names("gpt", "nano") == ()
    assert all(names(each, "nano") for each in VIDEO | IMAGE)
