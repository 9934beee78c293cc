"""The HTML of the form for corrections."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from shown_answers import VIDEO, answer

from stablechat.types import TimeSpan
from ui.drawing import canvas, line
from ui.pictures import FrameFile
from ui.results.correcting import trimmer


def test_handles_stand_at_the_answers_ends_and_move_by_a_picture() -> None:
    html = trimmer("en", answer(), TimeSpan(2.0, 4.0))
    assert re.findall(r'data-writes="([\w-]+)"', html) == [
        *("sc-fix-start", "sc-fix-end"),
    ]
    assert re.findall(r' value="([\d.]+)"', html) == ["2.000000", "4.000000"]
    assert html.count('step="0.040000"') == 2
    assert 'aria-label="Start" aria-valuetext="0:00:02.000"' in html
    assert "结束时间" in trimmer("zh", answer(), TimeSpan(2.0, 4.0))


def test_a_picture_to_draw_on_shows_the_box_where_it_is() -> None:
    frame = FrameFile(1.5, Path('/tabs/"<b>.jpg'))
    html = canvas("en", frame, VIDEO, np.array([32.0, 18, 160, 90]), writes="sc-fix")
    assert 'data-width="320" data-height="180"' in html
    assert "left:10.0000%;top:10.0000%;width:40.0000%;height:40.0000%" in html
    assert 'alt="The picture at 0:00:01.500"' in html
    assert "<b>" not in html
    assert "display:none" in canvas("en", frame, VIDEO, None, writes="sc-fix")


def test_what_is_said_is_escaped_and_an_alarm_only_where_something_is_wrong() -> None:
    assert line("") == ""
    assert line("<b>", alert=True) == '<p class="sc-problem" role="alert">&lt;b&gt;</p>'
    assert 'role="status"' in line("Done")
