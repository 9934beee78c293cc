"""The tables of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluation.breakdown import Breakdown
from evaluation.metric_names import is_percent, metric_title
from evaluation.protocols import ScoreTable
from evaluation.report.blocks import Table
from evaluation.report.published import Published, published_for
from evaluation.report.run_result import RunResult
from stablechat.types import Task

_NOTHING = "-"
#: Enough to tell files apart; all of them are beside the rows.
_DIGEST_CHARACTERS = 12


def rows_table(runs: Sequence[RunResult]) -> Table:
    """How many rows each run has, and how many of them say nothing."""
    header = (
        *("run", "task", "annotations", "rows", "no usable video", "unparsed"),
        *("cut at the limit", "unusable annotations"),
        *("tokens an answer", "tokens a pass"),
    )
    rows = [
        (
            run.name,
            run.task,
            run.annotations,
            str(run.strict.num_rows),
            str(run.strict.num_missing),
            str(run.strict.num_unparsed),
            str(run.num_cut),
            str(run.info.get("num_bad_rows", "unknown")),
            _number(run.tokens_an_answer, 0),
            _number(run.tokens_a_pass, 1),
        )
        for run in runs
    ]
    return Table("What was asked and answered.", header, rows)


def metrics_table(runs: Sequence[RunResult], task: Task, resamples: int) -> Table:
    """Runs of one task beside each other and beside what others published.

    Args:
        runs: All of this task.
        task: The task.
        resamples: For the confidence intervals.
    """
    columns: list[tuple[str, dict[str, str]]] = []
    for run in runs:
        columns.append((f"{run.name}, strict", _with_intervals(run, resamples)))
        columns.append((f"{run.name}, released", _plain(run)))
    published = published_for(task)
    for entry in published:
        title = f"{entry.source} (published, {entry.dataset})"
        columns.append((title, _of_published(entry)))
    names = dict.fromkeys(name for _, values in columns for name in values)
    rows = [
        (metric_title(name), *(values.get(name, _NOTHING) for _, values in columns))
        for name in names
    ]
    num_ours = len(columns) - len(published)
    return Table(
        f"{task.upper()}: mean overlaps as fractions, recalls in percent. In brackets "
        "the 95% confidence interval (videos resampled).",
        ("metric", *(title for title, _ in columns)),
        rows,
        frozenset(range(num_ours + 1, len(columns) + 1)),
    )


def breakdown_table(run: RunResult, breakdown: Breakdown) -> Table:
    """Every group of every dimension."""
    rows = [
        (
            dimension,
            group.name,
            str(group.count),
            _number(group.mean_tiou),
            _number(group.mean_siou),
            _number(group.joint_success_percent, 1),
            _number(group.mean_words, 1),
        )
        for dimension, groups in breakdown.dimensions.items()
        for group in groups
    ]
    header = (
        *("dimension", "group", "rows", "mean tIoU", "mean sIoU"),
        *("joint success, %", "words a query"),
    )
    return Table(
        f"{run.name}: joint success is tIoU and sIoU of at least 0.5. Duration is the "
        "event's share of the clip, area the object's of the picture.",
        header,
        rows,
    )


def sensitivity_table(data: Mapping[str, Any]) -> Table:
    """Mean overlaps of every setting."""
    settings = data["settings"]
    # What there is nothing to measure of is None; 0 is a result.
    names = [
        name
        for name in ("mtiou", "msiou", "mstiou")
        if settings[0].get(name) is not None
    ]
    rows = [
        (
            f"{setting['temperature']:g}",
            str(setting["seed"]),
            *(_number(setting[name]) for name in names),
            str(setting["num_unparsed"]),
        )
        for setting in settings
    ]
    header = ("temperature", "seed", *map(metric_title, names), "unparsed")
    return Table("Strict metrics of each setting.", header, rows)


def tags_table(data: Mapping[str, Any]) -> Table:
    """How often each thing went wrong."""
    rows = [(tag, str(count)) for tag, count in data["tags"].items()]
    caption = f"What went wrong in the {data['num_rows']} rows of {data['rows']}."
    return Table(caption, ("tag", "rows"), rows)


def settings_table(runs: Sequence[RunResult]) -> Table:
    """How each run was made."""
    flat = [dict(_flat(run.info)) for run in runs]
    names = dict.fromkeys(name for facts in flat for name in facts)
    rows = [(name, *(facts.get(name, _NOTHING) for facts in flat)) for name in names]
    return Table(
        "Configuration, versions and hardware of each run.",
        ("", *(run.name for run in runs)),
        rows,
    )


def _with_intervals(run: RunResult, resamples: int) -> dict[str, str]:
    intervals = run.strict.intervals(resamples)
    found = {}
    for name, value in _values(run.strict):
        text, interval = _written(name, value), intervals[name]
        if interval is not None:
            low, high = (_written(name, end) for end in interval)
            text += f" [{low},\N{NO-BREAK SPACE}{high}]"
        found[name] = text
    return {**found, **_captions(run, "strict")}


def _plain(run: RunResult) -> dict[str, str]:
    values = {name: _written(name, value) for name, value in _values(run.released)}
    return {**values, **_captions(run, "released")}


def _values(table: ScoreTable) -> Iterator[tuple[str, float | None]]:
    found = table.metrics()
    yield from ((name, found[name]) for name in table.columns)


def _captions(run: RunResult, protocol: str) -> dict[str, str]:
    return {
        name: _written(name, value)
        for name, value in run.captions.get(protocol, {}).items()
    }


def _of_published(entry: Published) -> dict[str, str]:
    return {name: _written(name, value) for name, value in entry.metrics.items()}


def _written(name: str, value: float | None) -> str:
    return _number(value, 1 if is_percent(name) else 3)


def _number(value: float | None, decimals: int = 3) -> str:
    return _NOTHING if value is None else f"{value:.{decimals}f}"


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        key = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{key}: ")
        elif isinstance(value, list):
            yield key, "; ".join(map(str, value)) or "none"
        elif name.endswith("sha256"):
            yield key, str(value)[:_DIGEST_CHARACTERS]
        else:
            yield key, "none" if value is None else str(value)
