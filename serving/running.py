"""A server from its start to its end: cluster, Serve, folder, and all of them gone."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from serving.drain import Drain
from serving.settings import Settings
from stablechat.cli.batch.ray_engine import RayOptions
from stablechat.cli.batch.ray_engine.cluster import connected, is_verbose
from stablechat.errors import EngineError
from stablechat.folders import owned_folder, remove_orphans

logger = logging.getLogger(__name__)

FOLDER_PREFIX = "stablechat-serving-"
#: Memory that our own cluster's processes share; only small things go through it.
_STORE_BYTES = 100 << 20
_CONTROLLER = "SERVE_CONTROLLER_ACTOR"
_FIRST_PORT, _LAST_PORT = 7860, 7959


@dataclass(frozen=True)
class Place:
    """Where a server runs.

    Attributes:
        port: None is the first free one from 7860.
        ray_address: A cluster that is there; None starts one on this machine.
        num_cpus: Processors of our own cluster; None is all.
        shared: A folder that all machines of a cluster see; None is a temporary one.
        logs: Where the logs go; None is a folder that goes with the server.
    """

    port: int | None = None
    ray_address: str | None = None
    num_cpus: int | None = None
    shared: Path | None = None
    logs: Path | None = None


@contextmanager
def running(settings: Settings, place: Place) -> Iterator[str]:
    """Run a server; afterwards what runs is finished, and all is gone.

    Args:
        settings: Of the server; its folder is made here.
        place: Where.

    Yields:
        Its address.

    Raises:
        EngineError: The cluster or a deployment can't be started.
        InputError: The folder can't be made.
    """
    remove_orphans(FOLDER_PREFIX, place.shared)
    port = place.port or free_port(settings.host)
    with (
        owned_folder(FOLDER_PREFIX, place.shared) as folder,
        connected(RayOptions(place.ray_address, None, place.num_cpus), _STORE_BYTES),
    ):
        is_local = place.ray_address is None
        settings = replace(settings, folder=folder, is_local=is_local)
        logs = place.logs or folder / "logs"
        with _served(settings, port, logs):
            yield f"http://{_shown(settings.host)}:{port}"


@contextmanager
def _served(settings: Settings, port: int, logs: Path) -> Iterator[None]:
    # Late: it reads what the cluster has set.
    from ray import serve
    from ray.serve.config import HTTPOptions
    from ray.serve.schema import LoggingConfig
    from ray.util import list_named_actors

    from serving.deployments import API, MODELS, PAGE, RENDERERS, deploy

    logs.mkdir(parents=True, exist_ok=True)
    if not is_verbose():
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
    named = list_named_actors(all_namespaces=True)
    others = any(each["name"] == _CONTROLLER for each in named)
    told = LoggingConfig(encoding="JSON", logs_dir=str(logs), log_level="INFO")
    try:
        serve.start(
            proxy_location="HeadOnly",
            http_options=HTTPOptions(host=settings.host, port=port),
            logging_config=told,
        )
        try:
            deploy(settings, told)
        except RuntimeError as error:
            raise EngineError(f"The server can't be started: {error}") from error
        yield
    finally:
        is_local = settings.is_local
        _finish(settings, (API, PAGE) if is_local else (API, PAGE, RENDERERS, MODELS))
        # Our own cluster ends as a whole, and on another one Serve may be others'.
        if not is_local and not others:
            serve.shutdown()


def _finish(settings: Settings, applications: Sequence[str]) -> None:
    from ray import serve

    if not Drain(settings.folder).finish(settings.grace_seconds):
        logger.warning("Questions that were still running are cut off.")
    for name in applications:
        with suppress(Exception):  # it may not have been started
            serve.delete(name)


def free_port(host: str) -> int:
    """The first port from 7860 that nobody listens on.

    Raises:
        EngineError: There is none.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(_FIRST_PORT, _LAST_PORT + 1):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((host.strip("[]"), port))
                return port
    raise EngineError(
        f"No port from {_FIRST_PORT} to {_LAST_PORT} is free; choose one with --port."
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
