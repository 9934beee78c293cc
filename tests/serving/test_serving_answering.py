"""A batch at a copy of the model: the demo model itself."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving_fakes import request_about, settings_in

from serving.answering import Answering
from serving.batcher import Waiting
from serving.messages import (
    Answered,
    DeadlineError,
    Event,
    Failed,
    ModelRequest,
    UnknownVideoError,
)
from serving.shelf import Shelf
from stablechat import StableChat
from stablechat.errors import CancelledError, VideoError
from stablechat.generation.batch_decoder import BatchDecoder
from stablechat.generation.decoder import Reading
from stablechat.generation.writer import Pass
from stablechat.types import Captions, Grounding, TimeSpan

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"
QUERIES = ("the red circle", "the yellow star")


@pytest.fixture(scope="module")
def chat() -> StableChat:
    return StableChat.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    yield settings_in(tmp_path_factory.mktemp("server")).videos()


@pytest.fixture(scope="module")
def videos(shelf: Shelf) -> dict[str, str]:
    """Their names on the shelf."""
    return {
        name: shelf.adopt(EXAMPLES / f"{name}.mp4")
        for name in ("red_circle", "yellow_star")
    }


def answer(
    chat: StableChat, shelf: Shelf, *requests: ModelRequest, stopped: bool = False
) -> list[Event]:
    async def run() -> list[Event]:
        waiting = [Waiting(each) for each in requests]
        if stopped:
            waiting[0].stop()
        return Answering(chat, shelf, "r1")(waiting)

    return asyncio.run(run())


def check_same(found: Any, wanted: Any) -> None:
    """The same words; the last digits of probabilities depend on the company."""
    assert found.generation.text == wanted.generation.text
    assert found.span.start_seconds == pytest.approx(wanted.span.start_seconds, 1e-4)
    assert found.span.end_seconds == pytest.approx(wanted.span.end_seconds, 1e-4)
    assert found.tube.xyxy == pytest.approx(wanted.tube.xyxy, abs=0.01)


def test_together_is_as_one_by_one(
    chat: StableChat, shelf: Shelf, videos: dict[str, str], tmp_path: Path
) -> None:
    shelf_damaged = tmp_path / "damaged.mp4"
    shelf_damaged.write_bytes(b"no video " * 50)
    damaged = shelf.adopt(shelf_damaged)
    asked = [(video, query) for query in QUERIES for video in videos.values()]
    requests = [request_about(video, query=query) for video, query in asked]
    requests.insert(1, request_about(damaged))
    requests.append(request_about("f" * 64))
    events = answer(chat, shelf, *requests)
    for bad, kind in ((events.pop(1), VideoError), (events.pop(), UnknownVideoError)):
        assert isinstance(bad, Failed) and isinstance(bad.error, kind)
    for (video, query), event in zip(asked, events, strict=True):
        assert isinstance(event, Answered)
        assert (event.batch_size, event.replica) == (4, "r1")
        path = shelf.find(video)
        assert path is not None
        check_same(event.answer, chat.ground(path, query))
    # Each video was encoded for the first question about it.
    assert [e.was_kept for e in events if isinstance(e, Answered)] == [
        False, False, True, True,
    ]  # fmt: skip


def test_one_that_is_late_or_stopped_keeps_nobody(
    chat: StableChat, shelf: Shelf, videos: dict[str, str]
) -> None:
    video = videos["red_circle"]
    stopped, late, fine = answer(
        chat,
        shelf,
        request_about(video, query="the red circle"),
        request_about(video, query="the red circle", deadline=time.time() - 1),
        request_about(video, query="the red circle"),
        stopped=True,
    )
    assert isinstance(stopped, Failed) and isinstance(stopped.error, CancelledError)
    assert isinstance(late, Failed) and isinstance(late.error, DeadlineError)
    assert isinstance(fine, Answered) and fine.answer.video.width == 1280


@pytest.mark.parametrize("late", [False, True])
def test_one_that_is_ended_among_others_frees_its_seat(
    chat: StableChat,
    shelf: Shelf,
    videos: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    late: bool,
) -> None:
    video = videos["red_circle"]
    requests = [request_about(video, query=query) for query in QUERIES * 2]
    write, passes = BatchDecoder.read_all, []

    async def run() -> list[Event]:
        waiting = [Waiting(each) for each in requests]

        def read_all(self: BatchDecoder, wanted: dict[int, Pass]) -> list[Reading]:
            passes.append(len(wanted))
            if len(passes) == 2:
                if late:
                    waiting[1].request = replace(requests[1], deadline=0.0)
                else:
                    waiting[1].stop()
            return write(self, wanted)

        monkeypatch.setattr(BatchDecoder, "read_all", read_all)
        return Answering(chat, shelf, "r1")(waiting)

    events = asyncio.run(run())
    assert passes[:3] == [4, 4, 3]  # and not after the others' last pass
    (event,) = events[1:2]
    assert isinstance(event, Failed)
    assert isinstance(event.error, DeadlineError if late else CancelledError)
    path = shelf.find(video)
    assert path is not None
    for place in (0, 2, 3):
        told = events[place]
        assert isinstance(told, Answered) and told.batch_size == 4
        check_same(told.answer, chat.ground(path, requests[place].query))


def test_a_description_is_answered_alone(
    chat: StableChat, shelf: Shelf, videos: dict[str, str]
) -> None:
    (event,) = answer(
        chat, shelf, request_about(videos["red_circle"], kind="describe", query="")
    )
    assert isinstance(event, Answered)
    direct = chat.describe(EXAMPLES / "red_circle.mp4")
    assert event.answer.text == direct.text  # type: ignore[union-attr]


def test_a_part_is_looked_at_alone(
    chat: StableChat, shelf: Shelf, videos: dict[str, str]
) -> None:
    part, query = TimeSpan(0.5, 3.0), "the red circle"
    video = videos["red_circle"]
    kinds: list[dict[str, Any]] = [
        {"kind": "ground"},
        {"kind": "describe"},
        {"kind": "moments", "window_seconds": 9.0},
    ]
    requests = [
        request_about(video, query=query, segment=part, **kind) for kind in kinds
    ]
    assert not any(each.fits_a_batch for each in requests)
    events = [event for each in requests for event in answer(chat, shelf, each)]
    direct = chat.ground(EXAMPLES / "red_circle.mp4", query, segment=part)
    told = [event.answer for event in events if isinstance(event, Answered)]
    assert [each.segment for each in told] == [part] * 3
    assert isinstance(told[0], Grounding) and told[0].span == direct.span


def test_the_same_film_by_another_name_is_encoded_once(
    chat: StableChat, shelf: Shelf, videos: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    shutil.copy(EXAMPLES / "red_circle.mp4", other)
    answer(chat, shelf, request_about(videos["red_circle"], query="the red circle"))
    request = request_about(shelf.adopt(other), query="the red circle")
    (event,) = answer(chat, shelf, request)
    assert isinstance(event, Answered) and event.was_kept


def test_what_happens_part_by_part_is_told_with_the_progress(
    chat: StableChat, shelf: Shelf, videos: dict[str, str]
) -> None:
    asked = request_about(
        videos["red_circle"], kind="captions", query="", window_seconds=5.0
    )

    async def run() -> tuple[Waiting, list[Event]]:
        waiting = Waiting(asked)
        return waiting, Answering(chat, shelf, "r1")([waiting])

    waiting, (event,) = asyncio.run(run())
    assert isinstance(event, Answered) and isinstance(event.answer, Captions)
    assert len(event.answer.windows) == 2
    assert "red circle" in event.answer.captions[0].text
    assert waiting.told is not None and waiting.told.search is not None
    assert waiting.told.search.num_windows == 2
