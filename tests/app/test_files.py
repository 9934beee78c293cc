"""The files of an answer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from fake_chat import FakeChat

from render.encoding import ClipOptions
from render.exports import FORMATS
from stablechat.correction import corrected
from stablechat.errors import CancelledError, InputError
from stablechat.types import Grounding, TimeSpan
from stablechat.video import probe
from ui.asks import Ask, Mode
from ui.files import ResultFiles, write_files
from ui.jobs import Job
from ui.outcomes import Outcome
from ui.pipeline import Pipeline


def run(clip: Path, folder: Path, question: str, mode: Mode = "ground") -> Outcome:
    ask = Ask(clip, question, mode)
    job: Job[Outcome] = Job(lambda job: Pipeline(FakeChat()).run(ask, folder, job))
    job.start()
    job.join(60)
    return job.result()


def write(outcome: Outcome, folder: Path) -> ResultFiles:
    job: Job[ResultFiles] = Job(lambda job: write_files(outcome, folder, job))
    job.start()
    job.join(60)
    return job.result()


def test_every_format_is_there_and_the_clip_is_not_cut_once_more(
    clip: Path, tmp_path: Path
) -> None:
    outcome = run(clip, tmp_path, "the star")
    made = write(outcome, tmp_path / "files")
    assert [file.format for file in made.files[:3]] == ["zip", "mp4", "json"]
    assert {file.format for file in made.files} == {each.name for each in FORMATS}
    assert not made.left_out
    paths = {file.format: file.path for file in made.files}
    assert outcome.clip is not None
    assert (paths["mp4"], paths["json"]) == (outcome.clip.path, outcome.json_path)
    assert not list((tmp_path / "files").glob("*.mp4"))
    for file in made.files:
        assert file.size_bytes == file.path.stat().st_size > 0
    with zipfile.ZipFile(paths["zip"]) as archive:
        assert len(archive.namelist()) == len(FORMATS) - 1
        [name] = [name for name in archive.namelist() if name.endswith(".mp4")]
        assert archive.read(name) == outcome.clip.path.read_bytes()


def test_what_was_chosen_and_corrected_is_in_the_files(
    clip: Path, tmp_path: Path
) -> None:
    first = run(clip, tmp_path, "the star")
    assert isinstance(first.answer, Grounding)
    better = corrected(first.answer, TimeSpan(0.5, 2.0))
    options = ClipOptions(pad_after_seconds=0.5)
    folder = tmp_path / "again"
    folder.mkdir()
    job: Job[Outcome] = Job(
        lambda job: Pipeline(FakeChat()).redraw(first, better, options, folder, job)
    )
    job.start()
    job.join(60)
    made = write(job.result(), folder / "files")
    with zipfile.ZipFile(made.files[0].path) as archive:
        names = {Path(name).suffix: name for name in archive.namelist()}
        archive.extract(names[".mp4"], tmp_path)
        [data] = [n for n in archive.namelist() if n.endswith("_grounding.json")]
        answer = json.loads(archive.read(data))
    assert answer["corrected_by_hand"] is True
    assert answer["span"]["start_seconds"] == 0.5
    length = probe(tmp_path / names[".mp4"]).duration_seconds
    assert length == pytest.approx(2.0, abs=0.1)


def test_where_nothing_was_found_the_reasons_are_told(
    clip: Path, tmp_path: Path
) -> None:
    made = write(run(clip, tmp_path, "missing star"), tmp_path / "files")
    assert set(made.left_out) == {"mp4", "png", "st-align"}
    assert made.left_out["mp4"] == "nothing was found"
    assert {"zip", "json", "csv", "srt"} <= {file.format for file in made.files}


def test_a_description_has_no_other_formats(clip: Path, tmp_path: Path) -> None:
    outcome = run(clip, tmp_path, "", "describe")
    with pytest.raises(InputError):
        write(outcome, tmp_path / "files")


def test_stopped_it_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    outcome = run(clip, tmp_path, "the star")
    job: Job[ResultFiles] = Job(
        lambda job: write_files(outcome, tmp_path / "files", job)
    )
    job.cancel()
    with pytest.raises(CancelledError):
        write_files(outcome, tmp_path / "files", job)
    assert not list((tmp_path / "files").iterdir())
