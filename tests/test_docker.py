"""The container files fit the project. No image is built here: there is no Docker."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

import app
from stablechat.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
FILES = ["Dockerfile", "Dockerfile.cuda"]
HEALTHCHECK = ROOT / "tools" / "healthcheck.py"

each_file = pytest.mark.parametrize("name", FILES)


def instructions(name: str) -> list[tuple[str, str]]:
    """Instructions and what stands behind them, continued lines joined."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    joined = text.replace("\\\n", " ").splitlines()
    pairs = (line.split(maxsplit=1) for line in joined if line.strip())
    return [(word, " ".join(rest.split())) for word, rest in pairs]


def values(name: str, instruction: str) -> list[str]:
    return [value for word, value in instructions(name) if word == instruction]


def copied(name: str) -> list[tuple[str, str]]:
    """Sources, relative to the repository, and where they go in ``/app``."""
    found = []
    for value in values(name, "COPY"):
        *sources, target = shlex.split(value)
        for source in sources:
            into_folder = target.endswith("/")
            found.append(
                (source, target + Path(source).name if into_folder else target)
            )
    return found


@each_file
def test_the_base_is_pinned_and_its_python_is_supported(name: str) -> None:
    (base,) = values(name, "FROM")
    version = re.fullmatch(r"python:3\.(\d+)-slim-\w+", base)
    assert version
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    floor = re.search(r'requires-python = ">=3\.(\d+)"', project)
    readme = re.search(r"Python 3\.(\d+) to 3\.(\d+)", (ROOT / "README.md").read_text())
    assert floor and readme and floor[1] == readme[1]
    assert int(readme[1]) <= int(version[1]) <= int(readme[2])


@each_file
def test_it_does_not_run_as_root(name: str) -> None:
    (user,) = values(name, "USER")
    assert user == "1000"
    words = [word for word, _ in instructions(name)]
    assert words.index("USER") < words.index("ENTRYPOINT")
    # Nothing is installed or copied as that user.
    assert not {"RUN", "COPY"} & set(words[words.index("USER") :])
    commands = " ".join(values(name, "RUN"))
    assert "--uid 1000" in commands
    # A volume takes the owner of the folder that it is put over.
    (volume,) = values(name, "VOLUME")
    assert re.search(rf"install -d -o 1000 -g 1000 [^&]*{volume}( |$)", commands)


@each_file
def test_no_version_is_written_twice(name: str) -> None:
    """Packages come from the requirements files only."""
    commands = " ".join(values(name, "RUN"))
    assert "requirements.txt" in commands
    assert not re.search(r"(torch|gradio|transformers)[=<>]=?\d", commands)
    if name == "Dockerfile.cuda":
        script = re.search(r"torch=\$\((sed .*?requirements\.txt)\)", commands)
        assert script
        done = subprocess.run(
            shlex.split(script[1]), cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert re.fullmatch(r"torch>=[\d.]+,<3", done.stdout.strip())


@each_file
def test_all_that_is_copied_is_there_and_not_ignored(name: str) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    for source, _ in copied(name):
        assert (ROOT / source).exists(), source
        top = source.split("/")[0]
        ignored = False
        for rule in rules:
            if fnmatch.fnmatch(top, rule.lstrip("!")):
                ignored = not rule.startswith("!")
        assert not ignored, source
    assert rules[0] == "*"  # also what nobody thought of, such as .git and .venv


@each_file
def test_what_is_copied_is_enough(name: str, tmp_path: Path) -> None:
    """The app's files alone can be imported, and answer."""
    for source, target in copied(name):
        place = tmp_path / target
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place)
        else:
            shutil.copy(ROOT / source, place)
    script = (
        "import app, ui.layout, ui.server, render.clipper, stablechat.cli.commands\n"
        "from stablechat import StableChat\n"
        "from stablechat.hub import DEMO_FOLDER\n"
        "assert (DEMO_FOLDER / 'config.json').is_file()\n"
        "assert ui.layout.read_examples(ui.layout.EXAMPLES_FOLDER)\n"
        "print(app.__file__)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "app.py")


@each_file
def test_the_app_takes_its_arguments(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = values(name, "ENTRYPOINT")
    program, script, *arguments = json.loads(entry)
    assert (program, script) == ("python", "app.py")
    parsed = app.parse_arguments([*arguments, "--model", "org/name"])
    monkeypatch.setenv("STABLECHAT_AUTH", "ann:secret")
    options = app.server_options(parsed)
    assert (options.host, options.port, options.open_browser) == (
        "0.0.0.0",
        7860,
        False,
    )
    assert options.auth == (("ann", "secret"),)
    monkeypatch.delenv("STABLECHAT_AUTH")
    with pytest.raises(InputError, match="STABLECHAT_AUTH"):
        app.server_options(parsed)


@each_file
def test_ports_agree(name: str) -> None:
    arguments = json.loads(values(name, "ENTRYPOINT")[0])
    port = arguments[arguments.index("--port") + 1]
    assert values(name, "EXPOSE") == [port]
    (check,) = values(name, "HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    assert command == ["python", "tools/healthcheck.py", port]
    assert ("tools/healthcheck.py", "tools/healthcheck.py") in copied(name)
    assert str(space()["app_port"]) == port


def space() -> dict[str, object]:
    """The settings of the Space."""
    text = (ROOT / "space" / "README.md").read_text(encoding="utf-8")
    _, settings, _ = text.split("---\n", 2)
    loaded: dict[str, object] = yaml.safe_load(settings)
    return loaded


def test_the_space_is_built_from_the_dockerfile() -> None:
    settings = space()
    assert settings["sdk"] == "docker"
    assert settings["license"] == "apache-2.0"
    assert len(str(settings["short_description"])) <= 60
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {settings["colorFrom"], settings["colorTo"]} <= colors


@pytest.fixture
def served_port(tmp_path: Path) -> Iterator[int]:
    """A page on this machine."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def check(port: int) -> subprocess.CompletedProcess[str]:
    proxies = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    return subprocess.run(
        [sys.executable, str(HEALTHCHECK), str(port)],
        env={**os.environ, **proxies},
        capture_output=True,
        text=True,
    )


def test_the_health_check_knows_a_page_from_none(served_port: int) -> None:
    assert check(served_port).returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    ill = check(free)
    assert ill.returncode == 1
    assert ill.stderr.count("\n") == 1 and "does not answer" in ill.stderr
