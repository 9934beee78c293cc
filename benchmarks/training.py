"""How fast the full-size model trains, and in how much memory, with random weights.

    python -m benchmarks.training [--setup lora24gb] [--steps 8] [--out FILE.json]
    torchrun --nproc_per_node 2 -m benchmarks.training --setup lora80gb
    accelerate launch --config_file training/configs/accelerate_fsdp.yaml \\
        --num_processes 2 -m benchmarks.training --setup full

One conversation is a prompt of 100 frames and an answer of 800 tokens. Steps are whole:
forward, backward, optimizer, all processes together; medians after burn-in. On the CPU
a small model stands in. Under FSDP a checkpoint is saved and loaded as well, and every
process asks the model. Needs no video library.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from benchmarks._devices import machine, synchronize
from benchmarks._full_size import CHECKPOINT, build_full_size, build_random
from benchmarks._spread import Spread, is_asked_for
from stablechat.loader import KNOWN_TOWERS, SO400M
from stablechat.model.config import build_config
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import EncodedPrompt
from training.finetune.batches import Batch
from training.finetune.examples import IGNORED, Example
from training.finetune.features import Stage
from training.finetune.model import TrainedModel
from training.finetune.parts import add_lora, choose_parts, parameter_groups
from training.finetune.settings import Lora, Settings

#: Tokens of a conversation besides the 2,520 of the video: before it, the question,
#: and the answer.
HEAD_TOKENS, QUESTION_TOKENS, ANSWER_TOKENS = 20, 71, 800
_BURN_IN = 2
_GIB = 2**30
_SMALL = {
    **CHECKPOINT,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2000,
}
_SMALL_TOWER = {
    **KNOWN_TOWERS[SO400M],
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 2,
}


@dataclass(frozen=True)
class Setup:
    """What is measured: the part of a configuration that speed depends on.

    Attributes:
        lora: Of the language model, which learns in full without.
        parts: What learns besides.
        stage: What the videos come as: visual tokens, or None for pixels.
        batch_size: Conversations of a step of one process.
        checkpointing: Whether activations are computed twice.
    """

    lora: Lora | None
    parts: tuple[str, ...]
    stage: Stage | None
    batch_size: int
    checkpointing: bool


#: The configurations of the same names in training/configs.
SETUPS = {
    "lora24gb": Setup(Lora(r=32, alpha=64), (), "visual", 1, True),
    "lora80gb": Setup(Lora(), ("packer",), None, 4, True),
    "lora80gb_plain": Setup(Lora(), ("packer",), None, 1, False),
    #: The whole decoder; needs FSDP over two cards of 141 GB, or four of 80.
    "full": Setup(None, (), "visual", 1, True),
}


def build(device: torch.device, seed: int) -> tuple[LlavaST, str]:
    """The model to train, and what to call it."""
    if device.type == "cuda":
        return build_full_size(device, torch.bfloat16, seed=seed), "full size, random"
    config = build_config(_SMALL, _SMALL_TOWER, 64)
    return build_random(config, device, torch.float32, seed=seed), "small, random"


def make_example(model: LlavaST, answer_tokens: int = ANSWER_TOKENS) -> Example:
    """A conversation of random words and coordinates, of the usual length."""
    config = model.config
    # Only the slow half of the video's block is filled.
    first = HEAD_TOKENS + config.num_fast_tokens
    after = first + config.num_slow_tokens
    count = after + QUESTION_TOKENS + answer_tokens
    ids = torch.randint(0, config.base_vocab_size, (count,))
    targets = torch.full((count,), IGNORED, dtype=torch.float64)
    targets[-answer_tokens:] = ids[-answer_tokens:].double()
    places = torch.arange(count - answer_tokens, count, 2)
    rows = config.base_vocab_size + 299 * torch.rand(len(places), dtype=torch.float64)
    ids[places], targets[places] = rows.round().long(), rows
    prompt = EncodedPrompt(ids, slice(first, after), places, rows)
    return Example(prompt, targets)


def make_batch(model: LlavaST, setup: Setup, answer_tokens: int) -> Batch:
    """Conversations with what a setup has of their videos."""
    config, count = model.config, setup.batch_size
    side = config.image_size
    shape: tuple[int, ...] = (count, config.num_frames, 3, side, side)
    if setup.stage == "visual":
        hidden = int(config.language.hidden_size)
        shape = (count, config.num_slow_tokens, hidden)
    seen: Tensor = torch.randn(shape).to(model.device, model.dtype)
    examples = tuple(make_example(model, answer_tokens) for _ in range(count))
    return Batch(tuple(map(str, range(count))), examples, seen, ())


def measure(
    setup: Setup,
    device: torch.device,
    *,
    steps: int,
    answer_tokens: int = ANSWER_TOKENS,
    seed: int = 0,
) -> dict[str, Any]:
    """Train for some steps; returns the numbers of this process."""
    torch.manual_seed(seed)
    model, name = build(device, seed)
    rates = {"language": 2e-4, **dict.fromkeys(setup.parts, 2e-5)}
    settings = Settings((), Path(), Path(), rates, lora=setup.lora)
    if setup.lora is not None:
        add_lora(model, setup.lora)
    choose_parts(model, settings)
    if setup.checkpointing:
        model.language_model.gradient_checkpointing_enable({"use_reentrant": False})
    trained: torch.nn.Module = TrainedModel(model, setup.stage).train()
    optimizer: Any = torch.optim.AdamW(parameter_groups(model, rates, 0.0))
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    batch = make_batch(model, setup, answer_tokens)
    spread = Spread(trained, optimizer, device) if is_asked_for() else None
    if spread is not None:
        trained, optimizer = spread.model, spread.optimizer
    elif torch.distributed.is_initialized():
        trained = DistributedDataParallel(trained)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    taken = []
    for step in range(_BURN_IN + steps):
        synchronize(device)
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = trained(batch)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize(device)
        if step >= _BURN_IN:
            taken.append(time.perf_counter() - started)
    tokens = sum(len(example) for example in batch.examples)
    seconds = statistics.median(taken)
    on_cuda = device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() / _GIB if on_cuda else 0.0
    return {
        "model": name,
        "seconds_per_step": round(seconds, 4),
        "tokens_per_step": tokens,
        "tokens_per_second": round(tokens / seconds, 1),
        "trained_parameters": count,
        "peak_gibibytes": round(peak, 2) if on_cuda else None,
        **(spread.check() if spread is not None else {}),
    }


def _device() -> torch.device:
    """This process's own; processes that ``torchrun`` started find each other."""
    rank = os.environ.get("LOCAL_RANK")
    if not torch.cuda.is_available():
        if rank is not None:
            torch.distributed.init_process_group("gloo")
        return torch.device("cpu")
    device = torch.device("cuda", int(rank or 0))
    torch.cuda.set_device(device)
    if rank is not None:
        torch.distributed.init_process_group("nccl", device_id=device)
    return device


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setup", choices=SETUPS, default="lora24gb")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    device = _device()
    found = measure(SETUPS[args.setup], device, steps=args.steps)
    count = int(os.environ.get("WORLD_SIZE", "1"))
    report = {
        "what": f"python -m benchmarks.training --setup {args.setup}",
        **machine(device),
        "setup": args.setup,
        "spread_by_fsdp": is_asked_for(),
        "num_processes": count,
        **found,
        "tokens_per_second_of_all": round(count * found["tokens_per_second"], 1),
    }
    if os.environ.get("RANK", "0") == "0":
        text = json.dumps(report, indent=1)
        print(text)
        if args.out:
            args.out.write_text(text + "\n", encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
