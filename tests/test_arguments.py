"""The order of what stands on the command line."""

from __future__ import annotations

import pytest

from stablechat.arguments import parse_arguments


@pytest.mark.parametrize(
    "line",
    [
        "ground a.mp4 query --out o --task tvg",
        "ground a.mp4 --out o query --task tvg",
        "ground --out o a.mp4 --task tvg query",
        "ground --out o --task tvg a.mp4 query",
    ],
)
def test_options_may_stand_anywhere(line: str) -> None:
    args = parse_arguments(line.split())
    assert (args.video, args.more) == ("a.mp4", ["query"])
    assert (args.out, args.task, args.command) == ("o", "tvg", "ground")


def test_other_commands() -> None:
    args = parse_arguments(
        "ground a --top 2 b --query x c --window 9 --query y".split()
    )
    assert (args.video, args.more, args.queries) == ("a", ["b", "c"], ["x", "y"])
    args = parse_arguments("batch a --out o b --query x c".split())
    assert args.inputs == ["a", "b", "c"]
    args = parse_arguments("describe a.mp4 --window 5 what?".split())
    assert (args.video, args.question, args.window) == ("a.mp4", "what?", 5)
    args = parse_arguments("clip a.mp4 --pad 1 2 b.json --out o".split())
    assert (args.grounding, args.pad) == ("b.json", [1, 2])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ground a.mp4 --out o query --colour red", "--colour"),
        ("ground a.mp4 --colour red --out o query", "--colour"),
        ("ground a.mp4 it --colour=red", "--colour=red"),
        ("probe a.mp4 -v b.mp4", "b.mp4"),
        ("describe a.mp4 -v one two", "two"),
    ],
)
def test_what_is_unknown_is_refused(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parse_arguments(line.split())
    assert left.value.code == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "unrecognized arguments" in told and said in told
