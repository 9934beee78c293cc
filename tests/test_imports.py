"""The arrows of the design: which part may import which, read from the source.

A part is a package or module of this repository; the longest name that matches wins.
Imports inside functions and under TYPE_CHECKING count too: an arrow is an arrow.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = (
    *("app", "ui", "serving", "stablechat", "render"),
    *("evaluation", "training", "benchmarks"),
)

BASE = {"stablechat.types", "stablechat.errors", "stablechat.sentences"}
LIBRARY = {"stablechat"}
PRODUCT = {"stablechat", "render"}

# The loader's stages; they may share each other's names.
LOADING = (
    *("stablechat.hub", "stablechat.placement", "stablechat.quantization"),
    *("stablechat.memory", "stablechat.downloads"),
    *("stablechat.weights", "stablechat.adapters", "stablechat.loader"),
)

# How annotations are read and counted is one thing for testing and for training.
ANNOTATIONS = {"evaluation.datasets.values", "evaluation.frames"}

#: part -> what it may import of ours, besides itself.
ARROWS: dict[str, set[str]] = {
    "app": {"ui", *PRODUCT},
    "ui": PRODUCT,
    # The page on models that are elsewhere.
    "serving": {"ui", *PRODUCT},
    "render": {
        *BASE,
        *("stablechat.video", "stablechat.grounding", "stablechat.doubts"),
        *("stablechat.prompts", "stablechat.parser"),
    },
    "evaluation": PRODUCT,
    "training": {*PRODUCT, "evaluation.metrics", *ANNOTATIONS},
    # Evaluates while it trains.
    "training.finetune.evaluating": {*PRODUCT, "evaluation", "training"},
    "benchmarks": {"training", "evaluation", *PRODUCT},
    "stablechat.sentences": set(),
    "stablechat.errors": {"stablechat.sentences"},
    "stablechat.types": {"stablechat.errors"},
    "stablechat.prompts": BASE,
    "stablechat.marks": BASE,
    "stablechat.remarks": set(),
    "stablechat.parser": {*BASE, "stablechat.marks", "stablechat.remarks"},
    "stablechat.refinement": BASE,
    "stablechat.confidence": {*BASE, "stablechat.refinement"},
    "stablechat.candidates": BASE,
    "stablechat.grounding": {
        *BASE,
        *("stablechat.refinement", "stablechat.confidence", "stablechat.remarks"),
    },
    "stablechat.doubts": {*BASE, "stablechat.remarks"},
    "stablechat.demo_words": set(),
    "stablechat.indices": BASE,
    "stablechat.times": BASE,
    "stablechat.correction": BASE,
    "stablechat.video": {*BASE, "stablechat.indices"},
    "stablechat.model": BASE,
    "stablechat.generation": {*BASE, "stablechat.last_row", "stablechat.model"},
    "stablechat.last_row": BASE,
    **{stage: {*BASE, *LOADING, "stablechat.model"} for stage in LOADING},
    # The command line draws and cuts as well: it is a program, not the library.
    "stablechat.cli": PRODUCT,
    "stablechat.__main__": {"stablechat.cli"},
    # All else is a stage of chat.py, which puts the library together.
    "stablechat": LIBRARY,
}

#: library -> the only places that may import it.
HOMES: dict[str, set[str]] = {
    "moviepy": {"render.clipper"},
    "gradio": {"app", "ui", "serving.page"},
    "av": {"stablechat.video", "render", "training", "evaluation", "benchmarks"},
    "bitsandbytes": {"stablechat.quantization"},
    "ray": {"stablechat.cli.batch.ray_engine", "serving"},
    "pyarrow": {"stablechat.cli.batch.manifests"},
    "fsspec": {"stablechat.cli.batch.storage"},
    "torch": {"stablechat", "training", "benchmarks"},
    "matplotlib": {"evaluation.figures"},
    "simpy": {"benchmarks.capacity.simulate"},
    "cv2": {"render", "training", "evaluation", "benchmarks"},
}

#: These read text and do sums: numpy is all that they may need.
LIGHT = (
    *("sentences", "errors", "types", "prompts", "marks", "remarks", "parser"),
    *("refinement", "confidence", "grounding", "last_row", "indices", "times"),
    *("correction", "doubts", "demo_words"),
)


def module_files() -> dict[str, Path]:
    files = {}
    for top in TOP_LEVEL:
        for path in [ROOT / f"{top}.py", *sorted((ROOT / top).rglob("*.py"))]:
            if path.is_file():
                parts = path.relative_to(ROOT).with_suffix("").parts
                files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


MODULES = module_files()


def imported(module: str) -> Iterator[str]:
    """Every module named in a module's import statements, in full."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""] if node.level else [])
            base = (base or node.module or "").strip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


def within(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def part_of(module: str) -> str:
    parts = [part for part in ARROWS if within(module, part)]
    return max(parts, key=len)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_point_one_way(module: str) -> None:
    part = part_of(module)
    allowed = ARROWS[part] | {part}
    wrong = {
        name
        for name in imported(module)
        if name.split(".")[0] in TOP_LEVEL
        and not any(within(name, target) for target in allowed)
    }
    assert not wrong, f"{module} may not import {sorted(wrong)}"


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_stays_in_its_place(library: str) -> None:
    strays = {
        module
        for module in MODULES
        if any(within(name, library) for name in imported(module))
        and not any(within(module, home) for home in HOMES[library])
    }
    assert not strays, f"{library} is imported by {sorted(strays)}"


def test_videos_are_read_without_torch() -> None:
    for module in MODULES:
        if within(module, "stablechat.video"):
            assert not any(within(name, "torch") for name in imported(module))


@pytest.mark.parametrize("name", LIGHT)
def test_light_parts_need_numpy_only(name: str) -> None:
    foreign = {
        top
        for top in (used.split(".")[0] for used in imported(f"stablechat.{name}"))
        if top not in sys.stdlib_module_names and top != "stablechat"
    }
    assert foreign <= {"numpy"}


@pytest.mark.parametrize("name", ["parser", "grounding", "prompts", "types"])
def test_importing_a_light_part_loads_nothing_heavy(name: str) -> None:
    heavy = ("torch", "transformers", "cv2", "gradio", "av", "moviepy", "PIL")
    script = (
        f"import sys, stablechat, stablechat.{name}\n"
        f"print(*[m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_the_public_names_resolve() -> None:
    import stablechat

    for name in stablechat.__all__:
        if name != "StableChat":  # loads torch
            assert getattr(stablechat, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = stablechat.Nothing
