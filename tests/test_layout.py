"""How the repository is laid out."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 400


def test_no_file_is_too_long() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # The checkout may be owned by another user, as in a container.
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    present = [file for file in files if file.is_file()]
    assert present
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines())
        for file in present
    }
    assert not {name: n for name, n in lengths.items() if n > MOST_LINES}


def test_names_of_test_files_are_unique() -> None:
    """Pytest collects one of two files of a name, and says so only to who looks."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
