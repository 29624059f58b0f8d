"""Prompts of one session: the newest counts."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from reverie.client.protocol import Part
from reverie.models.toy import ToyModel
from reverie.server.errors import BadPrompt, PromptDenied
from reverie.server.metrics import Metrics
from reverie.server.moderation import Denied
from reverie.server.prompt_reader import PromptReader


class Careful(ToyModel):
    """Waits with "slow", refuses "nonsense", and adds what it is told to."""

    def __init__(self, added: str = "in blue") -> None:
        super().__init__()
        self.begun, self.go, self.added = Event(), Event(), added

    def prepare(self, prompt: str) -> None:
        if prompt == "slow":
            self.begun.set()
            assert self.go.wait(30)
        if prompt == "nonsense":
            raise ValueError("8 letters say nothing")

    def enhance(self, prompt: str) -> Iterator[str]:
        yield from (prompt, self.added)


@pytest.fixture
def words() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def reader(model: ToyModel, words: ThreadPoolExecutor) -> PromptReader:
    return PromptReader(model, Metrics(), words, Denied(["gore"]))


async def test_the_answer_to_an_older_wish_is_dropped(words: ThreadPoolExecutor) -> None:
    model = Careful()
    ours = reader(model, words)
    older = asyncio.create_task(ours.read("slow"))
    await asyncio.to_thread(model.begun.wait, 30)
    assert await ours.read("red") == (("red", 1.0),)
    model.go.set()
    assert await older is None


async def test_a_blend_is_read_part_by_part(words: ThreadPoolExecutor) -> None:
    assert await reader(Careful(), words).read("both", (Part("red", 1.0), Part("blue", 3.0))) == (
        ("red", 0.25), ("blue", 0.75),
    )  # fmt: skip


async def test_what_is_not_allowed_or_cannot_be_read_leaves_the_newest_wish_alone(words: ThreadPoolExecutor) -> None:
    ours = reader(Careful(), words)
    with pytest.raises(PromptDenied):
        await ours.read("fine", (Part("gore", 1.0),))
    assert ours.wishes == 0
    with pytest.raises(BadPrompt, match="8 letters say nothing; the look stays"):
        await ours.read("nonsense")


@pytest.mark.parametrize(("added", "rich"), [(", in blue", "red, in blue"), (", gore", None)])
async def test_an_enhanced_prompt_has_to_be_allowed(added: str, rich: str | None, words: ThreadPoolExecutor) -> None:
    ours = reader(Careful(added), words)
    await ours.read("red")
    assert await ours.enhance("red", ours.wishes) == rich


async def test_a_prompt_is_not_enhanced_once_another_is_wanted(words: ThreadPoolExecutor) -> None:
    ours = reader(Careful(), words)
    await ours.read("red")
    wish = ours.wishes
    await ours.read("blue")
    assert await ours.enhance("red", wish) is None
