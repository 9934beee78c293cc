"""The private folder of one process, and an environment that opens no more than it.

Imported before Gradio is.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path

_OWN_HOSTS = ("127.0.0.1", "localhost", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

# Variables by which Gradio's environment would widen what is served, or where.
_UNSAFE_VARIABLES = (
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_ANALYTICS_ENABLED",
    "GRADIO_DEBUG",
    "GRADIO_EXAMPLES_CACHE",
    "GRADIO_HISTORY_BUCKET",
    "GRADIO_MCP_SERVER",
    "GRADIO_NUM_WORKERS",
    "GRADIO_SERVER_NAME",
    "GRADIO_SHARE",
    "GRADIO_SSR_MODE",
    "GRADIO_VIBE_MODE",
    "GRADIO_WATCH_DIRS",
)

_PREFIX = "stablechat-"


def private_root(parent: Path | None = None) -> Path:
    """Make this process's private folder, and remove those of dead processes.

    Args:
        parent: Where; by default the system's temporary folder.
    """
    parent = Path(parent or tempfile.gettempdir())
    _remove_orphans(parent)
    return Path(
        tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
    ).resolve()


def harden_environment(environ: MutableMapping[str, str], root: Path) -> None:
    """Drop Gradio's variables that widen access, and make its cache private.

    Call before Gradio is imported: it reads some of them only then.

    Args:
        environ: ``os.environ``.
        root: See :func:`private_root`.
    """
    for name in _UNSAFE_VARIABLES:
        environ.pop(name, None)
    environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    environ["GRADIO_TEMP_DIR"] = str(root)
    _reach_self_without_proxy(environ)


def _reach_self_without_proxy(environ: MutableMapping[str, str]) -> None:
    """Gradio asks its own page whether it is up; a proxy could not answer that."""
    if not any(name.lower() in _PROXIES for name in environ):
        return
    for name in ("NO_PROXY", "no_proxy"):
        given = [host for host in environ.get(name, "").split(",") if host.strip()]
        environ[name] = ",".join([*given, *_OWN_HOSTS])


def _remove_orphans(parent: Path) -> None:
    # A process that was killed could not clean up after itself.
    for folder in parent.glob(f"{_PREFIX}*-*"):
        match = re.fullmatch(rf"{_PREFIX}(\d+)-\w+", folder.name)
        if match and _is_ours(folder) and not _is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    # Windows has no owner ids; its temporary folder is the user's own.
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        # There os.kill(pid, 0) would end the process, so nothing is removed.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def remove_empty_folders(root: Path, *, keep: Path) -> None:
    """Gradio removes old uploads but leaves their folders."""
    hour_ago = time.time() - 3600
    for folder in root.iterdir():
        # A fresh one may be about to receive an upload.
        if folder == keep or not folder.is_dir() or folder.stat().st_mtime > hour_ago:
            continue
        try:
            folder.rmdir()
        except OSError:
            pass  # Not empty.
