"""The deployment that draws and cuts clips, without a GPU."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from serving.loopback import listen_here_only
from serving.messages import DeadlineError, UnknownVideoError, about
from serving.settings import Settings
from stablechat.errors import CancelledError, StableChatError
from stablechat.types import Grounding

if TYPE_CHECKING:
    from serving.shelf import Shelf

#: A clip has another size than its video; no clip of that video is larger.
_CLIP_BYTES = 256 << 20


@dataclass(frozen=True)
class ClipOrder:
    """A clip that is wanted.

    Attributes:
        video: Name of the video on the shelf.
        answer: What to draw.
        deadline: Unix seconds when nobody waits for it any longer.
    """

    video: str
    answer: Grounding
    deadline: float


class Renderer:
    """Draws and cuts.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        from stablechat.video import limits_from_texts, set_default_limits

        if settings.is_local:
            listen_here_only()
        set_default_limits(limits_from_texts(list(settings.limits)))
        self._videos, self._clips = settings.videos(), settings.clips()

    async def draw(self, order: ClipOrder) -> str | StableChatError:
        """Cut a clip.

        Returns:
            Its name on the shelf of clips, or what is wrong.
        """
        stop = threading.Event()
        try:
            return await asyncio.to_thread(
                draw_clip, order, self._videos, self._clips, stop
            )
        except CancelledError as error:
            late = time.time() > order.deadline
            return DeadlineError("The clip was not cut in time.") if late else error
        except StableChatError as error:
            return error
        finally:
            stop.set()


def draw_clip(
    order: ClipOrder, videos: Shelf, clips: Shelf, stop: threading.Event
) -> str:
    """Cut a clip; returns its name.

    Raises:
        StableChatError: With one plain line.
    """
    from render.clipper import cut_clip

    video = videos.find(order.video)
    if video is None:
        raise UnknownVideoError("This video is not here any longer; send it again.")
    name = secrets.token_urlsafe(24)
    with (
        clips.coming(min(_CLIP_BYTES, clips.max_bytes)) as coming,
        TemporaryDirectory(prefix=f"{coming.name}.", dir=coming.parent) as folder,
    ):
        made = Path(folder, "clip.mp4")
        cut_clip(
            about(order.answer, video),
            made,
            cancelled=lambda: stop.is_set() or time.time() > order.deadline,
        )
        clips.add(made, name)
    return name
