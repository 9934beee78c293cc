"""Who may reach the page, and what it gives away: a real server, a fake model."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fake_chat import DESCRIPTION, FakeChat
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from stablechat.errors import InputError
from stablechat.video import probe
from ui.layout import build_app
from ui.root import harden_environment, private_root
from ui.same_site import SameSiteMiddleware
from ui.server import ServerOptions, is_loopback, launch, launch_arguments, read_auth
from ui.session import Sessions


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server, with an environment that tries to widen access."""
    before = dict(os.environ)
    os.environ["GRADIO_ALLOWED_PATHS"] = "/"
    try:
        with Sessions(private_root(tmp_path_factory.mktemp("root"))) as sessions:
            harden_environment(os.environ, sessions.root)
            app = build_app(FakeChat(), sessions)
            try:
                yield launch(app, ServerOptions(open_browser=False))
            finally:
                app.close(verbose=False)
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def web(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_loopback_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_other_machines_need_a_login() -> None:
    with pytest.raises(InputError, match="--auth"):
        ServerOptions(host="0.0.0.0")
    with pytest.raises(InputError, match="--auth"):
        ServerOptions(share=True)
    login = (("ann", "secret"),)
    assert ServerOptions(host="0.0.0.0", auth=login).auth == login
    assert ServerOptions().auth == ()


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_ports_are_refused(port: int) -> None:
    with pytest.raises(InputError, match="--port"):
        ServerOptions(port=port)


@pytest.mark.parametrize("size", ["", "2", "gb", "-1gb", "2 bananas", "0mb"])
def test_impossible_upload_limits_are_refused(size: str) -> None:
    with pytest.raises(InputError, match="--max-file-size"):
        ServerOptions(max_file_size=size)


def test_logins_come_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logins"
    path.write_text("# people\nann:se:cret\n\nbob:x\n")
    assert read_auth(str(path)) == (("ann", "se:cret"), ("bob", "x"))
    assert read_auth(None) == ()
    monkeypatch.setenv("STABLECHAT_AUTH", "eve:y")
    assert read_auth("env") == (("eve", "y"),)


@pytest.mark.parametrize("content", ["", "ann", "ann:", ":secret", "# only\n"])
def test_a_bad_login_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "logins"
    path.write_text(content)
    with pytest.raises(InputError, match="user:password"):
        read_auth(str(path))


def test_a_missing_login_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't read"):
        read_auth(str(tmp_path / "nobody"))


def test_launch_is_safe_by_default() -> None:
    arguments = launch_arguments(ServerOptions())
    assert arguments["server_name"] == "127.0.0.1"
    assert arguments["max_file_size"] == "2gb"
    for name in ("share", "enable_monitoring", "show_error", "ssr_mode", "mcp_server"):
        assert arguments[name] is False, name
    assert arguments["allowed_paths"] == []


@pytest.mark.parametrize(
    "options",
    [
        ServerOptions(),
        ServerOptions(host="0.0.0.0", auth=(("u", "p"),)),
        ServerOptions(share=True, auth=(("u", "p"),)),
    ],
)
def test_other_sites_are_kept_out_everywhere(options: ServerOptions) -> None:
    layers = launch_arguments(options)["app_kwargs"]["middleware"]
    assert SameSiteMiddleware in [layer.cls for layer in layers]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address_is_served(tmp_path: Path) -> None:
    with Sessions(private_root(tmp_path)) as sessions:
        app = build_app(FakeChat(), sessions)
        try:
            url = launch(app, ServerOptions(host="::1", open_browser=False))
            assert url.startswith("http://[::1]:")
            with httpx.Client(base_url=url, trust_env=False) as client:
                assert client.get("/").status_code == 200
        finally:
            app.close(verbose=False)


def test_the_page_is_served(web: httpx.Client) -> None:
    page = web.get("/")
    assert page.status_code == 200
    assert "StableChat" in page.text


def test_a_foreign_host_name_is_refused(web: httpx.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example"):
        assert web.get("/", headers={"Host": host}).status_code == 400
    assert web.get("/", headers={"Host": "localhost"}).status_code == 200


@pytest.mark.parametrize("path", ["/etc/passwd", str(Path(__file__)), "app.py"])
def test_files_of_the_machine_are_not_served(web: httpx.Client, path: str) -> None:
    assert web.get(f"/gradio_api/file={path}").status_code in (403, 404)


def test_monitoring_and_history_are_off(web: httpx.Client) -> None:
    assert web.get("/monitoring").status_code in (401, 403, 404)
    assert web.get("/gradio_api/runs").status_code == 404


def test_only_the_endpoints_for_programs_are_public(web: httpx.Client) -> None:
    info = web.get("/gradio_api/info").json()
    assert set(info["named_endpoints"]) == {
        *("/ground", "/describe", "/ground_part", "/describe_part", "/captions")
    }
    assert info["unnamed_endpoints"] == {}


def test_analytics_are_off(web: httpx.Client) -> None:
    assert web.get("/config").json()["analytics_enabled"] is False


def test_a_program_can_ground_and_describe(
    url: str, clip: Path, tmp_path: Path
) -> None:
    client = Client(url, verbose=False, download_files=str(tmp_path))
    path, data = client.predict(handle_file(str(clip)), "x", api_name="/ground")
    assert data["span"]["end_seconds"] == 2.25
    assert data["video"]["name"] == "kitchen.mp4"
    assert Path(path).name == "kitchen_clip.mp4"
    assert probe(Path(path)).has_audio
    answer = client.predict(handle_file(str(clip)), "", api_name="/describe")
    assert answer["text"] == DESCRIPTION


def test_a_program_gets_the_reason_of_a_refusal(url: str, clip: Path) -> None:
    client = Client(url, verbose=False)
    with pytest.raises(AppError, match="question is empty"):
        client.predict(handle_file(str(clip)), "", api_name="/ground")


def test_a_forged_path_is_refused(url: str) -> None:
    client = Client(url, verbose=False)
    forged = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError):
        client.predict(forged, "x", api_name="/ground")


def test_a_taken_port_is_one_plain_line(url: str, sessions: Sessions) -> None:
    port = int(url.rstrip("/").rpartition(":")[2])
    app = build_app(FakeChat(), sessions)
    with pytest.raises(InputError, match="--port"):
        launch(app, ServerOptions(port=port, open_browser=False))


def test_the_page_can_be_installed(web: httpx.Client) -> None:
    assert 'rel="manifest"' in web.get("/").text
    manifest = web.get("/manifest.json").json()
    assert (manifest["name"], manifest["display"]) == ("StableChat", "standalone")
    for icon in manifest["icons"]:
        answer = web.get(icon["src"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
