"""The container's health check against the real page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake_chat import FakeChat
from served_page import serving

SCRIPT = Path(__file__).parents[2] / "tools" / "healthcheck.py"


@pytest.mark.parametrize("auth", [(), (("ann", "secret"),)], ids=["open", "login"])
def test_a_page_is_well_with_and_without_a_login(
    tmp_path: Path, auth: tuple[tuple[str, str], ...]
) -> None:
    with serving(FakeChat(), tmp_path, auth) as (url, _):
        port = url.rpartition(":")[2]
        assert subprocess.run([sys.executable, SCRIPT, port]).returncode == 0
