"""From result files, cases and a sensitivity study to a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.breakdown import break_down
from evaluation.datasets.values import NOT_IN_FORMAT, read_object
from evaluation.figures import breakdown_figures
from evaluation.files import write_file
from evaluation.predictions import TUBE_TASKS
from evaluation.report import tables
from evaluation.report.blocks import Block, Picture, Report, Section, Text
from evaluation.report.html import to_html
from evaluation.report.markdown import to_markdown
from evaluation.report.run_result import RunResult
from stablechat.errors import InputError

CASES_FILE = "cases.json"
SENSITIVITY_FILE = "sensitivity.json"
SENSITIVITY_FIGURE = "sensitivity.png"

_PROTOCOLS = (
    "Strict counts every row: a video that can't be read and an answer that can't be "
    "parsed are worth 0. Released equals the published evaluation code, oddities "
    "included. Published numbers are other people's, measured with the full model; on "
    "another benchmark they say nothing about this one."
)

#: What the figures of a breakdown show.
_SHOWS = {
    "scatter": "time against place, one dot a row.",
    "tiou": "how often each tIoU is reached.",
}


def build(
    title: str,
    runs: Sequence[RunResult],
    resamples: int,
    *,
    cases: Sequence[Path] = (),
    sensitivity: Path | None = None,
    out: Path | None = None,
) -> Report:
    """Put a report together.

    Args:
        title: Its title.
        runs: At least one, their names different.
        resamples: For confidence intervals.
        cases: Folders that ``cases`` has written.
        sensitivity: A folder that ``sensitivity`` has written.
        out: The folder of the report, for links to what lies in it or near it.

    Raises:
        InputError: A folder holds something else, or matplotlib is missing.
    """
    sections = [
        Section("Rows", [tables.rows_table(runs), *_notes(runs)]),
        Section("Metrics", [Text(_PROTOCOLS), *_metrics(runs, resamples)]),
    ]
    broken = [block for run in runs for block in _breakdown(run)]
    if broken:
        sections.append(Section("Breakdown", broken))
    if sensitivity is not None:
        sections.append(Section("Sensitivity", _sensitivity(sensitivity, out)))
    if cases:
        drawn = [block for folder in cases for block in _cases(folder, out)]
        sections.append(Section("Cases", drawn))
    sections.append(Section("How it was made", _settings(runs)))
    return Report(title, sections)


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.md``, each whole or not at all.

    Returns:
        Their paths.

    Raises:
        RenderError: They can't be written.
    """
    markdown, pictures = to_markdown(report)
    html_path, markdown_path = folder / "report.html", folder / "report.md"
    for name, content in pictures.items():
        write_file(folder / name, content)
    # A name that is not UTF-8 must not lose the report.
    write_file(markdown_path, markdown.encode("utf-8", "replace"))
    write_file(html_path, to_html(report).encode("utf-8", "replace"))
    return html_path, markdown_path


def _notes(runs: Sequence[RunResult]) -> list[Text]:
    return [Text(f"{run.name}: {note}") for run in runs for note in run.notes]


def _settings(runs: Sequence[RunResult]) -> list[Block]:
    told = [run for run in runs if run.info]
    silent = ", ".join(run.name for run in runs if not run.info)
    blocks: list[Block] = [tables.settings_table(told)] if told else []
    note = f"How {silent} was made is not written down beside its rows."
    return [*blocks, *([Text(note)] if silent else [])]


def _metrics(runs: Sequence[RunResult], resamples: int) -> list[Block]:
    tasks = dict.fromkeys(run.task for run in runs)
    return [
        tables.metrics_table([r for r in runs if r.task == task], task, resamples)
        for task in tasks
    ]


def _breakdown(run: RunResult) -> list[Block]:
    if run.task not in TUBE_TASKS:
        return []
    breakdown = break_down(run.rows, run.task)
    run_name = "".join(c if c.isalnum() else "_" for c in run.name)
    pictures = [
        Picture(f"{name}_{run_name}", "png", content, f"{run.name}: {_SHOWS[name]}")
        for name, content in breakdown_figures(breakdown).items()
    ]
    return [tables.breakdown_table(run, breakdown), *pictures]


def _sensitivity(folder: Path, out: Path | None) -> list[Block]:
    data = read_object(folder / SENSITIVITY_FILE)
    try:
        table = tables.sensitivity_table(data)
        count = data["settings"][0]["num_rows"]
    except (KeyError, IndexError, *NOT_IN_FORMAT) as error:
        raise _not_ours(folder / SENSITIVITY_FILE, error) from error
    figure = Picture(
        "sensitivity",
        "png",
        _read(folder / SENSITIVITY_FIGURE),
        f"What the temperature does, on {count} rows.",
        place=_inside(folder / SENSITIVITY_FIGURE, out),
    )
    return [figure, table]


def _cases(folder: Path, out: Path | None) -> list[Block]:
    data = read_object(folder / CASES_FILE)
    try:
        blocks: list[Block] = [tables.tags_table(data)]
        blocks += [_case(case, folder, out) for case in data["cases"]]
    except (KeyError, *NOT_IN_FORMAT) as error:
        raise _not_ours(folder / CASES_FILE, error) from error
    return blocks


def _case(case: Mapping[str, Any], folder: Path, out: Path | None) -> Picture:
    name = f"row_{int(case['index']):05d}"
    video = folder / f"{name}.mp4"
    link = ""
    if out is not None and video.is_file():
        link = Path(os.path.relpath(video, out)).as_posix()
    tiou = "" if case["tiou"] is None else f"tIoU {case['tiou']:.2f}, "
    tags = ", ".join(case["tags"]) or "no fault"
    caption = (
        f"Row {int(case['index'])}: {case['query']} ({tiou}sIoU {case['siou']:.2f}, "
        f"stIoU {case['stiou']:.2f}; {tags}). Truth green, answer red."
    )
    sheet = folder / f"{name}.jpg"
    return Picture(
        f"{folder.name}_{name}",  # another folder may have the same row of another run
        "jpg",
        _read(sheet),
        caption,
        link,
        _inside(sheet, out),
    )


def _inside(path: Path, folder: Path | None) -> str:
    """A file's place in a folder; empty if it lies elsewhere."""
    if folder is None or not path.resolve().is_relative_to(folder.resolve()):
        return ""
    return path.resolve().relative_to(folder.resolve()).as_posix()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error


def _not_ours(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is not what this program writes "
        f"({type(error).__name__}: {' '.join(str(error).split())})."
    )
