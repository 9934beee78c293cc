"""The files of chosen cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.cases.case import Case
from evaluation.cases.drawing import contact_sheet, write_video
from evaluation.cases.scene import CaseScene
from evaluation.report.build import CASES_FILE
from render.exports import write_json
from render.timeline import save_picture
from stablechat.errors import InputError, RenderError


def write_cases(
    cases: Sequence[Case],
    videos: Path,
    folder: Path,
    summary: Mapping[str, Any],
    with_video: bool,
) -> list[str]:
    """Draw cases, and write down what they are.

    Args:
        cases: What to draw.
        videos: The folder of videos.
        folder: Where ``row_00012.jpg``, ``row_00012.mp4`` and ``cases.json`` go.
        summary: What ``cases.json`` says about all rows of the run.
        with_video: Whether videos are made as well as contact sheets.

    Returns:
        Why cases could not be drawn, one line each.

    Raises:
        RenderError: The folder can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise RenderError(f"{folder} can't be written to ({reason}).") from error
    drawn, skipped = [], []
    for case in cases:
        try:
            scene = CaseScene(case, videos)
            save_picture(folder / f"{case.name}.jpg", contact_sheet(scene))
            if with_video:
                write_video(scene, folder / f"{case.name}.mp4")
            drawn.append(_facts(case))
        except InputError as error:  # the video is gone, or is none
            skipped.append(f"row {case.row.index}: {' '.join(str(error).split())}")
    write_json(folder / CASES_FILE, {**summary, "cases": drawn})
    return skipped


def _facts(case: Case) -> dict[str, Any]:
    return {
        "index": case.row.index,
        "query": case.row.query,
        "video": case.row.video,
        "tiou": case.score.tiou,
        "siou": case.score.siou,
        "stiou": case.score.stiou,
        "tags": list(case.tags),
    }
