"""Answers survive a restart, for their own tab, and nothing else does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_chat import FakeChat

from render.boxes import BoxStyle
from render.encoding import ClipOptions
from stablechat.correction import corrected
from stablechat.sentences import Sentence
from stablechat.types import Grounding, TimeSpan
from ui.asks import Ask
from ui.batch import Batch, answer_all, answer_one
from ui.disk import Disk
from ui.jobs import Job
from ui.keeping.folder import KeptFolder, kept_folder
from ui.keeping.store import Store
from ui.outcomes import Outcome
from ui.pipeline import Pipeline
from ui.session import KEPT_SECONDS, Sessions
from ui.tab import Session

REMARK = Sentence("The video is long: it was looked at in {count} parts.", count=3)


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator[tuple[Sessions, KeptFolder]]:
    with ExitStack() as stack:
        kept = stack.enter_context(kept_folder(folder))
        made = Sessions(kept.files, store=Store(kept), **options)
        yield stack.enter_context(made), kept


def asked(sessions: Sessions, clip: Path, key: str = "a", *lines: str) -> Session:
    """A tab with an answer to each line, and all of them as one clip."""
    session = sessions.get(key)
    session.is_page = True
    upload = sessions.root / "0a1b" / clip.name
    upload.parent.mkdir(exist_ok=True)
    session.video = Path(shutil.copy(clip, upload))
    lines = lines or ("at 0.1 to 0.6", "missing star")
    asks = tuple(Ask(upload, line, "ground", candidates=2) for line in lines)
    batch, session.asked = Batch((*asks, Ask(upload, "", "describe"))), asks
    job: Job[None] = Job(
        lambda job: answer_all(Pipeline(FakeChat()), batch, session, job)
    )
    job.start()
    assert job.join(60)
    job.result()
    session.run = batch.first
    session.save()
    return session


def plain(value: Any) -> Any:
    """Something that can be compared: arrays have no single truth."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.tolist())
    if isinstance(value, Sentence):
        return (str(value), value.template, dict(value.values))
    if isinstance(value, tuple | list):
        return tuple(plain(each) for each in value)
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return value


def state_files(kept: KeptFolder, name: str) -> list[Path]:
    return sorted(kept.state.glob(f"*/{name}"))


def test_the_same_answers_come_back(tmp_path: Path, clip: Path) -> None:
    with opened(tmp_path / "kept") as (sessions, _):
        before = asked(sessions, clip, "a", "at 0.1 to 0.6", "missing", "at 1 to 2")
        run = before.runs[0]
        assert isinstance(run.result, Outcome)
        answer = run.result.answer
        assert isinstance(answer, Grounding) and answer.tube is not None
        fixed = corrected(answer, span=TimeSpan(0.2, 0.5))
        video = replace(fixed.video, warnings=(REMARK,), mirrored=True)
        result = replace(
            run.result,
            answer=replace(
                fixed, video=video, issues=(REMARK,), confidence=np.float64(0.25)
            ),
            options=ClipOptions(style=BoxStyle(color_rgb=(1, 2, 3)), label_text="star"),
        )
        shutil.copytree(run.folder, revision := run.new_revision(), dirs_exist_ok=True)
        run.replace_result(result)
        before.save(run)
        before.style = result.options
    with opened(tmp_path / "kept") as (sessions, _):
        assert sessions.claim("b", before.secret)
        after = sessions.get("b")
        assert [r.key for r in after.runs] == ["1", "2", "3", "4", "5"]
        assert [plain(r.result) for r in after.runs] == [
            plain(r.result) for r in before.runs
        ]
        assert after.runs[0].revision == revision
        assert after.run is after.runs[-1] and after.style == before.style
        assert (after.video, after.asked) == (before.video, before.asked)
        assert after.secret == before.secret and after.new_run().key == "6"


def test_only_its_own_tab_gets_it_back(tmp_path: Path, clip: Path) -> None:
    with opened(tmp_path / "kept") as (sessions, kept):
        session = asked(sessions, clip)
        session.owner = "ada"
        session.save()
        token, secret = session.folder.name, session.secret
        written = [path.read_text() for path in kept.state.rglob("*.json")]
        assert written and not any(secret in text for text in written)
    with opened(tmp_path / "kept") as (sessions, kept):
        # Neither the folder's name, which is in addresses, nor the digest opens it.
        [state] = state_files(kept, "session.json")
        stored = json.loads(state.read_text())["secret_sha256"]
        for guess in (token, stored, "", "a" * 43):
            assert not sessions.get(guess).runs
            assert not sessions.claim("b", guess, "ada")
        for stranger in ("eve", None):
            assert not sessions.claim("b", secret, stranger)
        assert sessions.claim("b", secret, "ada")
        assert not sessions.claim("c", secret, "ada")
        # What the page serves holds no state.
        assert not set(kept.files.rglob("*")) & set(kept.state.rglob("*"))
        assert not kept.state.is_relative_to(sessions.root)


def test_programs_and_empty_tabs_are_not_kept(tmp_path: Path, clip: Path) -> None:
    with opened(tmp_path / "kept") as (sessions, kept):
        program = sessions.get("program")
        program.keep(program.new_run())
        page = sessions.get("page")
        page.is_page, page.video = True, clip
        page.save()
        assert not list(kept.state.iterdir())
    assert not list((tmp_path / "kept" / "files" / "sessions").iterdir())


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> tuple[Path, str]:
    """A folder with three answers of one tab, and the tab's secret."""
    folder = tmp_path_factory.mktemp("keeping") / "kept"
    with opened(folder) as (sessions, _):
        return folder, asked(sessions, clip).secret


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _changed(**values: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def _replaced(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))

    return change


DAMAGES: dict[str, Callable[[Path], None]] = {
    "half of it": _cut,
    "empty": lambda path: path.write_bytes(b"") and None,
    "binary": lambda path: path.write_bytes(bytes(range(256))) and None,
    "a list": lambda path: path.write_text("[1]") and None,
    "deep": lambda path: path.write_text("[" * 100_000) and None,
    "of another version": _changed(version=2),
    "without its parts": lambda path: path.write_text('{"version": 1}') and None,
    "no number": _replaced('"width": 320', '"width": "wide"'),
    "impossible": _replaced('"width": 320', '"width": -320'),
    "infinite": _replaced('"elapsed_seconds": ', '"elapsed_seconds": Infinity, "x": '),
    "a file of the system": _replaced("0a1b/kitchen.mp4", "/etc/passwd"),
    "a file outside": _replaced("0a1b/kitchen.mp4", "../stablechat.json"),
    "a file that is gone": _replaced("0a1b/kitchen.mp4", "0a1b/gone.mp4"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_an_answer_that_can_not_be_read_is_left_out(
    tmp_path: Path,
    kept_once: tuple[Path, str],
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, secret = kept_once
    moved = shutil.copytree(folder, tmp_path / "kept")
    [state] = moved.glob("state/*/run-1.json")
    damage(state)
    with opened(moved) as (sessions, _):
        assert len(caplog.records) == 1 and "left out" in caplog.text
        assert "\n" not in caplog.records[0].getMessage()
        assert sessions.claim("b", secret)
        back = sessions.get("b")
        assert [run.key for run in back.runs] == ["2", "3"]
        assert not (back.folder / "1").exists() and not state.exists()


def test_a_session_that_can_not_be_read_is_left_out(
    tmp_path: Path, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path / "kept") as (sessions, kept):
        broken, whole = asked(sessions, clip, "a"), asked(sessions, clip, "b")
    (kept.state / broken.folder.name / "session.json").write_text("{}")
    (kept.state / whole.folder.name / "form.json").write_text("{}")
    (kept.state / "notes.txt").write_text("mine")
    caplog.clear()
    with opened(tmp_path / "kept") as (sessions, _):
        assert len(caplog.records) == 3
        assert not sessions.claim("c", broken.secret)
        assert sessions.claim("c", whole.secret)
        back = sessions.get("c")
        assert len(back.runs) == 3 and back.video is None and not back.asked
        assert not broken.folder.exists()
    assert (kept.state / "notes.txt").read_text() == "mine"


def test_what_a_killed_app_left_unfinished_goes(tmp_path: Path, clip: Path) -> None:
    with opened(tmp_path / "kept") as (sessions, _):
        session = asked(sessions, clip)
        unfinished = session.new_run().folder
        (unfinished / ".1234.mp4").write_bytes(b"half")
        again = session.runs[0].new_revision()
        stranger = session.folder.parent / "stranger"
        stranger.mkdir()
    with opened(tmp_path / "kept"):
        assert not any(each.exists() for each in (unfinished, again, stranger))
        assert session.runs[0].folder.is_dir()


def test_it_waits_for_its_browser_and_then_goes(
    tmp_path: Path, kept_once: tuple[Path, str]
) -> None:
    now, folder = [1000.0], shutil.copytree(kept_once[0], tmp_path / "kept")
    with opened(folder, clock=lambda: now[0]) as (sessions, kept):
        assert sessions.claim("a", kept_once[1])
        session = sessions.get("a")
        sessions.leave("a")
        now[0] += KEPT_SECONDS - 1
        sessions.end_left()
        sessions.sweep()
        assert session.folder.is_dir() and state_files(kept, "*.json")
        now[0] += 2
        sessions.end_left()
        assert not session.folder.exists() and not list(kept.state.iterdir())


def test_time_goes_on_while_the_app_is_off(
    tmp_path: Path, kept_once: tuple[Path, str]
) -> None:
    folder = shutil.copytree(kept_once[0], tmp_path / "kept")
    [state] = folder.glob("state/*/session.json")
    _changed(used_unix=json.loads(state.read_text())["used_unix"] - KEPT_SECONDS)(state)
    with opened(folder) as (sessions, kept):
        sessions.end_left()
        assert not sessions.all() and not list(kept.state.iterdir())
        assert not list((kept.files / "sessions").iterdir())


def test_the_disk_rules_hold_for_what_came_back(tmp_path: Path, clip: Path) -> None:
    usage = (10**12, 10**12)
    with opened(tmp_path / "kept") as (sessions, kept):
        left, there = asked(sessions, clip, "a"), asked(sessions, clip, "b")
    with opened(tmp_path / "kept") as (sessions, kept):
        assert sessions.claim("c", there.secret)
        disk = Disk(sessions, 1, usage=lambda: usage)
        disk.tidy()
        assert not disk.make_room()  # What is looked at stays.
        assert not left.folder.exists()
        assert [p.name for p in kept.state.iterdir()] == [there.folder.name]
        runs = state_files(kept, "run-*.json")
        assert [path.name for path in runs] == ["run-1.json"]
        assert there.video is not None and there.video.is_file()


def test_an_answer_that_can_not_be_kept_is_still_shown(
    tmp_path: Path, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path / "kept") as (sessions, kept):
        shutil.rmtree(kept.state)
        kept.state.write_text("a file")
        assert len(asked(sessions, clip).runs) == 3
        assert "will not survive a restart" in caplog.text
        kept.state.unlink()


def test_what_happens_part_by_part_survives(tmp_path: Path, clip: Path) -> None:
    with opened(tmp_path) as (sessions, _):
        session = asked(sessions, clip)
        ask = Ask(session.asked[0].video, "", "captions", part_seconds=1.0)
        job: Job[Any] = Job(
            lambda job: answer_one(Pipeline(FakeChat()), ask, session, job)
        )
        job.start()
        assert job.join(60)
        run, outcome = job.result()
        session.run, session.asked = run, (ask,)
        session.save()
        secret, before = session.secret, plain(outcome)
    with opened(tmp_path) as (sessions, _):
        assert sessions.claim("b", secret)
        again = sessions.get("b")
        assert again.run is not None and again.asked == (ask,)
        assert plain(again.run.result) == before
