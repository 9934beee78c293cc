"""Loading another model while the page goes on, without a browser."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chat import FakeChat

from stablechat.downloads import Watch
from stablechat.errors import CancelledError, ModelError
from ui.jobs import Job
from ui.models.choice import ModelChoice, load_chat
from ui.models.loading import ModelLoading
from ui.models.widgets import LoadWidgets
from ui.pipeline import Chat, Pipeline
from ui.server import ServerOptions

PAGE = LoadWidgets(**{name: name for name in LoadWidgets.__dataclass_fields__})  # type: ignore[arg-type]


def request(language: str = "en") -> Any:
    return SimpleNamespace(session_hash="a", headers={"accept-language": language})


class Panel:
    """The form, and what it was asked to load."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(FakeChat())
        self.old = self.pipeline.chat
        self.asked: list[ModelChoice] = []
        self.loading = ModelLoading(
            self.pipeline, self._load, PAGE, lambda language: {"facts": language}
        )

    def _load(self, choice: ModelChoice, watch: Watch) -> Chat:
        self.asked.append(choice)
        if choice.model == "missing":
            raise ModelError("There is no model {model!r}.", model="missing")
        if choice.model == "boom":
            raise RuntimeError("a bug with a /secret/path")
        deadline = time.monotonic() + 20
        while choice.model == "slow" and time.monotonic() < deadline:
            watch.report("fetch", 0.25)
            time.sleep(0.02)
        chat = FakeChat(is_demo=False)
        chat.name = choice.model
        return chat

    def press(self, model: str, language: str = "en") -> list[Any]:
        async def collect() -> list[Any]:
            events = self.loading.load(model, "cpu", "", "4bit", request(language))
            return [update async for update in events]

        return asyncio.run(collect())


@pytest.fixture
def panel() -> Panel:
    return Panel()


def test_a_model_is_loaded_and_answers_from_then_on(panel: Panel) -> None:
    first, *_, last = panel.press("org/better")
    assert not first["load"]["interactive"] and first["stop"]["interactive"]
    assert panel.asked == [ModelChoice("org/better", "cpu", "", "4bit")]
    assert panel.pipeline.chat.name == "org/better"
    assert "org/better answers" in last["line"] and last["facts"] == "en"
    assert last["load"]["interactive"] and not last["stop"]["interactive"]


def test_one_that_can_not_be_loaded_leaves_the_old_one(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    last = panel.press("missing")[-1]
    assert "There is no model" in last["line"] and "old model stays" in last["line"]
    assert 'role="alert"' in last["line"] and last["load"]["interactive"]
    with caplog.at_level(logging.ERROR):
        last = panel.press("boom", "zh")[-1]
    assert "程序内部出错" in last["line"] and "secret" not in last["line"]
    assert "RuntimeError" in caplog.text
    assert panel.pipeline.chat is panel.old


def test_progress_is_told_and_it_can_be_stopped(panel: Panel) -> None:
    async def story() -> list[Any]:
        events = panel.loading.load("slow", "", "", "", request())
        told = [await anext(events)]
        while "25%" not in told[-1].get("line", ""):
            told.append(await anext(events))
        told.append(await panel.loading.stop(request()))
        told += [update async for update in events]
        return told

    told = asyncio.run(story())
    assert any("Downloading: 25%" in update.get("line", "") for update in told)
    assert "old model stays" in told[-1]["line"]
    assert panel.pipeline.chat is panel.old


def test_one_that_waited_for_the_old_one_goes_when_stopped(panel: Panel) -> None:
    loaded: list[weakref.ref[FakeChat]] = []

    def load(choice: ModelChoice, watch: Watch) -> Chat:
        chat = FakeChat(is_demo=False)
        loaded.append(weakref.ref(chat))
        return chat

    panel.loading.loader = load

    async def story() -> None:
        with panel.pipeline.lane.turn(lambda: False):
            events = panel.loading.load("org/next", "", "", "", request())
            while not loaded:
                await anext(events)
            await panel.loading.stop(request())
            async for _ in events:
                pass

    asyncio.run(story())
    assert panel.pipeline.chat is panel.old
    assert loaded[0]() is None


def test_a_page_that_goes_away_stops_it(panel: Panel) -> None:
    async def leave() -> None:
        events = panel.loading.load("slow", "", "", "", request())
        await anext(events)
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert panel.pipeline.chat is panel.old
    assert panel.press("org/next")[-1]["load"]["interactive"]


def test_only_one_is_loaded_at_a_time(panel: Panel) -> None:
    async def story() -> Any:
        first = panel.loading.load("slow", "", "", "", request())
        await anext(first)
        second = [u async for u in panel.loading.load("other", "", "", "", request())]
        await first.aclose()  # type: ignore[attr-defined]
        return second

    [said] = asyncio.run(story())
    assert "being loaded already" in said["line"]
    assert [choice.model for choice in panel.asked] in (["slow"], [])


def test_a_running_question_is_answered_by_the_model_it_was_put_to(
    panel: Panel,
) -> None:
    asked, through = threading.Event(), threading.Event()

    def answer() -> None:
        with panel.pipeline.lane.turn(lambda: False):
            asked.set()
            through.wait(20)

    threading.Thread(target=answer, daemon=True).start()
    assert asked.wait(5)
    # Waiting for it can be given up.
    with pytest.raises(CancelledError):
        panel.pipeline.use(FakeChat(), lambda: True)

    async def story() -> list[Any]:
        events = panel.loading.load("org/next", "", "", "", request())
        told = [await anext(events)]
        while "takes over" not in told[-1].get("line", ""):
            told.append(await anext(events))
        assert panel.pipeline.chat is panel.old
        through.set()
        return [*told, *[update async for update in events]]

    assert "org/next answers" in asyncio.run(story())[-1]["line"]
    assert panel.pipeline.chat.name == "org/next"


def test_stopped_too_late_says_what_is_so(panel: Panel) -> None:
    panel.press("org/better")
    told = asyncio.run(panel.loading.stop(request()))
    assert "org/better answers" in told["line"] and told["facts"] == "en"


def test_the_demo_model_is_what_nothing_means(tmp_path: Path) -> None:
    chat = load_chat(ModelChoice(device="cpu"), Watch())
    assert chat.is_demo and chat.quantization is None
    assert 30e6 < chat.weight_bytes < 80e6 and chat.free_bytes > 0
    with pytest.raises(ModelError, match="holds no model"):
        load_chat(ModelChoice(str(tmp_path)), Watch())
    job: Job[Chat] = Job(
        lambda job: load_chat(ModelChoice(), Watch(job.report, job.cancelled))
    )
    job.cancel()
    job.start()
    assert job.join(20)
    with pytest.raises(CancelledError):
        job.result()


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ({}, True),
        ({"auth": (("ann", "x"),)}, False),
        ({"host": "0.0.0.0", "auth": (("ann", "x"),)}, False),
        ({"share": True, "auth": (("ann", "x"),)}, False),
        ({"host": "0.0.0.0", "auth": (("ann", "x"),), "load_models": True}, True),
        ({"load_models": False}, False),
    ],
)
def test_only_people_of_this_machine_may_unless_the_owner_says_so(
    options: dict[str, Any], may: bool
) -> None:
    assert ServerOptions(**options).may_load_models is may
