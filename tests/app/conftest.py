"""Fixtures of the app's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_chat import make_clip

from ui.session import Sessions, private_root


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of test picture with a tone."""
    return make_clip(tmp_path_factory.mktemp("clips") / "kitchen.mp4")


@pytest.fixture(scope="session")
def silent_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of another picture without sound."""
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(
        folder / "garden.mp4",
        seconds=2.0,
        size="240x240",
        sound=False,
        picture="rgbtestsrc",
    )


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    """Folders for tabs, removed afterwards."""
    with Sessions(private_root(tmp_path)) as made:
        yield made
