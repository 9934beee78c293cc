"""What a program asks over HTTP, checked. No Ray."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from render.fields import Json, as_finite, count, flag, get, number, one_of, string
from serving.messages import ModelRequest
from stablechat.candidates import check_candidates
from stablechat.errors import InputError
from stablechat.prompts import describe_prompt
from stablechat.questions import GROUNDING_TASKS
from stablechat.types import Task, TimeSpan
from stablechat.video import printable_name

_HASH = re.compile(r"[0-9a-f]{64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_SHARED = {"video", "name", "segment"}
_GROUND = {
    *_SHARED,
    *("query", "task", "span", "region", "start_seconds", "at_seconds"),
    *("candidates", "clip"),
}
_DESCRIBE = {*_SHARED, "question"}


@dataclass(frozen=True)
class Asked:
    """A question of a program.

    Attributes:
        request: For the model.
        name: What the program calls the video.
        wants_clip: Whether a clip is to be cut.
    """

    request: ModelRequest
    name: str
    wants_clip: bool = False


def request_id_of(headers: Mapping[str, str]) -> str:
    """The request's own id, or a new one.

    Raises:
        InputError: It could do harm in a log.
    """
    told = headers.get("x-request-id")
    if told is None:
        return secrets.token_hex(16)
    if not _REQUEST_ID.fullmatch(told):
        raise InputError("X-Request-Id must be 1 to 64 letters, digits, '.', '_', '-'.")
    return told


def video_of(data: Json) -> str:
    """The SHA-256 by which a program names a video it sent before.

    Raises:
        InputError: It is none.
    """
    video = string(data, "video")
    if not _HASH.fullmatch(video):
        raise InputError("video must be the SHA-256 that was told when it was sent.")
    return video


def grounding_asked(data: Json, request_id: str, deadline: float) -> Asked:
    """A question of ``/v1/ground``.

    Raises:
        InputError: It can't be asked like this.
    """
    _check_names(data, _GROUND)
    task: Task = one_of(data, "task", GROUNDING_TASKS, "stvg")
    request = ModelRequest(
        kind="ground",
        video=video_of(data),
        query=_text(data, "query", ""),
        request_id=request_id,
        deadline=deadline,
        task=task,
        span=_span(data, "span"),
        region=None if "region" not in data else _numbers(data, "region", 4),
        start_seconds=_number(data, "start_seconds"),
        at_seconds=_number(data, "at_seconds"),
        candidates=count(data, "candidates", 1),
        segment=_span(data, "segment"),
    )
    request.question()
    if request.segment is not None and task == "rec":
        raise InputError("segment is not for task rec; choose at_seconds.")
    check_candidates(request.candidates, "confidence")
    return Asked(request, _name(data), flag(data, "clip"))


def description_asked(data: Json, request_id: str, deadline: float) -> Asked:
    """A question of ``/v1/describe``.

    Raises:
        InputError: It can't be asked like this.
    """
    _check_names(data, _DESCRIBE)
    question = _text(data, "question", "")
    describe_prompt(question or None)
    request = ModelRequest(
        "describe",
        video_of(data),
        question,
        request_id,
        deadline,
        segment=_span(data, "segment"),
    )
    return Asked(request, _name(data))


def fields_of_query(pairs: list[tuple[str, str]]) -> Json:
    """What a body would say, from the address: ``?query=...&span=1&span=2&clip=true``.

    Raises:
        InputError: A number is none.
    """
    data: dict[str, Any] = {}
    for key, text in pairs:
        if key in ("span", "region", "segment"):
            data.setdefault(key, []).append(_read_number(key, text))
        elif key in ("start_seconds", "at_seconds", "candidates"):
            data[key] = _read_number(key, text)
        elif key == "clip":
            data[key] = {"true": True, "false": False}.get(text, text)
        else:
            data[key] = text
    return data


def _read_number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError("{key} must be a number.", key=key) from None


def _check_names(data: Json, known: set[str]) -> None:
    unknown = sorted(str(key)[:40] for key in data if key not in known)
    if unknown:
        raise InputError(
            "There is no {name!r}; what may be said is {known}.",
            name=unknown[0],
            known=", ".join(sorted(known)),
        )


def _text(data: Json, key: str, default: str) -> str:
    """A text that an answer can repeat; JSON can write half of a character."""
    text = string(data, key, default)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(
            "{key} holds half of a surrogate pair, which is no character.", key=key
        )
    return text


def _name(data: Json) -> str:
    """The file's own name, whatever folders it is told in."""
    told = PurePath(_text(data, "name", "video").replace("\\", "/")).name
    return printable_name(told or "video")


def _numbers(data: Json, key: str, length: int) -> tuple[float, ...]:
    values = get(data, key)
    if not isinstance(values, list) or len(values) != length:
        raise InputError("{key} must be {length} numbers.", key=key, length=length)
    return tuple(as_finite(value, key) for value in values)


def _number(data: Json, key: str) -> float | None:
    return number(data, key) if key in data else None


def _span(data: Json, key: str) -> TimeSpan | None:
    if key not in data:
        return None
    start, end = _numbers(data, key, 2)
    if not 0 <= start <= end:
        raise InputError(
            "{key} must be a start and an end, 0 <= start <= end.", key=key
        )
    return TimeSpan(start, end)
