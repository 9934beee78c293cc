"""Drawing and cutting use what stablechat.video makes public, nothing private."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import render
from stablechat import video

FILES = sorted(Path(render.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_private_module_of_the_library_is_used(path: Path) -> None:
    private = re.findall(r"stablechat[\w.]*\._\w+", path.read_text(encoding="utf-8"))
    assert not private


@pytest.mark.parametrize("name", video.__all__)
def test_the_public_names_of_video_resolve(name: str) -> None:
    assert getattr(video, name).__name__ == name
