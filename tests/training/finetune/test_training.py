"""Whole runs: what is saved, how a run goes on, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import golden_files
import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import rows, settings, write_data
from torch import Tensor
from transformers import TrainerCallback

from stablechat.chat import StableChat
from stablechat.errors import CheckpointError, InputError
from stablechat.loader import load_model
from stablechat.model.modeling import LlavaST
from stablechat.types import GenerationConfig
from training.finetune import __main__ as command
from training.finetune.__main__ import train
from training.finetune.examples import encode_example
from training.finetune.objective import example_losses
from training.finetune.settings import Settings
from training.finetune.trainer import (
    COMPLETE_FILE,
    STATE_FILE,
    ByLength,
    FinetuneTrainer,
    TrainingError,
    last_checkpoint,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def trainer(data: Path) -> FinetuneTrainer:
    return train(settings(data, out=data / "finished"), "cpu")


@pytest.fixture(scope="module")
def finished(trainer: FinetuneTrainer) -> Settings:
    return trainer.settings


def trained(folder: Path) -> dict[str, Tensor]:
    return dict(load_file(folder / STATE_FILE))


def loss_of(model: LlavaST) -> float:
    """On the first conversation, with visual tokens of its own."""
    row = rows()[0]
    tokenizer = golden_files.loaded().tokenizer
    example = encode_example(tokenizer, model.config, row["question"], row["answer"])
    shape = (model.config.num_slow_tokens, int(model.config.language.hidden_size))
    visual = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return example_losses(model.eval(), [example], [visual]).item()


def test_adapter_and_whole_model_are_what_was_trained(
    trainer: FinetuneTrainer,
) -> None:
    out, checkpoint = trainer.settings.out, golden_files.CHECKPOINT
    expected = loss_of(trainer.model.llava)  # type: ignore[union-attr, arg-type]
    base = load_model(checkpoint, "cpu", "float32").model
    adapted = load_model(checkpoint, "cpu", "float32", adapter=out / "adapter").model
    whole = load_model(out / "model", "cpu", "float32").model
    assert loss_of(adapted) == pytest.approx(expected, abs=1e-5)
    # It is stored in FP16.
    assert loss_of(whole) == pytest.approx(expected, abs=1e-3)
    assert abs(loss_of(base) - expected) > 2e-3


def test_the_whole_model_answers(finished: Settings) -> None:
    chat = StableChat.from_pretrained(finished.out / "model", "cpu")
    answer = chat.generate(
        golden_files.video_frames(), "Where?", GenerationConfig(max_new_tokens=4)
    )
    assert len(answer.token_ids) == 4
    stored = sorted(path.name for path in (finished.out / "model").iterdir())
    assert "tokenizer.json" in stored and "config.json" in stored


def test_an_adapter_holds_only_what_was_trained(finished: Settings) -> None:
    folder = finished.out / "adapter"
    parts = load_file(folder / "trained_parts.safetensors")
    assert "model.temporal_input_embeddings.weight" in parts
    assert not {"model.embed_tokens.weight", "lm_head.weight"} & set(parts)
    assert not [name for name in parts if "token_packer_fast" in name]
    updates = load_file(folder / "adapter_model.safetensors")
    first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert updates[first].shape[0] == 4


def test_words_of_the_embedding_do_not_change(finished: Settings) -> None:
    state = trained(finished.out / "checkpoint-4")
    base = load_model(golden_files.CHECKPOINT, "cpu", "float32").model
    first = base.config.base_vocab_size
    name = "language_model.lm_head.weight"
    torch.testing.assert_close(
        state[name][:first], base.language_model.lm_head.weight[:first], atol=0, rtol=0
    )
    assert (state[name][first:] != base.language_model.lm_head.weight[first:]).any()


class Kill(TrainerCallback):  # type: ignore[misc]
    """Ends a run as an error in the middle of it would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


def killed(chosen: Settings, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = FinetuneTrainer.__init__

    def init(self: Any, *given: Any, **options: Any) -> None:
        plain(self, *given, callbacks=[Kill(step)], **options)

    with monkeypatch.context() as patch:
        patch.setattr(FinetuneTrainer, "__init__", init)
        with pytest.raises(KeyboardInterrupt):
            train(chosen, "cpu")


def test_a_killed_run_goes_on_bit_for_bit(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two epochs and a half of three rows; killed in the second.
    through = settings(data, out=data / "through", max_steps=7)
    train(through, "cpu")
    again = settings(data, out=data / "again", max_steps=7)
    killed(again, 5, monkeypatch)
    # A checkpoint that was cut while it was written is not believed.
    (again.out / "checkpoint-5").mkdir()
    (again.out / "checkpoint-5" / STATE_FILE).write_bytes(b"half")
    found = last_checkpoint(again.out)
    assert found is not None and found.name == "checkpoint-4"
    train(again, "cpu")
    expected = trained(through.out / "checkpoint-6")
    for name, value in trained(again.out / "checkpoint-6").items():
        assert torch.equal(value, expected[name]), name


def test_other_parts_are_not_gone_on_with(data: Path, finished: Settings) -> None:
    rates = {"projector": 1e-3}
    other = settings(
        data, out=finished.out, learning_rates=rates, lora=None, max_steps=6
    )
    with pytest.raises(InputError, match="trained other parts"):
        train(other, "cpu")


@pytest.mark.parametrize(
    ("rates", "stage"),
    [({"projector": 1e-3, "packer": 1e-3}, "tower"), ({"language": 1e-4}, "visual")],
)
def test_features_from_the_cache_teach_the_same(
    data: Path, tmp_path: Path, rates: dict[str, float], stage: str
) -> None:
    common = {"learning_rates": rates, "lora": None, "max_steps": 2}
    plain = settings(data, out=tmp_path / "plain", **common)
    cached = settings(
        data, out=tmp_path / "cached", feature_cache=tmp_path / "cache", **common
    )
    train(plain, "cpu")
    train(cached, "cpu")
    assert len(list((tmp_path / "cache").iterdir())) == 3
    expected = trained(plain.out / "checkpoint-2")
    for name, value in trained(cached.out / "checkpoint-2").items():
        torch.testing.assert_close(value, expected[name], atol=1e-5, rtol=1e-4)


def test_a_bad_row_stops_the_run_by_its_name(data: Path, tmp_path: Path) -> None:
    lines = rows()
    lines[1]["video"] = "missing.mp4"
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    chosen = settings(data, rows=(tmp_path / "bad.jsonl",), out=tmp_path / "run")
    with pytest.raises(TrainingError, match=r"row-1: .*missing\.mp4.*--skip-bad"):
        train(chosen, "cpu")
    assert not (tmp_path / "run" / "model").exists()
    train(Settings(**{**vars(chosen), "skip_bad": True}), "cpu")
    left_out = json.loads((tmp_path / "run" / "left_out.json").read_text())
    assert list(left_out) == ["row-1"] and "missing.mp4" in left_out["row-1"]


def test_what_was_left_out_stays_listed_when_a_run_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = rows()
    lines[1]["video"] = "missing.mp4"
    (tmp_path / "bad.jsonl").write_text("\n".join(map(json.dumps, lines)))
    changed = {"rows": (tmp_path / "bad.jsonl",), "skip_bad": True, "batch_size": 3}
    chosen = settings(data, out=tmp_path / "run", save_steps=1, max_steps=3, **changed)
    killed(chosen, 2, monkeypatch)
    listed = tmp_path / "run" / "left_out.json"
    assert list(json.loads(listed.read_text())) == ["row-1"]
    # Nothing is trained any more, so nothing is left out again.
    train(settings(data, out=tmp_path / "run", max_steps=1, **changed), "cpu")
    assert list(json.loads(listed.read_text())) == ["row-1"]


def test_a_loss_that_is_no_number_stops_the_run(data: Path, tmp_path: Path) -> None:
    rates = {"language": 1e30}
    chosen = settings(
        data, out=tmp_path / "run", learning_rates=rates, lora=None, save_steps=1
    )
    with pytest.raises(TrainingError, match=r"The loss is (nan|inf) at step \d on row"):
        train(chosen, "cpu")
    assert last_checkpoint(chosen.out) is not None


def test_a_full_disk_leaves_the_last_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(data, out=tmp_path / "run")
    save: Callable[..., None] = FinetuneTrainer._save

    def full(self: Any, output_dir: str, *given: Any) -> None:
        if output_dir.endswith("-4"):
            Path(output_dir).mkdir()
            raise OSError(28, "No space left on device")
        save(self, output_dir, *given)

    with monkeypatch.context() as patch:
        patch.setattr(FinetuneTrainer, "_save", full)
        with pytest.raises(OSError, match="No space left"):
            train(chosen, "cpu")
    found = last_checkpoint(chosen.out)
    assert found is not None and found.name == "checkpoint-2"
    train(chosen, "cpu")
    assert (chosen.out / "checkpoint-4" / COMPLETE_FILE).exists()


def test_the_order_of_an_epoch_follows_from_its_number() -> None:
    sampler = ByLength(list(range(20)), 4, seed=1)
    first = list(sampler)
    assert list(sampler) == first and sorted(first) == list(range(20))
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_the_order_does_not_depend_on_how_many_processes_share_a_batch(
    trainer: FinetuneTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = torch.randint(1, 101, (500,), generator=torch.Generator().manual_seed(0))
    data = SimpleNamespace(lengths=numbers.tolist())
    monkeypatch.setattr(trainer, "train_dataset", data)
    monkeypatch.setattr(type(trainer.args), "world_size", 4)
    sampler = trainer._get_train_sampler()
    assert sampler is not None
    assert list(sampler) == list(ByLength(data.lengths, 4, trainer.settings.seed))


def test_like_lengths_leave_little_padding() -> None:
    numbers = torch.randint(1, 101, (2000,), generator=torch.Generator().manual_seed(0))
    # Tokens of answers with so many boxes, after a prompt of 100 frames.
    answers = [20 + 8 * int(boxes) for boxes in numbers]

    def padding(order: list[int]) -> float:
        batches = [order[i : i + 4] for i in range(0, len(order), 4)]
        lengths = [[2611 + answers[number] for number in batch] for batch in batches]
        return 1 - sum(map(sum, lengths)) / sum(4 * max(batch) for batch in lengths)

    assert padding(list(ByLength(answers, 4, seed=0))) < 0.003
    assert 0.06 < padding(list(range(2000))) < 0.09


def test_gradient_checkpointing_changes_nothing(data: Path, tmp_path: Path) -> None:
    found = []
    for name, checkpointing in (("with", True), ("without", False)):
        chosen = settings(
            data,
            out=tmp_path / name,
            max_steps=1,
            save_steps=1,
            gradient_checkpointing=checkpointing,
            accumulation=2,
        )
        train(chosen, "cpu")
        found.append(trained(chosen.out / "checkpoint-1"))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], atol=1e-6, rtol=1e-5)


def test_an_adapter_of_another_model_is_refused(
    finished: Settings, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="belongs to another model"):
        load_model(None, "cpu", adapter=finished.out / "adapter")
    with pytest.raises(CheckpointError, match=r"adapter_config\.json is missing"):
        load_model(None, "cpu", adapter=tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    with pytest.raises(CheckpointError, match="no plain LoRA"):
        load_model(None, "cpu", adapter=tmp_path)


def test_the_command_reads_its_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Settings] = []
    monkeypatch.setattr(command, "train", lambda chosen, device: seen.append(chosen))
    config = tmp_path / "run.yaml"
    config.write_text(
        "rows: a.jsonl\nvideos: v\nout: o\nlearning_rates: {language: 2e-4}\n"
        "lora: {r: 8}\n"
    )
    argv = ["x", str(config), "--set", "out=p", "--set", "max_steps=3", "--skip-bad"]
    monkeypatch.setattr("sys.argv", argv)
    command.main()
    (chosen,) = seen
    assert chosen.learning_rates == {"language": 2e-4}
    assert (chosen.out, chosen.max_steps, chosen.skip_bad) == (Path("p"), 3, True)
    assert chosen.lora is not None and (chosen.lora.r, chosen.lora.alpha) == (8, 256)
