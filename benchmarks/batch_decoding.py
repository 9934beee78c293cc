"""What answering several questions at once brings.

    python -m benchmarks.batch_decoding [--device cuda] [--replay FILE] [--out FILE]

On CUDA with the full-size language model and random weights in FP16, on the CPU with
the demo model. For each number of seats: a token of each answer in a pass, and whole
answers of the demo model, kept by ``benchmarks.speculation``, written again with rows
guessed ahead (``--replay``). Beside each stands the least time that the device needs to
read the weights and the cache, or to compute, whichever is longer; the baseline is the
decoder of one answer. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks._devices import synchronize
from benchmarks.stages import (
    PROMPT_TOKENS,
    TOKENS,
    Floors,
    Setting,
    build,
    circumstances,
    measure_floors,
    peak_gibibytes,
    publish,
    recorded_writer,
    stopwatch,
    weight_bytes,
)
from stablechat.generation.batch_decoder import BatchDecoder
from stablechat.generation.decoders import batch_decoder_for
from stablechat.generation.threads import decoding_threads
from stablechat.generation.tree import DraftTree, single
from stablechat.generation.writer import Pass
from stablechat.placement import choose_device

SEATS = (1, 2, 4, 8, 16, 32)
#: Where a pass is measured by its size: tokens of each answer.
SIZED_SEATS, SIZES = 8, (1, 2, 4, 8, 16, 32, 64)
_BURN_IN = 3
_RUNS = 3


def floor_seconds(setting: Setting, floors: Floors, answers: int, tokens: int) -> float:
    """The least time of a pass.

    Args:
        setting: The model.
        floors: What the device can do.
        answers: Whose caches are read.
        tokens: Of the pass, all answers together.
    """
    config = setting.model.config.language
    weights = weight_bytes(setting.model)
    width = int(config.hidden_size) // int(config.num_attention_heads)
    shared = int(config.num_key_value_heads or config.num_attention_heads)
    item = setting.prompt.element_size()
    cache = 2 * int(config.num_hidden_layers) * shared * width * item * PROMPT_TOKENS
    reading = (weights + answers * cache) / floors.read_bytes_per_second
    computing = 2 * weights / item * tokens / floors.flops
    return max(reading, computing)


def seat_all(setting: Setting, count: int) -> BatchDecoder:
    """A decoder with the same prompt in every seat."""
    decoder = batch_decoder_for(setting.model, count)
    for seat in range(count):
        decoder.seat(seat).read_prompt(setting.prompt, setting.sampler, 1024)
    return decoder


def seconds_per_pass(setting: Setting, count: int) -> float:
    """A token of each answer in a pass."""
    decoder = seat_all(setting, count)
    tokens = [0] * count
    for place in range(TOKENS + _BURN_IN):
        if place == _BURN_IN:
            synchronize(setting.device)
            started = time.perf_counter()
        passes = {s: Pass(single(t), place + 1, False) for s, t in enumerate(tokens)}
        found = decoder.read_all(passes)
        for seat in range(count):
            decoder.keep_at(seat, [0])
        tokens = [reading.tokens[0] for reading in found]
    synchronize(setting.device)
    return (time.perf_counter() - started) / TOKENS


def seconds_by_size(setting: Setting) -> dict[str, float]:
    """How long a pass takes by the tokens that it has, those of all answers together.

    It is what the decoder's ``costs`` were taken from.
    """
    decoder = seat_all(setting, SIZED_SEATS)
    found = {}
    for size in SIZES:
        tree = DraftTree([1] * size, range(-1, size - 1))
        passes = {seat: Pass(tree, 1, False) for seat in range(SIZED_SEATS)}
        seconds = []
        for _ in range(_BURN_IN + TOKENS):
            started = time.perf_counter()
            decoder.read_all(passes)
            seconds.append(time.perf_counter() - started)
        found[str(size * SIZED_SEATS)] = median(seconds[_BURN_IN:])
    return found


def replay(
    setting: Setting, answers: Sequence[dict[str, Any]], count: int
) -> tuple[float, int, int]:
    """Write an answer in every seat again.

    Returns:
        Seconds, passes and tokens.
    """
    decoder = batch_decoder_for(setting.model, count)
    chosen = [answers[seat % len(answers)] for seat in range(count)]
    writers = [
        recorded_writer(setting, answer, decoder.seat(seat))
        for seat, answer in enumerate(chosen)
    ]
    synchronize(setting.device)
    started = time.perf_counter()
    running = {seat: writer.passes() for seat, writer in enumerate(writers)}
    wanted = {seat: next(passes) for seat, passes in running.items()}
    num_passes = 0
    while wanted:
        decoder.set_busy(len(wanted))
        found = decoder.read_all(wanted)
        num_passes += 1
        following = {}
        for seat, reading in zip(list(wanted), found, strict=True):
            try:
                following[seat] = running[seat].send(reading)
            except StopIteration:
                continue
        wanted = following
    seconds = time.perf_counter() - started
    return seconds, num_passes, sum(len(writer.tokens) for writer in writers)


def measure_seats(
    setting: Setting, floors: Floors, count: int, answers: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One point of the curve."""
    per_pass = median(seconds_per_pass(setting, count) for _ in range(_RUNS))
    floor = floor_seconds(setting, floors, count, count)
    found: dict[str, Any] = {
        "seats": count,
        "seconds_per_pass": per_pass,
        "tokens_per_second": count / per_pass,
        "floor_seconds_per_pass": floor,
        "ratio_to_floor": per_pass / floor,
    }
    if answers:
        replay(setting, answers, count)  # burn-in
        runs = sorted(replay(setting, answers, count) for _ in range(_RUNS))
        seconds, passes, tokens = runs[_RUNS // 2]
        floor = floor_seconds(setting, floors, count, round(tokens / passes))
        found["rows_ahead"] = {
            "passes": passes,
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "answers_per_second": count / seconds,
            # Of what was kept; what was guessed in vain is computed, too.
            "ratio_to_floor": seconds / passes / floor,
        }
    return found


def alone(setting: Setting, answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The baseline: the decoder of one answer, one answer after the other."""
    per_token = median(setting.seconds_per_token(TOKENS) for _ in range(_RUNS))
    found: dict[str, Any] = {"tokens_per_second": 1 / per_token}
    if answers:
        seconds = []
        for answer in [answers[0], *answers]:
            writer = recorded_writer(setting, answer, setting.decoder)
            synchronize(setting.device)
            started = time.perf_counter()
            writer.write()
            seconds.append((time.perf_counter() - started, len(writer.tokens)))
        total, tokens = (sum(each) for each in zip(*seconds[1:], strict=True))
        found["rows_ahead"] = {
            "tokens_per_second": tokens / total,
            "answers_per_second": len(answers) / total,
        }
    return found


@torch.inference_mode()
def run(
    device: torch.device,
    answers: Sequence[dict[str, Any]],
    seats: Sequence[int],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure the curve; returns the report."""
    say("building")
    model, name = build(device)
    floors = measure_floors(device, model.dtype, 20)
    setting = Setting(model)
    curve = []
    with decoding_threads(model):
        say("alone")
        baseline = alone(setting, answers)
        for count in seats:
            say(f"{count} seats")
            curve.append(measure_seats(setting, floors, count, answers))
        say("passes by size")
        sizes = seconds_by_size(setting)
    return {
        "what": "python -m benchmarks.batch_decoding",
        **circumstances(model, name, floors),
        "alone": baseline,
        "seats": curve,
        "seconds_by_tokens_of_8_seats": sizes,
        "peak_gibibytes": peak_gibibytes(device),
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="cpu or cuda; default: the best there is")
    parser.add_argument("--replay", type=Path, help="JSON of benchmarks.speculation")
    parser.add_argument("--seats", type=int, nargs="+", default=SEATS)
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    answers = []
    if args.replay:
        kept = json.loads(args.replay.read_text(encoding="utf-8"))["answers"]
        answers = [answer for answer in kept if answer["task"] == "stvg"]
    device = choose_device(args.device)
    publish(run(device, answers, args.seats, stopwatch()), args.out)


if __name__ == "__main__":
    main()
