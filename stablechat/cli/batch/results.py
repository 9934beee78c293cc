"""The results file: one line for each input, added by one process, gone on with.

``results.jsonl`` is opened, locked and added to by the run alone; workers write
folders of answers, each whole once it has its ``result.json``. A run that was killed
between the two finds the folder and adds the line.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path

from stablechat.cli.batch.jobs import (
    RESULT_FILE,
    RESULTS_FILE,
    BatchInput,
    Plan,
    Result,
)
from stablechat.errors import InputError

AllFacts = Mapping[str, Mapping[str, int]]

#: A larger file is no result of ours.
_MAX_RESULT_BYTES = 16 << 20


class ResultsFile:
    """A context manager that holds the open file, and a lock that ends with it.

    Args:
        out: Folder of the results; made in ``with``.

    Attributes:
        results: What the file holds, by id.

    Raises:
        InputError: It can't be read or written, holds something else, or another run
            writes it.
    """

    def __init__(self, out: Path) -> None:
        self.path = out / RESULTS_FILE
        self.results: dict[str, Result] = {}

    def __enter__(self) -> ResultsFile:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open_locked(self.path)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            self.results = self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, result: Result) -> None:
        """Add a line; it is on the disk when this returns.

        Raises:
            InputError: It can't be written, and is not there.
        """
        end = self._file.seek(0, os.SEEK_END)
        try:
            _write(self._file, _line(result))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise self._not_writable(error) from error
        self.results[result.id] = result

    def remove(self, ids: Iterable[str]) -> None:
        """Take lines out, in one step.

        Raises:
            InputError: It can't be done, and is not.
        """
        gone = set(ids) & set(self.results)
        if not gone:
            return
        kept = {name: r for name, r in self.results.items() if name not in gone}
        try:
            self._replace(kept.values())
        except OSError as error:
            raise self._not_writable(error) from error
        self.results = kept

    def _replace(self, results: Iterable[Result]) -> None:
        unfinished = self.path.with_name(f".{RESULTS_FILE}.new")
        try:
            with unfinished.open("wb") as file:
                file.writelines(map(_line, results))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        if sys.platform == "win32":
            self._file.close()  # an open file can't be replaced there
        os.replace(unfinished, self.path)
        before, self._file = self._file, _open_locked(self.path)
        before.close()

    def _read(self) -> dict[str, Result]:
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        found = {}
        for number, line in enumerate(content[:end].splitlines(), 1):
            result = _result_of(line)
            if result is None:
                raise InputError(
                    f"Line {number} of {self.path} is not the result of a batch; "
                    "choose another --out."
                )
            found[result.id] = result
        # A line that has no end was being written when its run was killed.
        self._file.truncate(end)
        return found

    def _not_writable(self, error: OSError) -> InputError:
        reason = error.strerror or error
        return InputError(f"{self.path} can't be written to ({reason}).")


def read_result(folder: Path) -> Result | None:
    """What a folder's files answer; None where it is not the folder of an answer."""
    try:
        with (folder / RESULT_FILE).open("rb") as file:
            data = json.loads(file.read(_MAX_RESULT_BYTES))
        return Result.from_dict(data["result"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InputError):
        return None


def finished_result(
    plan: Plan, asked: BatchInput, facts: Mapping[str, int] | None
) -> Result | None:
    """What an input's folder says, where it is whole and what would be written now."""
    result = read_result(plan.out / plan.folder_name(asked))
    if result is None:
        return None
    same = (result.id, result.video, result.query, result.asked)
    is_ours = same == (asked.id, asked.video, asked.query, plan.asked)
    is_ours = is_ours and facts in (None, result.facts)
    return result if is_ours and result.is_whole(plan.out) else None


def _line(result: Result) -> bytes:
    # ASCII, so that bytes in names that are no UTF-8 come back as they were.
    return json.dumps(result.to_dict(), allow_nan=False).encode() + b"\n"


def _result_of(line: bytes) -> Result | None:
    try:
        return Result.from_dict(json.loads(line))
    except (ValueError, RecursionError, InputError):
        return None


def _write(file: FileIO, data: bytes) -> None:
    """All of it, or an error: a raw file may take a part only."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _open_locked(path: Path) -> FileIO:
    while True:
        # A buffer would keep a line that did not fit, and write it at the next chance.
        file = path.open("a+b", buffering=0)
        try:
            _lock(file, path)
            file.seek(0)
            # It may have been replaced before it was locked.
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: FileIO, path: Path) -> None:
    try:
        _try_lock(file.fileno())
    except OSError as error:
        raise InputError(
            f"Another run is writing {path}; wait for its end or choose another --out."
        ) from error


def _try_lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        # Far behind the end: what is locked there can't be read by others.
        os.lseek(descriptor, 1 << 40, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sort_out(
    file: ResultsFile,
    plan: Plan,
    inputs: Iterable[BatchInput],
    facts: AllFacts,
    *,
    retry_failed: bool = False,
    overwrite: bool = False,
) -> list[BatchInput]:
    """Which inputs are still to be answered.

    A line holds while the options, and a file here, are what they were, and its files
    are there. Lines that no longer hold are taken out with their files; lines of
    folders that are whole are added.

    Args:
        file: Open.
        plan: Of this run.
        inputs: All of it.
        facts: Of files here, by address.
        retry_failed: Whether to try again what failed.
        overwrite: Whether to answer all anew.
    """
    pending = []
    stale = []
    for asked in inputs:
        known, now = file.results.get(asked.id), facts.get(asked.video)
        if known is not None and not overwrite:
            if _holds(known, asked, plan, now, retry_failed):
                continue
        if known is not None:
            stale.append(asked.id)
        pending.append(asked)
    file.remove(stale)
    if overwrite:
        for asked in pending:
            remove_answers(plan, asked)
    return [each for each in pending if not _adopt(file, plan, each, facts)]


def remove_answers(plan: Plan, asked: BatchInput) -> None:
    """Take away what an earlier run wrote about an input, whole or not."""
    shutil.rmtree(plan.out / plan.folder_name(asked), ignore_errors=True)


def _adopt(file: ResultsFile, plan: Plan, asked: BatchInput, facts: AllFacts) -> bool:
    found = finished_result(plan, asked, facts.get(asked.video))
    if found is not None:
        file.append(found)
    return found is not None


def _holds(
    known: Result,
    asked: BatchInput,
    plan: Plan,
    facts: Mapping[str, int] | None,
    retry_failed: bool,
) -> bool:
    same = (known.video, known.query, known.asked)
    if same != (asked.video, asked.query, plan.asked):
        return False
    if known.status == "failed":
        return not retry_failed
    # A video that is gone need not be answered again.
    return facts in (None, known.facts) and known.is_whole(plan.out)
