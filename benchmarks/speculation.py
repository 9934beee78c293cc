"""How many tokens a pass brings on the demo model, and that no answer changes.

    python -m benchmarks.speculation [--scenes 20] [--device cuda] [--dtype float16]

Asks seven kinds of questions about each drawn scene, four ways: plain, with
speculation, with the grammar, with both. Prints JSON; ``--out`` keeps it, with the
token ids of long answers for ``benchmarks.stages`` to replay.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._demo_questions import DemoQuestion, demo_questions
from benchmarks._devices import machine
from stablechat.generation import generate
from stablechat.generation.decoders import decoder_for
from stablechat.generation.tree import DraftTree
from stablechat.loader import LoadedModel, load_model
from stablechat.types import Generation, GenerationConfig

#: The ways to decode that are compared; the first is what the others must equal.
WAYS = {
    "plain": GenerationConfig(speculation=False, log_probs=True),
    "speculation": GenerationConfig(log_probs=True),
    "grammar": GenerationConfig(speculation=False, grammar=True, log_probs=True),
    "speculation and grammar": GenerationConfig(grammar=True, log_probs=True),
}
#: Long answers that are kept for a replay at full size.
KEPT_ANSWERS = 6


@dataclass
class Tally:
    """What one way of decoding one kind of question came to.

    Attributes:
        tokens: Of all answers.
        passes: Of all answers.
        seconds: Of decoding, an answer each.
        answers: How many.
        different: Answers that are not the plain one.
        accepted: Tokens that a pass brought -> how often.
        sizes: Tokens that a pass read -> how often.
    """

    tokens: int = 0
    passes: int = 0
    seconds: list[float] = field(default_factory=list)
    answers: int = 0
    different: int = 0
    accepted: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "answers": self.answers,
            "tokens": self.tokens,
            "passes": self.passes,
            "tokens_per_pass": round(self.tokens / max(self.passes, 1), 3),
            "median_decode_seconds": round(statistics.median(self.seconds), 4),
            "tokens_per_second": round(self.tokens / max(sum(self.seconds), 1e-9), 1),
            "different_from_plain": self.different,
            "accepted_per_pass": dict(sorted(self.accepted.items())),
            "tree_sizes": dict(sorted(self.sizes.items())),
        }


@contextmanager
def watched(loaded: LoadedModel) -> Iterator[list[tuple[int, int]]]:
    """Note each pass: tokens written before it, and how many it reads."""
    decoder, seen = decoder_for(loaded.model), []
    read = decoder.read

    def noting(tree: DraftTree, place: int, *, ahead: bool = False) -> Any:
        seen.append((place, len(tree)))
        return read(tree, place, ahead=ahead)

    decoder.read = noting  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        decoder.read = read  # type: ignore[method-assign]


def ask(
    loaded: LoadedModel, question: DemoQuestion, config: GenerationConfig, tally: Tally
) -> Generation:
    """Have one question answered one way."""
    with watched(loaded) as seen:
        answer = generate(
            loaded.model,
            loaded.tokenizer,
            question.embeds,
            config,
            task=question.task,
            end_token_ids=loaded.end_token_ids,
            last_row=question.last_row,
        )
    tally.answers += 1
    tally.tokens += len(answer.token_ids)
    tally.passes += answer.num_passes
    tally.seconds.append(answer.timings["decode_seconds"])
    places = [place for place, _ in seen] + [len(answer.token_ids)]
    steps = zip(places[1:], places, strict=False)
    tally.accepted.update(after - before for after, before in steps)
    tally.sizes.update(size for _, size in seen)
    return answer


def first_difference(plain: Generation, other: Generation) -> dict[str, Any] | None:
    """Where two answers part, and how much the model preferred one token there."""
    pairs = zip(plain.token_ids, other.token_ids, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if at is None:
        return None
    scores = plain.log_probs, other.log_probs
    here = [log_probs[at] if log_probs else None for log_probs in scores]
    return {"place": at, "log_probabilities": here}


def measure(loaded: LoadedModel, scenes: int, seed: int) -> dict[str, Any]:
    """Ask everything every way."""
    tallies: dict[str, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    ties, kept = [], []
    questions = demo_questions(loaded, scenes, seed)
    for number, question in enumerate(questions):
        answers = {
            way: ask(loaded, question, config, tallies[question.kind][way])
            for way, config in WAYS.items()
            if number or way == "plain" or _warm_up(loaded, question)
        }
        plain = answers["plain"]
        for way, answer in answers.items():
            tally = tallies[question.kind][way]
            tally.different += answer.token_ids != plain.token_ids
        difference = first_difference(plain, answers["speculation"])
        if difference:
            ties.append({"kind": question.kind, **difference})
        kept.append((len(plain.token_ids), question.task, plain.token_ids))
        print(f"\r{number + 1} questions", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    kept.sort(key=lambda entry: -entry[0])
    return {
        "questions": {
            kind: {way: tally.as_json() for way, tally in ways.items()}
            for kind, ways in tallies.items()
        },
        "parted_from_plain": ties,
        "answers": [
            {"task": task, "token_ids": list(ids)}
            for _, task, ids in _longest(kept, "stvg") + _longest(kept, "svg")
        ],
    }


def _warm_up(loaded: LoadedModel, question: DemoQuestion) -> bool:
    """Compile and capture what the first answer needs, outside of the clock."""
    ask(loaded, question, WAYS["speculation"], Tally())
    return True


def _longest(kept: list[tuple[int, Any, Any]], task: str) -> list[tuple[int, Any, Any]]:
    return [entry for entry in kept if entry[1] == task][: KEPT_ANSWERS // 2]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--device", help="default: the best there is")
    parser.add_argument("--dtype", help="default: the device's own")
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    loaded = load_model(None, args.device, args.dtype)
    report = {
        "what": f"python -m benchmarks.speculation --scenes {args.scenes}"
        f" --seed {args.seed}",
        **machine(loaded.device),
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "decoder": type(decoder_for(loaded.model)).__name__,
        **measure(loaded, args.scenes, args.seed),
    }
    text = json.dumps(report)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")
    for kind, ways in report["questions"].items():
        for way, found in ways.items():
            print(
                f"{kind:16} {way:24} {found['tokens_per_pass']:6.2f} tokens a pass, "
                f"{found['tokens_per_second']:8.1f} tokens/s, "
                f"{found['different_from_plain']} of {found['answers']} different"
            )


if __name__ == "__main__":
    main()
