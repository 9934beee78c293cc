"""StableChat in the browser: ``python app.py``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stablechat.arguments import add_limit_option
from stablechat.errors import StableChatError

if TYPE_CHECKING:
    from stablechat import StableChat
    from ui.server import ServerOptions

#: Exit code for input that a person can put right.
EXIT_BAD_INPUT = 2


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python app.py",
        description="Ask a video a question, in your browser.",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--model",
        help="hub id or folder, such as appletea2333/LLaVA-ST-Qwen2-7B "
        "(default: the small demo model in assets/)",
    )
    model.add_argument("--device", help="cpu, cuda, cuda:1 (default: the best)")
    model.add_argument("--dtype", help="float16, bfloat16 or float32")
    model.add_argument("--attn", help="flash_attention_2, sdpa or eager")
    model.add_argument(
        "--quantization",
        help="8bit or 4bit: less memory; needs requirements-quantized.txt",
    )
    model.add_argument(
        "--adapter", metavar="DIR", help="what was trained on top of the model"
    )
    server = parser.add_argument_group("server")
    server.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    server.add_argument("--port", type=int, help="default: first free from 7860")
    server.add_argument(
        "--auth",
        metavar="FILE",
        help="ask for a login: a file of user:password lines, or the word env for "
        "the variable STABLECHAT_AUTH",
    )
    server.add_argument(
        "--share", action="store_true", help="public tunnel; needs --auth"
    )
    server.add_argument(
        "--max-file-size", default="2gb", help="largest upload (default: %(default)s)"
    )
    server.add_argument(
        "--max-disk",
        default="20gb",
        help="what uploads and results may take; old ones go (default: %(default)s)",
    )
    server.add_argument(
        "--keep",
        metavar="DIR",
        help="keep answers, and the uploads they are about, in a folder of their own: "
        "they survive a restart of the app (default: they go with it)",
    )
    server.add_argument(
        "--load-models",
        action=argparse.BooleanOptionalAction,
        help="let people load another model on the page, from the hub or any folder of "
        "this machine (default: only without --host, --share and --auth)",
    )
    server.add_argument(
        "--links",
        action=argparse.BooleanOptionalAction,
        help="let people give a link to a video, which this machine fetches, from the "
        "open internet only (default: only without --host, --share and --auth)",
    )
    add_limit_option(server)
    server.add_argument(
        "--no-browser", action="store_true", help="don't open the page by itself"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app until it is interrupted.

    Returns:
        The exit code: 0, or 2 for input that a person can put right.
    """
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        serve(arguments)
    except StableChatError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


def serve(arguments: argparse.Namespace) -> None:
    """Load the model once, build the page, serve it until interrupted.

    Raises:
        StableChatError: With one plain line.
    """
    from ui.keeping.opening import open_sessions
    from ui.root import harden_environment, own_torch_cache

    with (
        _until_interrupted(),
        own_torch_cache(os.environ),
        open_sessions(arguments.keep) as sessions,
    ):
        harden_environment(os.environ, sessions.root)
        # Late: --help must not wait for Gradio and PyTorch, and Gradio reads the
        # environment while it is imported.
        from stablechat.video import limits_from_texts, set_default_limits
        from ui.disk import Disk, parse_size
        from ui.fetching.fetching import Fetcher
        from ui.layout import build_app, own_files
        from ui.models.choice import load_chat as load_other
        from ui.server import check_address, launch

        set_default_limits(limits_from_texts(arguments.limit))
        options = server_options(arguments)
        check_address(options)
        fetcher = Fetcher(parse_size(options.max_file_size, "--max-file-size"))
        app = build_app(
            load_chat(arguments),
            sessions,
            loader=load_other if options.may_load_models else None,
            fetcher=fetcher if options.may_fetch_links else None,
        )
        max_bytes = parse_size(options.max_disk, "--max-disk")
        disk = Disk(sessions, max_bytes, examples=own_files(app))
        fetcher.has_room = disk.make_room
        sessions.start_sweeping(disk.tidy)
        try:
            print(f"StableChat is at {launch(app, options, disk)}", flush=True)
            threading.Event().wait()
        finally:
            app.close(verbose=False)


def server_options(arguments: argparse.Namespace) -> ServerOptions:
    """Where and to whom the command line asks to serve."""
    from ui.server import ServerOptions, read_auth

    return ServerOptions(
        host=arguments.host,
        port=arguments.port,
        share=arguments.share,
        auth=read_auth(arguments.auth),
        max_file_size=arguments.max_file_size,
        max_disk=arguments.max_disk,
        open_browser=not arguments.no_browser,
        load_models=arguments.load_models,
        fetch_links=arguments.links,
    )


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """End what is inside by Ctrl+C or a polite ``kill``; it removes its files."""
    signals = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up and signal.getsignal(hang_up) is not signal.SIG_IGN:  # by nohup
        signals.append(hang_up)
    previous = {number: signal.getsignal(number) for number in signals}

    def end(*_: object) -> None:
        # A second signal must not cut the cleaning short.
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, end)
    try:
        yield
    except KeyboardInterrupt:
        logging.getLogger("stablechat.app").info("Stopped.")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def load_chat(arguments: argparse.Namespace) -> StableChat:
    """Load the model the command line asks for."""
    from stablechat import StableChat

    names = ("attn", "quantization", "adapter")
    options = {name: getattr(arguments, name) for name in names}
    extra = {name: value for name, value in options.items() if value is not None}
    return StableChat.from_pretrained(
        arguments.model, device=arguments.device, dtype=arguments.dtype, **extra
    )


if __name__ == "__main__":
    sys.exit(main())
