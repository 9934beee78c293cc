"""What descriptions are worth, and the report of a model in every world."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.demo_worlds import main
from stablechat.hub import DEMO_FOLDER
from training.demo.naming import Naming, judge, read_kinds
from training.synthetic import language
from training.synthetic.world import ACTIONS, COLORS, SHAPES

RED, BLUE = "red circle moves left", "blue square grows"
WHITE = "white ring blinks"
TRUTH = f"A {RED}, a {BLUE} and a {WHITE}."


@pytest.mark.parametrize(
    "answer, worth",
    [
        (TRUTH, (1, 1, 1)),
        (f"A {BLUE}, a {WHITE} and a {RED}.", 3 * (1,)),
        (f"A red circle moves right, a {BLUE} and a {WHITE}.", (1, 1, 2 / 3)),
        (f"A {RED}, a green square grows and a {WHITE}.", (1, 2 / 3, 2 / 3)),
        (f"A {RED} while a {BLUE}.", 3 * (2 / 3,)),
        # What is not there counts as well.
        (TRUTH[:-1] + " and a cyan star shakes.", 3 * (3 / 4,)),
        # The same thing twice is one right and one too many.
        (f"A {RED} while a {RED}.", 3 * (1 / 3,)),
        ("", (0, 0, 0)),
    ],
)
def test_a_description_is_worth_what_it_names(
    answer: str, worth: tuple[float, ...]
) -> None:
    assert judge(TRUTH, answer) == Naming(*worth)


def test_every_caption_is_read() -> None:
    for color in range(len(COLORS)):
        for shape in range(len(SHAPES)):
            for action in range(len(ACTIONS)):
                said = language.describe([language.caption(color, shape, action)])
                assert read_kinds(said) == [(color, shape, action)]


def test_the_demo_model_is_measured_and_not_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    given = ["--model", str(DEMO_FOLDER), "--seed", "5", "--count", "1"]
    given += ["--world", "plain", "--device", "cpu", "--work", str(tmp_path / "work")]
    assert main([*given, "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    values = found["worlds"]["plain"]["demo"]
    assert values["num_rows"] == 1 and values["mtiou"] > 0.5
    printed = capsys.readouterr().out
    assert "| plain | demo | " in printed
    annotated = json.loads((tmp_path / "work" / "plain" / "stvg.json").read_text())
    times = annotated[0]["meta"]["time_token"].values()
    first, last = annotated[0]["meta"]["split"]
    whole = (max(times) - min(times)) / (last - first)
    assert found["whole_video_mtiou"] == {"plain": pytest.approx(whole)}
    assert f"| plain | the whole video | {whole:.3f} | - | " in printed
    answers = tmp_path / "work" / "plain" / "answers" / "demo"
    written = {path.name: path.stat().st_mtime_ns for path in answers.iterdir()}
    assert main(given) == 0
    assert written == {path.name: path.stat().st_mtime_ns for path in answers.iterdir()}
    # Other videos in the same folder would be another benchmark.
    assert main([*given, "--seed", "6"]) == 2
    assert "choose another --work" in capsys.readouterr().err
