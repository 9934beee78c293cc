"""What a program is told in the place of an answer: a status, one line. No Ray."""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from serving.drain import DrainingError
from serving.messages import DeadlineError, UnknownVideoError
from serving.shelf import FullError
from stablechat.errors import (
    CancelledError,
    EngineError,
    InputError,
    LimitError,
    OutOfMemoryError,
    StableChatError,
)
from ui.lane import BusyError

logger = logging.getLogger("ray.serve")

#: Seconds after which it is worth asking again.
RETRY_AFTER_SECONDS = 5

#: The first that fits.
_STATUSES: tuple[tuple[type[StableChatError], int], ...] = (
    (UnknownVideoError, 404),
    (LimitError, 413),
    (InputError, 400),
    (BusyError, 503),
    (DrainingError, 503),
    (EngineError, 503),
    (OutOfMemoryError, 503),
    (FullError, 507),
    (DeadlineError, 504),
    (CancelledError, 499),
)


def status_of(error: StableChatError) -> int:
    """The HTTP status of an error."""
    return next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)


def refusal(request: Request, error: Exception) -> Response:
    """The response to a request that went wrong."""
    if isinstance(error, StableChatError):
        status = status_of(error)
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else {}
        return JSONResponse({"error": str(error)}, status, headers)
    if isinstance(error, HTTPException):
        told = {"error": f"{error.detail}."}
        return JSONResponse(told, error.status_code, error.headers)
    if isinstance(error, ClientDisconnect):
        return JSONResponse({"error": "The upload was cut off."}, 400)
    logger.error("A request failed.", exc_info=error)
    told = {"error": "Something went wrong here; the server's log says what."}
    return JSONResponse(told, 500)
