"""Whether the server lives and whether it can answer, and its figures. No Ray."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving.drain import Drain

#: Why nothing can be answered; None if it can.
WhyNot = Callable[[], Awaitable[str | None]]
Scraped = Callable[[], Awaitable[str]]


def health_routes(drain: Drain, why_not: WhyNot, scraped: Scraped) -> list[Route]:
    """``/healthz``, ``/readyz`` and ``/metrics``.

    Args:
        drain: Says whether the server is ending.
        why_not: Says whether the models can answer.
        scraped: Prometheus' text.
    """

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(request: Request) -> Response:
        reason = "the server is being stopped" if drain.is_draining else await why_not()
        if reason is not None:
            return JSONResponse({"status": "not ready", "reason": reason}, 503)
        return JSONResponse({"status": "ready"})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(
            await scraped(), media_type="text/plain; version=0.0.4"
        )

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]
