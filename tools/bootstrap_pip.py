"""Installs pip into a virtual environment that was made without it.

    VENV/bin/python tools/bootstrap_pip.py

Debian and Ubuntu ship Python without ensurepip. The wheel comes from the index that
pip itself would ask (PIP_INDEX_URL, or else PyPI) and must have the SHA-256 that the
index gives for it. PIP_CERT or SSL_CERT_FILE name the certificates to trust.
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urldefrag, urljoin

PYPI = "https://pypi.org/simple"
TIMEOUT_SECONDS = 30
#: Finished releases only, no 26.0b1.
WHEEL = re.compile(r"/(pip-(\d+(?:\.\d+)*)-(?:py2\.)?py3-none-any\.whl)$")


class Links(HTMLParser):
    """The wheels that an index page offers to this Python, by version."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.wheels: dict[tuple[int, ...], tuple[str, str, str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag != "a" or "data-yanked" in values:
            return
        url, fragment = urldefrag(urljoin(self.page, values.get("href") or ""))
        name, digest = WHEEL.search(url), re.fullmatch("sha256=(.+)", fragment)
        floor = re.search(r">=\s*3\.(\d+)", values.get("data-requires-python") or "")
        if name and digest and (not floor or int(floor[1]) <= sys.version_info.minor):
            version = tuple(map(int, name[2].split(".")))
            self.wheels[version] = name[1], url, digest[1]


def download(url: str) -> tuple[str, bytes]:
    """Where the answer came from in the end, and the answer."""
    trusted = os.environ.get("PIP_CERT") or None
    is_folder = trusted is not None and os.path.isdir(trusted)
    # Without a name of its own, the context reads SSL_CERT_FILE.
    context = ssl.create_default_context(
        cafile=None if is_folder else trusted, capath=trusted if is_folder else None
    )
    request = urllib.request.Request(url, headers={"Accept": "text/html, */*"})
    with urllib.request.urlopen(
        request, timeout=TIMEOUT_SECONDS, context=context
    ) as answer:
        return answer.url, answer.read()


def fetch_wheel(folder: Path) -> Path:
    """Save the newest pip for this Python; ValueError if the index has none."""
    index = os.environ.get("PIP_INDEX_URL") or PYPI
    if "@" in index:
        raise ValueError("an index that asks for a password cannot be used here")
    page, content = download(f"{index.rstrip('/')}/pip/")
    links = Links(page)
    links.feed(content.decode("utf-8", "replace"))
    if not links.wheels:
        raise ValueError(f"no wheel of pip with a SHA-256 at {page}")
    name, url, digest = links.wheels[max(links.wheels)]
    wheel = download(url)[1]
    if hashlib.sha256(wheel).hexdigest() != digest.lower():
        raise ValueError(f"{url} has another SHA-256 than its index says")
    path = folder / name
    path.write_bytes(wheel)
    return path


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = fetch_wheel(Path(folder))
        except (OSError, ValueError, HTTPException) as error:
            print(f"pip could not be downloaded: {error}", file=sys.stderr)
            return 1
        # pip runs from inside its own wheel.
        command = [sys.executable, f"{wheel}/pip", "--disable-pip-version-check"]
        options = ["install", "--quiet", "--no-index", "--no-deps", str(wheel)]
        return subprocess.run(command + options).returncode


if __name__ == "__main__":
    sys.exit(main())
