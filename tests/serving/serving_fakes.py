"""Stand-ins for what is on the other side, and settings of a small server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from serving.messages import Answered, Event, ModelRequest, Told
from serving.settings import Settings
from stablechat.types import (
    Caption,
    Captions,
    Description,
    Generation,
    Grounding,
    TimeSpan,
)
from stablechat.video import probe


def settings_in(folder: Path, **changes: Any) -> Settings:
    """A server's settings, with its files there."""
    changes.setdefault("hosts", ("testserver", "127.0.0.1"))
    return Settings(folder=folder, **changes)


def request_about(video: str = "0" * 64, **changes: Any) -> ModelRequest:
    """A question that has a minute."""
    changes.setdefault("deadline", time.time() + 60)
    changes.setdefault("kind", "ground")
    return ModelRequest(
        video=video, query=changes.pop("query", "it"), request_id="r", **changes
    )


def answer_of(path: Path, query: str) -> Grounding:
    """An answer about a video that is there."""
    return Grounding(
        video=probe(path),
        query=query,
        task="stvg",
        span=TimeSpan(0.5, 1.5),
        tube=None,
        prose="",
        confidence=0.5,
        generation=Generation("{<TEMP-020><TEMP-045>}", (), "stop"),
        model="fake",
    )


class FakeModels:
    """Answers as ``serving.remote.Models`` does.

    Args:
        settings: Of the server.
        error: Raised in the place of an answer.
        wait: Called before an answer.
    """

    def __init__(
        self,
        settings: Settings,
        error: Exception | None = None,
        wait: Callable[[], Any] | None = None,
    ) -> None:
        self.asked: list[ModelRequest] = []
        self._settings = settings
        self._error = error
        self._wait = wait

    async def ask(
        self,
        request: ModelRequest,
        on_told: Callable[[Told], None] = lambda told: None,
        *,
        is_part: bool = False,
    ) -> Answered:
        """Answer a question."""
        self.asked.append(request)
        on_told(Told("encode", 0.5))
        if self._wait is not None:
            await self._wait()
        if self._error is not None:
            raise self._error
        path = self._settings.videos().find(request.video)
        assert path is not None
        if request.kind == "describe":
            said = Generation("A circle.", (), "stop")
            description = Description(probe(path), "what?", "A circle.", said, "fake")
            return Answered(description, "here")
        if request.kind == "captions":
            part = TimeSpan(0, request.window_seconds)
            told = Caption(part, "A circle.", Generation("", (), "stop"))
            captions = Captions(probe(path), request.query, (told,), (part,), "fake")
            return Answered(captions, "here")
        return Answered(answer_of(path, request.query), "here")


class FakeCall:
    """A call of Serve under way.

    Args:
        events: What it yields; an exception is raised.
    """

    def __init__(self, *events: Event | Exception) -> None:
        self.is_cancelled = False
        self._events = events

    async def __aiter__(self) -> AsyncIterator[Event]:
        for event in self._events:
            if isinstance(event, Exception):
                raise event
            yield event

    def cancel(self) -> None:
        """End it; as with Serve's own, one that never began says why again."""
        self.is_cancelled = True
        if self._events and type(self._events[0]).__name__ == "BackPressureError":
            raise self._events[0]  # type: ignore[misc]
