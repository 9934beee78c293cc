"""What the documents name exists: files, make targets and modules."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
)
PLACEHOLDER = re.compile(r"\b(?:TODO|FIXME|TBD|XXX|[A-Z]+_(?:TABLE|HERE))\b")
LINK = re.compile(r"""(?:\]\(\s*<?|\b(?:src|href)=["'])([^)\s>"']+)""")
TARGET = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)


def code(document: Path) -> list[str]:
    """Lines of code blocks and `spans`: where a command is a command, not prose."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", rest)


def test_the_documents_are_found() -> None:
    assert len(DOCUMENTS) >= 4
    readme = code(ROOT / "README.md")
    assert any(line.startswith("make app") for line in readme)
    assert any(line.startswith("python -m stablechat ") for line in readme)


@each_document
def test_no_placeholder_is_left(document: Path) -> None:
    assert not PLACEHOLDER.findall(document.read_text(encoding="utf-8"))


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    paths = [
        unquote(target.partition("#")[0])
        for target in targets
        if not re.match(r"[a-z]+:|#", target)
    ]
    assert not [path for path in paths if not (document.parent / path).exists()]


@each_document
def test_make_targets_exist(document: Path) -> None:
    known = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    named = {
        found[1]
        for line in code(document)
        if (found := re.match(r"(?:\$ )?make ([a-z][\w-]*)", line))
    }
    assert named <= known


@each_document
def test_modules_to_run_exist(document: Path) -> None:
    for line in code(document):
        for name in re.findall(r"python3? -m ([\w.]+)", line):
            spec = importlib.util.find_spec(name)
            assert spec, name
            if spec.submodule_search_locations is not None:
                assert importlib.util.find_spec(f"{name}.__main__"), name
