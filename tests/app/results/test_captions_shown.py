"""What happens part by part, as the page and its files show it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from shown_answers import VIDEO

from stablechat.sentences import Sentence
from stablechat.types import Caption, Captions, Generation, TimeSpan
from ui.asks import Ask
from ui.files import write_files
from ui.jobs import Job
from ui.outcomes import write_captions
from ui.results import cards
from ui.results.history import name
from ui.results.tables import captions_table
from ui.results.timeline import parts_timeline
from ui.runs import Run

SPANS = (TimeSpan(0.0, 4.0), TimeSpan(4.0, 8.0))
ISSUE = Sentence("Parts about which the model said nothing: {count}.", count=1)


def captions(*texts: str) -> Captions:
    told = [
        Caption(span, text, Generation(text, (), "stop"))
        for span, text in zip(SPANS, texts, strict=False)
    ]
    return Captions(VIDEO, "", tuple(told), SPANS, "demo", (ISSUE,))


def test_the_table_leads_to_each_part_and_escapes_the_words() -> None:
    table = captions_table("en", captions("<b>A star</b>", "A ring."))
    assert table.count("<tr>") == 3
    assert 'data-seek="4.000000"' in table and "<b>" not in table
    assert "&lt;b&gt;A star" in table and "0:00:08.000" in table
    assert 'aria-label="Go to 0:00:04.000, the part until 0:00:08.000"' in table
    assert 'role="region" tabindex="0" aria-label="What happens, part by part"' in table


def test_the_line_marks_every_part() -> None:
    line = parts_timeline("en", captions("A star.", "A ring."), "0a")
    marked = re.findall(r'class="sc-marked" style="([^"]*)"', line)
    assert marked == ["left:0.0000%;width:40.0000%", "left:40.0000%;width:40.0000%"]
    assert 'data-folder="0a"' in line and "data-pieces" not in line
    assert "sc-lane" not in line


def test_the_card_says_whose_times_they_are_and_what_was_odd() -> None:
    card = cards.captioned("zh", captions("A star."))
    assert "分 2 段的内容" in card and "不是模型找到的" in card
    assert "模型什么也没说的段" in card
    assert "sc-warn" in cards.captioned("en", captions())
    told = captions("A star.")
    short = replace(told, windows=told.windows[:1])
    assert "What happens in one part" in cards.captioned("en", short)


def test_its_files_and_its_name_in_the_history(tmp_path: Path) -> None:
    ask = Ask(Path("kitchen.mp4"), "", "captions")
    told = captions("A star.\n\nIt shrinks.", "A ring.")
    outcome = write_captions(ask, told, tmp_path)
    assert outcome.text_path is not None
    assert outcome.text_path.read_text("utf-8").splitlines() == [
        "0:00:00.000 - 0:00:04.000  A star. It shrinks.",
        "0:00:04.000 - 0:00:08.000  A ring.",
    ]
    job: Job[Any] = Job(lambda job: None)
    files = write_files(outcome, tmp_path / "files", job)
    names = [each.path.name for each in files.files]
    assert names == [
        f"kitchen_captions.{end}" for end in ("zip", "json", "srt", "vtt", "csv")
    ]
    with zipfile.ZipFile(files.files[0].path) as archive:
        assert sorted(archive.namelist()) == sorted(names[1:])
    run = Run("1", tmp_path)
    run.result = outcome
    assert name(run, "en") == "What happens, part by part? · kitchen.mp4"
    run.result = replace(outcome, question="what colour?")
    assert name(run, "en") == "what colour? · kitchen.mp4"
