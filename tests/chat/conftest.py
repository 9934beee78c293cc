"""Fixtures of StableChat's tests: a clip, the golden model, and stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch

from stablechat import turn as turn_module
from stablechat.chat import StableChat
from stablechat.types import Generation


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures, 10 a second, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


@pytest.fixture
def chat() -> StableChat:
    return golden_files.new_chat()


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of frames of every run of the encoder, which is not run."""
    runs: list[int] = []

    def encode(model: Any, frames: Any, **_: Any) -> torch.Tensor:
        runs.append(len(frames))
        tokens = 729 if len(frames) == 1 else 1620
        return torch.zeros(tokens, 64)

    monkeypatch.setattr(turn_module, "encode_frames", encode)
    return runs


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[torch.Tensor]]:
    """Make the model say something; returns the prompts it got, as embeddings."""

    def install(text: str) -> list[torch.Tensor]:
        got: list[torch.Tensor] = []

        def generate(
            model: Any, tokenizer: Any, embeds: Any, *_: Any, **__: Any
        ) -> Any:
            got.append(embeds)
            return Generation(text, (1, 2), "stop", {"decode_seconds": 0.1})

        monkeypatch.setattr(turn_module, "generate", generate)
        return got

    return install
