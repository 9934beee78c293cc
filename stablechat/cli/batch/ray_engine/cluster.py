"""Being part of a Ray cluster: one of our own on this machine, or one that is there.

Our own listens on loopback only, asks for a token that nobody else knows, tells nobody
that it is used, and leaves nothing behind.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stablechat.cli.texts import one_line
from stablechat.errors import EngineError, InputError
from stablechat.folders import owned_folder, remove_orphans

_FOLDER_PREFIX = "scray-"
#: Names of sockets may have 107 characters, of which ours and Ray's take up to 87.
_MAX_FOLDER_CHARACTERS = 20
_PRIVATE = {"RAY_USAGE_STATS_ENABLED": "0"}
#: A thread of Ray that outlives its cluster for a moment would start another one.
_NO_CLUSTER_BY_ITSELF = {"RAY_ENABLE_AUTO_CONNECT": "0"}
#: What Ray says on stderr would stand in the middle of our own lines.
_QUIET = {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_DATA_LOG_LEVEL": "CRITICAL"}
#: Times that a cluster which does not answer is asked, for 40 seconds each.
_IMPATIENT = {"RAY_NUM_REDIS_GET_RETRIES": "2"}
#: Where there is no real cluster to join, Ray takes loopback for its own address.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True)
class RayOptions:
    """Which cluster, and how much of it.

    Attributes:
        address: ``host:port`` or ``auto``; None starts one on this machine.
        models: Copies of the model; None is one for each GPU, or for each machine
            where there is none.
        num_cpus: Processors of our own cluster; None is all.
    """

    address: str | None = None
    models: int | None = None
    num_cpus: int | None = None

    def __post_init__(self) -> None:
        if self.models is not None and self.models < 1:
            raise InputError(f"--models must be 1 or more, got {self.models}.")


def is_verbose() -> bool:
    """Whether a person wants to read what Ray logs."""
    return logging.getLogger().isEnabledFor(logging.INFO)


def check_ray() -> None:
    """Refuse to go on without Ray.

    Raises:
        InputError: It is not installed.
    """
    # Not imported: it would read its settings before they are made.
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise InputError("--engine ray needs Ray: pip install -r requirements-ray.txt.")


@contextmanager
def connected(options: RayOptions, object_store_bytes: int) -> Iterator[None]:
    """Be connected to a cluster; what runs there for us ends with it.

    Args:
        options: Which.
        object_store_bytes: Memory for what waits between the stages, in our own.

    Raises:
        EngineError: It can't be started or reached.
    """
    os.environ.update(_NO_CLUSTER_BY_ITSELF)
    with ExitStack() as closing:
        quiet = {} if is_verbose() else _QUIET
        closing.enter_context(_environment({**_PRIVATE, **quiet}))
        where: Mapping[str, Any] = {"address": options.address}
        if options.address is not None:
            closing.enter_context(_environment(_IMPATIENT))
        else:
            where = closing.enter_context(_own_cluster(options, object_store_bytes))
        with _signals_kept():
            _start(where)
        closing.callback(_stop)
        yield


@contextmanager
def _own_cluster(
    options: RayOptions, object_store_bytes: int
) -> Iterator[Mapping[str, Any]]:
    parent = _short_folder()
    remove_orphans(_FOLDER_PREFIX, parent)
    with (
        _environment({**_LOOPBACK, **_access()}),
        owned_folder(_FOLDER_PREFIX, parent) as folder,
    ):
        yield {
            "address": "local",
            "num_cpus": options.num_cpus,
            "include_dashboard": False,
            "object_store_memory": object_store_bytes,
            "_temp_dir": str(folder),
            "_node_ip_address": "127.0.0.1",
        }


@cache
def _access() -> Mapping[str, str]:
    """A token that only this process and its children know.

    Ray would put one into the home folder, where it stays. It reads the variables once,
    when it is imported; afterwards they can only be what they were.
    """
    if "ray" in sys.modules:
        return {}
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _start(where: Mapping[str, Any]) -> None:
    import ray

    if ray.is_initialized():
        raise EngineError("This process is connected to a Ray cluster already.")
    try:
        ray.init(
            log_to_driver=is_verbose(),
            configure_logging=is_verbose(),
            logging_level=logging.INFO if is_verbose() else logging.ERROR,
            **where,
        )
    except Exception as error:  # Ray has many
        _stop()
        told = one_line(str(error))[:300]
        raise EngineError(f"Ray can't be started or reached: {told}") from error


def _stop() -> None:
    import ray

    ray.shutdown()


def _short_folder() -> Path:
    usual = Path(tempfile.gettempdir())
    short = Path("/tmp")
    if len(str(usual)) <= _MAX_FOLDER_CHARACTERS or not os.access(short, os.W_OK):
        return usual
    return short


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables that Ray's processes inherit; afterwards they are what they were."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it starts; a polite kill stays ours."""
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before = [(number, signal.getsignal(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
