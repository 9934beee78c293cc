"""``ground`` for several videos or queries: a folder of answers for each video.

A video that can't be answered does not end the run; a run that was stopped goes on
where it was.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stablechat.cli.answer_folders import (
    AnswerFolders,
    Record,
    clear_record,
    read_record,
    remove_stale,
    video_facts,
    write_record,
)
from stablechat.cli.asking import Questions
from stablechat.cli.inputs import check_video, export_formats, load_chat
from stablechat.cli.printed import Printed
from stablechat.cli.running import interruptible, shown_progress, tell
from stablechat.cli.saving import Cancelled, Report, save
from stablechat.cli.texts import one_line, summary, to_json
from stablechat.cli.videos import expand_names
from stablechat.errors import CancelledError, InputError, StableChatError
from stablechat.folders import checked_folder

if TYPE_CHECKING:
    from stablechat.chat import StableChat

_EXIT_SOME_FAILED = 1

#: Options that the answers, or the files, depend on.
_ASKED = (
    *("task", "span", "region", "start", "at", "candidates", "choose", "segment"),
    *("second_look",),
    *("window", "overlap", "top", "merge", "export"),
    *("model", "revision", "adapter", "device", "dtype", "attn", "quantization"),
    *("max_new_tokens", "temperature", "top_p", "seed", "speculation", "grammar"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one video.

    Attributes:
        path: The video.
        folder: Of its answers.
        status: ``"done"``, ``"skipped"`` (finished before) or ``"failed"``.
        record: What was written; None where it failed.
        error: Why it failed.
    """

    path: Path
    folder: Path
    status: str
    record: Record | None = None
    error: str = ""


def ground_several(
    args: argparse.Namespace, questions: Questions, names: Sequence[str]
) -> Printed:
    """Answer all questions about each video.

    Args:
        args: Of the command line.
        questions: What is asked.
        names: Files, folders and patterns.

    Raises:
        InputError: There is nowhere to write to, or a name means nothing.
        CancelledError: Ctrl-C; what is finished stays.
    """
    if args.out is None:
        raise InputError(
            "Answers about several videos or queries need a folder; give it with --out."
        )
    paths = expand_names(names)
    run = _Run(args, questions, checked_folder(args.out))
    outcomes: list[Outcome] = []
    try:
        with interruptible() as cancelled, shown_progress() as report:
            for number, path in enumerate(paths, 1):
                place = f"[{number}/{len(paths)}] {one_line(path.name)}"
                outcome = run.answer(path, _placed(report, place), cancelled)
                tell(f"{place}: {outcome.error or outcome.status}")
                outcomes.append(outcome)
    except (CancelledError, KeyboardInterrupt):
        tell(
            f"Stopped: {len(outcomes)} of {len(paths)} videos are through; the same "
            "command goes on from there."
        )
        raise
    return _printed(outcomes, as_json=args.json)


def _placed(report: Report, place: str) -> Report:
    return lambda stage, fraction: report(f"{place}: {stage}", fraction)


class _Run:
    """What all videos of a run share."""

    def __init__(
        self, args: argparse.Namespace, questions: Questions, out: Path
    ) -> None:
        self._args = args
        self._questions = questions
        self._folders = AnswerFolders(out)
        self._formats = export_formats(args.export, args.out)
        options = {name: getattr(args, name) for name in _ASKED}
        self._asked = {"queries": list(questions.queries), **options}
        self._chat: StableChat | None = None

    def answer(self, path: Path, report: Report, cancelled: Cancelled) -> Outcome:
        folder = self._folders.folder_of(path)
        try:
            facts = video_facts(path)
            record = read_record(folder)
            if record is not None and self._is_finished(record, folder, facts):
                return Outcome(path, folder, "skipped", record)
            check_video(str(path), allow_image=self._args.task == "rec")
        except StableChatError as error:
            return _failed(path, folder, error, cancelled)
        # Not before something is to be asked; one that can't be loaded ends the run.
        self._chat = self._chat or load_chat(self._args, report, cancelled)
        try:
            written = self._write(self._chat, path, folder, facts, report, cancelled)
        except StableChatError as error:
            return _failed(path, folder, error, cancelled)
        return Outcome(path, folder, "done", written)

    def _is_finished(self, record: Record, folder: Path, facts: dict[str, Any]) -> bool:
        if self._args.overwrite:
            return False
        return record.is_of(facts, self._asked) and record.is_whole(folder)

    def _write(
        self,
        chat: StableChat,
        path: Path,
        folder: Path,
        facts: dict[str, Any],
        report: Report,
        cancelled: Cancelled,
    ) -> Record:
        answers = self._questions.ask(chat, path, report, cancelled)
        before = clear_record(folder)
        saved = save(
            answers,
            folder,
            self._formats,
            report,
            cancelled,
            usual="mp4,json",
            merge=self._args.merge,
        )
        remove_stale(folder, before, saved.files.values())
        files = {kind: file.name for kind, file in saved.files.items()}
        record = Record(facts, self._asked, files, summary(answers, saved))
        write_record(folder, record)
        return record


def _failed(
    path: Path, folder: Path, error: StableChatError, cancelled: Cancelled
) -> Outcome:
    """One video's failure; but a stop, and what comes of it, ends the run."""
    if isinstance(error, CancelledError) or cancelled():
        raise CancelledError("Stopped.") from error
    return Outcome(path, folder, "failed", error=one_line(str(error)))


def _printed(outcomes: Sequence[Outcome], *, as_json: bool) -> Printed:
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    code = _EXIT_SOME_FAILED if failed else 0
    if as_json:
        results = [_outcome_to_dict(outcome) for outcome in outcomes]
        return Printed(to_json({"results": results, "num_failed": len(failed)}), code)
    lines = [line for outcome in outcomes for line in _outcome_lines(outcome)]
    if failed:
        lines.append(f"{len(failed)} of {len(outcomes)} videos failed:")
        lines += [f"  {_shown(each.path)}: {each.error}" for each in failed]
    return Printed("\n".join(lines), code)


def _outcome_lines(outcome: Outcome) -> list[str]:
    if outcome.record is None:
        return []
    known = " (finished before)" if outcome.status == "skipped" else ""
    told = str(outcome.record.summary).splitlines()
    return [f"{_shown(outcome.path)}{known}", *(f"  {line}" for line in told)]


def _outcome_to_dict(outcome: Outcome) -> dict[str, Any]:
    files = {} if outcome.record is None else outcome.record.files
    return {
        "video": _shown(outcome.path),
        "folder": _shown(outcome.folder),
        "status": outcome.status,
        "files": {
            kind: _shown(outcome.folder / str(name)) for kind, name in files.items()
        },
        "error": outcome.error or None,
    }


def _shown(path: Path) -> str:
    """A path as text; bytes that are not UTF-8 become replacement characters."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"))
