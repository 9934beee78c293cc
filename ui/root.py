"""The private folder of one process, and an environment that opens no more than it.

Imported before Gradio is.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from stablechat.folders import make_owned, owned_folder, remove_orphans

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

# Where PyTorch puts compiled code; it makes the folder even if there is none.
_TORCH_CACHE = "TORCHINDUCTOR_CACHE_DIR"
_TORCH_PREFIX = "stablechat-torch-"


def private_root(parent: Path | None = None) -> Path:
    """Make this process's private folder, and remove those of dead processes.

    Args:
        parent: Where; by default the system's temporary folder.

    Raises:
        InputError: There is no room for it.
    """
    parent = Path(parent or tempfile.gettempdir())
    remove_orphans(_PREFIX, parent)
    return make_owned(_PREFIX, parent).resolve()


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


@contextmanager
def own_torch_cache(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Have PyTorch use a folder that goes with the app, unless one was chosen.

    Enter before PyTorch is imported: it makes the folder then, in the temporary one,
    and leaves it there.

    Args:
        environ: ``os.environ``.

    Raises:
        InputError: There is no room for it.
    """
    if environ.get(_TORCH_CACHE):
        yield
        return
    remove_orphans(_TORCH_PREFIX)
    with owned_folder(_TORCH_PREFIX) as folder:
        environ[_TORCH_CACHE] = str(folder)
        try:
            yield
        finally:
            environ.pop(_TORCH_CACHE, None)


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
