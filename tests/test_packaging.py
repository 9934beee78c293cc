"""Requirements, make targets and the installer's messages."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {"app", "ui", "stablechat", "render", "training", "evaluation", "benchmarks"}

#: Where the name to import is not the name to install.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "imageio_ffmpeg": "imageio-ffmpeg",
}
#: Used only where it can be imported; see requirements.txt.
OPTIONAL = {"flash_attn"}


def required(name: str) -> dict[str, str]:
    """Distribution names and version ranges of a requirements file."""
    lines = (ROOT / name).read_text().splitlines()
    parsed = (re.match(r"([\w.-]+)(\S*)\s+#\s\S", line) for line in lines)
    return {found[1]: found[2] for found in parsed if found}


def third_party(*folders: str) -> set[str]:
    names = set()
    for folder in folders:
        path = ROOT / folder
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names.add((node.module or "").split(".")[0])
    return names - sys.stdlib_module_names - OURS - OPTIONAL


def test_every_import_of_the_product_is_required() -> None:
    imports = third_party("app.py", *sorted(OURS - {"app"}))
    needed = {DISTRIBUTIONS.get(name, name) for name in imports}
    assert needed <= set(required("requirements.txt"))


def test_every_requirement_has_a_floor_a_ceiling_and_a_reason() -> None:
    lines = [
        line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    ranges = required("requirements.txt")
    assert len(ranges) == len(lines)
    for name, versions in ranges.items():
        assert re.fullmatch(r">=[\d.]+,<[\d.]+", versions), name
    assert "torchvision" not in ranges


def test_the_pinned_torch_is_in_the_range() -> None:
    pin = re.search(
        r"^torch==2\.(\d+)\.\d+$", (ROOT / "constraints-cpu.txt").read_text(), re.M
    )
    floor = re.fullmatch(r">=2\.(\d+),<3", required("requirements.txt")["torch"])
    assert pin and floor and int(pin[1]) >= int(floor[1])


@pytest.mark.parametrize(
    "target", ["app", "test", "lint", "test-fast", "test-gpu", "clean"]
)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target, "VENV=/nonexistent"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "/nonexistent" in done.stdout


def install(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools" / "install.sh", tmp_path / "venv", "requirements.txt"],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
    )


def fake_python(tmp_path: Path, failing: str) -> str:
    """An interpreter that fails whenever its code mentions something."""
    script = tmp_path / "python"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *"{failing}"*) exit 1;; esac\n'
        'test "$1" = --version && echo Python 3.8.10\nexit 0\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("version_info", "Python 3.8.10 is too old; StableChat needs Python 3.10"),
        ("ensurepip", "sudo apt-get install python3-venv"),
    ],
)
def test_the_installer_says_what_is_missing(
    tmp_path: Path, failing: str, message: str
) -> None:
    done = install(tmp_path, fake_python(tmp_path, failing))
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_the_installer_says_that_there_is_no_python(tmp_path: Path) -> None:
    done = install(tmp_path, "no-such-python")
    assert done.returncode == 1
    assert "no-such-python was not found" in done.stderr
    assert done.stderr.count("\n") == 1
