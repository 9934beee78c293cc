"""Asking the models and the renderers from another process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from ray.exceptions import ObjectLostError, RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from serving.drain import Drain, DrainingError
from serving.measures import AskMeasures
from serving.messages import (
    Answered,
    DeadlineError,
    Event,
    Failed,
    ModelRequest,
    Told,
)
from serving.renderer import ClipOrder
from stablechat.errors import EngineError, InputError, StableChatError
from ui.lane import BusyError

logger = logging.getLogger("ray.serve")

#: A question that ends its process must not go round for ever.
MAX_TRIES = 2
#: What a replica gets on top of its time to say so itself.
_LATE_SECONDS = 0.5

#: The process, or its machine, is gone; not what a question does by itself.
_LOST = (RayActorError, ObjectLostError)

Result = TypeVar("Result")


class Streaming(Protocol):
    """A call under way, as a handle of Serve gives it."""

    def __aiter__(self) -> AsyncIterator[Event]:
        """What it yields."""

    def cancel(self) -> None:
        """End it, there too."""


#: Puts a question to the deployment.
Put = Callable[[ModelRequest], Streaming]


def put_to(handle: Any) -> Put:
    """Put questions about one video to one replica, as long as it has room.

    Args:
        handle: Of the model's deployment, whose router looks at the session.
    """
    streaming = handle.options(stream=True)

    def put(request: ModelRequest) -> Streaming:
        asked: Streaming = streaming.options(session_id=request.video).ask.remote(
            request
        )
        return asked

    return put


class Models:
    """Asks the deployment that holds the model.

    Args:
        put: Puts a question to it.
        drain: Knows what runs.
        measures: Counts.
    """

    def __init__(self, put: Put, drain: Drain, measures: AskMeasures) -> None:
        self._put = put
        self._drain = drain
        self._measures = measures

    async def ask(
        self,
        request: ModelRequest,
        on_told: Callable[[Told], None] = lambda told: None,
        *,
        is_part: bool = False,
    ) -> Answered:
        """Have a question answered; where this is cancelled, the replica stops too.

        Args:
            request: The question.
            on_told: Called with how far it is.
            is_part: Whether it belongs to something that runs already.

        Raises:
            BusyError: Too many are waiting.
            DeadlineError: There was no answer in its time.
            DrainingError: The server is ending.
            EngineError: The process that answered ended, and the next one, too.
            StableChatError: As the model's method says.
        """
        started, outcome = time.monotonic(), "cancelled"
        try:
            with self._drain.running(request.request_id, is_part=is_part):
                answered = await within(request.deadline, self._tried(request, on_told))
            outcome = "answered"
            return answered
        except StableChatError as error:
            outcome = outcome_of(error)
            raise
        except Exception:
            outcome = "bug"
            raise
        finally:
            seconds = time.monotonic() - started
            self._measures.ended(request.kind, outcome, seconds)
            logger.info(
                "asked",
                extra={
                    "question_id": request.request_id,
                    "kind": request.kind,
                    "outcome": outcome,
                    "seconds": round(seconds, 3),
                },
            )

    async def _tried(
        self, request: ModelRequest, on_told: Callable[[Told], None]
    ) -> Answered:
        for number in range(MAX_TRIES):
            try:
                return await self._once(request, on_told)
            except _LOST as error:
                logger.warning(
                    "replica lost",
                    extra={
                        "question_id": request.request_id,
                        "error": type(error).__name__,
                        "try": number + 1,
                    },
                )
                if number + 1 < MAX_TRIES:
                    self._measures.retried()
        raise EngineError(
            "The process that worked on this ended before it had an answer, and the "
            "next one did, too; ask something else, or tell who runs this server."
        )

    async def _once(
        self, request: ModelRequest, on_told: Callable[[Told], None]
    ) -> Answered:
        call, last = None, None
        try:
            call = self._put(request)
            async for last in call:
                if isinstance(last, Told):
                    on_told(last)
        except BackPressureError as error:
            raise _busy() from error
        except DeploymentUnavailableError as error:
            raise EngineError("No model could be started; see the logs.") from error
        finally:
            if call is not None and not isinstance(last, Answered | Failed):
                # One that never began says why again.
                with suppress(BackPressureError, DeploymentUnavailableError, *_LOST):
                    call.cancel()
        if isinstance(last, Failed):
            raise last.error
        if not isinstance(last, Answered):
            raise EngineError("The model ended without an answer; try again.")
        return last


class Renderers:
    """Asks the deployment that cuts clips.

    Args:
        handle: Of that deployment.
        drain: Knows what runs.
    """

    def __init__(self, handle: Any, drain: Drain) -> None:
        self._handle = handle
        self._drain = drain

    async def draw(self, order: ClipOrder, request_id: str) -> str:
        """Have a clip cut; returns its name on the shelf.

        Raises:
            StableChatError: With one plain line.
        """
        with self._drain.running(request_id, is_part=True):
            return await within(order.deadline, self._tried(order))

    async def _tried(self, order: ClipOrder) -> str:
        for _ in range(MAX_TRIES):
            call = self._handle.draw.remote(order)
            try:
                made: str | StableChatError = await call
            except _LOST:
                continue
            except BackPressureError as error:
                raise _busy() from error
            except asyncio.CancelledError:
                call.cancel()
                raise
            if isinstance(made, StableChatError):
                raise made
            return made
        raise EngineError("The process that cut the clip ended, twice; try again.")


def _busy() -> BusyError:
    # The lane of the page says it, too.
    return BusyError(
        "Too many questions are waiting for the model; try again in a minute."
    )


async def within(deadline: float, work: Awaitable[Result]) -> Result:
    """What work gives, if it does before a deadline.

    Raises:
        DeadlineError: It did not, and was cancelled.
    """
    try:
        left = max(0.0, deadline - time.time())
        return await asyncio.wait_for(work, left + _LATE_SECONDS)
    except asyncio.TimeoutError as error:
        raise DeadlineError(
            "There was no answer in the time that was given for it; try again, or "
            "give it more."
        ) from error


def outcome_of(error: StableChatError) -> str:
    """What became of a question, in one word."""
    if isinstance(error, BusyError | DrainingError):
        return "refused"
    if isinstance(error, DeadlineError):
        return "late"
    return "input" if isinstance(error, InputError) else "failed"
