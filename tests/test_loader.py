"""Loading: every layout that is published, every way a checkpoint can be wrong."""

from __future__ import annotations

import json
import logging
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch
from golden_files import TOWER_PREFIX, read_weights, write_weights

from stablechat import hub
from stablechat.errors import CheckpointError, ModelError
from stablechat.loader import LoadedModel, load_model
from stablechat.model.modeling import LlavaST


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of the test's own."""
    return golden_files.copy_checkpoint(tmp_path / "my-model")


def load(folder: Path, **options: Any) -> LoadedModel:
    return load_model(folder, device="cpu", **options)


def assert_same_weights(found: LlavaST) -> None:
    expected = golden_files.loaded().model.state_dict()
    state = found.state_dict()
    assert state.keys() == expected.keys()
    for name, tensor in state.items():
        assert torch.equal(tensor, expected[name]), name


# --- layouts --------------------------------------------------------------------


def test_what_is_loaded(checkpoint: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "stablechat"):
        loaded = load(checkpoint)
    assert (loaded.name, loaded.is_demo, loaded.attn) == ("my-model", False, "sdpa")
    assert (loaded.device.type, loaded.dtype) == ("cpu", torch.float32)
    assert not loaded.model.training
    assert not any(p.requires_grad or p.is_meta for p in loaded.model.parameters())
    for chosen in (str(checkpoint), "device cpu", "torch.float32", "attention sdpa"):
        assert chosen in caplog.text


def test_the_tables_are_rows_of_embedding_and_head(checkpoint: Path) -> None:
    stored = read_weights(checkpoint)
    language = load(checkpoint).model.language_model
    rows = language.model.embed_tokens.weight[416 + 100 : 416 + 200]
    assert torch.equal(rows, stored["model.spatial_height_input_embeddings.weight"])
    rows = language.lm_head.weight[416:516]
    assert torch.equal(rows, stored["model.temporal_output_embeddings.weight"])


def test_buffers_that_no_checkpoint_holds_are_computed(checkpoint: Path) -> None:
    model = load(checkpoint, dtype="float16").model
    rotary = model.language_model.model.rotary_emb.inv_freq
    expected = 10000.0 ** -(torch.arange(0, 16, 2) / 16)
    # In float32 whatever the weights are in.
    torch.testing.assert_close(rotary, expected)
    positions = model.vision_tower.embeddings.position_ids
    assert torch.equal(positions, torch.arange(729)[None])


def test_shards(checkpoint: Path) -> None:
    golden_files.shard(checkpoint)
    assert_same_weights(load(checkpoint).model)


def test_the_tower_from_beside(checkpoint: Path) -> None:
    tensors = read_weights(checkpoint)
    beside = read_weights(checkpoint / "siglip-tiny")
    kept = {k: t for k, t in tensors.items() if not k.startswith(TOWER_PREFIX)}
    assert len(kept) < len(tensors)
    write_weights(checkpoint, kept)
    tower = load(checkpoint).model.vision_tower.state_dict()
    # Of the tower's three layers the last is dropped, and so is the head.
    assert {int(n.split(".")[2]) for n in tower if ".layers." in n} == {0, 1}
    for name, tensor in tower.items():
        assert torch.equal(tensor, beside[f"vision_model.{name}"]), name


def test_a_whole_siglip_beside(checkpoint: Path) -> None:
    tensors = read_weights(checkpoint)
    write_weights(
        checkpoint, {k: t for k, t in tensors.items() if TOWER_PREFIX not in k}
    )
    beside = checkpoint / "siglip-tiny"
    whole = read_weights(beside)
    whole["text_model.embeddings.token_embedding.weight"] = torch.zeros(3, 4)
    whole["logit_scale"] = torch.zeros(1)
    whole["vision_model.embeddings.position_ids"] = torch.arange(729)[None]
    write_weights(beside, whole)
    vision = json.loads((beside / "config.json").read_text())
    (beside / "config.json").write_text(
        json.dumps({"model_type": "siglip", "vision_config": vision})
    )
    assert_tower_is_loaded(load(checkpoint).model, whole)


def assert_tower_is_loaded(model: LlavaST, stored: dict[str, torch.Tensor]) -> None:
    name = "embeddings.patch_embedding.weight"
    loaded = model.vision_tower.state_dict()[name]
    assert torch.equal(loaded, stored[f"vision_model.{name}"])


def test_computed_buffers_of_old_checkpoints_are_left_out(checkpoint: Path) -> None:
    tensors = read_weights(checkpoint)
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(8)
    write_weights(checkpoint, tensors)
    assert_same_weights(load(checkpoint).model)


def test_bin_files_are_read_as_tensors_only(checkpoint: Path) -> None:
    torch.save(read_weights(checkpoint), checkpoint / "pytorch_model.bin")
    (checkpoint / "model.safetensors").unlink()
    assert_same_weights(load(checkpoint).model)


def test_a_pickle_with_code_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model.norm.weight": Evil()}, checkpoint / "pytorch_model.bin")
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="plain tensors"):
        load(checkpoint)
    assert not (tmp_path / "ran").exists()


def test_safetensors_come_first(checkpoint: Path) -> None:
    (checkpoint / "pytorch_model.bin").write_bytes(b"not even a pickle")
    assert_same_weights(load(checkpoint).model)


def test_a_slow_tokenizers_files_will_do(checkpoint: Path) -> None:
    (checkpoint / "tokenizer.json").unlink()
    tokenizer = load(checkpoint).tokenizer
    for case in golden_files.CASES.values():
        found = tokenizer.encode_prompt(case["query"]).input_ids
        expected = golden_files.loaded().tokenizer.encode_prompt(case["query"])
        assert torch.equal(found, expected.input_ids)


def test_end_tokens_of_generation_config_count_too(checkpoint: Path) -> None:
    path = checkpoint / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": [7, 9]}))
    loaded = load(checkpoint)
    assert loaded.end_token_ids == (*loaded.tokenizer.end_token_ids, 7, 9)


# --- what is wrong with it ------------------------------------------------------


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def damage_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**40) + path.read_bytes()[8:])


def empty(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def rename_key(folder: Path) -> None:
    tensors = read_weights(folder)
    tensors["model.layers.0.mlp.up.weight"] = tensors.pop(
        "model.layers.0.mlp.up_proj.weight"
    )
    write_weights(folder, tensors)


def drop_key(folder: Path) -> None:
    tensors = read_weights(folder)
    del tensors["model.layers.1.mlp.down_proj.weight"]
    write_weights(folder, tensors)


def drop_table(folder: Path) -> None:
    tensors = read_weights(folder)
    del tensors["model.spatial_height_input_embeddings.weight"]
    write_weights(folder, tensors)


def wrong_shape(folder: Path) -> None:
    tensors = read_weights(folder)
    tensors["model.norm.weight"] = torch.zeros(65)
    write_weights(folder, tensors)


def short_table(folder: Path) -> None:
    tensors = read_weights(folder)
    key = "model.temporal_input_embeddings.weight"
    tensors[key] = tensors[key][:90]
    write_weights(folder, tensors)


def wide_packer(folder: Path) -> None:
    tensors = read_weights(folder)
    key = "model.vision_resampler.token_packer.devide_attention.to_q.0.weight"
    tensors[key] = torch.cat([tensors[key]] * 2)
    write_weights(folder, tensors)


def lose_shard(folder: Path) -> None:
    golden_files.shard(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()


def index_leaves_folder(folder: Path) -> None:
    golden_files.shard(folder)
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": "../../model.safetensors"}}))


def empty_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("{}")


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def remove_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").unlink()


def unname_tower(folder: Path) -> None:
    golden_files.edit_config(folder, mm_vision_tower=None)


def configure(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: golden_files.edit_config(folder, **changes)


WRONG: list[tuple[Callable[[Path], None], str]] = [
    (truncate, r"model\.safetensors is damaged or cut short"),
    (damage_header, "damaged or cut short"),
    (empty, "damaged or cut short"),
    (rename_key, r"no place for: model\.layers\.0\.mlp\.up\.weight \[128, 64\]"),
    (drop_key, r"lacks model\.layers\.1\.mlp\.down_proj\.weight"),
    (drop_table, r"spatial_width_input.* starts at row 616 .* 516 rows"),
    (wrong_shape, r"model\.norm\.weight has the shape \[65\].* asks for \[64\]"),
    (short_table, r"starts at row 516 .* 506 rows"),
    (wide_packer, r"token_packer.*has the shape"),
    (lose_shard, r"model-00002-of-00003\.safetensors is missing"),
    (index_leaves_folder, r"no shard: '\.\./\.\./model\.safetensors'"),
    (empty_index, "has no weight_map"),
    (remove("model.safetensors"), "has no weights"),
    (remove("config.json"), r"config\.json is missing"),
    (write("config.json", "{"), r"config\.json can't be read"),
    (write("config.json", "[]"), "does not hold a JSON object"),
    (write("config.json", "{}"), "mm_vision_tower"),
    (write("siglip-tiny/config.json", "{}"), "does not describe"),
    (configure(hidden_act="foo"), "foo"),
    (configure(num_hidden_layers=10**7), "num_hidden_layers"),
    (configure(mm_vision_select_layer=-500), "mm_vision_select_layer"),
    (configure(mm_vision_tower="x" * 300), "neither a folder"),
    (unname_tower, "does not name its mm_vision_tower"),
    (remove_tokenizer, r"no tokenizer: tokenizer\.json is missing.*vocab\.json"),
    (write("tokenizer.json", "{}"), r"tokenizer\.json can't be read"),
    (write("adapter_config.json", "{}"), "LoRA adapter"),
    (write("non_lora_trainables.bin", ""), "LoRA adapter"),
]


@pytest.mark.parametrize(
    ("change", "message"),
    WRONG,
    ids=[f"{c.__name__}-{i}" for i, (c, _) in enumerate(WRONG)],
)
def test_a_wrong_checkpoint_is_refused(
    checkpoint: Path, change: Callable[[Path], None], message: str
) -> None:
    change(checkpoint)
    with pytest.raises(CheckpointError) as caught:
        load(checkpoint)
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)


def test_the_demo_says_where_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "DEMO_FOLDER", tmp_path / "demo")
    with pytest.raises(CheckpointError, match=r"demo model is not in .*--model"):
        load_model(None)


def test_the_demo_is_the_default(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "DEMO_FOLDER", checkpoint)
    loaded = load_model(None, device="cpu")
    assert (loaded.name, loaded.is_demo) == ("demo", True)


@pytest.mark.parametrize(
    "model",
    [
        "no such folder",
        "./nowhere",
        "/nowhere/at/all",
        "",
        "../../etc/passwd",
        "org/../name",
        "org/na..me",
        "org/name/more",
        "org\\name",
        "org/name@../../x y",
        "https://huggingface.co/org/name",
        Path("org/name"),
    ],
)
def test_what_is_no_model(model: str | Path) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        load_model(model)


# --- memory ---------------------------------------------------------------------


MEASURE = """
import json, re, sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
folder = Path(sys.argv[1])
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import golden_files
from stablechat.loader import load_model
load_model(golden_files.CHECKPOINT, device="cpu")  # imports, threads, allocator
def peak():
    # Not getrusage: its peak starts at that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024
before = peak()
loaded = load_model(folder, device="cpu")
weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
print(json.dumps({"weights": weights, "extra": peak() - before}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_copies_of_the_weights_never_exist(checkpoint: Path) -> None:
    """200 MB of weights take less than 1.5 times as much at the peak."""
    tensors, wide = read_weights(checkpoint), 131072
    for name in [n for n in tensors if ".mlp." in n and n.startswith("model.layers")]:
        shape = (64, wide) if "down_proj" in name else (wide, 64)
        tensors[name] = torch.ones(shape)
    write_weights(checkpoint, tensors)
    golden_files.edit_config(checkpoint, intermediate_size=wide)
    tests = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(checkpoint), str(tests), str(tests.parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["weights"] > 200e6
    assert measured["extra"] < 1.5 * measured["weights"], measured
