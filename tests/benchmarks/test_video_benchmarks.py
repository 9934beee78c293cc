"""The video benchmarks on tiny videos: what they say, not how fast anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._reader import READERS
from benchmarks._sources import SourceSpec, make_source
from benchmarks.video_clip import ClipOptions, compare, cut_from_middle, ffmpeg_cut
from benchmarks.video_sampling import (
    FFMPEG,
    Row,
    Video,
    measure,
    read_once,
    report_on,
)
from stablechat.video import probe

SPEC = SourceSpec(320, 180, seconds=4, gop=30, kilobits=600, sound=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_source(SPEC, tmp_path_factory.mktemp("source") / "source.mp4")


@pytest.fixture(scope="module")
def video(source: Path) -> Video:
    return Video("tiny", source, SPEC.num_frames, SPEC.num_frames)


def test_both_clips_have_the_same_pictures(source: Path, tmp_path: Path) -> None:
    cut = cut_from_middle(probe(source))
    found = compare(cut, ClipOptions(label=False), 1, tmp_path)
    assert found["num_frames"] == {"ours": cut.num_frames, "ffmpeg": cut.num_frames}
    assert found["same_num_frames"] and found["ratio"] > 0


def test_the_cut_is_the_middle_half_of_a_short_video(source: Path) -> None:
    cut = cut_from_middle(probe(source))
    assert (cut.start_seconds, cut.num_frames) == (1.0, 60)
    assert cut.span.end_seconds == pytest.approx(1 + 59 / 30)


def test_ffmpeg_gets_our_settings(source: Path, tmp_path: Path) -> None:
    options = ClipOptions(preset="slow", crf=28, label=True)
    command = ffmpeg_cut(cut_from_middle(probe(source)), tmp_path / "a.mp4", options)
    said = " ".join(command)
    assert "-preset slow -crf 28 -g 60 -c:a aac -b:a 160k" in said
    assert "drawbox" in said and "drawtext" in said
    assert len((tmp_path / "a.moves").read_text().splitlines()) == 60


def test_every_reader_has_a_row(
    video: Video, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, decode = measure(video, (384,), 1, None)
    report = report_on(video, rows, decode)
    printed = capsys.readouterr().out
    assert set(rows) == {FFMPEG, *(f"{name}, 384x384" for name in READERS)}
    for name in ("ours", "opencv seek", "opencv read"):
        assert report["rows"][f"{name}, 384x384"]["right"] == 100
        assert f"{name}, 384x384" in printed
    ours = report["rows"]["ours, 384x384"]
    assert ours["peak_mebibytes"]["self"] > 10 and ours["probe_seconds"] > 0
    assert "torchcodec" in printed


def test_wrong_pictures_are_counted(source: Path) -> None:
    shifted = Video("shifted", source, SPEC.num_frames, period=50)
    found = read_once("opencv read", shifted, 0, 60, None)
    assert found["right"] < 50


def test_a_missing_library_and_a_slow_reader_say_so(
    video: Video, tmp_path: Path
) -> None:
    (tmp_path / "decord.py").write_text("raise ImportError('not here')\n")
    missing = read_once("decord", video, 384, 60, tmp_path)
    assert "not installed: pip install" in missing["note"]
    assert "stopped after" in read_once("ours", video, 384, 0.01, None)["note"]


def test_a_row_keeps_the_worst_count() -> None:
    row = Row()
    for right in (99, 100):
        row.add({"seconds": 1.0, "stages": {}, "memory": {}, "right": right})
    assert row.right == 99
    assert Row(note="not installed").as_json(1.0) == {"note": "not installed"}
