"""The models as the page knows one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import golden_files
import pytest
from serving_fakes import FakeModels, settings_in

from serving.remote_chat import OpenLane, RemoteChat
from stablechat.errors import CancelledError, InputError, VideoError
from ui.pipeline import Chat

Make = Callable[..., tuple[RemoteChat, FakeModels]]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return golden_files.write_clip(tmp_path / "square.mp4")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes a chat whose models are in another thread's loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    settings = settings_in(tmp_path / "server")

    def made(*arguments: Any) -> tuple[RemoteChat, FakeModels]:
        models: Any = FakeModels(settings, *arguments)
        chat = RemoteChat(
            models, loop, settings.videos(), 60.0,
            "demo", True, "cpu", "torch.float32", None, 40, 80,
        )  # fmt: skip
        return chat, models

    yield made
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_it_answers_about_the_pages_own_file(make: Make, clip: Path) -> None:
    remote, models = make()
    chat: Chat = remote
    told: list[tuple[str, float]] = []
    answer = chat.ground(
        clip, "it", "svg", span=golden_files_span(), region=None,
        on_progress=lambda *each: told.append(each),
    )  # fmt: skip
    assert answer.video.path == clip and told == [("encode", 0.5)]
    (asked,) = models.asked
    assert asked.task == "svg" and asked.span == golden_files_span()
    assert chat.describe(clip).video.path == clip
    captions = chat.caption(clip, "what?", window_seconds=2.0)
    assert captions.video.path == clip and captions.question == "what?"
    assert captions.captions[0].span.end_seconds == 2.0
    assert [each.kind for each in models.asked] == ["ground", "describe", "captions"]
    assert len({each.video for each in models.asked}) == 1
    part = golden_files_span()
    chat.describe(clip, segment=part)
    chat.ground(clip, "it", segment=part)
    chat.caption(clip, segment=part)
    assert [each.segment for each in models.asked] == [*[None] * 3, *[part] * 3]


def golden_files_span() -> Any:
    from stablechat.types import TimeSpan

    return TimeSpan(0.5, 1.0)


def test_errors_name_the_pages_file(make: Make, clip: Path) -> None:
    from stablechat.fingerprint import digest_of

    error = VideoError("{name} is damaged.", name=digest_of(clip))
    remote, _ = make(error)
    with pytest.raises(VideoError) as raised:
        remote.ground(clip, "it")
    assert str(raised.value) == "square.mp4 is damaged."
    assert raised.value.sentence.template == "{name} is damaged."


def test_what_cannot_be_asked_is_not_sent(make: Make, clip: Path) -> None:
    remote, models = make()
    with pytest.raises(InputError, match="empty"):
        remote.ground(clip, " ")
    with pytest.raises(VideoError, match=r"gone\.mp4 can't be read"):
        remote.ground(clip.with_name("gone.mp4"), "it")
    assert not models.asked


def test_stop_does_not_wait_for_the_answer(make: Make, clip: Path) -> None:
    stopped: list[bool] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    remote, _ = make(None, wait)
    until = time.monotonic() + 0.3
    with pytest.raises(CancelledError):
        remote.ground(clip, "it", cancelled=lambda: time.monotonic() > until)
    deadline = time.monotonic() + 10
    while not stopped and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stopped == [True]


def test_everybody_goes_through_an_open_lane() -> None:
    lane = OpenLane()
    with lane.turn(lambda: False), lane.turn(lambda: False):
        pass
    with pytest.raises(CancelledError), lane.turn(lambda: True):
        pytest.fail("it was stopped")
