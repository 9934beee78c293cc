"""Where a model goes: device, number type, attention, memory, several cards."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch

from stablechat import memory, placement
from stablechat.chat import StableChat
from stablechat.errors import InputError, OutOfMemoryError
from stablechat.loader import LoadedModel, load_model
from stablechat.model.config import build_config
from stablechat.model.modeling import LlavaST
from stablechat.types import GenerationConfig
from stablechat.weights import read_json


def load(**options: Any) -> LoadedModel:
    return load_model(golden_files.CHECKPOINT, device="cpu", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu9"}, "no device 'tpu9'"),
        ({"device": "meta"}, "not supported"),
        ({"device": "cuda:99"}, "has no device cuda:99"),
        ({"device": "cpu", "dtype": "int8"}, "no number type 'int8'"),
        ({"device": "cpu", "dtype": torch.int32}, "no number type 'int32'"),
        ({"device": "cpu", "attn": "fast"}, "no attention 'fast'"),
        ({"device": "cpu", "attn": "flash_attention_2"}, "needs the flash-attn"),
        ({"device": "cpu", "device_map": "balanced"}, "device_map must be"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(golden_files.CHECKPOINT, **options)


@pytest.mark.parametrize(
    "dtype", ["float16", "fp16", torch.float16, "bfloat16", torch.bfloat16]
)
def test_types(dtype: str | torch.dtype) -> None:
    loaded = load(dtype=dtype)
    assert {p.dtype for p in loaded.model.parameters()} == {loaded.dtype}
    assert loaded.dtype in (torch.float16, torch.bfloat16)


def test_the_default_type_follows_the_device() -> None:
    assert placement.choose_dtype(None, torch.device("cpu")) is torch.float32
    assert placement.choose_dtype(None, torch.device("cuda")) is torch.float16


def test_short_memory_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "free_bytes", lambda device: 10 * 2**20)
    allocated = []
    monkeypatch.setattr(placement, "allocate", allocated.append)
    with pytest.raises(OutOfMemoryError) as caught:
        load()
    message = str(caught.value)
    assert re.search(r"needs about 0\.\d GiB in float32, and cpu has 0\.0 GiB", message)
    assert "--dtype bfloat16" in message
    assert "the demo model" in message
    assert not allocated


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", None), ("5000", 2000), ("1000", 0), ("", None)]
)
def test_a_containers_limit_counts(
    limit: str, expected: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    if limit:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.stat").write_text("anon 3000\nfile 900\n")
    found = memory.free_bytes(torch.device("cpu"))
    if expected is None:
        assert found > 10**6
    else:
        assert found == expected


@pytest.mark.parametrize("text", ["MemTotal: 9 kB\nMemAvailable:    2 kB\n", "odd", ""])
def test_free_memory_without_other_packages(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    if text:
        (tmp_path / "meminfo").write_text(text)
    found = memory.free_bytes(torch.device("cpu"))
    assert found == 2048 if "2 kB" in text else found > 10**8


def pretend_cards(monkeypatch: pytest.MonkeyPatch, *free: int, cpu: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(
        placement,
        "free_bytes",
        lambda device: free[device.index or 0] if device.type == "cuda" else cpu,
    )


def test_one_card_is_enough(
    empty_model: LlavaST, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_cards(monkeypatch, 2**30, 2**30, cpu=2**30)
    found = placement.place(empty_model, torch.device("cuda"), torch.float16, "sdpa")
    assert (found.device, found.device_map) == (torch.device("cuda"), None)


def test_one_card_is_too_small(
    empty_model: LlavaST, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, bound = sizes(empty_model)
    monkeypatch.setattr(placement, "_USABLE_SHARE", 1)
    pretend_cards(monkeypatch, bound + 5 * layer, 2**30, cpu=2**30)
    cuda, half = torch.device("cuda"), torch.float16
    found = placement.place(empty_model, cuda, half, "sdpa")
    assert found.device == torch.device("cuda", 0)
    assert found.device_map is not None
    assert set(found.device_map.values()) == {0, 1}


def test_a_card_that_was_named_is_not_left(
    empty_model: LlavaST, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_cards(monkeypatch, 1000, 2**30, cpu=2**30)
    named, half = torch.device("cuda", 0), torch.float16
    with pytest.raises(OutOfMemoryError, match=r"cuda:0 has 0\.0 GiB.*--device cpu"):
        placement.place(empty_model, named, half, "sdpa")


def test_all_cards_together_are_too_small(
    empty_model: LlavaST, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_cards(monkeypatch, 1000, 1000, cpu=1000)
    cuda, half = torch.device("cuda"), torch.float16
    with pytest.raises(OutOfMemoryError, match=r"needs about"):
        placement.place(empty_model, cuda, half, "sdpa")


def test_a_map_with_one_device() -> None:
    found = load(device_map={"": "cpu"}).model.state_dict()
    expected = golden_files.loaded().model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_offloaded_layers_are_fetched_when_they_run() -> None:
    """What accelerate does for layers that no card has room for, on the CPU alone."""
    # "cpu" is the store that layers come from; the device object is where they run.
    here = torch.device("cpu")
    parts = [*placement.FIRST_DEVICE_PARTS, "language_model.model.layers.0"]
    device_map = {**dict.fromkeys(parts, here), "language_model.model.layers.1": "cpu"}
    loaded = load(device_map=device_map)
    stored = loaded.model.language_model.model.layers[1].mlp.up_proj.weight
    assert stored.is_meta
    answer = StableChat(loaded).generate(
        golden_files.case_frames("rec"),
        golden_files.CASES["rec"]["query"],
        GenerationConfig(max_new_tokens=8),
    )
    expected = golden_files.case_tensors("rec")["generated_ids"][0, :8].tolist()
    assert list(answer.token_ids) == expected


@pytest.fixture
def empty_model(monkeypatch: pytest.MonkeyPatch) -> LlavaST:
    """Eight layers on the meta device."""
    # accelerate drops the cards that this machine does not have.
    monkeypatch.setattr("accelerate.utils.modeling.get_max_memory", lambda m: m)
    folder = golden_files.CHECKPOINT
    fields = {**read_json(folder / "config.json"), "num_hidden_layers": 8}
    tower = read_json(folder / "siglip-tiny" / "config.json")
    with torch.device("meta"):
        return LlavaST(build_config(fields, tower, 32))


def sizes(model: LlavaST) -> tuple[int, int]:
    """Bytes of one layer, and of all that is bound to the first card."""
    layers = model.language_model.model.layers
    layer = memory.weight_bytes(layers[0], torch.float16)
    whole = memory.weight_bytes(model, torch.float16)
    working = memory.working_bytes(model, torch.float16)
    return layer, whole - len(layers) * layer + working


def test_layers_are_spread_and_the_rest_stays_first(empty_model: LlavaST) -> None:
    layer, bound = sizes(empty_model)
    budget = {0: bound + 4 * layer, 1: 3 * layer, "cpu": 2**30}
    device_map = placement.spread(empty_model, torch.float16, budget)
    for part in ("vision_tower", "projector", "packer", "language_model.lm_head"):
        assert device_map[part] == 0
    assert device_map["language_model.model.embed_tokens"] == 0
    found = [device_map[f"language_model.model.layers.{i}"] for i in range(8)]
    assert {0, 1, "cpu"} == set(found)
    # In order, so that the data crosses between devices as seldom as possible.
    assert found == sorted(found, key=[0, 1, "cpu"].index)
    assert found.count(0) <= 4
    assert found.count(1) <= 3
    names = {name for name, _ in empty_model.named_parameters()}
    covered = {n for n in names if any(n.startswith(part + ".") for part in device_map)}
    assert covered == names


def test_all_stays_on_one_card_that_has_room(empty_model: LlavaST) -> None:
    layer, bound = sizes(empty_model)
    budget = {0: bound + 9 * layer, 1: 2**30, "cpu": 2**30}
    device_map = placement.spread(empty_model, torch.float16, budget)
    assert set(device_map.values()) == {0}


def test_the_first_card_must_hold_its_part(empty_model: LlavaST) -> None:
    with pytest.raises(OutOfMemoryError, match="on the first card"):
        placement.spread(empty_model, torch.float16, {0: 1000, "cpu": 2**40})


def test_flash_attention_is_for_recent_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, half = torch.device("cuda"), torch.float16
    capability = (8, 0)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda d: capability)
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(placement, "import_module", lambda name: object())
    assert placement.choose_attention(None, cuda, half) == "flash_attention_2"
    assert placement.choose_attention(None, cuda, torch.float32) == "sdpa"
    assert placement.choose_attention("sdpa", cuda, half) == "sdpa"
    capability = (7, 5)
    assert placement.choose_attention("auto", cuda, half) == "sdpa"


def test_a_broken_flash_attention_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(name: str) -> None:
        raise ImportError("undefined symbol")

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda d: (9, 0))
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(placement, "import_module", broken)
    found = placement.choose_attention(None, torch.device("cuda"), torch.float16)
    assert found == "sdpa"
    assert "undefined symbol" in caplog.text
