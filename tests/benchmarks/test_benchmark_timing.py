"""Turns, tables and reports of the benchmarks."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks._timing import machine, median, run_main, table, take_turns
from benchmarks._timing import write_report as write


@pytest.fixture(autouse=True)
def keep_the_signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_contenders_take_turns_and_the_first_run_is_not_counted() -> None:
    seen: list[str] = []
    found = take_turns(
        {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, runs=2
    )
    assert seen == ["a", "b"] * 3
    assert [len(seconds) for seconds in found.values()] == [2, 2]


def test_a_table_has_straight_columns() -> None:
    text = table(("", "s", "note"), [["ours", 1.234, None], ["a", 250.0, "x"]])
    assert text.splitlines() == [
        "         s  note",
        "----  ----  ----",
        "ours  1.23     -",
        "a      250     x",
    ]


def test_a_report_is_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    write({**machine(), "seconds": median([3, 1, 2])}, path)
    found = json.loads(path.read_text())
    assert found["seconds"] == 2 and found["threads"] >= 1
    assert {"python", "av", "ffmpeg"} <= set(found["versions"])


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_runs_the_cleaning_and_says_so(
    stop: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    cleaned = []

    def work() -> None:
        try:
            signal.raise_signal(stop)
        finally:
            cleaned.append(True)

    with pytest.raises(SystemExit) as stopped:
        run_main(work)
    assert stopped.value.code == 130 and cleaned
    assert "stopped" in capfd.readouterr().err
