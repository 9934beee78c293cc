"""Several questions about one video, without a page."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from pathlib import Path

import pytest
from fake_chat import FakeChat

from stablechat.errors import CancelledError, StableChatError
from stablechat.video import probe
from ui.asks import Ask, Mode
from ui.batch import Batch, answer_all
from ui.files import write_files
from ui.jobs import Job
from ui.outcomes import Outcome
from ui.pipeline import Pipeline
from ui.session import Sessions
from ui.tab import Session
from ui.together import Together


class Asked:
    """A batch and its job."""

    def __init__(self, chat: FakeChat, session: Session, video: Path) -> None:
        self.chat, self.session, self.video = chat, session, video

    def __call__(self, *questions: str, mode: Mode = "ground") -> Batch:
        self.batch = Batch(tuple(Ask(self.video, each, mode) for each in questions))
        self.job: Job[None] = Job(
            lambda job: answer_all(Pipeline(self.chat), self.batch, self.session, job)
        )
        self.job.start()
        assert self.job.join(60)
        self.job.result()
        return self.batch


@pytest.fixture
def session(sessions: Sessions) -> Session:
    session = sessions.get("a")
    session.is_page = True
    return session


@pytest.fixture
def ask(session: Session, sessions: Sessions, clip: Path) -> Asked:
    return Asked(FakeChat(), session, Path(shutil.copy(clip, sessions.root)))


def test_each_question_has_a_clip_and_all_together_one(
    ask: Asked, session: Session, tmp_path: Path
) -> None:
    batch = ask("at 2.0 to 2.6", "missing star", "at 0.4 to 1.0", "at 0.5 to 0.9")
    assert ask.chat.asked == [each.question for each in batch.asks]
    assert not batch.failures and len(batch.runs) == 4
    outcomes = [run.result for run in batch.runs]
    clips = [each.clip for each in outcomes if isinstance(each, Outcome) and each.clip]
    assert len({clip.path for clip in clips}) == 3
    together = batch.first and batch.first.result
    assert isinstance(together, Together) and batch.first is batch.together
    assert together.asked == 4
    # In the order of the video, whatever was asked first.
    starts = [piece.span.start_seconds for piece in together.pieces]
    assert starts == pytest.approx([0.4, 0.48, 2.0], abs=0.04)
    assert together.pieces[0].at_seconds == 0
    parts = sum(probe(clip.path).duration_seconds for clip in clips)
    lasts = probe(together.clip.path).duration_seconds
    assert lasts == pytest.approx(parts, abs=0.1)
    assert probe(together.clip.path).has_audio
    data = json.loads(together.json_path.read_text("utf-8"))
    assert [each["query"] for each in data["answers"]] == ask.chat.asked
    assert session.runs == [*batch.runs, batch.together]
    files: Job[object] = Job(lambda job: write_files(together, tmp_path / "f", job))
    files.start()
    files.join(60)
    files.result()
    [archive] = (tmp_path / "f").glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        assert sum(name.endswith(".mp4") for name in opened.namelist()) == 3


def test_one_clip_alone_is_not_joined(ask: Asked) -> None:
    batch = ask("missing star", "the red circle")
    assert batch.together is None and batch.first is batch.runs[0]
    described = ask("What?", "Who?", mode="describe")
    assert described.together is None and len(described.runs) == 2


def test_what_fails_does_not_keep_the_others_from_being_answered(
    ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = ask.chat.ground

    def sometimes(video: Path, query: str, *rest: object, **named: object) -> object:
        if query == "two":
            raise StableChatError("The model is on holiday.")
        return ground(video, query, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ask.chat, "ground", sometimes)
    batch = ask("one", "two", "three")
    assert [each.question for each, _ in batch.failures] == ["two"]
    error = batch.failures[0][1]
    assert str(error) == "The model is on holiday."
    assert error.__traceback__ is None  # Or it would keep the video in memory.
    assert len(batch.runs) == 2 and batch.together is not None
    # One question alone has nothing else to tell.
    with pytest.raises(StableChatError, match="holiday"):
        ask("two")


def test_one_model_answers_all_of_them(ask: Asked) -> None:
    pipeline, old, new = Pipeline(ask.chat), ask.chat, FakeChat()
    batch = Batch(tuple(Ask(ask.video, each, "ground") for each in ("one", "two")))
    old.stage_seconds = 0.3
    job: Job[None] = Job(lambda job: answer_all(pipeline, batch, ask.session, job))
    job.start()
    deadline = time.monotonic() + 20
    while not old.running and time.monotonic() < deadline:
        time.sleep(0.02)
    pipeline.use(new, lambda: False)
    assert (old.asked, new.asked) == (["one", "two"], [])
    assert job.join(20) and pipeline.chat is new


def test_stopped_between_keeps_what_was_answered(ask: Asked, session: Session) -> None:
    batch = Batch(tuple(Ask(ask.video, each, "ground") for each in ("one", "slow")))
    job: Job[None] = Job(
        lambda job: answer_all(Pipeline(ask.chat), batch, session, job)
    )
    job.start()
    deadline = time.monotonic() + 20
    while not (batch.runs and ask.chat.running) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (job.progress.part, job.progress.parts) == (1, 2)
    job.cancel()
    assert job.join(2)
    with pytest.raises(CancelledError):
        job.result()
    assert session.runs == batch.runs and len(batch.runs) == 1
    # Nothing is left of the one that was stopped.
    assert [path.name for path in session.folder.iterdir()] == [batch.runs[0].key]
