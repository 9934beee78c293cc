"""What is counted, for Prometheus. Ray puts ``ray_`` before each name."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

import ray
from ray.serve import metrics

_SECONDS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 600]
_SCRAPE_SECONDS = 5.0


def _keys(*names: str) -> Any:
    """Names of tags; Ray's annotation allows one only."""
    return names


class AskMeasures:
    """Of who asks: the API's processes and the page."""

    def __init__(self) -> None:
        self._questions = metrics.Counter(
            "stablechat_questions",
            description="Questions that ended, by kind and outcome.",
            tag_keys=_keys("kind", "outcome"),
        )
        self._seconds = metrics.Histogram(
            "stablechat_question_seconds",
            description="From a question to its end.",
            boundaries=_SECONDS,
            tag_keys=("kind",),
        )
        self._retries = metrics.Counter(
            "stablechat_retries",
            description="Questions put to another replica because theirs was lost.",
        )

    def ended(self, kind: str, outcome: str, seconds: float) -> None:
        """A question was answered, refused or failed."""
        self._questions.inc(tags={"kind": kind, "outcome": outcome})
        self._seconds.observe(seconds, tags={"kind": kind})

    def retried(self) -> None:
        """A replica was lost."""
        self._retries.inc()


class ModelMeasures:
    """Of a copy of the model."""

    def __init__(self) -> None:
        self._videos = metrics.Counter(
            "stablechat_video_cache",
            description="Questions by whether their video was encoded already.",
            tag_keys=("result",),
        )
        self._batches = metrics.Histogram(
            "stablechat_batch_size",
            description="Questions that were answered together.",
            boundaries=[1, 2, 3, 4, 6, 8],
        )

    def answered(self, was_kept: bool | None, batch_size: int) -> None:
        """One question."""
        self._batches.observe(batch_size)
        if was_kept is not None:
            self._videos.inc(tags={"result": "hit" if was_kept else "miss"})


async def scraped() -> str:
    """All that the cluster's machines tell Prometheus, as its text format has it."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    texts = await asyncio.gather(*(asyncio.to_thread(_scrape, each) for each in nodes))
    return "".join(texts)


def _scrape(node: dict[str, Any]) -> str:
    address = f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
    # A proxy could not reach it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}/metrics", timeout=_SCRAPE_SECONDS) as answer:
        text: bytes = answer.read()
    return text.decode("utf-8", "replace")
