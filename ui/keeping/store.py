"""Tabs and their answers on disk: written when they change, read once at the start."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from render.encoding import ClipOptions
from render.exports.files import write_json
from stablechat.errors import RenderError, StableChatError
from ui.asks import Ask
from ui.keeping.folder import VERSION, KeptFolder
from ui.keeping.values import value_converter
from ui.outcomes import Outcome
from ui.runs import REVISION_PREFIX, Run
from ui.tab import Session
from ui.together import Together

logger = logging.getLogger(__name__)

#: A larger file is not read.
MAX_STATE_BYTES = 64 * 1024 * 1024

_SESSION, _FORM = "session.json", "form.json"
_RUN = re.compile(r"run-([1-9]\d{0,8})\.json")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")

State = TypeVar("State")


@dataclass(frozen=True)
class _SessionState:
    """Whose answers they are.

    Attributes:
        owner: Who was logged in.
        secret_sha256: See :attr:`ui.tab.Session.secret_digest`.
        used_unix: When the tab was last there, in seconds since 1970.
        shown: The answer that the page showed.
    """

    owner: str | None
    secret_sha256: bytes
    used_unix: float
    shown: str | None


@dataclass(frozen=True)
class _FormState:
    """What was in the form, and how clips are drawn."""

    video: Path | None
    asked: tuple[Ask, ...]
    style: ClipOptions


@dataclass(frozen=True)
class _RunState:
    """One answer; ``revision`` is the folder of its files."""

    revision: Path
    result: Outcome | Together


class Store:
    """What is known of the tabs of one kept folder.

    Args:
        folder: See :func:`ui.keeping.folder.kept_folder`.
    """

    def __init__(self, folder: KeptFolder) -> None:
        self.state = folder.state
        self._files = folder.files
        self._converter = value_converter(folder.files)

    def save(self, session: Session) -> None:
        """Write down whose a session is and what its page shows.

        Raises:
            StableChatError: It can't be written.
        """
        known = _SessionState(
            owner=session.owner,
            secret_sha256=session.secret_digest,
            used_unix=time.time(),
            shown=None if session.run is None else session.run.key,
        )
        form = _FormState(session.video, session.asked, session.style)
        self._write(session, _SESSION, known)
        self._write(session, _FORM, form)

    def save_run(self, session: Session, run: Run) -> None:
        """Write down an answer.

        Raises:
            StableChatError: It can't be written.
        """
        if run.result is not None:
            known = _RunState(run.revision, run.result)
            self._write(session, _run_name(run), known)

    def forget_run(self, session: Session, run: Run) -> None:
        """An answer is gone."""
        (self._place(session) / _run_name(run)).unlink(missing_ok=True)

    def forget(self, session: Session) -> None:
        """A session is gone."""
        shutil.rmtree(self._place(session), ignore_errors=True)

    def load(self, sessions_folder: Path) -> list[tuple[Session, float]]:
        """What was kept; files that belong to nothing are removed.

        Args:
            sessions_folder: Where the tabs' folders are.

        Returns:
            Every session with an answer, and how many seconds ago its tab was there.
        """
        kept = []
        for place in sorted(self.state.iterdir()):
            found = self._session(place, sessions_folder / place.name)
            if found is not None:
                kept.append(found)
        _remove_others(sessions_folder, {each.folder for each, _ in kept})
        return kept

    def _session(self, place: Path, folder: Path) -> tuple[Session, float] | None:
        if not _TOKEN.fullmatch(place.name) or not place.is_dir():
            logger.warning("%s is no state of this app and is left alone.", place.name)
            return None
        known = self._read(place / _SESSION, _SessionState)
        runs = [] if known is None else self._runs(place, folder)
        if known is None or not runs:
            _remove([place])
            return None
        session = Session(folder, known.owner, self)
        session.is_page = True
        session.secret, session.secret_digest = "", known.secret_sha256
        session.restore_runs(runs, known.shown)
        form = self._read(place / _FORM, _FormState)
        if form is not None:
            session.video, session.asked = form.video, form.asked
            session.style = form.style
        return session, max(0.0, time.time() - known.used_unix)

    def _runs(self, place: Path, folder: Path) -> list[Run]:
        numbered = [(_RUN.fullmatch(path.name), path) for path in place.iterdir()]
        known = sorted((int(name[1]), path) for name, path in numbered if name)
        runs = [self._run(path, folder / str(number)) for number, path in known]
        found = [run for run in runs if run is not None]
        if folder.is_dir():
            _remove_others(folder, {run.folder for run in found})
        return found

    def _run(self, path: Path, folder: Path) -> Run | None:
        known = self._read(path, _RunState)
        if known is None or not known.revision.is_relative_to(folder):
            path.unlink(missing_ok=True)
            return None
        run = Run(folder.name, folder)
        run.restore(known.result, known.revision)
        unfinished = set(folder.glob(f"{REVISION_PREFIX}*")) - {run.revision}
        _remove(unfinished)
        return run

    def _place(self, session: Session) -> Path:
        return self.state / session.folder.name

    def _write(self, session: Session, name: str, known: object) -> None:
        place = self._place(session)
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            data = self._converter.unstructure(known)
        except (OSError, ValueError, TypeError) as error:
            raise RenderError(
                "{name} can't be written: {reason}.", name=name, reason=error
            ) from error
        write_json(place / name, {"version": VERSION, **data})

    def _read(self, path: Path, kind: type[State]) -> State | None:
        """A file of the state; None, and a line in the log, if it is none."""
        try:
            return self._converter.structure(_json_of(path), kind)
        except (
            OSError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            RecursionError,
            StableChatError,
        ) as error:
            name = f"{path.parent.name}/{path.name}"
            logger.warning("%s can't be used and is left out: %s.", name, error)
            return None


def _json_of(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_STATE_BYTES:
        raise ValueError("it is too large")
    data = json.loads(path.read_bytes(), parse_constant=_refuse)
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ValueError("it is of another version")
    return data


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not a number")


def _run_name(run: Run) -> str:
    return f"run-{run.key}.json"


def _remove_others(folder: Path, kept: set[Path]) -> None:
    """Nothing leads to them: what was being made when the app was killed."""
    _remove(set(folder.iterdir()) - kept)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
