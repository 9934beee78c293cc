"""Settings are read, and a wrong one is one plain line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stablechat.errors import InputError
from training.finetune.conversations import read_conversations
from training.finetune.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "rows": ["a.jsonl"],
    "videos": "v",
    "out": "o",
    "learning_rates": {"packer": 1e-5},
}

BAD = [
    ({"speed": 3}, "there is no setting speed"),
    ({"learning_rates": {"brain": 1}}, "no part ['brain']"),
    ({"learning_rates": {}}, "names no part"),
    ({"learning_rates": {"packer": "fast"}}, "could not convert"),
    ({"lora": {"r": 4}}, "lora needs a learning rate for language"),
    ({"lora": {"rank": 4}}, "rank"),
    ({"precision": "int8"}, "precision is one of"),
    ({"report_to": "paper"}, "report_to is any of"),
    ({"eval_rows": "e.json"}, "go together"),
    ({"batch_size": 0}, "batch_size must be at least 1"),
]


@pytest.mark.parametrize("changes, message", BAD)
def test_a_wrong_setting(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("- a", "names and values"),
        ("a: [", "not a YAML"),
        ("a: !!python/name:os.x", "not a YAML"),
    ],
)
def test_a_file_that_holds_no_settings(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_settings(path)
    with pytest.raises(InputError, match="can't be read"):
        read_settings(tmp_path / "none.yaml")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("rows: a")
    with pytest.raises(InputError, match="videos, out, learning_rates must be set"):
        read_settings(path)


def test_every_configuration_can_be_read() -> None:
    files = sorted((ROOT / "training" / "configs").glob("*.yaml"))
    found = [path for path in files if not path.name.startswith("accelerate_")]
    assert len(found) >= 5
    for path in found:
        assert read_settings(path).learning_rates, path


@pytest.mark.parametrize(
    "line, message",
    [
        ("{", "line 1"),
        ("{}", "KeyError('id')"),
        ('{"id": 3, "video": "v", "question": "q", "answer": "a"}', "id must be text"),
        (
            '{"id": "i", "video": "../v", "question": "q", "answer": "a"}',
            "must stay in its folder",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(line)
    with pytest.raises(InputError) as caught:
        read_conversations([path])
    assert message in str(caught.value)


def test_no_lines_are_nothing_to_train_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("")
    with pytest.raises(InputError, match="no conversations"):
        read_conversations([path])
