"""How long each stage takes, from the video file to the end of a long answer.

    python -m benchmarks.stages [--device cuda] [--out FILE] [--replay FILE]

On CUDA with the full-size model and random weights in FP16 (speed does not depend on
what weights say), on the CPU with the demo model. In the same run: the loop of the
published code (eager transformers, a token a pass) as the baseline, and the floors that
the device itself sets (reading the weights once, a matrix product's arithmetic).
``--replay`` has whole answers of the demo model, kept by ``benchmarks.speculation``,
written again: each pass, guess and copy is made as for a real answer, only what is
picked is known beforehand. Prints JSON. Where no video library is, the video is not
read, and the report says so.
"""

from __future__ import annotations

import argparse
import importlib.util
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

from benchmarks._devices import machine, measure, synchronize
from benchmarks._full_size import build_full_size
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
from stablechat.loader import load_model
from stablechat.model.modeling import LlavaST
from stablechat.model.preprocess import preprocess_on_device
from stablechat.placement import choose_device
from stablechat.types import FloatArray, GenerationConfig

#: The published prompt: 2,520 visual tokens and a question.
PROMPT_TOKENS = 2611
ANSWER_TOKENS = 800
#: Token of the demo model's vocabulary at which its coordinates begin.
_DEMO_FIRST = 657
_GIB = 2**30
# Side of the matrix, and numbers of the array, that the floors are measured on.
_MATRIX = {"cuda": 8192, "cpu": 2048}
_ARRAY = {"cuda": _GIB, "cpu": _GIB // 16}
#: Tokens that a token's time is the mean of, here and in the baseline.
TOKENS, BASELINE_TOKENS = 100, 20
_EXAMPLE = Path(__file__).parents[1] / "assets" / "examples" / "red_circle.mp4"


def seconds(work: Callable[[], object], device: torch.device, runs: int) -> float:
    """Median seconds of a piece of work, until the device is done."""
    return measure(work, device, runs)["wall_ms"] / 1e3


def busy_seconds(work: Callable[[], object], device: torch.device, runs: int) -> float:
    """Median seconds that a device is busy with a piece of work."""
    found = measure(work, device, runs)
    return found.get("device_ms", found["wall_ms"]) / 1e3


@dataclass(frozen=True)
class Floors:
    """What the device can do at most.

    Attributes:
        read_bytes_per_second: Of a large array.
        flops: Of a large matrix product of the model's type.
    """

    read_bytes_per_second: float
    flops: float


def measure_floors(device: torch.device, dtype: torch.dtype, runs: int) -> Floors:
    """Measure the device's two ceilings."""
    array = torch.empty(_ARRAY[device.type], device=device).normal_()
    reading = busy_seconds(array.sum, device, runs)
    size = array.nbytes
    del array
    side = _MATRIX[device.type]
    matrix = torch.randn(side, side, device=device).to(dtype)
    product = busy_seconds(lambda: matrix @ matrix, device, runs)
    return Floors(size / reading, 2 * side**3 / product)


def weight_bytes(model: LlavaST) -> int:
    """What is read once for every token: the layers and the head."""
    language = model.language_model
    parts = [*language.model.layers.parameters(), *language.lm_head.parameters()]
    return sum(part.nbytes for part in parts)


class Setting:
    """The model, a prompt, and a decoder of each kind.

    Args:
        model: The whole model.
    """

    def __init__(self, model: LlavaST) -> None:
        self.model = model
        self.device = model.device
        shape = (1, PROMPT_TOKENS, int(model.config.language.hidden_size))
        drawn = torch.randn(shape, device=self.device, dtype=model.dtype)
        self.prompt = drawn * 0.02
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
                synchronize(self.device)
                started = time.perf_counter()
            reading = chosen.read(single(token), place + 1, ahead=True)
            chosen.keep([0])
            token = reading.tokens[0]
        synchronize(self.device)
        return (time.perf_counter() - started) / count


def measure_reading(count: int, runs: int) -> dict[str, float | None]:
    """From a video file to frames; None without the library for it."""
    if importlib.util.find_spec("av") is None:
        return {"read_video_seconds": None}
    from stablechat.video import sample_frames

    cpu = torch.device("cpu")
    return {
        "read_video_seconds": seconds(lambda: sample_frames(_EXAMPLE, count), cpu, runs)
    }


def measure_encoding(model: LlavaST, runs: int) -> dict[str, float]:
    """From frames on the host to visual tokens; of that, resizing alone."""
    side = model.config.image_size
    rng = np.random.default_rng(0)
    shape = (model.config.num_frames, side, side, 3)
    frames = rng.integers(0, 256, shape, dtype=np.uint8)

    def encode() -> Tensor:
        return encode_frames(
            model, frames, on_progress=lambda _: None, cancelled=lambda: False
        )

    def resize() -> Tensor:
        return preprocess_on_device(torch.from_numpy(frames).to(model.device), side)

    return {
        "preprocess_seconds": seconds(resize, model.device, runs),
        "encode_seconds": seconds(encode, model.device, runs),
    }


def measure_decoding(
    setting: Setting, floors: Floors, runs: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """The prompt, a token, and a pass over trees of each size."""
    say("baseline: eager transformers")
    baseline = PlainDecoder(setting.model)
    eager = {
        "prefill_seconds": seconds(
            partial(setting.read_prompt, baseline), setting.device, max(runs // 4, 1)
        ),
        "seconds_per_token": setting.seconds_per_token(BASELINE_TOKENS, baseline),
    }
    del baseline
    say("ours")
    setting.read_prompt()
    per_token = setting.seconds_per_token(TOKENS)
    floor = weight_bytes(setting.model) / floors.read_bytes_per_second
    return {
        "baseline": eager,
        "prefill_seconds": seconds(
            setting.read_prompt, setting.device, max(runs // 4, 1)
        ),
        "seconds_per_token": per_token,
        "floor_seconds_per_token": floor,
        "ratio_to_floor": per_token / floor,
        "ratio_to_baseline": eager["seconds_per_token"] / per_token,
        "seconds_per_pass": {
            size: seconds(partial(_read, setting, size), setting.device, runs)
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


def recorded_writer(
    setting: Setting, answer: dict[str, Any], decoder: Decoder
) -> Writer:
    """Writes an answer of the demo model again; its prompt is read."""
    first = setting.model.config.base_vocab_size
    move = first - _DEMO_FIRST
    ids = [t + move if t >= _DEMO_FIRST else t for t in answer["token_ids"]]
    last_row = LastRow(first, 2) if answer["task"] == "stvg" else None
    # The demo model's words are not known here: the form is learnt from its first rows.
    drafter = Drafter(Tables(first), AnswerForm(), last_row)
    rule = StopRule(frozenset(), len(ids))
    writer = Writer(decoder, Recorded(ids, setting), drafter, rule)
    writer.read_prompt(setting.prompt, setting.sampler)
    return writer


def replay(setting: Setting, answer: dict[str, Any]) -> dict[str, Any]:
    """Write an answer of the demo model again."""
    writer = recorded_writer(setting, answer, setting.decoder)
    synchronize(setting.device)
    started = time.perf_counter()
    writer.write()
    seconds, count = time.perf_counter() - started, len(answer["token_ids"])
    return {
        "task": answer["task"],
        "tokens": count,
        "passes": writer.num_passes,
        "tokens_per_pass": count / writer.num_passes,
        "decode_seconds": seconds,
        "seconds_for_800_tokens": seconds / count * ANSWER_TOKENS,
    }


def measure_replays(setting: Setting, path: Path) -> list[dict[str, Any]]:
    """Replay every kept answer, each once before it counts."""
    answers = json.loads(path.read_text(encoding="utf-8"))["answers"]
    replay(setting, answers[0])  # captures every size
    runs = ([replay(setting, answer) for _ in range(3)] for answer in answers)
    return [sorted(found, key=_seconds)[1] for found in runs]


def _seconds(found: dict[str, Any]) -> float:
    return float(found["decode_seconds"])


def build(device: torch.device) -> tuple[LlavaST, str]:
    """The model to measure on a device, and what to call it."""
    if device.type == "cuda":
        return build_full_size(device, torch.float16), "full size, random"
    return load_model(None, device).model, "demo"


@torch.inference_mode()
def run(
    device: torch.device, runs: int, recorded: Path | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every stage; returns the report."""
    say("building")
    model, name = build(device)
    floors = measure_floors(device, model.dtype, runs)
    few = max(runs // 4, 1)
    say("reading and encoding")
    before = {
        **measure_reading(model.config.num_frames, few),
        **measure_encoding(model, few),
    }
    setting = Setting(model)
    decoding = measure_decoding(setting, floors, runs, say)
    say("replays")
    replays = measure_replays(setting, recorded) if recorded else []
    return {
        "what": "python -m benchmarks.stages",
        **circumstances(model, name, floors),
        **before,
        **decoding,
        "replays": replays,
        "peak_gibibytes": peak_gibibytes(device),
    }


def circumstances(model: LlavaST, name: str, floors: Floors) -> dict[str, Any]:
    """Which model was measured, on what."""
    return {
        **machine(model.device),
        "model": name,
        "dtype": str(model.dtype).removeprefix("torch."),
        "prompt_tokens": PROMPT_TOKENS,
        "floors": {
            "read_terabytes_per_second": floors.read_bytes_per_second / 1e12,
            "matrix_teraflops": floors.flops / 1e12,
            "weight_gigabytes": weight_bytes(model) / 1e9,
        },
    }


def peak_gibibytes(device: torch.device) -> float | None:
    """The most that PyTorch held on a card; None for other devices."""
    return torch.cuda.max_memory_allocated() / _GIB if device.type == "cuda" else None


def stopwatch() -> Callable[[str], None]:
    """Says things with the seconds since it was made."""
    started = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - started:6.1f} s] {text}", file=sys.stderr)

    return say


def publish(report: dict[str, Any], out: Path | None) -> None:
    """Print a report, and write it where that is asked for."""
    text = json.dumps(report, indent=1)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="cpu or cuda; default: the best there is")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--replay", type=Path, help="JSON of benchmarks.speculation")
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    device = choose_device(args.device)
    publish(run(device, args.runs, args.replay, stopwatch()), args.out)


if __name__ == "__main__":
    main()
