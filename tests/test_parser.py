"""The parser: a tagged table of answers, the released ones, and arbitrary text."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parser_cases import CASES, FULL, PLACES, ROWS, A, box, t

from stablechat.parser import MAX_TEXT_CHARACTERS, parse_answer
from stablechat.types import NUM_BINS, BoxBins, ParsedAnswer, SpanBins, Task

TASKS: tuple[Task, ...] = get_args(Task)
RELEASED_ANSWERS = Path(__file__).parent / "data" / "model_answers.jsonl"


@pytest.mark.parametrize(
    ("task", "text", "span", "boxes", "issues"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_answer(
    task: Task,
    text: str,
    span: SpanBins | None,
    boxes: dict[int, BoxBins],
    issues: tuple[str, ...],
) -> None:
    parsed = parse_answer(text, task)
    assert parsed.task == task
    assert parsed.span_bins == span
    assert dict(parsed.boxes_bins) == boxes
    assert parsed.issues == issues


@pytest.mark.parametrize(
    ("task", "text", "prose"),
    [
        ("stvg", FULL, ""),
        ("stvg", f"The dog {{{t(1)}{t(2)}}} jumps.", "The dog jumps."),
        ("stvg", " During the span of the start. ", "During the span of the start."),
        ("elc", f"Ends in {t(8)}, a dog runs. {PLACES} {ROWS}", "a dog runs"),
        ("elc", f"Ends in {t(8)}, a dog runs. Object bounding box: .", "a dog runs"),
        ("elc", f"Ends in {t(8)}, the game ends in a draw.", "the game ends in a draw"),
        ("elc", "Ends in 0.5,, a dog. Object bounding box: 0.5,:[0.1,", "a dog"),
        ("rec", f"At the left: {box(*A)}. It is red.", "At the left It is red."),
        ("svg", f"{t(4)}:{box(*A)}, <TEMP-0", ""),
        (
            "describe",
            f"A dog\trun{t(1)}s.\n\n Then  0.5 s\x00. <|im_end|>",
            "A dog run s.\n\nThen 0.5 s .",
        ),
        ("describe", "half \ud83d a pair", "half a pair"),
    ],
)
def test_prose(task: Task, text: str, prose: str) -> None:
    assert parse_answer(text, task).prose == prose


# --- the released answers -----------------------------------------------------------

_PLAIN_ROW = re.compile(
    r"<TEMP-(\d{3})>:\[<WIDTH-(\d{3})><HEIGHT-(\d{3})><WIDTH-(\d{3})><HEIGHT-(\d{3})>\]"
)


def plain_boxes(text: str) -> dict[int, BoxBins]:
    """The well-formed rows of an answer, by the plainest means."""
    boxes = {}
    for found in _PLAIN_ROW.findall(text):
        frame, x1, y1, x2, y2 = map(int, found)
        if max(frame, x1, y1, x2, y2) < NUM_BINS:
            boxes[frame] = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    return boxes


def plain_span(text: str, task: Task) -> SpanBins | None:
    if task == "stvg":
        both = re.search(r"\{<TEMP-(\d+)><TEMP-(\d+)>\}", text)
        return (int(both[1]), int(both[2])) if both else None
    if task == "elc":
        end = re.search(r"Ends in <TEMP-(\d+)>", text)
        boxes = plain_boxes(text)
        return (min(boxes, default=int(end[1])), int(end[1])) if end else None
    return None


def check_released(row: dict[str, Any], task: Task) -> None:
    as_tokens = parse_answer(row["outputs"], task)
    as_units = parse_answer(row["converted_outputs"], task)
    assert dict(as_tokens.boxes_bins) == plain_boxes(row["outputs"])
    assert as_tokens.span_bins == plain_span(row["outputs"], task)
    assert as_units.boxes_bins == as_tokens.boxes_bins
    assert as_units.span_bins == as_tokens.span_bins
    assert as_units.prose == as_tokens.prose
    if row["kind"] == "exact":
        assert as_tokens.issues == ()


def test_released_answers() -> None:
    rows = [json.loads(line) for line in RELEASED_ANSWERS.read_text().splitlines()]
    assert {(row["task"], row["kind"]) for row in rows} >= {
        (task, kind)
        for task in ("stvg", "svg", "elc")
        for kind in ("exact", "truncated", "nobox", "nospan", "garbage")
    }
    for row in rows:
        check_released(row, row["task"])


@pytest.mark.parametrize("task", ["stvg", "svg", "elc"])
def test_every_released_answer(shared_golden: Path, task: Task) -> None:
    lines = (shared_golden / "metrics" / f"{task}.jsonl").read_text().splitlines()
    assert len(lines) > 30
    for line in lines:
        row = json.loads(line)
        check_released(row, task)
        caption = row["gt"].get("caption")
        if row["kind"] == "exact" and caption is not None:
            assert parse_answer(row["outputs"], task).prose == caption


@pytest.mark.parametrize("task", ["tvg", "rec"])
def test_every_released_unit_answer(shared_golden: Path, task: Task) -> None:
    lines = (shared_golden / "metrics" / f"{task}.jsonl").read_text().splitlines()
    for line in lines:
        text = json.loads(line)["converted_outputs"]
        expected = tuple(round(float(v) * 99) for v in re.findall(r"[\d.]+", text))
        parsed = parse_answer(text, task)
        found = parsed.span_bins if task == "tvg" else parsed.boxes_bins.get(0)
        assert (found or ()) == expected


# --- any text -----------------------------------------------------------------------

FRAGMENTS = [
    *(t(0), t(7), t(99), "<TEMP-100>", "<TEMP--1>", "<TEMP-", "<WIDTH-110>"),
    *("<WIDTH-010>", "<WIDTH-090>", "<HEIGHT-020>", "<HEIGHT-080>", "<HEIGHT-x>"),
    *("<t0.087>", "<w0.352>", "<h1.5>", "0.04040", ",:", "{0.1,0.9}"),
    *("[0.1,0.2,0.3,0.4]", "[", "]", "{", "}", ":", ", ", ". ", " ", "\n"),
    *("During the span of ", "Ends in "),
    *("Object bounding box: ", "a dog", "<|im_end|>", box(*A), box(90, 90, 1, 1), FULL),
]


def assert_well_formed(parsed: ParsedAnswer) -> None:
    frames = list(parsed.boxes_bins)
    assert frames == sorted(frames)
    for x1, y1, x2, y2 in parsed.boxes_bins.values():
        assert x1 <= x2 and y1 <= y2
    assert all(re.fullmatch(r"[A-Z0-9].*\.", issue) for issue in parsed.issues)
    assert len(set(parsed.issues)) == len(parsed.issues)
    assert parsed.prose == parsed.prose.strip()
    parsed.prose.encode()  # no halves of surrogate pairs


@given(st.text(), st.sampled_from(TASKS))
def test_any_text_is_read(text: str, task: Task) -> None:
    assert_well_formed(parse_answer(text, task))


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60), st.sampled_from(TASKS))
def test_any_mix_of_fragments_is_read(fragments: list[str], task: Task) -> None:
    assert_well_formed(parse_answer("".join(fragments), task))


bins = st.integers(0, NUM_BINS - 1)
boxes_strategy = st.tuples(bins, bins, bins, bins).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
)
separators = st.sampled_from([":", ": ", " : ", "", " "])


@given(
    st.tuples(bins, bins).map(lambda pair: (min(pair), max(pair))),
    st.dictionaries(bins, boxes_strategy, min_size=1),
    separators,
    st.sampled_from([", ", ",", "\n", " ", ""]),
)
def test_what_is_written_is_read(
    span: SpanBins, boxes: dict[int, BoxBins], colon: str, comma: str
) -> None:
    rows = comma.join(
        f"{t(frame)}{colon}{box(*boxes[frame])}" for frame in sorted(boxes)
    )
    parsed = parse_answer(
        f"During the span of {{{t(span[0])}{t(span[1])}}}. {PLACES} {rows}.",
        "stvg",
    )
    assert parsed.span_bins == span
    assert parsed.boxes_bins == boxes
    assert parsed.issues == ()
    assert parsed.prose == ""


@pytest.mark.parametrize(
    "unit",
    (
        *("[", "<", "1", " ", "<t.1>", "1:[", "{0.1,0.1}", "[1,1,1,1", "[ .1 , "),
        *("<TEMP-000>", "<TEMP-", "ends in ", "object bounding box "),
        *("during the span of ", "\ud800"),
    ),
)
def test_a_megabyte_takes_no_time(unit: str) -> None:
    hostile = unit * (2**20 // len(unit))
    for task in TASKS:
        start = time.process_time()
        parsed = parse_answer(hostile, task)
        assert time.process_time() - start < 10  # minutes, were it quadratic
        assert_well_formed(parsed)
        assert parsed.issues[0].startswith("The model's answer is too long")


def test_time_grows_with_the_length_only() -> None:
    """Four times the text takes about four times the time, not sixteen."""
    seconds = []
    for size in (MAX_TEXT_CHARACTERS // 4, MAX_TEXT_CHARACTERS):
        start = time.process_time()
        parse_answer(("1:[ends in " * size)[:size], "elc")
        seconds.append(time.process_time() - start)
    assert seconds[1] < 10 * max(seconds[0], 0.01)
