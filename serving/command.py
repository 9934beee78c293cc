"""The command line of ``python -m serving``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from serving.settings import (
    DEFAULT_BATCH,
    DEFAULT_DEADLINE_SECONDS,
    DEFAULT_GRACE_SECONDS,
    DEFAULT_QUEUED,
    ModelSettings,
    Replicas,
    Settings,
)
from stablechat.arguments import add_limit_option
from stablechat.errors import InputError, StableChatError

if TYPE_CHECKING:
    from serving.running import Place

#: Exit code for input that a person can put right.
EXIT_BAD_INPUT = 2


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="The page and an HTTP API for many users, on Ray Serve.",
    )
    _add_model(parser.add_argument_group("model"))
    _add_server(parser.add_argument_group("server"))
    _add_cluster(parser.add_argument_group("cluster"))
    return parser.parse_args(argv)


def _add_model(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model", help="hub id or folder (default: the small demo model in assets/)")
    add("--device", help="cpu, cuda (default: the best)")
    add("--dtype", help="float16, bfloat16 or float32")
    add("--attn", help="flash_attention_2, sdpa or eager")
    add("--quantization", help="8bit or 4bit; needs requirements-quantized.txt")
    add("--adapter", metavar="DIR", help="what was trained on top of the model")
    add(
        "--replicas",
        default="1",
        metavar="MIN[:MAX]",
        help="copies of the model, on a GPU each where there are any; with MAX as many "
        "as the questions need (default: %(default)s)",
    )
    add(
        "--batch",
        type=int,
        default=DEFAULT_BATCH,
        metavar="N",
        help="questions that a copy answers together (default: %(default)s)",
    )


def _add_server(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--host", default="127.0.0.1", help="default: %(default)s")
    add("--port", type=int, help="default: first free from 7860")
    add(
        "--auth",
        metavar="FILE",
        help="ask for a login: a file of user:password lines, or the word env for "
        "the variable STABLECHAT_AUTH",
    )
    add("--max-file-size", default="2gb", help="largest upload (default: %(default)s)")
    add(
        "--max-disk",
        default="20gb",
        help="what all files may take; old ones go (default: %(default)s)",
    )
    add(
        "--queue",
        type=int,
        default=DEFAULT_QUEUED,
        metavar="N",
        help="questions of a front process that wait before more are refused "
        "(default: %(default)s)",
    )
    add(
        "--deadline",
        type=float,
        default=DEFAULT_DEADLINE_SECONDS,
        metavar="S",
        help="seconds for an answer, if a question does not say (default: %(default)s)",
    )
    add(
        "--grace",
        type=float,
        default=DEFAULT_GRACE_SECONDS,
        metavar="S",
        help="seconds for what runs when the server ends (default: %(default)s)",
    )
    add_limit_option(group)


def _add_cluster(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--renderers", type=int, default=1, metavar="N", help="processes that cut clips"
    )
    add(
        "--apis", type=int, default=1, metavar="N", help="processes that serve programs"
    )
    add("--num-cpus", type=int, metavar="N", help="processors to use (default: all)")
    add(
        "--ray-address",
        metavar="HOST:PORT",
        help="a Ray cluster that is there, or auto; default: one on this machine",
    )
    add(
        "--shared",
        metavar="DIR",
        type=Path,
        help="a folder that all machines of that cluster see, for the server's files",
    )
    add("--logs", metavar="DIR", type=Path, help="keep the logs there (JSON lines)")


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted.

    Returns:
        The exit code: 0, or 2 for input that a person can put right.
    """
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        check_ray()
        _serve(arguments)
    except StableChatError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


def check_ray() -> None:
    """Refuse to go on without Ray Serve.

    Raises:
        InputError: It is not installed.
    """
    if find_spec("ray") is None or find_spec("aiohttp") is None:
        raise InputError("Serving needs Ray: pip install -r requirements-ray.txt.")


def _serve(arguments: argparse.Namespace) -> None:
    from serving.running import running

    settings, place = settings_of(arguments), place_of(arguments)
    with _until_interrupted() as interrupted, running(settings, place) as address:
        print(f"StableChat is at {address}, its API at {address}/v1", flush=True)
        interrupted.wait()
        print("Finishing what runs ...", file=sys.stderr, flush=True)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """What the command line asks for; checked before anything slow begins.

    Raises:
        InputError: It can't be had.
    """
    from stablechat.video import limits_from_texts
    from ui.disk import parse_size
    from ui.server import ServerOptions, check_address, read_auth, trusted_hosts

    limits_from_texts(arguments.limit)
    # They check themselves: a login where other machines are let in, above all.
    options = ServerOptions(
        host=arguments.host,
        port=arguments.port,
        auth=read_auth(arguments.auth),
        max_file_size=arguments.max_file_size,
        max_disk=arguments.max_disk,
    )
    check_address(options)
    if arguments.ray_address is not None and arguments.shared is None:
        raise InputError(
            "--ray-address needs --shared, a folder that all machines see."
        )
    replicas = Replicas.from_text(arguments.replicas)
    names = ("model", "device", "dtype", "attn", "quantization", "adapter")
    return Settings(
        folder=Path(),
        model=ModelSettings(**{name: getattr(arguments, name) for name in names}),
        replicas=replicas,
        renderers=arguments.renderers,
        apis=arguments.apis,
        threads=threads_each(arguments.num_cpus, replicas),
        gpus=gpus_each(arguments.device),
        hosts=tuple(trusted_hosts(options)),
        host=options.host,
        auth=options.auth,
        max_file_bytes=parse_size(options.max_file_size, "--max-file-size"),
        max_disk_bytes=parse_size(options.max_disk, "--max-disk"),
        limits=tuple(arguments.limit),
        max_batch=arguments.batch,
        max_queued=arguments.queue,
        deadline_seconds=arguments.deadline,
        grace_seconds=arguments.grace,
    )


def place_of(arguments: argparse.Namespace) -> Place:
    """Where the command line asks to serve."""
    from serving.running import Place

    return Place(
        port=arguments.port,
        ray_address=arguments.ray_address,
        num_cpus=arguments.num_cpus,
        shared=arguments.shared,
        logs=arguments.logs,
    )


def threads_each(num_cpus: int | None, replicas: Replicas) -> int:
    """Processors that each copy of the model may use."""
    return max(1, (num_cpus or os.cpu_count() or 1) // replicas.most)


def gpus_each(device: str | None) -> float:
    """Cards that each copy of the model needs.

    Raises:
        ModelError: There is no such device.
    """
    from stablechat.placement import choose_device

    return 1.0 if choose_device(device).type == "cuda" else 0.0


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Tell of the first Ctrl+C or polite ``kill``; a second one hastens the end."""
    interrupted = threading.Event()

    def end(*_: object) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield interrupted
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
