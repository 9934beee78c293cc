"""The benchmark of stages: all of them run on the demo model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from stage_answers import ANSWER

from benchmarks import stages


def test_every_stage_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "TOKENS", 3)
    monkeypatch.setattr(stages, "BASELINE_TOKENS", 3)
    monkeypatch.setattr(stages, "PROMPT_TOKENS", 300)
    recorded = tmp_path / "speculation.json"
    answer = {"task": "stvg", "token_ids": ANSWER}
    recorded.write_text(json.dumps({"answers": [answer]}))
    said: list[str] = []
    report = stages.run(torch.device("cpu"), 1, recorded, said.append)
    assert report["model"] == "demo"
    seconds = [value for key, value in report.items() if key.endswith("_seconds")]
    assert len(seconds) == 4 and all(value > 0 for value in seconds)
    # Which is the greater is for other programs on the machine to say, too.
    measured = (report, report["baseline"])
    assert all(each["seconds_per_token"] > 0 for each in measured)
    assert report["floor_seconds_per_token"] > 0
    (replay,) = report["replays"]
    assert replay["tokens"] == len(ANSWER)
    assert 1 < replay["tokens_per_pass"] < len(ANSWER)
    assert said[-1] == "replays"
