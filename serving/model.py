"""The deployment that holds the model."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from ray import serve

from serving.answering import Answering
from serving.batcher import Batcher, Waiting
from serving.loopback import listen_here_only
from serving.measures import ModelMeasures
from serving.messages import Answered, Event, Failed, ModelRequest
from serving.settings import MAX_DEADLINE_SECONDS, Settings

logger = logging.getLogger("ray.serve")

_POLL_SECONDS = 0.05
#: A batch that goes on for so much longer than any question may is stuck.
_STUCK_SECONDS = MAX_DEADLINE_SECONDS + 60.0


class Model:
    """A copy of the model, and what it knows of the videos it was asked about.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.is_local:
            listen_here_only()
        # PyTorch, which is not imported yet, takes as many; Ray would give it one.
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)
        from stablechat import StableChat
        from stablechat.video import limits_from_texts, set_default_limits

        set_default_limits(limits_from_texts(list(settings.limits)))
        options = {k: v for k, v in asdict(settings.model).items() if v is not None}
        self._chat = StableChat.from_pretrained(**options)
        self._replica = serve.get_replica_context().replica_tag
        answering = Answering(self._chat, settings.videos(), self._replica)
        self._batcher = Batcher(answering, settings.max_batch)
        self._measures = ModelMeasures()

    async def ask(self, request: ModelRequest) -> AsyncIterator[Event]:
        """Answer a question.

        Yields:
            How far it is, and last an ``Answered`` or a ``Failed``.
        """
        waiting, told, started = Waiting(request), None, time.monotonic()
        self._batcher.put(waiting)
        try:
            while not waiting.ended.done():
                await asyncio.wait({waiting.ended}, timeout=_POLL_SECONDS)
                if waiting.told not in (None, told):
                    told = waiting.told
                    yield told
            event = waiting.ended.result()
            self._note(request, event, time.monotonic() - started)
            yield event
        finally:
            # Nothing if it has ended; else whoever asked has gone.
            waiting.stop()

    def _note(self, request: ModelRequest, event: Event, seconds: float) -> None:
        fields: dict[str, Any] = {"seconds": round(seconds, 3), "kind": request.kind}
        if isinstance(event, Answered):
            self._measures.answered(event.was_kept, event.batch_size)
            fields |= {"was_kept": event.was_kept, "batch_size": event.batch_size}
        if isinstance(event, Failed):
            fields["error"] = type(event.error).__name__
        logger.info("answered", extra={"question_id": request.request_id, **fields})

    async def about(self) -> dict[str, Any]:
        """What the page tells of the model."""
        chat = self._chat
        return {
            "name": chat.name,
            "is_demo": chat.is_demo,
            "device": str(chat.device),
            "dtype": str(chat.dtype),
            "quantization": chat.quantization,
            "weight_bytes": chat.weight_bytes,
            "free_bytes": chat.free_bytes,
        }

    def check_health(self) -> None:
        """Have this copy replaced if its thread is stuck.

        Raises:
            RuntimeError: It is.
        """
        if self._batcher.busy_seconds > _STUCK_SECONDS:
            raise RuntimeError("The model's thread is stuck.")
