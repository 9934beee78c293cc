"""The command line in this process, with a model that says what a test wants."""

from __future__ import annotations

from pathlib import Path

import golden_files
import pytest
import torch

from stablechat import __main__ as cli
from stablechat import turn as turn_module
from stablechat.types import Generation

MODEL = str(golden_files.CHECKPOINT)
BOX = "[<WIDTH-010><HEIGHT-010><WIDTH-050><HEIGHT-060>]"
ANSWER = (
    "During the span of {<TEMP-030><TEMP-060>}. Object bounding box: "
    f"<TEMP-030>:{BOX}, <TEMP-045>:{BOX}, <TEMP-060>:{BOX}"
)


def let_model_say(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let the model answer without computing anything."""
    said = Generation(text, (1,), "stop", {"decode_seconds": 0.5})
    visual = torch.zeros(1620, 64)
    monkeypatch.setattr(turn_module, "encode_frames", lambda *_, **__: visual)
    monkeypatch.setattr(turn_module, "generate", lambda *_, **__: said)


def run(*arguments: str | Path) -> int:
    """Run a command; returns the exit code."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as left:
        return int(left.code or 0)
