"""The figures of a report, drawn by matplotlib (requirements-eval.txt)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.breakdown import JOINT_THRESHOLD, Breakdown
from evaluation.metric_names import is_percent, metric_title
from evaluation.metrics import hits_percent
from evaluation.sensitivity import CURVE_THRESHOLDS, Sensitivity
from stablechat.errors import InputError
from stablechat.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that colour-blind people can tell apart (Okabe and Ito).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_GRAY = "#6b7280"
_DOTS_PER_INCH = 150
_HISTOGRAM_BINS = np.linspace(0.0, 1.0, 21)

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e5e7eb",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "svg.hashsalt": "stablechat",
}


def breakdown_figures(breakdown: Breakdown) -> dict[str, bytes]:
    """PNG files by name: ``scatter`` and ``tiou``; none where there are no times."""
    if np.isnan(breakdown.tiou).any() or not breakdown.tiou.size:
        return {}
    return {"scatter": scatter_png(breakdown), "tiou": histogram_png(breakdown)}


def scatter_png(breakdown: Breakdown) -> bytes:
    """tIoU against sIoU, with their correlation and the field of joint success."""
    with new_figure(5.0, 4.4) as figure:
        axes = figure.add_subplot()
        half = (JOINT_THRESHOLD, 1.02)
        axes.fill_between(half, *half, color=COLORS[2], alpha=0.08, linewidth=0)
        axes.scatter(
            breakdown.tiou,
            breakdown.siou,
            s=18,
            color=COLORS[0],
            alpha=0.55,
            linewidth=0,
        )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="tIoU", ylabel="sIoU")
        axes.set_aspect("equal")
        number = breakdown.correlation
        told = "not defined" if number is None else f"r = {number:.2f}"
        axes.set_title(f"Time and place ({len(breakdown.siou)} rows, {told})")
        place = (1.01, JOINT_THRESHOLD + 0.01)
        axes.text(*place, "joint success", color=_GRAY, fontsize=8, ha="right")
        return png_of(figure)


def histogram_png(breakdown: Breakdown) -> bytes:
    """How often each tIoU is reached."""
    with new_figure(5.0, 4.4) as figure:
        axes = figure.add_subplot()
        axes.hist(breakdown.tiou, bins=_HISTOGRAM_BINS.tolist(), color=COLORS[0])
        mean = float(np.mean(breakdown.tiou))
        axes.axvline(mean, color=COLORS[1], linewidth=1.5)
        axes.set(xlim=(0, 1), xlabel="tIoU", ylabel="rows")
        axes.locator_params(axis="y", integer=True)
        axes.set_title(f"tIoU ({len(breakdown.tiou)} rows, mean {mean:.3f})")
        return png_of(figure)


def sensitivity_png(result: Sensitivity) -> bytes:
    """Four panels: means, accuracy curves, heat map, coefficient of variation."""
    with new_figure(10.0, 7.6) as figure:
        panels = figure.subplots(2, 2)
        _draw_means(panels[0, 0], result)
        _draw_curves(panels[0, 1], result)
        _draw_heat_map(figure, panels[1, 0], result)
        _draw_variation(panels[1, 1], result)
        return png_of(figure)


def _draw_means(axes: Axes, result: Sensitivity) -> None:
    places = np.arange(len(result.temperatures))
    for color, name in zip(cycle(COLORS), result.mean_names):
        means, spread = result.over_seeds(name)
        axes.errorbar(
            places,
            means,
            spread,
            color=color,
            marker="o",
            capsize=3,
            label=metric_title(name),
        )
    axes.set(xticks=places, ylim=(0, 1.02), xlabel="temperature", ylabel="mean")
    axes.set_xticklabels(_written(result.temperatures))
    axes.set_title(f"a  Mean metrics (bars: deviation over {result.num_seeds} seeds)")
    axes.legend(loc="lower left", ncols=len(result.mean_names))


def _draw_curves(axes: Axes, result: Sensitivity) -> None:
    for color, temperature in zip(cycle(COLORS), result.temperatures):
        for values, line in ((result.tiou, "-"), (result.siou, "--")):
            if np.isnan(values[temperature]).any():
                continue  # the time of SVG is given
            curve = accuracy_curve(values[temperature])
            what = "tIoU" if line == "-" else "sIoU"
            label = f"{temperature:g} {what}"
            axes.plot(CURVE_THRESHOLDS, curve, line, color=color, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 102), xlabel="threshold", ylabel="rows, %")
    axes.set_title("b  Rows that reach a threshold")
    axes.legend(loc="lower left", fontsize=8)


def accuracy_curve(values: FloatArray) -> FloatArray:
    """Share of values that reach each threshold, in percent."""
    return np.array([hits_percent(values, t).mean() for t in CURVE_THRESHOLDS])


def _draw_heat_map(figure: Figure, axes: Axes, result: Sensitivity) -> None:
    scales = [0.01 if is_percent(name) else 1.0 for name in result.all_names]
    means = [result.over_seeds(name)[0] for name in result.all_names]
    shares = np.array(means) * np.array(scales)[:, np.newaxis]
    image = axes.imshow(shares, aspect="auto", vmin=0, vmax=1, cmap="cividis")
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share < 0.6 else "black"
        axes.text(
            column, row, f"{share:.3f}", color=color, ha="center", va="center",
            fontsize=8,
        )  # fmt: skip
    axes.grid(visible=False)
    axes.set_xticks(range(len(result.temperatures)), _written(result.temperatures))
    titles = [metric_title(name) for name in result.all_names]
    axes.set_yticks(range(len(titles)), titles)
    axes.set_xlabel("temperature")
    axes.set_title("c  All metrics (recalls as shares)")
    figure.colorbar(image, ax=axes, fraction=0.046)


def _draw_variation(axes: Axes, result: Sensitivity) -> None:
    places = np.arange(len(result.mean_names))
    bars = {
        "over temperatures": result.variation_over_temperatures,
        "over seeds": result.variation_over_seeds,
    }
    for number, (label, values) in enumerate(bars.items()):
        heights = [100 * values[name] for name in result.mean_names]
        shift = (number - 0.5) * 0.38
        drawn = axes.bar(
            places + shift, heights, 0.36, color=COLORS[number], label=label
        )
        axes.bar_label(drawn, fmt="%.2f", fontsize=8, color=_GRAY, padding=2)
    axes.set_xticks(places, [metric_title(name) for name in result.mean_names])
    axes.set_ylabel("deviation / mean, %")
    axes.margins(y=0.28)
    axes.set_title("d  Coefficient of variation")
    axes.legend(loc="upper left", ncols=2)


def _written(temperatures: Sequence[float]) -> list[str]:
    return [f"{temperature:g}" for temperature in temperatures]


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """A figure that belongs to no window and no global list."""
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "Figures need matplotlib: pip install -r requirements-eval.txt."
        ) from error
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def png_of(figure: Figure) -> bytes:
    """The figure as a file; the same each time."""
    file = io.BytesIO()
    # Without the date and version that would make each drawing another file.
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()
