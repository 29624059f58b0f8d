"""The camera page in headless Chromium, its camera a real clip with a face, against a real server process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import av
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from rig.browser import until, watched_page
from rig.node import Node, serve

from reverie.server import segment
from reverie.server.access import new_key
from reverie.server.provenance import SOURCE_TYPE, read_mark

DIFFERENT, SAME = 10.0, 7.0  # mean steps of 255 between two pictures of 16x10 mean colours
LOOKS = {"toy": ("red", "blue"), "nano": ("thermal camera", "pencil sketch")}
PATIENCE_MS = 20_000

OpenPage = Callable[..., Page]


# The browser rests a video that is clipped away, and then its picture is old: some of the camera has to be in sight.
SHOW_CAMERA = "() => { const slider = document.querySelector('#compare'); slider.value = 20; slider.oninput(); }"


def start(page: Page, prompt: str) -> None:
    page.fill("#prompt", prompt)
    page.click("#start")
    until(page, "watch.history.length >= 5")
    page.evaluate(SHOW_CAMERA)


def apart(page: Page) -> float:
    """How far the styled picture is from the camera's."""
    return float(page.evaluate("watch.seen().apart"))


def wait_until_styled(page: Page) -> None:
    until(page, f"watch.seen().apart > {DIFFERENT}")


def test_styled_frames_arrive_and_go_on_arriving(node: Node, open_page: OpenPage) -> None:
    page = open_page(node)
    start(page, LOOKS[node.model][0])
    wait_until_styled(page)
    shown = page.evaluate("watch.presented")
    until(page, f"watch.presented > {shown} + 20")
    wait_until_styled(page)  # on a slow machine the camera may fill a gap
    expect(page.locator("#state")).to_have_attribute("data-state", "live")


def test_another_prompt_changes_the_picture_while_it_runs(node: Node, open_page: OpenPage) -> None:
    page = open_page(node)
    first, second = LOOKS[node.model]
    start(page, first)
    wait_until_styled(page)
    before = page.evaluate("watch.seen().styled")
    page.fill("#prompt", second)
    page.press("#prompt", "Enter")
    far = f"before => watch.distance(before, watch.seen().styled) > {DIFFERENT}"
    until(page, far, before)
    wait_until_styled(page)


def test_no_look_shows_the_camera_and_the_look_comes_back(node: Node, open_page: OpenPage) -> None:
    page = open_page(node)
    start(page, LOOKS[node.model][0])
    wait_until_styled(page)
    page.click("#passthrough")
    until(page, f"watch.seen().apart < {SAME}")
    expect(page.locator("#passthrough")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
    page.click("#passthrough")
    wait_until_styled(page)
    shown = page.evaluate("watch.presented")
    until(page, f"watch.presented > {shown} + 20")


def test_strength_zero_gives_the_camera_back(node: Node, open_page: OpenPage) -> None:
    page = open_page(node)
    start(page, LOOKS[node.model][0])
    wait_until_styled(page)
    page.focus("#strength")
    page.keyboard.press("Home")
    until(page, f"watch.seen().apart < {SAME}")


def test_glass_to_glass_is_read_from_pixels(node: Node, open_page: OpenPage) -> None:
    """Each styled frame tells by its stamp which camera frame it is; the figures themselves are for `bench serve`."""
    page = open_page(node, stamped=True)
    start(page, LOOKS[node.model][1])
    wait_until_styled(page)
    page.evaluate("() => { watch.frames = []; watch.unread = 0; }")
    until(page, "watch.frames.length + watch.unread >= 40")
    frames, unread = page.evaluate("[watch.frames, watch.unread]")
    assert unread <= 0.2 * (len(frames) + unread)
    ages = [age for _, age, _ in frames]
    assert all(age > 0 for age in ages)
    assert median(ages) < 1000, "a live picture is less than a second old, even on a busy machine"


def test_stop_frees_the_camera_and_start_works_again(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    start(page, "red")
    track = page.evaluate_handle("document.querySelector('#camera').srcObject.getVideoTracks()[0]")
    page.click("#stop")
    assert track.evaluate("track => track.readyState") == "ended"
    expect(page.locator("#state-text")).to_have_text("Camera off")
    page.evaluate("watch.history = []")
    start(page, "red")
    wait_until_styled(page)


def test_a_model_that_crashes_shows_the_camera_and_says_so(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    start(page, "crash")
    expect(page.locator("#state")).to_have_attribute("data-state", "trouble", timeout=PATIENCE_MS)
    expect(page.locator("#state-text")).to_contain_text("model")
    until(page, f"watch.seen().apart < {SAME}")
    page.click("text=pencil sketch")
    wait_until_styled(page)


def test_a_blocked_camera_is_explained(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    page.evaluate("""() => { navigator.mediaDevices.getUserMedia =
        async () => { throw new DOMException("Permission denied", "NotAllowedError"); } }""")
    page.click("#start")
    expect(page.get_by_role("alert")).to_contain_text("Allow it in the browser's address bar")
    expect(page.locator("#start")).to_be_enabled()


def test_enhance_shows_the_richer_prompt(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    start(page, "rain")
    page.check("#enhance")
    expect(page.locator("#prompt-note")).to_have_text("Enhanced: rain, in blue", timeout=PATIENCE_MS)


def test_everything_can_be_done_with_the_keyboard(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Library"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "start"
    page.keyboard.press("Enter")
    until(page, "watch.history.length >= 5")
    reached = set()
    page.evaluate("document.querySelector('details').open = true")
    for _ in range(90):  # more than there are
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    wanted = {"stop", "compare", "snapshot", "record", "fullscreen", "prompt", "apply", "comic book", "strength"}
    assert wanted | {"second", "weight", "transition", "seed", "enhance", "microphone", "passthrough"} <= reached


def test_the_page_asks_no_other_host_and_breaks_no_rule_of_its_own(toy: Node, browser: Browser) -> None:
    page = watched_page(browser, stamped=False)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(toy.url)
    start(page, "red")
    wait_until_styled(page)
    page.context.close()
    assert len(asked) >= 4
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(toy.url).netloc}
    assert errors == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_the_screen(toy: Node, open_page: OpenPage, width: int) -> None:
    page = open_page(toy)
    page.set_viewport_size({"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_blend_and_its_transition_are_asked_for_and_shown(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    start(page, "red")
    wait_until_styled(page)
    page.evaluate("document.querySelector('details').open = true")
    page.fill("#second", "blue")
    page.press("#second", "Enter")
    expect(page.locator("#state-text")).to_have_text("Live: red + blue", timeout=PATIENCE_MS)


def test_the_before_and_after_slider_uncovers_the_camera(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    start(page, "red")
    page.keyboard.press("Tab")
    shown = "getComputedStyle(document.querySelector('#camera')).clipPath"
    before = page.evaluate(shown)
    page.focus("#compare")
    page.keyboard.press("End")
    assert page.evaluate(shown) != before


def test_a_snapshot_and_a_recording_are_saved(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    start(page, "red")
    wait_until_styled(page)
    with page.expect_download() as picture:
        page.click("#snapshot")
    assert picture.value.suggested_filename.endswith(".png")
    with Image.open(picture.value.path()) as opened:  # Pillow checks every chunk's sum
        opened.load()
        assert SOURCE_TYPE in opened.info["XML:com.adobe.xmp"]
    page.click("#record")
    expect(page.locator("#light")).to_be_visible()
    page.wait_for_timeout(1500)
    with page.expect_download() as film:
        page.click("#record")
    expect(page.locator("#light")).to_be_hidden()
    assert read_mark(Path(film.value.path())) == SOURCE_TYPE
    with av.open(str(film.value.path())) as container:
        assert sum(1 for _ in container.decode(video=0)) > 10


def test_a_lost_connection_comes_back_by_itself_with_the_same_look(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    page.evaluate("""() => { const Real = WebSocket; window.sockets = [];
        window.WebSocket = class extends Real { constructor(url) { super(url); window.sockets.push(this); } }; }""")
    start(page, "red")
    wait_until_styled(page)
    page.evaluate("sockets.at(-1).close()")
    expect(page.locator("#state-text")).to_contain_text("try 1 of 8", timeout=PATIENCE_MS)
    until(page, "sockets.length > 1")
    page.evaluate("watch.history = []")
    expect(page.locator("#state-text")).to_have_text("Live: red", timeout=PATIENCE_MS)
    wait_until_styled(page)


def test_the_microphone_comes_back_for_recordings_and_is_not_played(toy: Node, open_page: OpenPage) -> None:
    page = open_page(toy)
    page.evaluate("document.querySelector('details').open = true")
    page.check("#microphone")
    start(page, "red")
    until(page, "document.querySelector('#styled').srcObject.getAudioTracks().length === 1")
    assert page.evaluate("document.querySelector('#styled').muted")


def test_a_look_on_people_only_keeps_the_room(toy: Node, open_page: OpenPage) -> None:
    if not segment.is_here(segment.folder()):
        pytest.skip("the networks that find people are not here")
    page = open_page(toy)
    start(page, "invert")
    wait_until_styled(page)
    whole = apart(page)
    page.click("summary")
    page.select_option("#mask", "subject")
    until(page, f"watch.seen().apart < {0.8 * whole}")
    page.select_option("#mask", "background")
    until(page, f"watch.seen().apart > {0.3 * whole}")
    assert apart(page) < 0.9 * whole


def test_a_film_in_mp4_gets_the_mark_as_a_box(toy: Node, open_page: OpenPage, make_clip: Callable[..., Path]) -> None:
    page, clip = open_page(toy), make_clip("film.mp4")
    box = page.evaluate("""async () => { const { markedFilm } = await import("/web/provenance.js");
        return [...new Uint8Array(await (await markedFilm([], "video/mp4")).arrayBuffer())]; }""")
    clip.write_bytes(clip.read_bytes() + bytes(box))
    assert read_mark(clip) == SOURCE_TYPE


def test_a_server_with_keys_asks_for_one_and_takes_it(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, line = new_key("mine")
    (tmp_path / "keys").write_text(line + "\n")
    monkeypatch.setenv("REVERIE_API_KEYS_FILE", str(tmp_path / "keys"))
    with serve("toy") as node:
        page = watched_page(browser, stamped=False)
        page.goto(node.url)
        page.click("#start")
        expect(page.locator("#key")).to_be_focused(timeout=PATIENCE_MS)
        page.keyboard.type("rv_wrong")
        page.keyboard.press("Enter")
        until(page, "document.activeElement.id === 'key' && document.querySelector('#key').value === ''")
        page.keyboard.type(key)
        page.keyboard.press("Enter")
        until(page, "watch.history.length >= 5")
        expect(page.locator("#welcome")).to_be_hidden()
        assert key not in page.url
        answers = page.evaluate("import('/web/key.js').then(it => fetch('/v1/recordings', {headers: it.headers()}))"
                                ".then(it => it.status)")  # fmt: skip
        assert answers == 200
        page.context.close()
