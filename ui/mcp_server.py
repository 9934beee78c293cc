"""StableChat for agents: an MCP server that asks a running page.

    python app.py --no-browser
    python -m ui.mcp_server --out DIR [--url http://127.0.0.1:7860] [--auth FILE]

An agent starts it as a program of its own and talks to it through its standard input
and output. It loads no model: it hands the agent's files to the page's endpoints
(:mod:`ui.api`), so the page's limits, queue, sessions and cleaning hold, and it reads
no file that the person who started the agent may not read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from stablechat.errors import InputError, StableChatError
from stablechat.folders import checked_folder

DEFAULT_URL = "http://127.0.0.1:7860"
_EXIT_BAD_INPUT = 2


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ui.mcp_server",
        description="Let an agent ask a running StableChat, by MCP.",
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="where clips go")
    parser.add_argument(
        "--url",
        default=DEFAULT_URL,
        help="where the page is (default: %(default)s)",
    )
    parser.add_argument(
        "--auth",
        metavar="FILE",
        help="where the page asks for a login: a file with a user:password line, or "
        "the word env for the variable STABLECHAT_AUTH",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one agent until it leaves.

    Returns:
        The exit code: 0, or 2 for input that a person can put right.
    """
    arguments = parse_arguments(argv)
    try:
        serve(arguments)
    except StableChatError as error:
        print(f"error: {error}", file=sys.stderr)
        return _EXIT_BAD_INPUT
    except KeyboardInterrupt:
        pass
    return 0


def serve(arguments: argparse.Namespace) -> None:
    """Serve one agent.

    Raises:
        InputError: Something is missing, or nothing can be written where clips go.
    """
    if find_spec("mcp") is None:
        raise InputError(
            "This needs the package mcp: pip install -r requirements-mcp.txt"
        )
    # Late: --help must not wait for them.
    from ui.mcp_page import Page
    from ui.mcp_tools import make_server

    auth = None
    if arguments.auth is not None:
        from ui.server import read_auth

        auth = read_auth(arguments.auth)[0]
    with Page(arguments.url, checked_folder(arguments.out), auth) as page:
        make_server(page).run("stdio")


if __name__ == "__main__":
    sys.exit(main())
