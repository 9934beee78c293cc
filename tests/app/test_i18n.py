"""Both languages say everything."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

from render.exports import FORMATS
from ui.asks import OTHER_MODES, Mode
from ui.i18n import TABLES, browser_tables, label, language_of

UI = Path(__file__).parents[2] / "ui"

#: Keys that the code puts together from parts.
COMPOSED = (
    {
        f"{part}_{mode}"
        for part in ("question", "placeholder")
        for mode in get_args(Mode)
    }
    | {f"kind_{mode}" for mode in OTHER_MODES}
    | {f"stage_{stage}" for stage in ("read", "encode", "answer", "draw")}
    | {f"idle_step_{number}" for number in (1, 2, 3)}
    | {
        f"{card}_{part}"
        for card in ("waiting", "not_found", "stopped", "forgotten")
        for part in ("title", "body")
    }
    | {f"box_{kind}" for kind in ("corners", "frame", "none")}
    | {f"{key}_{end}" for key in ("svg", "part") for end in ("start", "end")}
    | {f"fix_{field}" for field in ("start", "end", "moment")}
    | {f"file_{each.name.replace('-', '_')}" for each in FORMATS}
    | {f"key_{name}" for name in ("run", "line", "stop", "step")}
    | {f"ended_{reason}" for reason in ("stop", "length", "cancelled")}
)


def _braces(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_tables_have_the_same_keys_and_braces() -> None:
    english, chinese = TABLES["en"], TABLES["zh"]
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert text.strip() and chinese[key].strip(), key
        assert _braces(text) == _braces(chinese[key]), key


def test_chinese_is_chinese() -> None:
    for key, text in TABLES["zh"].items():
        assert re.search(r"[\u4e00-\u9fff]", text), key
        assert not re.search(r"[\u4e00-\u9fff][,:;?]", text), f"{key}: half-width mark"


def test_every_text_is_used_and_every_used_text_exists() -> None:
    source = "".join(path.read_text("utf-8") for path in UI.rglob("*.py"))
    quoted = set(re.findall(r"[\"']([a-z_0-9]+)[\"']", source)) | COMPOSED
    assert set(TABLES["en"]) - quoted == set()
    assert COMPOSED <= set(TABLES["en"])
    called = set(re.findall(r'(?:label\(|text\(\s*language,\s*)"([a-z_0-9]+)"', source))
    assert called <= set(TABLES["en"])


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh", "zh"),
        ("ZH-Hant-TW", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.5, zh;q=0.9", "zh"),  # weight beats order
        ("fr-FR,fr;q=0.9", "en"),  # neither
        ("fr, zh;q=0.3", "zh"),  # the best of what we have
        ("zh;q=0, en;q=0.1", "en"),  # 0 means never
        ("zh;q=banana", "en"),  # garbage
        (";;,,==", "en"),
    ],
)
def test_language_follows_the_header(header: str | None, language: str) -> None:
    assert language_of(header) == language


def test_labels_reach_the_browser_under_their_own_names() -> None:
    tables = browser_tables().translations_dict
    assert {"en", "zh", "zh-CN"} <= set(tables)
    key = label("video").key  # type: ignore[attr-defined]
    assert tables["en"][key] == "Video"
    # Gradio has a table of its own under "video" in the same browser-side store.
    assert key != "video"


def test_a_misspelt_label_is_found_at_once() -> None:
    with pytest.raises(KeyError):
        label("vidoe")
