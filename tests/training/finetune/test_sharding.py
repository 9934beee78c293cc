"""What FSDP does to a model's inputs and weights, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from benchmarks.training import SETUPS, build, make_batch
from training.finetune.model import TrainedModel
from training.finetune.parts import choose_parts
from training.finetune.settings import Settings
from training.finetune.sharding import set_up_fsdp

NAMES = ["Qwen2DecoderLayer", "SiglipEncoderLayer"]


@pytest.fixture
def alone() -> Iterator[None]:
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
def test_coordinates_are_not_rounded_to_the_type_of_the_layers(tmp_path: Any) -> None:
    # In bfloat16 row 2,291.4 is row 2,288, and 2,299 lies behind the last one.
    model, _ = build(torch.device("cpu"), seed=0)
    setup = SETUPS["full"]
    choose_parts(model, Settings((), tmp_path, tmp_path, {"language": 1e-3}))
    batch = make_batch(model, setup, answer_tokens=40)
    trained = TrainedModel(model, setup.stage)
    expected = trained(batch)["loss"].item()
    plugin: Any = SimpleNamespace(
        fsdp_version=2,
        transformer_cls_names_to_wrap=NAMES,
        mixed_precision_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16),
    )
    set_up_fsdp(plugin)
    mesh = init_device_mesh("cpu", (1,))
    fully_shard(trained, mesh=mesh, mp_policy=plugin.mixed_precision_policy)
    with torch.autocast("cpu", torch.bfloat16):
        assert trained(batch)["loss"].item() == pytest.approx(expected, rel=5e-3)
