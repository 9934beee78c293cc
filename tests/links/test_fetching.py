"""Fetching a film: whole, or nothing of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import golden_files
import pytest
from link_server import LinkServer, serving

from stablechat.errors import (
    CancelledError,
    InputError,
    LimitError,
    StableChatError,
    StorageError,
    VideoError,
)
from stablechat.links import FetchLimits, fetch_video
from stablechat.links.network import CheckedNetwork


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinkServer]:
    film = golden_files.write_clip(tmp_path_factory.mktemp("film") / "f.mp4", count=10)
    with serving(film) as running:
        yield running


def fetch(server: LinkServer, path: str, folder: Path, **options: Any) -> Path:
    limits = options.pop("limits", None)
    return fetch_video(
        server.url(path), folder, limits, connect=server.connect, **options
    ).path


def test_a_film_comes_whole(server: LinkServer, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    fetched = fetch_video(
        server.url("/film/a/summer%20day.mp4?x=1"),
        tmp_path,
        connect=server.connect,
        on_progress=lambda *each: told.append(each),
    )
    assert fetched.path == tmp_path / "summer day.mp4" == fetched.video.path
    assert fetched.path.read_bytes() == server.film
    assert fetched.video.num_frames == 10
    assert told[-1] == (len(server.film), len(server.film))
    path, headers = server.asked[-1]
    assert path == "/film/a/summer%20day.mp4?x=1"
    assert headers["Host"] == f"films.example:{server.server_port}"
    assert headers["Accept-Encoding"] == "identity"
    assert not {"Cookie", "Authorization", "Referer"} & set(headers)
    again = fetch(server, "/film/a/summer%20day.mp4", tmp_path)
    assert again.name == "summer day_2.mp4"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "summer day.mp4",
        "summer day_2.mp4",
    ]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/named/x", "My film_ (2).mp4"),
        ("/unsized", "unsized"),
        ("/film/..%2f..%2fpasswd", "passwd"),
        ("/film/.hidden.mp4", "hidden.mp4"),
        ("/film/%00%0a.mp4", "video.mp4"),
        ("/film/" + "a" * 200 + ".mp4", None),
        ("/film/%E5%8E%A8%E6%88%BF.mp4", "厨房.mp4"),
        ("/film/", "film"),
        ("/raw/utf-8", "Übung é.mp4"),
        ("/raw/latin-1", "Übung é.mp4"),
        ("/sent/x", "Übung.mp4"),
        ("/film/" + quote("𠀀" * 75) + ".mp4", "𠀀" * 45 + ".mp4"),
        ("/film/" + "ab" * 43 + ".mp4", "ab" * 43 + ".mp4"),
        ("/film/stablechat.json", "stablechat"),
        ("/film/result.JSON", "result"),
        ("/to/x?/film/b.mp4", "b.mp4"),
    ],
)
def test_names_are_the_films_own_and_safe(
    server: LinkServer, tmp_path: Path, path: str, name: str | None
) -> None:
    found = fetch(server, path, tmp_path)
    assert found.parent == tmp_path
    if name is not None:
        assert found.name == name
    assert len(found.name) <= 100 and found.read_bytes() == server.film


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/missing", InputError, "films.example answered with 404"),
        ("/page", InputError, "leads to a web page"),
        ("/text", VideoError, "not a video"),
        ("/empty", InputError, "empty file"),
        ("/bomb", InputError, "packed"),
        ("/liar", LimitError, "more than"),
        ("/cut", StorageError, "films.example can't be reached"),
        ("/round", InputError, "on and on"),
        ("/to/x?http://films.example:25/", InputError, "Port 25"),
        ("/to/x?file:///etc/passwd", InputError, "not a link"),
        ("/to/x?", InputError, "on and on"),
    ],
)
def test_what_goes_wrong_is_one_plain_line_and_leaves_nothing(
    server: LinkServer,
    tmp_path: Path,
    path: str,
    kind: type[StableChatError],
    said: str,
) -> None:
    with pytest.raises(kind, match=said) as caught:
        fetch(server, path, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "limits", "kind"),
    [
        ("/endless", FetchLimits(max_bytes=10**6), LimitError),
        ("/unsized", FetchLimits(max_bytes=1000), LimitError),
        ("/film", FetchLimits(max_bytes=1000), LimitError),
        ("/drip", FetchLimits(max_seconds=0.6), LimitError),
        ("/headers", FetchLimits(max_seconds=0.6), LimitError),
        ("/silent", FetchLimits(max_silent_seconds=0.5), StorageError),
        ("/film", FetchLimits(has_room=lambda wanted: False), LimitError),
    ],
)
def test_limits_hold(
    server: LinkServer,
    tmp_path: Path,
    path: str,
    limits: FetchLimits,
    kind: type[StableChatError],
) -> None:
    started = time.monotonic()
    with pytest.raises(kind):
        fetch(server, path, tmp_path, limits=limits)
    assert time.monotonic() - started < 10
    assert list(tmp_path.iterdir()) == []


def test_room_is_asked_for_as_the_file_grows(
    server: LinkServer, tmp_path: Path
) -> None:
    wanted: list[int] = []

    def has_room(more: int) -> bool:
        wanted.append(more)
        return len(wanted) < 3

    with pytest.raises(LimitError, match="no room"):
        fetch(server, "/endless", tmp_path, limits=FetchLimits(has_room=has_room))
    assert wanted == [0, 64 << 20, 64 << 20]
    fetch(server, "/film", tmp_path, limits=FetchLimits(has_room=has_room_for(wanted)))
    assert wanted[-1] == len(server.film)


def has_room_for(wanted: list[int]) -> Any:
    return lambda more: wanted.append(more) is None


@pytest.mark.parametrize("path", ["/drip", "/silent", "/endless", "/headers"])
def test_stop_is_at_once(server: LinkServer, tmp_path: Path, path: str) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    started = time.monotonic()
    with pytest.raises(CancelledError):
        fetch(server, path, tmp_path, cancelled=stop.is_set)
    assert time.monotonic() - started < 2
    assert list(tmp_path.iterdir()) == []


def test_a_slow_resolver_does_not_hold_stop_up(tmp_path: Path) -> None:
    stop, ending = threading.Event(), threading.Event()
    threading.Timer(0.3, stop.set).start()

    def connect(cancelled: Any) -> CheckedNetwork:
        return CheckedNetwork(
            cancelled, resolve=lambda host, port: [str(ending.wait(20))]
        )

    started = time.monotonic()
    with pytest.raises(CancelledError):
        fetch_video("http://a.org/", tmp_path, connect=connect, cancelled=stop.is_set)
    assert time.monotonic() - started < 2
    ending.set()


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/film",
        "http://localhost:{port}/film",
        "http://127.1:{port}/film",
        "http://2130706433:{port}/film",
        "http://[::1]:{port}/film",
        "http://[::ffff:127.0.0.1]:{port}/film",
        "http://0.0.0.0:{port}/film",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_this_machine_and_its_network_are_not_asked(
    server: LinkServer, tmp_path: Path, link: str
) -> None:
    asked = len(server.asked)
    with pytest.raises(InputError, match="not on the open internet"):
        fetch_video(link.format(port=server.server_port), tmp_path)
    assert len(server.asked) == asked
    assert list(tmp_path.iterdir()) == []


def test_a_name_server_that_changes_its_mind_gains_nothing(
    server: LinkServer, tmp_path: Path
) -> None:
    """The connection goes where the check looked, and each redirect looks anew."""
    answers = iter([["127.0.0.1"], ["127.0.0.1", "10.0.0.1"]])

    def connect(cancelled: Any) -> CheckedNetwork:
        return CheckedNetwork(
            cancelled,
            resolve=lambda host, port: next(answers),
            is_allowed=lambda address: address == "127.0.0.1",
        )

    target = server.url("/film", "other.example")
    with pytest.raises(InputError, match=r"other.example is not on the open"):
        fetch_video(server.url(f"/to/x?{target}"), tmp_path, connect=connect)
    assert next(answers, None) is None


def test_a_proxy_of_the_environment_is_not_asked(
    server: LinkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(server, "/film", tmp_path).is_file()


def test_a_certificate_is_checked(server: LinkServer, tmp_path: Path) -> None:
    link = server.url("/film").replace("http:", "https:")
    with pytest.raises(StorageError, match="can't be reached"):
        fetch_video(link, tmp_path, connect=server.connect)
