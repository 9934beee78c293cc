"""Whether the page on this machine answers: ``python tools/healthcheck.py PORT``.

Standard library only, so that it is quick; exit code 0 or 1.
"""

from __future__ import annotations

import sys
import urllib.request

_TIMEOUT_SECONDS = 5


def main(port: str) -> int:
    """Ask for the page, which is the login where there is one."""
    # Not through a proxy, which could not reach this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/", timeout=_TIMEOUT_SECONDS):
            return 0
    except (OSError, ValueError) as error:
        print(f"The page on port {port} does not answer: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "7860"))
