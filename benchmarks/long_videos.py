"""Whether a moment is found in a long video, and what that costs.

    python -m benchmarks.long_videos --out benchmarks/results/long_videos.json

Draws scene after scene into one video of known answers, asks the demo model for things
that happen once in it, and compares the ranking by second looks with one by confidence
alone (the baseline). Memory is the peak of a fresh process, beside one that asks one
plain question about as much of the video as one window. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks._long_video import Hidden, make_long_video
from evaluation.metrics import span_iou
from render.exports import write_json
from stablechat import StableChat
from stablechat.grounding import shown_span
from stablechat.search import search_video
from stablechat.types import Moment, Moments, SearchProgress, TimeSpan
from stablechat.video import probe

#: Least temporal IoU with the truth of a moment that counts as found.
_FOUND_IOU = 0.5
_TOP = 3


def overlap(moment: Moment, truth: TimeSpan) -> float:
    """Temporal IoU of a moment with the truth."""
    span = shown_span(moment.grounding)
    if span is None:
        return 0.0
    return float(
        span_iou(
            (span.start_seconds, span.end_seconds),
            (truth.start_seconds, truth.end_seconds),
        )
    )


def score(ranked: Sequence[Sequence[float]]) -> dict[str, float]:
    """What a ranking is worth.

    Args:
        ranked: For each query the overlaps of its moments, the first-ranked first.
    """
    count = len(ranked)
    first = [overlaps[0] if overlaps else 0.0 for overlaps in ranked]
    top = [max(overlaps[:_TOP], default=0.0) for overlaps in ranked]
    return {
        "first_is_right": sum(each >= _FOUND_IOU for each in first) / count,
        f"right_in_first_{_TOP}": sum(each >= _FOUND_IOU for each in top) / count,
        "mean_tiou_of_first": statistics.mean(first),
    }


def by_confidence(moments: Sequence[Moment]) -> list[Moment]:
    """The baseline: the surest first."""
    return sorted(moments, key=lambda moment: -(moment.grounding.confidence or 0.0))


def judge(found: Sequence[Moments], hidden: Sequence[Hidden]) -> dict[str, Any]:
    """Both rankings, and the best that any ranking could do."""
    pairs = list(zip(found, hidden, strict=True))
    orders: dict[str, Callable[[Sequence[Moment]], Sequence[Moment]]] = {
        "by_second_look": lambda moments: moments,
        "by_confidence_alone": by_confidence,
    }
    report: dict[str, Any] = {
        name: score([[overlap(m, h.span) for m in order(f.moments)] for f, h in pairs])
        for name, order in orders.items()
    }
    report["found_by_some_window"] = statistics.mean(
        max((overlap(m, h.span) for m in f.moments), default=0.0) >= _FOUND_IOU
        for f, h in pairs
    )
    report["num_moments"] = statistics.mean(f.num_moments for f in found)
    report["num_joined"] = statistics.mean(
        sum(len(m.windows) > 1 for m in f.moments) for f in found
    )
    report["queries"] = [
        {
            "query": h.query,
            "truth": [h.span.start_seconds, h.span.end_seconds],
            "first": _told(f.moments[0], h) if f.moments else None,
        }
        for f, h in pairs
    ]
    return report


def _told(moment: Moment, hidden: Hidden) -> dict[str, Any]:
    span, look = shown_span(moment.grounding), moment.grounding.second_look
    return {
        "span": span and [round(span.start_seconds, 2), round(span.end_seconds, 2)],
        "tiou": round(overlap(moment, hidden.span), 3),
        "words": look and look.words,
        "difference_nats": look and look.difference,
        "confidence": moment.grounding.confidence,
    }


# --- measured in processes of their own -----------------------------------------


def measure_search(
    video: Path, hidden: list[Hidden], window_seconds: float, overlap_seconds: float
) -> dict[str, Any]:
    """Search for everything that is hidden."""
    chat = StableChat.from_pretrained(device="cpu")
    started = time.perf_counter()
    found = search_video(
        chat,
        video,
        [each.query for each in hidden],
        window_seconds=window_seconds,
        overlap_seconds=overlap_seconds,
        on_progress=_window_teller(),
    )
    seconds = time.perf_counter() - started
    num_windows = len(found[0].windows)
    return {
        "num_windows": num_windows,
        "seconds": seconds,
        "seconds_per_window_and_query": seconds / num_windows / len(hidden),
        "peak_mib": _peak_mib(),
        **judge(found, hidden),
    }


def measure_short(video: Path, query: str, window_seconds: float) -> dict[str, Any]:
    """One plain question about as much of the video as one window."""
    chat = StableChat.from_pretrained(device="cpu")
    chat.ground(video, query, segment=TimeSpan(0, window_seconds))
    return {"peak_mib": _peak_mib()}


def _peak_mib() -> float:
    """The most memory that this process has had; not its parent's, as rusage gives."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def _window_teller() -> Callable[[SearchProgress], None]:
    told = 0

    def tell(progress: SearchProgress) -> None:
        nonlocal told
        if progress.window > told:
            told = progress.window
            left = progress.remaining_seconds
            time_left = "" if left is None else f", {left:.0f} s left"
            line = f"window {told} of {progress.num_windows}{time_left}"
            print(line, file=sys.stderr)

    return tell


def _apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """In a fresh process, so that its peak is its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.long_videos",
        description="Find known moments in a long drawn video.",
    )
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--queries", type=int, default=8)
    parser.add_argument("--window", type=float, default=20.0, help="seconds")
    parser.add_argument("--overlap", type=float, default=10.0, help="seconds")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "long.mp4"
        hidden = make_long_video(video, args.minutes * 60, args.queries, args.seed)
        info = probe(video)
        short = _apart(measure_short, video, hidden[0].query, args.window)
        long = _apart(measure_search, video, hidden, args.window, args.overlap)
    report = {
        "what": "moments that happen once in a long drawn video; demo model, CPU",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seed": args.seed,
        "video": f"{info.width}x{info.height}, {info.duration_seconds:.1f} s",
        "window_seconds": args.window,
        "overlap_seconds": args.overlap,
        "short": short,
        "long": long,
    }
    write_json(args.out, _rounded(report))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
