"""Cases: tags by hand, choice, and what is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import av
import golden_files
import numpy as np
import numpy.typing as npt
import pytest
from eval_samples import mixed_rows, square_row

from evaluation.cases.case import Case, choose_cases, count_tags, make_cases
from evaluation.cases.drawing import contact_sheet, write_video
from evaluation.cases.scene import ANSWER_RGB, TRUTH_RGB, CaseScene
from evaluation.cases.tags import TAGS, _tags_of_boxes
from evaluation.cases.writing import write_cases
from evaluation.rows import check_row
from stablechat.errors import InputError
from stablechat.types import TimeSpan

Picture = npt.NDArray[np.uint8]


def cases() -> list[Case]:
    return make_cases([check_row(raw, "stvg") for raw in mixed_rows()], "stvg")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    golden_files.write_clip(folder / "square.mp4")
    return folder


# --- tags -----------------------------------------------------------------------


def test_tags_of_whole_rows() -> None:
    assert [case.tags for case in cases()] == [
        (),
        ("wrong time",),
        ("wrong object",),
        ("drift",),
        ("identity switch",),
        ("no answer",),
        ("truncated",),
        ("no video",),
    ]
    assert list(count_tags(cases())) == list(TAGS)
    assert set(count_tags(cases()).values()) == {1}


@pytest.mark.parametrize(
    ("ious", "tags"),
    [
        ([], []),
        ([0.9] * 9, []),
        ([0.0, 0.09, 0.05], ["wrong object"]),
        ([0.0, 0.2, 0.0, 0.2], []),
        ([0.8, 0.8, 0.8, 0.0, 0.0, 0.0], ["identity switch"]),
        ([0.8, 0.8, 0.4, 0.0, 0.0, 0.0], ["identity switch"]),
        ([0.8, 0.8, 0.4, 0.3, 0.0, 0.0, 0.0], ["drift"]),
        ([0.8, 0.0, 0.0, 0.8, 0.8, 0.8], []),  # away for two frames only
        ([0.8, 0.7, 0.6, 0.4, 0.3, 0.3], []),
        ([0.8, 0.0], []),  # too short to tell
    ],
)
def test_tags_of_boxes(ious: list[float], tags: list[str]) -> None:
    assert _tags_of_boxes(np.array(ious, np.float64)) == tags


# --- choice ---------------------------------------------------------------------


def test_the_best_and_the_worst() -> None:
    chosen = choose_cases(cases(), [4], best=2, worst=2)
    # Row 7 has no video to draw on; rows that are equally bad keep their order.
    assert [case.row.index for case in chosen] == [4, 0, 6, 5, 2]
    assert len(choose_cases(cases(), [], best=99, worst=99)) == 7


def test_a_row_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no row 99"):
        choose_cases(cases(), [99], 0, 0)


def test_rows_that_cannot_be_drawn() -> None:
    raw = square_row(0)
    del raw["index"]
    with pytest.raises(InputError, match="the rows of a run"):
        make_cases([check_row(raw, "stvg")], "stvg")
    with pytest.raises(InputError, match="not tvg"):
        make_cases([], "tvg")


# --- drawing --------------------------------------------------------------------


def near(picture: Picture, color: tuple[int, int, int], tolerance: int = 40) -> int:
    """How many pixels are about of a colour."""
    difference = np.abs(picture.astype(int) - np.array(color)).max(axis=-1)
    return int((difference < tolerance).sum())


def scene(videos: Path, index: int) -> CaseScene:
    return CaseScene(cases()[index], videos)


def test_a_picture_has_both_boxes(videos: Path) -> None:
    """Row 2: the truth on the square, the answer 26 pixels below it."""
    (picture,) = scene(videos, 2).pictures([1.5], 96)
    assert picture.shape == (64, 96, 3)
    assert near(picture[14:42], TRUTH_RGB) > 20
    assert near(picture[46:], ANSWER_RGB) > 20
    assert near(picture[46:], TRUTH_RGB) == 0


def test_before_the_event_there_is_none(videos: Path) -> None:
    (picture,) = scene(videos, 2).pictures([0.2], 96)
    assert near(picture, TRUTH_RGB) == 0


def test_an_event_that_begins_between_two_boxes(videos: Path) -> None:
    """Boxes stand on the pictures that the model sees; here on every third one."""
    raw = square_row(0, span=(7, 22))
    boxes = raw["gt"]["svg"]
    raw["gt"]["svg"] = {f: box for f, box in boxes.items() if int(f) % 3 == 0}
    (case,) = make_cases([check_row(raw, "stvg")], "stvg")
    drawn = CaseScene(case, videos)
    drawn.clip = TimeSpan(0.0, 29.7)  # a bin lasts 0.3 seconds, as in a longer video
    (picture,) = drawn.pictures([0.7], 96)
    assert near(picture, TRUTH_RGB) > 20


def test_times(videos: Path) -> None:
    drawn = scene(videos, 1)  # the event on frames 6 to 24, the answer on 20 to 29
    assert drawn.clip.start_seconds == 0.0
    assert drawn.clip.end_seconds == pytest.approx(2.9)
    assert drawn.event.start_seconds == pytest.approx(0.6, abs=0.03)
    assert drawn.event.end_seconds == pytest.approx(2.9, abs=0.03)


def test_bars_show_both_spans_and_the_moment(videos: Path) -> None:
    bars = scene(videos, 1).bars(400)
    picture = bars.picture(1.45)
    top, bottom = np.split(picture, 2)
    assert near(top, TRUTH_RGB) > 500 and near(top, ANSWER_RGB) == 0
    assert near(bottom, ANSWER_RGB) > 500 and near(bottom, TRUTH_RGB) == 0
    moved = np.abs(picture.astype(int) - bars.picture(2.9)).max(axis=(0, 2))
    assert 2 <= (moved > 100).sum() <= 8


@pytest.mark.parametrize("index", range(7))
def test_a_contact_sheet_of_each_kind(videos: Path, index: int) -> None:
    sheet = contact_sheet(scene(videos, index))
    assert sheet.dtype == np.uint8 and sheet.shape[1] > 4 * 170
    assert near(sheet, TRUTH_RGB) > 300


def test_a_video(videos: Path, tmp_path: Path) -> None:
    drawn = scene(videos, 2)
    write_video(drawn, tmp_path / "case.mp4")
    with av.open(str(tmp_path / "case.mp4")) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        rate = float(container.streams.video[0].average_rate or 0)
    assert len(frames) / rate == pytest.approx(drawn.clip.duration_seconds, abs=0.1)
    assert near(frames[len(frames) // 2][30:-60], TRUTH_RGB, 90) > 20
    assert list(tmp_path.iterdir()) == [tmp_path / "case.mp4"]


def test_files_and_what_could_not_be_drawn(videos: Path, tmp_path: Path) -> None:
    chosen = [cases()[3], cases()[7]]
    told = write_cases(chosen, videos, tmp_path / "new", {"num_rows": 8}, False)
    assert len(told) == 1 and told[0].startswith("row 7: There is no file gone.mp4")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["cases.json", "row_00003.jpg"]
    data = json.loads((tmp_path / "new" / "cases.json").read_text())
    assert data["num_rows"] == 8 and data["cases"][0]["tags"] == ["drift"]
