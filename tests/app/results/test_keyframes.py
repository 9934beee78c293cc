"""The strip of key frames, and links to files."""

from __future__ import annotations

import html
import re
from pathlib import Path
from urllib.parse import unquote

from ui.links import file_url
from ui.pictures import FrameFile
from ui.results.keyframes import strip


def test_each_picture_is_a_button_that_names_its_moment() -> None:
    frames = [FrameFile(1.25, Path("/tabs/a/1.jpg")), FrameFile(62.0, Path("/b/2.jpg"))]
    line = strip("en", frames)
    assert re.findall(r'data-seek="([\d.]+)"', line) == ["1.250000", "62.000000"]
    assert 'aria-label="Go to 0:01.2"' in line and 'aria-label="Go to 1:02.0"' in line
    assert 'src="gradio_api/file=/tabs/a/1.jpg"' in line


def test_odd_file_names_do_not_break_out_of_the_html() -> None:
    path = Path('/tabs/"><img onerror=alert(1)>&?#.jpg')
    line = strip("en", [FrameFile(0.0, path)])
    assert "<img onerror" not in line
    [source] = re.findall(r'src="([^"]*)"', line)
    assert unquote(html.unescape(source)) == f"gradio_api/file={path}"
    assert "?" not in file_url(path) and "#" not in file_url(path)
