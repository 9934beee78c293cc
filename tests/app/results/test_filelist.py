"""The list of files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from render.exports import FORMATS
from ui.files import ResultFile, ResultFiles
from ui.results.filelist import file_list, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_500_000_000, "1.5 GB"),
        (10**18, "1000000 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_each_file_is_a_link_with_what_it_is() -> None:
    files = tuple(
        ResultFile(each.name, Path(f"/tabs/a{each.ending}"), 1200) for each in FORMATS
    )
    for language, words in (("en", "subtitles (SubRip)"), ("zh", "字幕")):
        html = file_list(language, ResultFiles(files, {}))  # type: ignore[arg-type]
        assert html.count("<a href=") == len(FORMATS)
        assert html.count("download=") == len(FORMATS)
        assert words in html and "1.2 kB" in html
        assert "sc-notes" not in html


def test_what_can_not_be_had_is_told_in_the_persons_language() -> None:
    left_out = {
        "mp4": "nothing was found",
        "st-align": "it takes answers with a time and boxes, of task stvg, svg, elc",
        "edl": "<b>",
    }
    english = file_list("en", ResultFiles((), left_out))
    assert "sound: nothing was found" in english and "&lt;b&gt;" in english
    chinese = file_list("zh", ResultFiles((), left_out))
    assert "没有找到任何内容" in chinese and "stvg, svg, elc" in chinese


def test_odd_names_do_not_break_out_of_the_html() -> None:
    file = ResultFile("csv", Path('/tabs/"><script>&.csv'), 1)
    html = file_list("en", ResultFiles((file,), {}))
    assert "<script" not in html
    [address] = re.findall(r'href="([^"]*)"', html)
    assert address == "gradio_api/file=/tabs/%22%3E%3Cscript%3E%26.csv"
