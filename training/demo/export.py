"""Write a trained demo model in the published checkpoint layout.

    python -m training.demo.export --run RUN --out assets/demo

FP16 safetensors in shards, the coordinate tables as tensors of their own, the tower
inside. The auxiliary heads stay behind.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from training.demo.skeleton import read_config
from training.published import published_tensors, write_shards

_SHARD_BYTES = 12 * 2**20
_MODEL = "model."


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--out", type=Path, default=Path("assets/demo"), help="has the skeleton"
    )
    args = parser.parse_args()
    weights: dict[str, Tensor] = {}
    for part in sorted(args.run.glob("part*.safetensors")):
        weights |= load_file(part)
    ours = {
        name[len(_MODEL) :]: value
        for name, value in weights.items()
        if name.startswith(_MODEL)
    }
    tensors = published_tensors(ours, read_config(args.out))
    write_shards(tensors, args.out, shard_bytes=_SHARD_BYTES)
    shutil.copy(args.run / "log.jsonl", args.out / "training_log.jsonl")


if __name__ == "__main__":
    main()
