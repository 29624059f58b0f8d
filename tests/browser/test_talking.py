"""A look is said on the page: a voice in Chromium's microphone, the button held, words in the prompt box."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from rig.browser import FLAGS, chromium, until
from rig.node import Node
from rig.voice import speak

from reverie.server import speech

pytestmark = pytest.mark.skipif(not speech.is_here(), reason="the extra reverie[speech] is not installed")


def test_what_is_said_while_the_button_is_held_is_the_look(browser: Browser, toy: Node, tmp_path: Path) -> None:
    try:
        said = speak("film noir in the rain, film noir in the rain", tmp_path / "said.wav")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={said}"]
    talking = browser.browser_type.launch(executable_path=chromium(), headless=True, args=flags)
    page = talking.new_page()
    page.goto(toy.url)
    button = page.get_by_role("button", name="Hold to speak")
    button.wait_for(state="visible")
    button.hover()
    page.mouse.down()
    assert button.get_attribute("aria-pressed") == "true"
    page.wait_for_timeout(4000)  # as long as somebody speaks
    page.mouse.up()
    assert button.get_attribute("aria-pressed") == "false"
    until(page, "document.querySelector('#prompt').value.toLowerCase().includes('rain')", limit_s=60)
    talking.close()


def test_where_the_server_understands_no_speech_there_is_no_button(browser: Browser, toy: Node) -> None:
    page = browser.new_page()
    page.route("**/v1/speech", lambda route: route.fulfill(json={"available": False}))
    page.goto(toy.url)
    until(page, "document.querySelectorAll('#examples button').length > 3")
    assert not page.get_by_role("button", name="Hold to speak").is_visible()
    page.close()
