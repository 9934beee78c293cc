"""The HTTP API: ``/v1/ground`` and ``/v1/describe``. No Ray."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from render.exports import description_to_dict, grounding_to_dict, without_folders
from serving.asked import (
    Asked,
    description_asked,
    fields_of_query,
    grounding_asked,
    request_id_of,
    video_of,
)
from serving.drain import Drain
from serving.login import LoginMiddleware
from serving.messages import Answered, UnknownVideoError, about, error_about
from serving.refusals import refusal
from serving.renderer import ClipOrder
from serving.settings import Settings
from stablechat.errors import InputError, LimitError, StableChatError
from stablechat.types import Description, Grounding
from ui.same_site import SameSiteMiddleware

if TYPE_CHECKING:
    from render.fields import Json
    from serving.remote import Models, Renderers

logger = logging.getLogger("ray.serve")

_MAX_QUESTION_BYTES = 64 * 1024
_Ask = Callable[["Json", str, float], Asked]


class Api:
    """Answers programs.

    Args:
        settings: Of the server.
        models: Are asked.
        renderers: Cut clips.
    """

    def __init__(self, settings: Settings, models: Models, renderers: Renderers):
        self._settings = settings
        self._models = models
        self._renderers = renderers
        self._videos, self._clips = settings.videos(), settings.clips()
        self._drain = Drain(settings.folder)

    async def ground(self, request: Request) -> Response:
        """Find when something happens in a video, and where."""
        return await self._answer(request, grounding_asked)

    async def describe(self, request: Request) -> Response:
        """Say what happens, or answer a question."""
        return await self._answer(request, description_asked)

    async def keep(self, request: Request) -> Response:
        """Keep a video for questions to come."""
        video = await self._received(request)
        return JSONResponse({"video": video}, headers={"X-Video": video})

    async def clip(self, request: Request) -> Response:
        """A clip that was cut."""
        path = self._clips.find(request.path_params["name"])
        if path is None:
            return JSONResponse({"error": "There is no such clip, or no longer."}, 404)
        return FileResponse(path, media_type="video/mp4", filename="clip.mp4")

    async def _answer(self, request: Request, ask: _Ask) -> Response:
        request_id = request_id_of(request.headers)
        deadline = time.time() + self._settings.deadline_of(request.headers)
        asked = ask(await self._data(request, ask), request_id, deadline)
        video = asked.request.video
        if self._videos.find(video) is None:
            raise UnknownVideoError("There is no such video here; send it.")
        try:
            # A server that ends finishes the clip, too.
            with self._drain.running(request_id):
                answered = await self._models.ask(asked.request, is_part=True)
                data = await self._told(asked, answered)
        except StableChatError as error:
            raise error_about(error, video, asked.name) from error
        headers = {"X-Video": video, "X-Replica": answered.replica}
        return JSONResponse(data, headers=headers)

    async def _data(self, request: Request, ask: _Ask) -> Json:
        """What is asked; a video in the body is kept first."""
        if _content_type(request) == "application/json":
            return _json(await _body(request))
        data = fields_of_query(request.query_params.multi_items())
        if "video" in data:
            raise InputError("The video is either in the body or named, not both.")
        # What can't be asked is known before the video has come.
        ask({**data, "video": "0" * 64}, "-", 0.0)
        return {**data, "video": await self._received(request)}

    async def _received(self, request: Request) -> str:
        """Keep the video in a request's body; returns its name on the shelf."""
        if _content_type(request).startswith("multipart/"):
            raise InputError("Send the video itself as the body, not a form.")
        length = _length(request, self._settings.max_file_bytes)
        digest = hashlib.sha256()
        with self._videos.coming(length) as path:
            # Buffered: of a chunk the disk may take a part, and say so only.
            with path.open("r+b") as file:
                async for chunk in request.stream():
                    file.write(chunk)
                    digest.update(chunk)
                if file.tell() == 0:
                    raise InputError("The body is empty; send the video.")
                file.truncate()
            self._videos.add(path, digest.hexdigest())
        return digest.hexdigest()

    async def _told(self, asked: Asked, answered: Answered) -> dict[str, Any]:
        """The answer's JSON, as in ``grounding.json``."""
        answer = answered.answer
        if isinstance(answer, Description):
            told = description_to_dict(about(answer, Path(asked.name)))
            return without_folders(told)
        if not isinstance(answer, Grounding):
            raise TypeError(f"an answer expected, got {answer!r}")
        data = without_folders(grounding_to_dict(about(answer, Path(asked.name))))
        if asked.wants_clip and answer.found and answer.task != "rec":
            order = ClipOrder(asked.request.video, answer, asked.request.deadline)
            name = await self._renderers.draw(order, asked.request.request_id)
            data["files"] = {"clip": f"/v1/clips/{name}"}
        return data


def build_api(api: Api, settings: Settings, health: Sequence[Route]) -> Starlette:
    """The application.

    Args:
        api: Answers.
        settings: Of the server.
        health: Routes of :func:`serving.health.health_routes`.
    """
    layers = [
        Middleware(TrustedHostMiddleware, allowed_hosts=list(settings.hosts)),
        Middleware(SameSiteMiddleware),
        Middleware(LoginMiddleware, users=settings.auth),
    ]
    return Starlette(
        routes=[
            Route("/ground", api.ground, methods=["POST"]),
            Route("/describe", api.describe, methods=["POST"]),
            Route("/videos", api.keep, methods=["POST"]),
            Route("/clips/{name}", api.clip, methods=["GET"]),
            *health,
        ],
        middleware=layers,
        exception_handlers={
            StableChatError: refusal,
            HTTPException: refusal,
            ClientDisconnect: refusal,
            Exception: refusal,
        },
    )


def _content_type(request: Request) -> str:
    told = request.headers.get("content-type", "")
    return told.partition(";")[0].strip().lower()


def _length(request: Request, most: int) -> int:
    told = request.headers.get("content-length", "")
    if not told.isdecimal():
        raise InputError("An upload must tell its length.")
    if int(told) > most:
        raise LimitError(
            "The file has {size:,} bytes; at most {most:,} are taken.",
            size=int(told),
            most=most,
        )
    return int(told)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_QUESTION_BYTES:
            raise LimitError("The question is too long.")
    return body


def _json(body: bytes) -> Json:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The body is not JSON.") from error
    if not isinstance(data, dict):
        raise InputError("The body must be a JSON object.")
    video_of(data)
    return data
