"""``fetch``: a video by its link, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import golden_files
import pytest
from cli_runs import run
from link_server import LinkServer, serving

from stablechat.errors import InputError
from stablechat.links import FetchLimits, fetching
from stablechat.video import default_limits, limits


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkServer]:
    film = golden_files.write_clip(tmp_path_factory.mktemp("film") / "f.mp4", count=10)
    with serving(film) as running:
        yield running


@pytest.fixture
def open_internet(server: LinkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server counts as being there."""
    defaults = fetching.fetch_video.__kwdefaults__
    monkeypatch.setitem(defaults, "connect", server.connect)


@pytest.mark.usefixtures("open_internet")
def test_a_film_is_fetched_and_named(
    server: LinkServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "films"
    assert run("fetch", server.url("/film/a.mp4"), "--out", out) == 0
    assert capsys.readouterr().out == f"{out / 'a.mp4'}\n"
    assert run("fetch", server.url("/film/a.mp4"), "--out", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["path"] == str(out / "a_2.mp4") and told["num_frames"] == 10


@pytest.mark.usefixtures("open_internet")
def test_limits_are_those_of_all_commands(
    server: LinkServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "_default", default_limits())  # put back at the end
    out = tmp_path / "films"
    options = ("--out", out, "--limit", "max_bytes=1000")
    assert run("fetch", server.url("/endless"), *options) == 2
    assert "more than 1,000 bytes" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ("max_duration_seconds=600", 2 << 30),
        ("max_bytes=5000", 5000),
        ("max_bytes=none", None),
    ],
)
def test_only_a_limit_of_bytes_changes_it(
    limit: str, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_default", default_limits())  # put back at the end
    asked: list[FetchLimits] = []

    def fetch(link: str, out: Path, limits: FetchLimits, **_: object) -> None:
        asked.append(limits)
        raise InputError("No.")

    monkeypatch.setattr("stablechat.links.fetch_video", fetch)
    assert run("fetch", "https://a.org/b", "--out", tmp_path, "--limit", limit) == 2
    assert asked[0].max_bytes == most


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("a.mp4", "begins with https:// or http://"),
        ("http://127.0.0.1:9000/a.mp4", "not on the open internet"),
    ],
)
def test_what_is_not_fetched(
    link: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fetch", link, "--out", tmp_path / "films") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line
    assert not (tmp_path / "films").exists()


@pytest.mark.parametrize(
    "arguments", [("ground", "{}", "it"), ("describe", "{}"), ("probe", "{}")]
)
def test_other_commands_say_how(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    link = "https://a.org/b.mp4"
    assert run(*(each.format(link) for each in arguments)) == 2
    assert "fetch it first" in capsys.readouterr().err
