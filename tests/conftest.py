"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# A busy machine is not a failure, and CI must not fail on a case nobody can repeat.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

#: Laid beside the repository on the project's machines; not part of it.
SHARED = ROOT.parent / "shared"


def _shared_folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs {folder}, which is not on this machine")
    return folder


@pytest.fixture(scope="session")
def shared_videos() -> Path:
    """Real clips with their truth in ``manifest.json``, and the nasty-clip maker."""
    return _shared_folder("videos")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """What the published LLaVA-ST code computed."""
    return _shared_folder("reference/golden")
