"""Captions: equal to the published numbers, or a plain word why not."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from eval_samples import GOLDEN_METRICS

from evaluation import captions
from evaluation.captions import CaptionsUnavailableError, caption_metrics
from evaluation.predictions import Reading
from evaluation.rows import ResultRow, read_result_rows

needs_java = pytest.mark.skipif(
    shutil.which("java") is None, reason="needs Java (default-jre-headless)"
)


def golden_rows() -> list[ResultRow]:
    return read_result_rows(GOLDEN_METRICS / "elc.jsonl", "elc")


def published() -> dict[str, float]:
    expected = json.loads((GOLDEN_METRICS / "expected.json").read_text())
    scores = expected["elc"]["overall"]["caption_score"]
    return {key: v[-1] if isinstance(v, list) else v for key, v in scores.items()}


@needs_java
def test_released_equals_the_published_code() -> None:
    rows = golden_rows()
    missing = replace(rows[0], outputs="", missing=True)
    assert caption_metrics([*rows, missing], "released") == published()


@pytest.mark.parametrize(("reading", "count"), [("strict", 34), ("released", 33)])
def test_answers_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, reading: Reading, count: int
) -> None:
    """Strict counts them as empty captions, released leaves them out."""
    scored: list[tuple[list[str], list[str]]] = []

    def listen(truths: list[str], answers: list[str]) -> dict[str, float]:
        scored.append((truths, answers))
        return {"METEOR": 0.12345}

    monkeypatch.setattr(captions, "check_available", lambda: None)
    monkeypatch.setattr(captions, "_score", listen)
    rows = golden_rows()
    lost = [replace(rows[0], outputs="", missing=True), *rows[1:]]
    found = caption_metrics(lost, reading)
    ((truths, answers),) = scored
    assert len(truths) == len(answers) == count
    assert (answers[0] == "") is (reading == "strict")
    assert found == {"METEOR": 0.12345 if reading == "strict" else 0.123}


def test_what_each_reads() -> None:
    row = replace(golden_rows()[0], outputs="Ends in <TEMP-058>, a cat, asleep. <x>")
    assert captions._released_caption(row) == " asleep"
    assert captions._strict_caption(row).startswith("a cat, asleep")


def test_without_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CaptionsUnavailableError, match="sudo apt-get install default-"):
        caption_metrics(golden_rows(), "released")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CaptionsUnavailableError, match=r"requirements-eval\.txt"):
        caption_metrics(golden_rows(), "released")


def test_a_java_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(CaptionsUnavailableError, match="Java programs"):
        caption_metrics(golden_rows(), "strict")
