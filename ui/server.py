"""Put the page on a port, safe by default.

Gradio's own defaults serve any ``Host`` header (which lets a foreign page reach a
loopback server through DNS rebinding), publish a monitoring page, limit nothing, and
read paths to serve from the environment. Each is closed here.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from stablechat.errors import InputError
from ui.disk import DEFAULT_MAX_DISK, Disk, parse_size
from ui.guard import UploadMiddleware
from ui.i18n import browser_tables
from ui.languages import LanguageMiddleware
from ui.same_site import SameSiteMiddleware

#: Holds ``user:password`` for ``--auth env``.
AUTH_VARIABLE = "STABLECHAT_AUTH"

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class ServerOptions:
    """Where and to whom the page is served.

    Attributes:
        host: Address to listen on.
        port: Port, or None for the first free one from 7860.
        share: Open a public tunnel.
        auth: ``(user, password)`` pairs, or empty for no login.
        max_file_size: Largest upload, such as ``"2gb"``.
        max_disk: What all uploads and results may take.
        open_browser: Open the page in the person's browser.
        load_models: Let whoever sees the page load another model, which may be any
            folder of this machine; None lets them if that is this machine's people.
        fetch_links: Fetch the links that are given on the page; None likewise.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    share: bool = False
    auth: tuple[tuple[str, str], ...] = ()
    max_file_size: str = "2gb"
    max_disk: str = DEFAULT_MAX_DISK
    open_browser: bool = True
    load_models: bool | None = None
    fetch_links: bool | None = None

    @property
    def may_fetch_links(self) -> bool:
        """Whether this machine fetches the links that are given on the page."""
        return self._is_own if self.fetch_links is None else self.fetch_links

    @property
    def may_load_models(self) -> bool:
        """Whether models may be loaded on the page."""
        return self._is_own if self.load_models is None else self.load_models

    @property
    def _is_own(self) -> bool:
        """Whether the page is for this machine's people only."""
        return is_loopback(self.host) and not self.share and not self.auth

    def __post_init__(self) -> None:
        if self.port is not None and not 0 < self.port < 65536:
            raise InputError(f"--port must be 1 to 65535, got {self.port}.")
        parse_size(self.max_file_size, "--max-file-size")
        parse_size(self.max_disk, "--max-disk")
        if self.auth:
            return
        if self.share:
            raise InputError(
                "--share puts the page on the internet: add --auth FILE with a "
                "user:password line, so that not everyone can use it."
            )
        if not is_loopback(self.host):
            raise InputError(
                f"--host {self.host} lets other machines in: add --auth FILE with a "
                "user:password line, or leave --host out."
            )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_auth(source: str | None) -> tuple[tuple[str, str], ...]:
    """Read logins from a file, or from the environment.

    Passwords are not taken from the command line, where other users of the machine
    could read them.

    Args:
        source: A file with ``user:password`` lines, ``"env"`` for
            :data:`AUTH_VARIABLE`, or None for no login.

    Raises:
        InputError: There is no such file, or a line is not ``user:password``.
    """
    if source is None:
        return ()
    if source == "env":
        content = os.environ.get(AUTH_VARIABLE, "")
        where = f"the variable {AUTH_VARIABLE}"
    else:
        where = f"the file {source}"
        try:
            content = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--auth: can't read {where}: {error}.") from error
    lines = [line.strip() for line in content.splitlines()]
    pairs = [line.partition(":")[::2] for line in lines if line and line[0] != "#"]
    if not pairs or not all(user and password for user, password in pairs):
        raise InputError(f"--auth: {where} must hold user:password, one to a line.")
    return tuple((user, password) for user, password in pairs)


def check_address(options: ServerOptions) -> None:
    """Find out whether the address is free, before a large model is loaded for it.

    Raises:
        InputError: The port is taken, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host.strip("[]"), options.port or 0, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name != "nt":  # There it would allow what is taken.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError as error:
        raise InputError(
            f"--port {options.port} needs an administrator; choose one above 1023."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"Port {options.port} is in use by another program: choose another "
                "with --port, or leave --port out."
            ) from error
        raise InputError(
            f"--host {options.host} is not an address of this machine; leave --host "
            "out to serve this machine only."
        ) from error


def launch(app: gr.Blocks, options: ServerOptions, disk: Disk | None = None) -> str:
    """Serve the page in the background.

    Args:
        app: What :func:`ui.layout.build_app` built.
        options: Where and to whom.
        disk: Refuses uploads that there is no room for; None takes all.

    Returns:
        Its address.

    Raises:
        InputError: The port is taken, or the address is not this machine's.
    """
    try:
        _, local_url, share_url = app.launch(**launch_arguments(options, disk))
    except OSError as error:
        where = f"{options.host}:{options.port or '7860 to 7959'}"
        raise InputError(
            f"Can't listen on {where}; choose another port with --port."
        ) from error
    return share_url or local_url


def launch_arguments(
    options: ServerOptions, disk: Disk | None = None
) -> dict[str, Any]:
    """What ``Blocks.launch`` is called with."""
    return {
        "server_name": _name_in_address(options.host),
        "server_port": options.port,
        "share": options.share,
        "auth": list(options.auth) or None,
        "max_file_size": options.max_file_size,
        "inbrowser": options.open_browser,
        "allowed_paths": [],
        "enable_monitoring": False,
        "run_history": False,
        "mcp_server": False,
        "show_error": False,
        "ssr_mode": False,
        "pwa": True,
        "footer_links": ["api"],
        "app_kwargs": {"middleware": _middleware(options, disk)},
        "i18n": browser_tables(),
        "theme": theme(),
        "css_paths": [_HERE / "style.css"],
        "js": (_HERE / "page.js").read_text(encoding="utf-8"),
        "favicon_path": _HERE / "favicon.png",
        "prevent_thread_lock": True,
        "quiet": True,
    }


def _name_in_address(host: str) -> str:
    """As it stands before the port; an IPv6 address has colons of its own."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _middleware(options: ServerOptions, disk: Disk | None) -> list[Middleware]:
    """What requests go through, from the outside in."""
    layers = [
        Middleware(TrustedHostMiddleware, allowed_hosts=trusted_hosts(options)),
        Middleware(SameSiteMiddleware),
    ]
    if disk is not None:
        most = parse_size(options.max_file_size, "--max-file-size")
        layers.append(Middleware(UploadMiddleware, disk=disk, max_file_bytes=most))
    return [*layers, Middleware(LanguageMiddleware)]


def theme() -> gr.themes.Base:
    """Calm colours and the system's own fonts, so that nothing is downloaded."""
    base = gr.themes.Default(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        radius_size=gr.themes.sizes.radius_lg,
        font=[
            "system-ui",
            "-apple-system",
            "Segoe UI",
            "Roboto",
            "Noto Sans",
            "PingFang SC",
            "Microsoft YaHei",
            "Noto Sans CJK SC",
            "sans-serif",
        ],
        font_mono=["ui-monospace", "Consolas", "Liberation Mono", "monospace"],
    )
    # White on teal 500 has a contrast of 2.5 only; on teal 700 it is 5.5.
    return base.set(
        body_background_fill="*neutral_50",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
        checkbox_label_border_color_selected="*primary_700",
        checkbox_label_text_color_selected="*primary_900",
        checkbox_label_text_color_selected_dark="*primary_50",
        checkbox_background_color_selected="*primary_700",
        checkbox_border_color_selected="*primary_700",
        button_cancel_background_fill="#b91c1c",
        button_cancel_background_fill_hover="#991b1b",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        block_title_text_weight="600",
    )


def trusted_hosts(options: ServerOptions) -> list[str]:
    """The names that a request may call this server by."""
    if options.share or options.host in ("0.0.0.0", "::"):
        # Reached under names we can't know. A login is required then, and a page
        # that rebinds its name to this address has no cookie for it.
        return ["*"]
    names = [*_LOOPBACK_NAMES, _name_in_address(options.host)]
    return names if is_loopback(options.host) else [*names, socket.gethostname()]
