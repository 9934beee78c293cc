"""What a batch does with long videos: all windows of one, where the model is.

Reading is not a stage of its own here: an hour in windows is gigabytes of frames, which
no store between two machines should hold. So the process with the model reads a window,
asks about it, and lets it go before the next one, as ``ground --window`` does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stablechat.cli.batch.jobs import Plan
from stablechat.cli.batch.storage import fetched
from stablechat.cli.inputs import set_limits
from stablechat.types import Grounding, Moments


def search(
    plan: Plan,
    chat: Any,
    address: str,
    queries: Sequence[str],
    cancelled: Callable[[], bool],
) -> tuple[tuple[Moments, ...], float]:
    """Look for everything in all windows of a video.

    Args:
        plan: Of the run; has windows.
        chat: The model.
        address: Of the video.
        queries: What to look for.
        cancelled: Asked often.

    Returns:
        What was found, for each query, and how many seconds all of it took.

    Raises:
        StableChatError: As for ``search.search_video``, and what keeps the video away.
    """
    from stablechat.search import search_video

    assert plan.window_seconds is not None
    started = time.perf_counter()
    set_limits(plan.limits)
    with fetched(address, cancelled) as path:
        found = search_video(
            chat,
            path,
            queries,
            window_seconds=plan.window_seconds,
            overlap_seconds=plan.overlap_seconds,
            segment=plan.segment,
            top=plan.top,
            config=plan.config,
            cancelled=cancelled,
        )
    return found, time.perf_counter() - started


def groundings_of(found: Grounding | Moments) -> tuple[Grounding, ...]:
    """An answer, or all moments of a search, the likeliest first."""
    return found.groundings if isinstance(found, Moments) else (found,)


def placed(found: Grounding | Moments, path: Path) -> Grounding | Moments:
    """The same, its video where it lies now."""
    if isinstance(found, Grounding):
        return _placed(found, path)
    moments = tuple(
        replace(each, grounding=_placed(each.grounding, path)) for each in found.moments
    )
    return replace(found, video=replace(found.video, path=path), moments=moments)


def _placed(answer: Grounding, path: Path) -> Grounding:
    video = replace(answer.video, path=path)
    others = tuple(replace(each, video=video) for each in answer.alternatives)
    return replace(answer, video=video, alternatives=others)


def tell_address(files: Iterable[Path], address: str) -> None:
    """Say in JSON files where a video lies, and not where it was fetched to."""
    from render.exports import write_json

    for path in files:
        if path.suffix == ".json":
            data = json.loads(path.read_text(encoding="utf-8"))
            data["video"]["path"] = address
            write_json(path, data)


def found_to_dict(
    found: Grounding | Moments, files: Mapping[str, str]
) -> dict[str, Any]:
    """The content of ``result.json``: ``grounding.json``, or ``moments.json``."""
    from render.exports import grounding_to_dict, searches_to_dict

    if isinstance(found, Grounding):
        return grounding_to_dict(found, files)
    return searches_to_dict((found,), {name: Path(f) for name, f in files.items()})
