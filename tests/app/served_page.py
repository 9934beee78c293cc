"""The real page with the fake model, for tests that come as programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fake_chat import FakeChat

from ui.root import harden_environment, private_root
from ui.session import Sessions


@contextmanager
def serving(
    chat: FakeChat,
    folder: Path,
    auth: tuple[tuple[str, str], ...] = (),
    max_file_size: str = "2gb",
    max_disk_bytes: int = 10**12,
) -> Iterator[tuple[str, Sessions]]:
    """A running page: its address and its folders."""
    before = dict(os.environ)
    try:
        with Sessions(private_root(folder)) as sessions:
            harden_environment(os.environ, sessions.root)
            from ui.disk import Disk
            from ui.layout import build_app, own_files
            from ui.server import ServerOptions, launch

            app = build_app(chat, sessions)
            try:
                options = ServerOptions(
                    open_browser=False, auth=auth, max_file_size=max_file_size
                )
                disk = Disk(
                    sessions,
                    max_disk_bytes,
                    examples=own_files(app),
                    usage=lambda: (10**12, 10**12),
                )
                yield launch(app, options, disk).rstrip("/"), sessions
            finally:
                app.close(verbose=False)
    finally:
        os.environ.clear()
        os.environ.update(before)
