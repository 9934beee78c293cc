"""The benchmark of memory: its checkpoint, and one way of loading from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import _checkpoint, memory
from stablechat.loader import load_model
from stablechat.weights import list_tensors

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one, in several shards."""
    folder = tmp_path_factory.mktemp("checkpoint")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_checkpoint, "_SHARD_BYTES", 4 * 2**20)
        size = _checkpoint.write_checkpoint(folder, CPU, small=True)
    tensors = list_tensors(folder)
    assert size == 2 * sum(torch.Size(t.shape).numel() for t in tensors.values())
    assert len({tensor.path for tensor in tensors.values()}) > 1
    return folder


def test_the_checkpoint_is_one_that_loads(checkpoint: Path) -> None:
    loaded = load_model(checkpoint, "cpu")
    tokens = loaded.tokenizer.encode("<TEMP-000> it<WIDTH-099>")
    assert (tokens[0], tokens[-1]) == (1024, 1024 + 299)
    assert loaded.tokenizer.decode(tokens) == "<TEMP-000> it<WIDTH-099>"
    weights = loaded.model.language_model.lm_head.weight
    assert weights.shape == (1324, 256)
    assert abs(float(weights.std()) - 0.02) < 0.001


def test_every_phase_is_measured(checkpoint: Path) -> None:
    found = memory.measure_apart(checkpoint, CPU, "none")
    assert found["quantization"] is None
    assert found["new_tokens"] == memory.NEW_TOKENS
    assert found["prompt_tokens"] > 2520
    assert list(found["phases"]) == ["start", "load", "encode", "prefill", "decode"]
    for numbers in found["phases"].values():
        assert numbers["seconds"] >= 0
        assert "device_peak_gib" not in numbers
        if sys.platform == "linux":
            assert numbers["host_peak_gib"] >= numbers["host_left_gib"] > 0.05


def test_a_failure_is_part_of_the_report(tmp_path: Path) -> None:
    found = memory.measure_apart(tmp_path / "nowhere", CPU, "none")
    assert "There is no model" in found["error"]


def test_the_temporary_checkpoint_is_removed(tmp_path: Path) -> None:
    with memory._checkpoint(None, tmp_path, CPU, small=True) as folder:
        assert (folder / "config.json").is_file()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["memory", "encoding"])
def test_no_video_library_is_needed(module: str) -> None:
    script = (
        "import json, sys\n"
        "missing = ('av', 'cv2', 'moviepy', 'imageio_ffmpeg', 'bitsandbytes')\n"
        "sys.modules.update(dict.fromkeys(missing, None))\n"
        f"import benchmarks.{module}, torch\n"
        "from benchmarks._devices import machine\n"
        "print(json.dumps(machine(torch.device('cpu'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["versions"]["torch"]
