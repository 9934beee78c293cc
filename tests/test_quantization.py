"""Weights in 8 and 4 bits: which, how well, how small, and what goes wrong."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import weakref
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import golden_files
import pytest
import torch
from golden_files import read_weights, write_weights
from torch import nn

from stablechat import loader, placement, quantization
from stablechat.chat import StableChat
from stablechat.encoding import encode_frames
from stablechat.errors import CheckpointError, InputError, OutOfMemoryError
from stablechat.generation.decoders import decoder_for
from stablechat.generation.sampler import Sampler
from stablechat.loader import LoadedModel, load_model
from stablechat.memory import weight_bytes
from stablechat.placement import place
from stablechat.quantization import (
    PendingWeight,
    choose_quantization,
    is_pending,
    make_pending,
)
from stablechat.types import GenerationConfig, Grounding

SCHEMES = ("8bit", "4bit")
ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def library() -> ModuleType:
    """Optional for users, part of requirements-dev.txt."""
    return pytest.importorskip("bitsandbytes")


@cache
def loaded(scheme: str | None, dtype: str = "float32") -> LoadedModel:
    return load_model(golden_files.CHECKPOINT, "cpu", dtype, quantization=scheme)


def linear_layers(model: LoadedModel) -> dict[str, nn.Module]:
    """The layers of the language model's decoder that are linear in the float one."""
    decoder = golden_files.loaded().model.language_model.model.layers
    names = [n for n, m in decoder.named_modules() if isinstance(m, nn.Linear)]
    found = model.model.language_model.model.layers
    return {name: found.get_submodule(name) for name in names}


# --- what is stored -------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_decoders_linear_layers_and_nothing_else(scheme: str) -> None:
    model = loaded(scheme)
    assert model.quantization == scheme
    assert model.model.is_quantized
    assert not golden_files.loaded().model.is_quantized
    layers = linear_layers(model)
    assert len(layers) == 2 * 7
    stored = torch.int8 if scheme == "8bit" else torch.uint8
    assert {layer.weight.dtype for layer in layers.values()} == {stored}
    assert not is_pending(model.model)
    expected = golden_files.loaded().model.state_dict()
    quantised = {f"language_model.model.layers.{name}.weight" for name in layers}
    for name, tensor in model.model.named_parameters():
        if name not in quantised:
            assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_size_that_is_promised_is_the_size(scheme: str) -> None:
    model = loader.build_empty(golden_files.loaded().model.config, "sdpa")
    layers = model.language_model.model.layers
    make_pending(layers, scheme, torch.float32)
    norms = {n: p for n, p in layers.named_parameters() if "norm" in n or "bias" in n}
    promised = weight_bytes(layers, torch.float32) - sum(
        4 * parameter.numel() for parameter in norms.values()
    )
    assert promised == sum(map(stored_bytes, linear_layers(loaded(scheme)).values()))


def stored_bytes(layer: Any) -> int:
    # Unless the CPU's own kernel has packed it anew, which a forward pass does.
    if layer.weight.dtype == torch.int8:
        return int(layer.weight.nbytes + layer.weight.SCB.nbytes)
    state = layer.weight.quant_state
    return int(layer.weight.nbytes + state.absmax.nbytes + state.state2.absmax.nbytes)


# --- how well it works ----------------------------------------------------------


@cache
def visual_tokens() -> torch.Tensor:
    return encode_frames(
        golden_files.loaded().model,
        golden_files.case_frames("rec"),
        on_progress=lambda share: None,
        cancelled=lambda: False,
    )


@torch.inference_mode()
def logits(model: LoadedModel) -> torch.Tensor:
    query = golden_files.CASES["rec"]["query"]
    prompt = model.tokenizer.encode_prompt(query, image=True)
    embedded = model.model.embed_prompt(prompt, visual_tokens())
    greedy = Sampler(GenerationConfig(), embedded.device)
    decoder = decoder_for(model.model)
    return decoder.read_prompt(embedded, greedy, 1).logits[0].float()


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def rounded(weight: torch.Tensor, scheme: str) -> torch.Tensor:
    """The weight that is left after rounding, by the definition of each scheme."""
    if scheme == "8bit":
        scale = weight.abs().amax(1, keepdim=True) / 127
        return (weight / scale).round() * scale
    # Quantiles of the normal distribution (QLoRA, arXiv 2305.14314, appendix E).
    normal = torch.distributions.Normal(0, 1)
    positive = normal.icdf(torch.linspace(0.9677083, 0.5, 9))[:-1]
    negative = -normal.icdf(torch.linspace(0.9677083, 0.5, 8))[:-1]
    table = torch.cat([negative, torch.zeros(1), positive]).sort().values
    table /= table.abs().max()
    blocks = weight.reshape(-1, 64)
    scale = blocks.abs().amax(1, keepdim=True)
    nearest = (blocks / scale).unsqueeze(-1).sub(table).abs().argmin(-1)
    return (table[nearest] * scale).reshape(weight.shape)


@cache
def rounded_model(scheme: str) -> LoadedModel:
    """In float32, with the linear layers' weights rounded by an obvious method."""
    model = load_model(golden_files.CHECKPOINT, "cpu")
    for layer in linear_layers(model).values():
        layer.weight.data.copy_(rounded(layer.weight.data, scheme))
    return model


# Activations are rounded too in 8 bits; the CPU may compute 4 bits in bfloat16.
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_logits_are_those_of_rounded_weights(scheme: str, dtype: str) -> None:
    expected = logits(rounded_model(scheme))
    assert relative_error(logits(loaded(scheme, dtype)), expected) < 0.12


@pytest.mark.parametrize(("scheme", "tolerance"), [("8bit", 0.1), ("4bit", 0.5)])
def test_logits_are_close_to_float(scheme: str, tolerance: float) -> None:
    """Random weights are the hardest case: nothing in them is redundant."""
    expected = logits(golden_files.loaded())
    assert 0 < relative_error(logits(loaded(scheme)), expected) < tolerance


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("scheme", [None, *SCHEMES])
def test_it_answers_on_the_cpu(scheme: str | None, dtype: str) -> None:
    answer = StableChat(loaded(scheme, dtype)).generate(
        golden_files.case_frames("rec"),
        golden_files.CASES["rec"]["query"],
        GenerationConfig(max_new_tokens=8),
    )
    assert len(answer.token_ids) == 8
    assert (
        answer.token_ids[0] == golden_files.case_tensors("rec")["generated_ids"][0, 0]
    )


@cache
def found_by_the_demo_model(scheme: str | None) -> Grounding:
    chat = StableChat.from_pretrained(None, "cpu", quantization=scheme)
    video = ROOT / "assets" / "examples" / "red_circle.mp4"
    return chat.ground(video, "the red circle moving left")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_demo_model_still_finds_it(scheme: str) -> None:
    usual, found = found_by_the_demo_model(None), found_by_the_demo_model(scheme)
    assert usual.span and usual.tube and found.span and found.tube
    starts = (usual.span.start_seconds, found.span.start_seconds)
    ends = (usual.span.end_seconds, found.span.end_seconds)
    assert (min(ends) - max(starts)) / (max(ends) - min(starts)) > 0.9
    middle = (max(starts) + min(ends)) / 2
    first, second = usual.tube.at(middle), found.tube.at(middle)
    assert first is not None and second is not None
    assert abs(first - second).max() < 0.05 * max(found.video.width, found.video.height)


# --- how much memory it takes ---------------------------------------------------


MEASURE = """
import json, re, sys
from pathlib import Path
import torch
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import golden_files
from stablechat.loader import load_model
def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024
load_model(golden_files.CHECKPOINT, "cpu", quantization=sys.argv[4])
before = peak()
load_model(sys.argv[1], "cpu", quantization=sys.argv[4])
print(peak() - before)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_one_layer_is_there_in_full(tmp_path: Path, scheme: str) -> None:
    """12 layers of 25 MB each: the peak is far below their 302 MB."""
    folder = golden_files.copy_checkpoint(tmp_path / "model")
    tensors, wide, deep = read_weights(folder), 32768, 12
    first = {n: t for n, t in tensors.items() if n.startswith("model.layers.0.")}
    for name in [n for n in tensors if n.startswith("model.layers.")]:
        del tensors[name]
    for number in range(deep):
        for name, tensor in first.items():
            if ".mlp." in name:
                shape = (64, wide) if "down_proj" in name else (wide, 64)
                tensor = torch.ones(shape)
            renamed = name.replace("layers.0.", f"layers.{number}.")
            tensors[renamed] = tensor.clone()
    write_weights(folder, tensors)
    golden_files.edit_config(folder, intermediate_size=wide, num_hidden_layers=deep)
    tests = Path(__file__).parent
    command = [
        sys.executable,
        "-c",
        MEASURE,
        str(folder),
        str(tests),
        str(ROOT),
        scheme,
    ]
    # Layers of this size would leave holes in the C library's heap; those of a large
    # model are above this threshold by themselves.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    whole = 4 * deep * 3 * 64 * wide
    assert int(done.stdout.splitlines()[-1]) < 0.6 * whole


# --- what goes wrong ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "2bit"}, "no quantization '2bit'; use 8bit or 4bit"),
        ({"quantization": "8bit", "device_map": "auto"}, "can't be spread"),
        ({"quantization": "8bit", "device_map": {"": "cpu"}}, "can't be spread"),
    ],
)
def test_what_cannot_be_asked_for(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_model(golden_files.CHECKPOINT, "cpu", **options)
    assert "\n" not in str(caught.value)


def test_other_devices_are_refused() -> None:
    with pytest.raises(InputError, match="can't run on mps; use --device cpu"):
        choose_quantization("8bit", torch.device("mps"))


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(
        InputError, match=r"needs the bitsandbytes package.*pip ins"
    ) as e:
        load_model(golden_files.CHECKPOINT, "cpu", quantization="4bit")
    assert "\n" not in str(e.value)


def test_the_package_is_too_old(
    monkeypatch: pytest.MonkeyPatch, library: ModuleType
) -> None:
    monkeypatch.setattr(library, "__version__", "0.45.3")
    with pytest.raises(InputError, match=r"bitsandbytes 0\.45\.3 is too old"):
        choose_quantization("8bit", CPU)


def test_the_package_has_no_library_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    from bitsandbytes import cextension

    monkeypatch.setattr(cextension, "lib", SimpleNamespace(compiled_with_cuda=False))
    with pytest.raises(InputError, match="no library for CUDA"):
        choose_quantization("8bit", torch.device("cuda"))


def test_no_code_is_fetched_while_the_package_is_imported() -> None:
    script = (
        "import sys, types\n"
        "def get_kernel(*_, **__): print('fetched')\n"
        "sys.modules['kernels'] = kernels = types.ModuleType('kernels')\n"
        "kernels.get_kernel = get_kernel\n"
        "from stablechat.quantization import _bitsandbytes\n"
        "_bitsandbytes()\n"
        "assert sys.modules['kernels'] is kernels"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_is_left_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = golden_files.copy_checkpoint(tmp_path / "model")
    built: list[weakref.ref[nn.Module]] = []
    build, fill = loader.build_empty, quantization.fill_pending

    def remember(*arguments: Any) -> nn.Module:
        model = build(*arguments)
        built.append(weakref.ref(model))
        return model

    calls: list[int] = []

    def fail(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise CheckpointError("damaged")
        fill(*arguments)

    monkeypatch.setattr(loader, "build_empty", remember)
    monkeypatch.setattr("stablechat.weights.fill_pending", fail)
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(folder, "cpu", quantization="8bit")
    gc.collect()
    assert [reference() for reference in built] == [None]
    monkeypatch.undo()
    again = load_model(folder, "cpu", quantization="8bit")
    assert torch.equal(logits(again), logits(loaded("8bit")))


def test_a_quantised_model_is_never_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    model = loader.build_empty(golden_files.loaded().model.config, "sdpa")
    make_pending(model.language_model.model.layers, "8bit", torch.float16)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(placement, "free_bytes", lambda device: 2**20)
    with pytest.raises(OutOfMemoryError) as caught:
        place(model, torch.device("cuda"), torch.float16, "sdpa")
    assert "--quantization" not in str(caught.value)


def test_short_memory_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "free_bytes", lambda device: 2**20)
    with pytest.raises(OutOfMemoryError, match="--quantization 4bit"):
        load_model(golden_files.CHECKPOINT, "cpu")


def test_a_pending_weight_takes_no_memory() -> None:
    model = loader.build_empty(golden_files.loaded().model.config, "sdpa")
    make_pending(model.language_model.model.layers, "4bit", torch.float32)
    placement.allocate(model, placement.Placement(CPU, torch.float32, "sdpa"))
    pending = [p for p in model.parameters() if isinstance(p, PendingWeight)]
    assert len(pending) == 14
    assert all(parameter.is_meta for parameter in pending)


def test_the_choice_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "stablechat"):
        load_model(golden_files.CHECKPOINT, "cpu", quantization="8bit")
    assert "quantization 8bit" in caplog.text
