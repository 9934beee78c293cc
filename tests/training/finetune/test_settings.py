"""Settings are read, and a wrong one is one plain line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stablechat.errors import InputError
from training.finetune.conversations import read_conversations
from training.finetune.settings import Lora, read_settings

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "rows": ["a.jsonl"],
    "videos": "v",
    "out": "o",
    "learning_rates": {"packer": 1e-5},
}

LORA = {"learning_rates": {"language": 1e-4}}
BAD = [
    ({"speed": 3}, "there is no setting speed"),
    ({"learning_rates": {"brain": 1}}, "no part ['brain']"),
    ({"learning_rates": {}}, "names no part"),
    ({"learning_rates": {"packer": "fast"}}, "learning_rates: packer must be a num"),
    ({"learning_rates": {"packer": 0}}, "learning_rates: packer must be above 0"),
    ({"learning_rates": 1e-5}, "learning_rates must hold names and values"),
    ({"lora": {"r": 4}}, "lora needs a learning rate for language"),
    ({"lora": {"rank": 4}}, "rank"),
    ({"precision": "int8"}, "precision is one of"),
    ({"report_to": "paper"}, "report_to is any of"),
    ({"eval_rows": "e.json"}, "go together"),
    ({"batch_size": 0}, "batch_size must be at least 1"),
    ({"batch_size": 1.5}, "batch_size must be a whole number, got 1.5"),
    ({"batch_size": True}, "batch_size must be a number, got True"),
    ({"batch_size": None}, "batch_size must be a number, got None"),
    ({"epochs": "two"}, "epochs must be a number, got 'two'"),
    ({"epochs": "nan"}, "epochs must be a number, got 'nan'"),
    ({"epochs": 0}, "epochs must be above 0"),
    ({"max_steps": 0.5}, "max_steps must be a whole number"),
    ({"max_steps": 0}, "max_steps must be at least 1, or -1"),
    ({"max_grad_norm": "x"}, "max_grad_norm must be a number"),
    ({"warmup_share": 3}, "warmup_share must be from 0"),
    ({"weight_decay": -1}, "weight_decay must be at least 0"),
    ({"keep_checkpoints": 0}, "keep_checkpoints must be at least 1"),
    ({"eval_limit": -1}, "eval_limit must be at least 1"),
    ({"seed": -1}, "seed must be from 0"),
    ({"skip_bad": "no"}, "skip_bad must be true or false, got 'no'"),
    ({"gradient_checkpointing": 1}, "gradient_checkpointing must be true or false"),
    ({"model": 7}, "model must be text, got 7"),
    ({"rows": [3]}, "rows must be text, got 3"),
    ({"videos": None}, "videos must be text, got None"),
    ({**LORA, "lora": 8}, "lora must hold names and values, got 8"),
    ({**LORA, "lora": {"r": 0}}, "lora: r must be at least 1"),
    ({**LORA, "lora": {"r": "many"}}, "lora: r must be a number, got 'many'"),
    ({**LORA, "lora": {"dropout": 1}}, "lora: dropout must be from 0"),
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


def test_numbers_are_numbers_however_yaml_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**GOOD, "eval_limit": None, "report_to": []}))
    text = "{weight_decay: 1e-2, warmup_share: 3e-2, max_steps: 1e3, epochs: 2}"
    text = f"{{lora: {{r: 4, dropout: 5e-2}}, {text[1:]}"
    rates = {"learning_rates": {"language": "1e-4"}}
    found = read_settings(path, {**yaml.safe_load(text), **rates})
    numbers = (found.weight_decay, found.warmup_share, found.max_steps, found.epochs)
    assert numbers == (0.01, 0.03, 1000, 2.0)
    assert [type(each) for each in numbers] == [float, float, int, float]
    assert found.lora == Lora(r=4, dropout=0.05)
    assert found.learning_rates == {"language": 1e-4}
    assert (found.eval_limit, found.report_to) == (None, ())


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
