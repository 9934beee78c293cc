"""How long the full-size model takes, stage by stage, with random weights.

    python -m benchmarks.full_size [--out FILE] [--runs 20] [--replay FILE]

Speed does not depend on what weights say, so the model is built where it runs. In the
same run: the loop of the published code (eager transformers, a token a pass) as the
baseline, and the floors that the device itself sets (reading the weights once, a
matrix product's arithmetic). ``--replay`` has whole answers of the demo model, kept by
``benchmarks.speculation``, written again: each pass, guess and copy is made as for a
real answer, only what is picked is known beforehand. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._devices import machine, measure
from benchmarks._full_size import CHECKPOINT, build_full_size
from stablechat.encoding import encode_frames
from stablechat.generation.choice import Chooser
from stablechat.generation.decoder import Decoder, Reading
from stablechat.generation.decoders import decoder_for
from stablechat.generation.drafter import Drafter
from stablechat.generation.forms import AnswerForm, Tables
from stablechat.generation.plain_decoder import PlainDecoder
from stablechat.generation.sampler import Sampler
from stablechat.generation.stopping import StopRule
from stablechat.generation.tree import DraftTree, single
from stablechat.generation.writer import Writer
from stablechat.last_row import LastRow
from stablechat.model.modeling import LlavaST
from stablechat.types import NUM_BINS, FloatArray, GenerationConfig

#: The published prompt: 2,520 visual tokens and a question.
PROMPT_TOKENS = 2611
ANSWER_TOKENS = 800
#: Token of the demo model's vocabulary at which its coordinates begin.
_DEMO_FIRST = 657
_FRAME_SIDE = 384
_GIB = 2**30
_MATRIX = 8192
_BASELINE_TOKENS = 20


def device_seconds(work: Callable[[], object], runs: int) -> float:
    """Median seconds between events on the device."""
    return measure(work, torch.device("cuda"), runs)["device_ms"] / 1e3


def wall_seconds(work: Callable[[], object], runs: int) -> float:
    """Median seconds of a piece of work, until the device is done."""
    return measure(work, torch.device("cuda"), runs)["wall_ms"] / 1e3


@dataclass(frozen=True)
class Floors:
    """What the device can do at most.

    Attributes:
        read_bytes_per_second: Of a large array.
        flops: Of a large FP16 matrix product.
    """

    read_bytes_per_second: float
    flops: float


def measure_floors(runs: int) -> Floors:
    """Measure the device's two ceilings."""
    array = torch.empty(_GIB, dtype=torch.float32, device="cuda").normal_()
    reading = device_seconds(array.sum, runs)
    size = array.nbytes
    del array
    matrix = torch.randn(_MATRIX, _MATRIX, device="cuda", dtype=torch.float16)
    product = device_seconds(lambda: matrix @ matrix, runs)
    return Floors(size / reading, 2 * _MATRIX**3 / product)


def weight_bytes(model: LlavaST) -> int:
    """What is read once for every token: the layers and the head."""
    language = model.language_model
    parts = [*language.model.layers.parameters(), *language.lm_head.parameters()]
    return sum(part.nbytes for part in parts)


class Setting:
    """The model, a prompt, and a decoder of each kind.

    Args:
        model: At full size.
    """

    def __init__(self, model: LlavaST) -> None:
        self.model = model
        hidden = int(CHECKPOINT["hidden_size"])
        shape = (1, PROMPT_TOKENS, hidden)
        self.prompt = torch.randn(shape, device="cuda", dtype=model.dtype) * 0.02
        self.sampler = Sampler(GenerationConfig(), model.device)
        self.decoder = decoder_for(model)

    def read_prompt(self, decoder: Decoder | None = None) -> Reading:
        """Read the prompt with a decoder, ours if not said otherwise."""
        chosen = decoder or self.decoder
        return chosen.read_prompt(self.prompt, self.sampler, 1024)

    def seconds_per_token(self, count: int, decoder: Decoder | None = None) -> float:
        """A token a pass, as a text without rows is written."""
        chosen = decoder or self.decoder
        token = self.read_prompt(chosen).tokens[0]
        for place in range(count + 3):
            if place == 3:
                torch.cuda.synchronize()
                started = time.perf_counter()
            reading = chosen.read(single(token), place + 1, ahead=True)
            chosen.keep([0])
            token = reading.tokens[0]
        torch.cuda.synchronize()
        return (time.perf_counter() - started) / count


def measure_encoding(model: LlavaST, runs: int) -> dict[str, float]:
    """From 100 frames on the host to visual tokens."""
    rng = np.random.default_rng(0)
    shape = (NUM_BINS, _FRAME_SIDE, _FRAME_SIDE, 3)
    frames = rng.integers(0, 256, shape, dtype=np.uint8)

    def encode() -> Tensor:
        return encode_frames(
            model, frames, on_progress=lambda _: None, cancelled=lambda: False
        )

    return {"encode_seconds": wall_seconds(encode, runs)}


def measure_decoding(
    setting: Setting, floors: Floors, runs: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """The prompt, a token, and a pass over trees of each size."""
    say("baseline: eager transformers")
    baseline = PlainDecoder(setting.model)
    eager = {
        "prefill_seconds": wall_seconds(
            partial(setting.read_prompt, baseline), max(runs // 4, 3)
        ),
        "seconds_per_token": setting.seconds_per_token(_BASELINE_TOKENS, baseline),
    }
    del baseline
    say("ours")
    setting.read_prompt()
    per_token = setting.seconds_per_token(100)
    floor = weight_bytes(setting.model) / floors.read_bytes_per_second
    return {
        "baseline": eager,
        "prefill_seconds": wall_seconds(setting.read_prompt, max(runs // 2, 3)),
        "seconds_per_token": per_token,
        "floor_seconds_per_token": floor,
        "ratio_to_floor": per_token / floor,
        "ratio_to_baseline": eager["seconds_per_token"] / per_token,
        "seconds_per_pass": {
            size: wall_seconds(partial(_read, setting, size), runs)
            for size in setting.decoder.costs
        },
    }


def _read(setting: Setting, size: int) -> Reading:
    chain = DraftTree([0] * size, [-1, *range(size - 1)])
    return setting.decoder.read(chain, 1)


class Recorded(Chooser):
    """Chooses what an answer that was written before has."""

    def __init__(self, tokens: Sequence[int], setting: Setting) -> None:
        super().__init__(setting.sampler, None, 0, len(tokens))
        self._tokens = tokens

    def choose(
        self, reading: Reading, node: int, written: int
    ) -> tuple[int, FloatArray]:
        """The recorded token; the model's own pick is only waited for."""
        following = self._tokens[min(written, len(self._tokens) - 1)]
        return following, reading.scores[node]


def replay(setting: Setting, answer: dict[str, Any]) -> dict[str, Any]:
    """Write a demo model's answer with the full-size model."""
    first = setting.model.config.base_vocab_size
    move = first - _DEMO_FIRST
    ids = [t + move if t >= _DEMO_FIRST else t for t in answer["token_ids"]]
    tables = Tables(first)
    last_row = LastRow(first, 2) if answer["task"] == "stvg" else None
    # The demo model's words are not known here: the form is learnt from its first rows.
    drafter = Drafter(tables, AnswerForm(), last_row)
    rule = StopRule(frozenset(), len(ids))
    writer = Writer(setting.decoder, Recorded(ids, setting), drafter, rule)
    writer.read_prompt(setting.prompt, setting.sampler)
    torch.cuda.synchronize()
    started = time.perf_counter()
    writer.write()
    seconds = time.perf_counter() - started
    return {
        "task": answer["task"],
        "tokens": len(ids),
        "passes": writer.num_passes,
        "tokens_per_pass": len(ids) / writer.num_passes,
        "decode_seconds": seconds,
        "seconds_for_800_tokens": seconds / len(ids) * ANSWER_TOKENS,
    }


def measure_replays(setting: Setting, path: Path) -> list[dict[str, Any]]:
    """Replay every kept answer, each once before it counts."""
    answers = json.loads(path.read_text(encoding="utf-8"))["answers"]
    replay(setting, answers[0])  # captures every size
    runs = ([replay(setting, answer) for _ in range(3)] for answer in answers)
    return [sorted(found, key=_seconds)[1] for found in runs]


def _seconds(found: dict[str, Any]) -> float:
    return float(found["decode_seconds"])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--replay", type=Path, help="JSON of benchmarks.speculation")
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "error: the full-size model needs a CUDA device here.\n")
    started = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - started:6.1f} s] {text}", file=sys.stderr)

    floors = measure_floors(args.runs)
    say("building")
    with torch.inference_mode():
        model = build_full_size("cuda", torch.float16)
        encoding = measure_encoding(model, max(args.runs // 4, 3))
        say("decoding")
        setting = Setting(model)
        decoding = measure_decoding(setting, floors, args.runs, say)
        say("replays")
        replays = measure_replays(setting, args.replay) if args.replay else []
    report = {
        "what": "python -m benchmarks.full_size",
        **machine(torch.device("cuda")),
        "dtype": "float16",
        "prompt_tokens": PROMPT_TOKENS,
        "floors": {
            "read_terabytes_per_second": floors.read_bytes_per_second / 1e12,
            "matrix_teraflops": floors.flops / 1e12,
            "weight_gigabytes": weight_bytes(model) / 1e9,
        },
        **encoding,
        **decoding,
        "replays": replays,
        "peak_gibibytes": torch.cuda.max_memory_allocated() / _GIB,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
