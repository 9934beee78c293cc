"""Several exports at once: names, the ZIP, and nothing half-done."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from exports_answers import QUERY, answer, source
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from render import exports
from render.exports import FORMATS, export_answers, formats_named
from render.exports.archive import write_zip
from render.exports.registry import ZIP
from render.exports.words import cell, plain_line, safe_stem
from stablechat.errors import CancelledError, InputError, RenderError
from stablechat.types import Grounding, TimeSpan


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source(tmp_path_factory.mktemp("source"))


def test_formats_by_name() -> None:
    assert [each.name for each in formats_named(" VTT, srt,")] == ["srt", "vtt"]
    assert formats_named("srt,all") == FORMATS
    for names in ("", " , ", "srt,paper"):
        with pytest.raises(InputError, match=r"There is no export .*use mp4, png"):
            formats_named(names)


def test_names_keys_and_endings_are_unique() -> None:
    for values in zip(*((f.name, f.key, f.ending) for f in FORMATS), strict=True):
        assert len(set(values)) == len(FORMATS)


def test_all_of_them(video: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    done = export_answers(
        answer(video), tmp_path, formats_named("all"), on_progress=seen.append
    )
    assert not done.left_out and set(done.files) == {each.key for each in FORMATS}
    assert sorted(os.listdir(tmp_path)) == sorted(p.name for p in done.files.values())
    assert seen == sorted(seen) and seen[-1] == 1
    data = json.loads(done.files["grounding"].read_text(encoding="utf-8"))
    assert data["files"] == {key: str(path) for key, path in done.files.items()}


def test_the_zip_holds_the_others(video: Path, tmp_path: Path) -> None:
    done = export_answers(answer(video), tmp_path, (ZIP,))
    assert os.listdir(tmp_path) == ["影片 (1)_results.zip"]
    with zipfile.ZipFile(done.files["zip"]) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        data = json.loads(archive.read("影片_1_grounding.json"))
        assert archive.getinfo("影片_1_clip.mp4").compress_type == zipfile.ZIP_STORED
    assert names == sorted(f"影片_1{f.ending}" for f in FORMATS if f is not ZIP)
    assert set(data["files"].values()) == set(names)
    # Nothing tells where it was made.
    assert data["video"]["path"] == "影片 (1).mp4"


def test_the_zip_is_the_same_twice(video: Path, tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        done = export_answers(answer(video), tmp_path / name, (ZIP,))
        with zipfile.ZipFile(done.files["zip"]) as archive:
            # The encoder may use its threads differently.
            contents.append(
                {n: archive.read(n) for n in archive.namelist() if n[-4:] != ".mp4"}
            )
    assert contents[0] == contents[1]
    members: dict[str, Path | bytes] = {"b.txt": b"2" * 9999, "a.png": b"1"}
    for name in ("1.zip", "2.zip"):
        write_zip(tmp_path / name, members)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


@pytest.mark.parametrize("name", ["", "../a", "a/b", "a\\b", "C:a", ".hidden", "a\0"])
def test_a_path_is_no_member(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        write_zip(tmp_path / "a.zip", {name: b""})


@given(st.text(max_size=200))
def test_any_name_makes_a_safe_one(name: str) -> None:
    stem = safe_stem(name)
    assert stem and not set(stem) & set('/\\:.*?"<>| \n\0')
    assert len(stem) <= 60


@given(st.text(max_size=80))
def test_any_text_is_one_cell(text: str) -> None:
    found = cell(text)
    assert not found.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert len(found.splitlines()) <= 1
    assert found.removeprefix("'") == plain_line(text).removeprefix("'")


def test_several_answers(video: Path, tmp_path: Path) -> None:
    answers = [
        answer(video),
        answer(video, "nothing", span=None),
        answer(video, "more", span=TimeSpan(0.2, 0.6)),
    ]
    done = export_answers(answers, tmp_path, formats_named("mp4,json,srt"))
    assert {key: path.name for key, path in done.files.items()} == {
        "clip": "影片 (1)_1_clip.mp4",
        "clip_3": "影片 (1)_3_clip.mp4",
        "srt": "影片 (1)_moments.srt",
        "grounding": "影片 (1)_1_grounding.json",
        "grounding_2": "影片 (1)_2_grounding.json",
        "grounding_3": "影片 (1)_3_grounding.json",
    }


def test_answers_about_several_videos(video: Path, tmp_path: Path) -> None:
    one = answer(video)
    other = replace(one, video=replace(one.video, path=tmp_path / "b.mp4"))
    for answers in ([one, other], []):
        with pytest.raises(InputError, match="one video"):
            export_answers(answers, tmp_path, formats_named("srt"))


def test_a_still_image(tmp_path: Path) -> None:
    from stablechat.pictures import read_image

    Image.new("RGB", (160, 120)).save(tmp_path / "photo.png")
    boxed = answer(source(tmp_path), task="rec")
    found = Grounding(
        read_image(tmp_path / "photo.png").video, QUERY, "rec", None, boxed.tube, "",
        None, boxed.generation,
    )  # fmt: skip
    done = export_answers(found, tmp_path, formats_named("all"))
    assert set(done.files) == {"csv", "boxes", "coco", "grounding", "zip"}
    assert set(done.left_out.values()) == {"a still image has no time"}


@pytest.mark.parametrize("blocked", ["moments.srt", "grounding.json"])
def test_all_or_nothing(video: Path, tmp_path: Path, blocked: str) -> None:
    (tmp_path / f"影片 (1)_{blocked}").mkdir()
    before = os.listdir(tmp_path)
    with pytest.raises(RenderError, match="can't be written"):
        export_answers(answer(video), tmp_path, formats_named("csv,srt,json"))
    assert os.listdir(tmp_path) == before


def test_stopped_between_formats(video: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(CancelledError):
        export_answers(
            answer(video), tmp_path, formats_named("csv,srt,vtt"), cancelled=cancelled
        )
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_not_there(video: Path, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="can't be written"):
        export_answers(answer(video), tmp_path / "none", formats_named("srt"))


def test_the_package_brings_no_moviepy() -> None:
    assert not hasattr(exports, "cut_clip")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("kitchen.mp4", "kitchen"),
        ("My kitchen (2).MP4", "My_kitchen_2"),
        ("../../etc/passwd.mp4", "passwd"),
        ("..\\..\\boot.ini", "boot"),
        ("厨房 视频.mov", "厨房_视频"),
        ("-rf.mp4", "rf"),  # not an option
        ("....mp4", "video"),
        ("'; rm -rf $HOME;'.mp4", "rm_-rf_HOME"),
        ("a\nb\x00c.mp4", "a_b_c"),
        ("", "video"),
        ("x" * 300 + ".mp4", "x" * 60),
    ],
)
def test_download_names_are_tame(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


def test_a_finished_clip_is_not_cut_once_more(video: Path, tmp_path: Path) -> None:
    finished = tmp_path / "finished.mp4"
    finished.write_bytes(b"finished")
    done = export_answers(
        answer(video), tmp_path, formats_named("mp4,zip"), clips=[finished]
    )
    assert done.files["clip"].read_bytes() == b"finished"
    with zipfile.ZipFile(done.files["zip"]) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".mp4")]
        assert archive.read(name) == b"finished"
    # Of several answers each has its own.
    both = [answer(video), answer(video, "it")]
    done = export_answers(both, tmp_path, formats_named("mp4"), clips=[None, finished])
    assert done.files["clip"].read_bytes() != b"finished"
    assert done.files["clip_2"].read_bytes() == b"finished"
    with pytest.raises(InputError, match="2 answers"):
        export_answers(both, tmp_path, formats_named("mp4"), clips=[finished])
