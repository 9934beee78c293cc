"""Takes one case through probe, sample and clip, in a worker process."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from stablechat.errors import LimitError, RenderError, StableChatError, VideoError
from stablechat.types import VideoInfo
from stablechat.video import probe
from tests.corpus.cases import Case
from tests.corpus.check_clip import check_clip
from tests.corpus.check_video import (
    Problems,
    check_probe,
    check_samples,
    known_clock,
    sample_whole,
)
from tests.corpus.reference import Reference, decode_all

#: What a message to a person must not hold: other people's errors and our paths.
FOREIGN = re.compile(
    r"Traceback|Errno|Error\b|<[a-z]+ |\b0x[0-9a-f]{5}|\bav\.|/tmp/|\.py\b"
)
MAX_MESSAGE = 300

#: What a file can be refused with.
REFUSALS = (VideoError, LimitError, RenderError)


def run_case(data: dict[str, Any], out: str) -> dict[str, Any]:
    """Check one case.

    Args:
        data: :meth:`Case.to_json`.
        out: Folder for the clip; left empty.

    Returns:
        ``outcome`` ("right", "refused"), ``message`` of a refusal, ``warnings``,
        ``problems``, ``checked`` (what was compared) and ``seconds`` by stage.
    """
    case, folder = Case.from_json(data), Path(out)
    problems, seconds = Problems(), {}
    began = time.monotonic()
    result = {"outcome": "right", "message": "", "warnings": []}
    try:
        info = probe(case.path)
        seconds["probe"] = time.monotonic() - began
        result["warnings"] = list(info.warnings)
        problems.expect(case.expect != "reject", "accepted, but has to be refused")
        _check_readable(case, info, folder, problems, seconds)
    except REFUSALS as error:
        result["outcome"], result["message"] = "refused", str(error)
        check_message(error, problems)
        problems.expect(_may_refuse(case), f"refused: {error}")
    left = [path.name for path in folder.iterdir()]
    problems.expect(not left, f"files left behind: {left}")
    seconds["all"] = time.monotonic() - began
    checked = sorted(problems.checked)
    return {
        **result,
        "problems": list(problems),
        "checked": checked,
        "seconds": seconds,
    }


def check_message(error: StableChatError, problems: Problems) -> None:
    """A refusal is one plain line."""
    message = str(error)
    problems.expect(message.isprintable(), f"message: not one plain line: {message!r}")
    problems.expect(0 < len(message) <= MAX_MESSAGE, f"message: {len(message)} long")
    foreign = FOREIGN.search(message)
    problems.expect(foreign is None, f"message: foreign words: {message!r}")


def _check_readable(
    case: Case,
    info: VideoInfo,
    folder: Path,
    problems: Problems,
    seconds: dict[str, float],
) -> None:
    began = time.monotonic()
    reference = _reference(case, info)
    check_probe(case, info, reference, problems)
    seconds["reference"] = time.monotonic() - began
    began = time.monotonic()
    whole = sample_whole(info)
    clock = known_clock(case, info, reference)
    if case.expect != "either":
        check_samples(case, info, whole, clock, reference, problems)
    seconds["sample"] = time.monotonic() - began
    began = time.monotonic()
    out = folder / "clip.mp4"
    check_clip(case, info, clock, reference, out, problems)
    out.unlink()
    seconds["clip"] = time.monotonic() - began


def _may_refuse(case: Case) -> bool:
    """Of a damaged file there may be nothing left to show."""
    if case.expect == "partial":
        found = decode_all(case.path, turn=0, barcode=False)
        return found is None or not found.seconds
    return case.expect != "ok"


def _reference(case: Case, info: VideoInfo) -> Reference | None:
    if case.expect == "either":
        return None
    turn = info.rotation // 90
    return decode_all(case.path, turn=turn, barcode=case.truth.barcode)
