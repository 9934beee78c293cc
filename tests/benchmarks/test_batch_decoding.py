"""The benchmark of batches: every point of the curve, on the demo model."""

from __future__ import annotations

import json

import pytest
import torch
from stage_answers import ANSWER

from benchmarks import batch_decoding, stages


def test_every_number_of_seats_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stages, batch_decoding):
        monkeypatch.setattr(module, "TOKENS", 3)
        monkeypatch.setattr(module, "PROMPT_TOKENS", 300)
    monkeypatch.setattr(batch_decoding, "SIZES", (1, 4))
    said: list[str] = []
    answers = [{"task": "stvg", "token_ids": ANSWER}]
    report = batch_decoding.run(torch.device("cpu"), answers, (1, 2), said.append)
    json.dumps(report, allow_nan=False)
    assert report["model"] == "demo" and said[-2:] == ["2 seats", "passes by size"]
    assert report["alone"]["rows_ahead"]["answers_per_second"] > 0
    one, two = report["seats"]
    assert (one["seats"], two["seats"]) == (1, 2)
    assert two["floor_seconds_per_pass"] > one["floor_seconds_per_pass"] > 0
    assert two["rows_ahead"]["tokens"] == 2 * one["rows_ahead"]["tokens"]
    assert one["rows_ahead"]["passes"] < len(ANSWER)
    assert list(report["seconds_by_tokens_of_8_seats"]) == ["8", "32"]
