"""Requirements, make targets and the installer's messages."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = {
    *("app", "ui", "serving", "stablechat", "render"),
    *("training", "evaluation", "benchmarks"),
}

#: Where the name to import is not the name to install.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "yaml": "pyyaml",
}
#: In requirements files of their own: imported by the packages that need them only.
EXTRAS = {
    ("evaluation",): ("requirements-eval.txt", {"matplotlib", "pycocoevalcap"}),
    ("benchmarks",): ("requirements-eval.txt", {"simpy"}),
    ("training",): ("requirements-train.txt", {"peft", "pyyaml"}),
    ("ui",): ("requirements-mcp.txt", {"anyio", "mcp", "pydantic"}),
    ("stablechat",): ("requirements-ray.txt", {"pyarrow", "fsspec"}),
    ("serving", "stablechat"): ("requirements-ray.txt", {"ray"}),
    ("serving",): ("requirements-ray.txt", {"fastapi"}),
}
#: Used only where it can be imported; see requirements.txt. PyTorch brings Triton.
OPTIONAL = {"flash_attn", "bitsandbytes", "triton"}


def required(name: str) -> dict[str, str]:
    """Distribution names and version ranges of a requirements file."""
    lines = (ROOT / name).read_text().splitlines()
    parsed = (
        re.match(r"([\w.-]+)(?:\[[\w,]+\])?(\S*)\s+#\s\S", line) for line in lines
    )
    return {found[1]: found[2] for found in parsed if found}


def imported_by_call(node: ast.Call) -> set[str]:
    """What ``import_module("name")`` imports."""
    function = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if function != "import_module" or not isinstance(node.args[0], ast.Constant):
        return set()
    return {str(node.args[0].value).split(".")[0]}


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
                elif isinstance(node, ast.Call):
                    names |= imported_by_call(node)
    return names - sys.stdlib_module_names - OURS - OPTIONAL


def test_every_import_of_the_product_is_required() -> None:
    imports = third_party("app.py", *sorted(OURS - {"app"}))
    needed = {DISTRIBUTIONS.get(name, name) for name in imports}
    extras = set().union(*(names for _, names in EXTRAS.values()))
    assert needed <= set(required("requirements.txt")) | extras


@pytest.mark.parametrize("packages", sorted(EXTRAS))
def test_only_their_packages_need_their_extras(packages: tuple[str, ...]) -> None:
    file, extras = EXTRAS[packages]
    imports = third_party("app.py", *sorted(OURS - {"app", *packages}))
    assert not {DISTRIBUTIONS.get(name, name) for name in imports} & extras
    assert extras <= set(required(file))


@pytest.mark.parametrize(
    "name", ["requirements.txt", *sorted({file for file, _ in EXTRAS.values()})]
)
def test_every_requirement_has_a_floor_a_ceiling_and_a_reason(name: str) -> None:
    lines = [
        line
        for line in (ROOT / name).read_text().splitlines()
        if line and not line.startswith(("#", "-r "))
    ]
    ranges = required(name)
    assert len(ranges) == len(lines)
    for library, versions in ranges.items():
        assert re.fullmatch(r">=[\d.]+,<[\d.]+", versions), library
    assert "torchvision" not in ranges


def test_the_optional_requirements_are_bounded_too() -> None:
    ranges = required("requirements-quantized.txt")
    assert set(ranges) == {"bitsandbytes"}
    assert re.fullmatch(r">=[\d.]+,<[\d.]+", ranges["bitsandbytes"])


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


def install(
    tmp_path: Path, python: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools" / "install.sh", tmp_path / "venv", "requirements.txt"],
        env={**os.environ, "PYTHON": python, **environment},
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


#: Stands in for pip: installs itself, and does nothing when asked for more.
FAKE_PIP = """
import sys, sysconfig, zipfile
if sys.argv[-1].endswith(".whl"):
    zipfile.ZipFile(sys.argv[-1]).extractall(sysconfig.get_path("purelib"))
else:
    print("fake pip", *sys.argv[1:])
"""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Path]:
    """The page of pip on a package index, served at ``PIP_INDEX_URL``."""
    folder = tmp_path / "index" / "simple" / "pip"
    folder.mkdir(parents=True)
    served = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        (folder / "address").write_text(f"http://127.0.0.1:{server.server_port}/simple")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder
        server.shutdown()


def offer_pip(index: Path, digest: str = "") -> None:
    """Two releases and some that must not be taken."""
    links = []
    for name in ("pip-9.0-py2.py3-none-any.whl", "pip-26.1-py3-none-any.whl"):
        with zipfile.ZipFile(index / name, "w") as wheel:
            wheel.writestr("pip/__init__.py", f"taken = {name!r}")
            wheel.writestr("pip/__main__.py", FAKE_PIP)
        made = hashlib.sha256((index / name).read_bytes()).hexdigest()
        links.append(f'<a href="../pip/{name}#sha256={digest or made}">{name}</a>')
    for name, more in {
        "pip-27.0-py3-none-any.whl#sha256=0": 'data-requires-python="&gt;=3.99"',
        "pip-27.1-py3-none-any.whl#sha256=1": 'data-yanked="broken"',
        "pip-27.2b1-py3-none-any.whl#sha256=2": "",
        "pip-27.3-py3-none-any.whl": "",
        "pip-27.4.tar.gz#sha256=4": "",
    }.items():
        links.append(f'<a href="{name}" {more}>{name}</a>')
    (index / "index.html").write_text("<!DOCTYPE html>" + "<br/>".join(links))


def install_without_ensurepip(
    tmp_path: Path, index: Path
) -> subprocess.CompletedProcess[str]:
    """The installer on Debian without python3-venv, as if torch were there."""
    shadow = tmp_path / "shadow"
    (shadow / "torch-2.9.dist-info").mkdir(parents=True)
    (shadow / "torch-2.9.dist-info" / "METADATA").write_text("Version: 2.9\n")
    (shadow / "ensurepip.py").write_text("raise ImportError('not on Debian')")
    return install(
        tmp_path,
        sys.executable,
        PYTHONPATH=str(shadow),
        PIP_INDEX_URL=(index / "address").read_text(),
        no_proxy="127.0.0.1",
    )


def test_pip_is_downloaded_where_there_is_no_ensurepip(
    tmp_path: Path, index: Path
) -> None:
    offer_pip(index)
    done = install_without_ensurepip(tmp_path, index)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("fake pip")
    taken = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", "import pip; print(pip.taken)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert taken.stdout.strip() == "pip-26.1-py3-none-any.whl"


@pytest.mark.parametrize(
    ("digest", "reason"),
    [("0" * 64, "another SHA-256"), (None, "404")],
    ids=["wrong digest", "no page"],
)
def test_a_pip_that_cannot_be_trusted_is_not_installed(
    tmp_path: Path, index: Path, digest: str | None, reason: str
) -> None:
    if digest:
        offer_pip(index, digest)
    else:
        index = index.parent / "elsewhere"
        index.mkdir()
        address = (index.parent / "pip" / "address").read_text()
        (index / "address").write_text(f"{address}/elsewhere")
    done = install_without_ensurepip(tmp_path, index)
    assert done.returncode == 1
    why, what_to_do = done.stderr.splitlines()
    assert why.startswith("pip could not be downloaded: ") and reason in why
    assert what_to_do.endswith("sudo apt-get install python3-venv")
    assert not list((tmp_path / "venv").rglob("pip"))
