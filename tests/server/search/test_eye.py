from dataclasses import replace

import numpy as np

from reverie.server.search.eye import Eye, Sight

RED, BLUE = (np.full((36, 64, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 0, 120)))


def sights(*colours: np.ndarray, output: np.ndarray | None = None, style: str = "") -> list[Sight]:
    return [Sight(n / 4, colour, output, style) for n, colour in enumerate(colours)]


def test_a_window_is_about_a_second_and_stands_for_what_was_seen(colours) -> None:  # type: ignore[no-untyped-def]
    eye = Eye(colours)
    done = [each for sight in sights(*[RED] * 10) for each in eye.put(sight)]
    assert [(w.begin, w.end) for w, _ in done] == [(0.0, 1.0), (1.25, 2.25)]
    assert done[0][0].vectors["source"] @ colours.words(["red"])[0] > 0.9


def test_a_cut_ends_a_window_at_once(colours) -> None:  # type: ignore[no-untyped-def]
    eye = Eye(colours)
    done = [each for sight in sights(RED, RED, BLUE, BLUE) for each in eye.put(sight)]
    (window, sight), last = done[0], eye.finish()
    assert window.end == 0.25 and sight.source is RED
    assert last is not None and last[0].begin == 0.5 and eye.finish() is None


def test_source_and_output_have_vectors_of_their_own(colours) -> None:  # type: ignore[no-untyped-def]
    eye = Eye(colours)
    for sight in sights(RED, RED, output=BLUE, style="in blue"):
        eye.put(sight)
    window, _ = eye.finish() or (None, None)
    assert window is not None and window.style == "in blue"
    assert (
        window.vectors["output"] @ colours.words(["blue"])[0]
        > 0.9
        > window.vectors["source"] @ colours.words(["blue"])[0]
    )


def test_a_clip_that_moves_and_its_frozen_frame_are_told_apart_by_words(colours) -> None:  # type: ignore[no-untyped-def]
    moving = [np.roll(np.pad(RED, ((0, 0), (0, 0), (0, 0))), 0, 1).copy() for _ in range(4)]
    for n, picture in enumerate(moving):
        picture[:, 10 * n : 10 * n + 12] = 255
    windows = []
    for clip in (moving, moving[:1] * 4):
        eye = Eye(colours)
        for sight in sights(*clip):
            eye.put(sight)
        windows.append((eye.finish() or (None,))[0])
    moved, frozen = (window.vectors["source"] @ colours.words(["moving"])[0] for window in windows)  # type: ignore[union-attr]
    assert moved > frozen + 0.2


def test_what_hardly_changes_is_not_looked_at_again_for_a_while(colours) -> None:  # type: ignore[no-untyped-def]
    looks: list[int] = []
    real = colours.pictures
    colours.pictures = lambda pictures: looks.append(len(pictures)) or real(pictures)
    eye = Eye(colours)
    windows = [w for n in range(48) for w, _ in eye.put(Sight(n / 4, RED + np.uint8(n % 2), None))]
    assert len(windows) >= 9 and len(looks) == 2
    for sight in sights(BLUE, BLUE):
        eye.put(replace(sight, at=sight.at + 12.1))
    window, _ = eye.finish() or (None, None)
    assert window is not None and len(looks) >= 3
    assert window.vectors["source"] @ colours.words(["blue"])[0] > 0.9


def test_without_time_what_moves_is_looked_at_by_turns_and_a_new_scene_at_once(colours) -> None:  # type: ignore[no-untyped-def]
    looked: list[int] = []
    real = colours.pictures
    colours.pictures = lambda pictures: looked.append(int(pictures[0].mean())) or real(pictures)
    time_left = [False]
    eye = Eye(colours, may=lambda: time_left.pop() if len(time_left) > 1 else time_left[0])
    moving = [np.roll(np.tile(np.arange(64, dtype=np.uint8) * 3, (36, 1)), 9 * n, 1) for n in range(20)]
    source, output = [np.dstack([each] * 3) for each in moving], [np.dstack([255 - each] * 3) for each in moving]
    for n in range(5):
        eye.put(Sight(n / 4, source[n], output[n], "negative"))
    assert len(looked) == 2  # the first, of each side
    sides = []
    for n in range(5, 15):
        if n % 5 == 0:
            time_left.append(True)  # for one look
        eye.put(Sight(n / 4, source[n], output[n], "negative"))
    sides = [mean > 127 for mean in looked[2:]]
    assert sides == [False, True]
    eye.put(Sight(3.75, RED, RED, "negative"))
    eye.finish()
    assert len(looked) == 6


def test_a_prompt_says_which_look_was_worn(colours) -> None:  # type: ignore[no-untyped-def]
    eye = Eye(colours)
    for sight in sights(RED, RED, output=BLUE, style="als Aquarell"):
        eye.put(sight)
    window, _ = eye.finish() or (None, None)
    assert window is not None and "like watercolour" in window.facts and window.hints == ("red", "blue")
