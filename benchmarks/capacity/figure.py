"""The figure of the plan: how few cards keep the target, and where the money goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.figures import COLORS, new_figure, png_of

_PARTS = {
    "GPU machines": ("machines", "gpu_machines_usd"),
    "CPU machines": ("machines", "cpu_machines_usd"),
    "storage": ("flows", "storage_usd_per_day"),
    "sent to users": ("flows", "out_usd_per_day"),
}


def plan_png(report: Mapping[str, Any]) -> bytes:
    """Two panels of a report of ``benchmarks.capacity.plan``."""
    with new_figure(10.0, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        _draw_latency(left, report)
        _draw_cost(right, report["scales"])
        return png_of(figure)


def _draw_latency(axes: Any, report: Mapping[str, Any]) -> None:
    curves: dict[str, Sequence[Sequence[float]]] = {}
    for scale in report["scales"]:
        curves.update(scale["tried"])
    for color, (videos, tried) in zip(COLORS, curves.items(), strict=False):
        gpus, seconds, _ = zip(*tried, strict=True)
        label = f"{int(videos):,} a day: {gpus[-1]} GPUs"
        share = [100 * each / gpus[-1] for each in gpus]
        axes.plot(share, seconds, marker="o", color=color, label=label)
    target = report["assumed"]["target_p95_seconds"]
    axes.axhline(target, color="black", linewidth=1, linestyle="--")
    axes.text(50, target + 1, "target", fontsize=8)
    axes.set(ylim=(0, None), xlabel="GPUs, % of those that keep the target")
    axes.set_ylabel("p95 latency, seconds")
    axes.set_title("a  The busiest time, with a burst")
    axes.legend(loc="upper left", bbox_to_anchor=(0.02, 0.78), fontsize=8)


def cost_parts(scale: Mapping[str, Any]) -> dict[str, float]:
    """USD for a thousand videos, by what they are paid for."""
    places = {
        "machines": (scale["cell_day"]["scaled"], scale["cells"]),
        "flows": (scale["flows"], 1),
    }
    thousands = scale["videos_per_day"] / 1000
    return {
        name: places[place][0][key] * places[place][1] / thousands
        for name, (place, key) in _PARTS.items()
    }


def _draw_cost(axes: Any, scales: Sequence[Mapping[str, Any]]) -> None:
    names = [f"{scale['videos_per_day']:,}" for scale in scales]
    parts = [cost_parts(scale) for scale in scales]
    below = [0.0] * len(scales)
    for color, part in zip(COLORS, _PARTS, strict=False):
        heights = [each[part] for each in parts]
        axes.bar(names, heights, bottom=below, color=color, label=part)
        below = [a + b for a, b in zip(below, heights, strict=True)]
    most = max(below[1:], default=below[0])
    axes.set(xlabel="videos a day", ylabel="USD for 1,000 videos", ylim=(0, 1.3 * most))
    for place, height in enumerate(below):
        shown = min(height, 1.18 * most)
        color = "black" if shown == height else "white"
        axes.text(
            place, shown + 0.02 * most, f"{height:.2f}", color=color, ha="center",
            fontsize=8,
        )  # fmt: skip
    axes.set_title("b  What a thousand videos cost")
    axes.legend(loc="upper right", fontsize=8)
