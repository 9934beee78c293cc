"""How many the server of ``python -m serving`` can answer, and how long it lasts.

    python -m benchmarks.serving [--out FILE]             # 1 to 64 clients
    python -m benchmarks.serving --soak 600 [--out FILE]  # replicas are killed

On this machine only, with the demo model, over loopback. Each client asks its next
question when the last one is answered, about one of a few drawn videos; every answer is
compared with what the model says when it is asked directly, which is also the baseline.
Latencies and throughput are those of right answers; what is refused waits as long as it
is told. Whatever else happens is counted by name. A server that leaves a process or a
file behind fails the run. Prints JSON.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks._processes import family_of, memory_bytes
from benchmarks._served import Client, Question, Reply, Server, asking, served
from benchmarks._timing import run_main, say
from benchmarks.stages import publish
from evaluation.datasets import load_samples
from evaluation.run_info import hardware
from stablechat import StableChat
from training.synthetic.generating import generate

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
REPLICAS = (1, 2)
SEED, VIDEOS = 20261140, 6
_WARM_UP_SECONDS = 5.0
_SOAK_CLIENTS, _CLIP_EVERY = 8, 10
_KILL_SECONDS, _SAMPLE_SECONDS = 45.0, 5.0
_MIB = 1 << 20


def make_questions(folder: Path) -> tuple[list[Question], dict[str, Any]]:
    """Draw videos and ask about them directly.

    Returns:
        The questions, not sent anywhere yet, and how fast they were answered.
    """
    generate(SEED, VIDEOS, folder)
    samples = load_samples(folder / "stvg.json", "stvg")
    first = {sample.video_path: sample for sample in reversed(samples)}
    chat = StableChat.from_pretrained(device="cpu")
    questions, seconds = [], []
    for name in sorted(first):
        video, query = folder / "videos" / name, first[name].query
        expected = chat.ground(video, query).generation.text  # encodes it, too
        started = time.perf_counter()
        chat.ground(video, query)
        seconds.append(time.perf_counter() - started)
        questions.append(Question(video, "", query, expected))
    baseline = {
        "what": "StableChat.ground in one process, one question after the other, on "
        "videos that are encoded already",
        "median_seconds": round(median(seconds), 3),
        "answers_per_second": round(len(seconds) / sum(seconds), 2),
    }
    return questions, baseline


def sent(server: Server, questions: Sequence[Question]) -> list[Question]:
    """The same questions, of a server that has their videos and has encoded them."""
    known = [
        Question(each.video, server.send(each.video), each.query, each.expected)
        for each in questions
    ]
    client = Client(server, known, 0)
    client.run(lambda: len(client.replies) == len(known))
    return known


def summary(replies: Sequence[Reply], seconds: float) -> dict[str, Any]:
    """What came of requests.

    Args:
        replies: Those that ended in the time that counts.
        seconds: That time.
    """
    outcomes = Counter(reply.outcome for reply in replies)
    right = sorted(reply.seconds for reply in replies if reply.outcome == "right")
    percentiles = np.percentile(right, (50, 90, 99)).round(3).tolist() if right else ()
    names = ("p50_seconds", "p90_seconds", "p99_seconds")
    return {
        "answers_per_second": round(len(right) / seconds, 2),
        **dict(zip(names, percentiles, strict=False)),
        "outcomes": dict(sorted(outcomes.items())),
    }


def measure_load(
    server: Server, questions: Sequence[Question], clients: int, seconds: float
) -> dict[str, Any]:
    """One point of the curve."""
    with asking(server, questions, clients) as busy:
        time.sleep(_WARM_UP_SECONDS)
        started = time.monotonic()
        time.sleep(seconds)
        ended = time.monotonic()
    replies = [reply for client in busy for reply in client.replies]
    counted = [reply for reply in replies if started <= reply.ended < ended]
    odd = Counter(r.outcome for r in replies if r.outcome not in ("right", "refused"))
    return {
        "clients": clients,
        **summary(counted, ended - started),
        # All of them, those before and after the time that counts, too.
        "lost_or_mixed": sum(odd.values()),
    }


def load(questions: Sequence[Question], seconds: float) -> list[dict[str, Any]]:
    """The curve for each number of replicas."""
    found = []
    for replicas in REPLICAS:
        with served(replicas) as server:
            known = sent(server, questions)
            for clients in CLIENTS:
                point = measure_load(server, known, clients, seconds)
                say(f"{replicas} replicas, {point}")
                found.append({"replicas": replicas, **point})
    return found


def soak(questions: Sequence[Question], seconds: float) -> dict[str, Any]:
    """Ask for a long time, while replicas are killed."""
    with served(2) as server:
        known = sent(server, questions)
        memory: list[tuple[float, int]] = []
        kills = 0
        with asking(server, known, _SOAK_CLIENTS, _CLIP_EVERY) as busy:
            started = time.monotonic()
            while (gone := time.monotonic() - started) < seconds:
                time.sleep(_SAMPLE_SECONDS)
                memory.append((gone, memory_bytes(family_of(server.process.pid))))
                if gone > (kills + 1) * _KILL_SECONDS and gone < seconds - 15:
                    kills += _kill_one(server)
                    say(f"{gone:.0f} s, {kills} killed, {memory[-1][1] // _MIB} MiB")
        took = time.monotonic() - started
        metrics = server.request("GET", "/metrics")[1].decode()
    replies = [reply for client in busy for reply in client.replies]
    found = summary(replies, took)
    wrong = sum(n for name, n in found["outcomes"].items() if name not in _GOOD)
    return {
        "seconds": round(took),
        "clients": _SOAK_CLIENTS,
        "replicas_killed": kills,
        "questions_asked_again_inside": _counter(metrics, "ray_stablechat_retries"),
        **found,
        "lost_or_mixed": wrong,
        "memory_mib_by_minute": _by_minute(memory),
        "left_over": "nothing",  # or the run would have failed
    }


_GOOD = ("right", "refused")


def _kill_one(server: Server) -> int:
    """Kill a replica where there are two, so that there is always one."""
    replicas = server.replicas()
    if len(replicas) < 2:
        return 0
    os.kill(replicas[0], signal.SIGKILL)
    return 1


def _counter(metrics: str, name: str) -> int:
    values = [
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith(f"{name}_total{{") or line.startswith(f"{name}{{")
    ]
    return round(sum(values))


def _by_minute(memory: Sequence[tuple[float, int]]) -> list[int]:
    """The median of each minute, in MiB."""
    minutes: dict[int, list[int]] = {}
    for gone, used in memory:
        minutes.setdefault(int(gone // 60), []).append(used)
    return [round(median(used) / _MIB) for used in minutes.values()]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each point")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="no curve, this")
    parser.add_argument("--out", type=Path, help="JSON file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stablechat-benchmark-") as folder:
        questions, baseline = make_questions(Path(folder))
        say(f"alone: {baseline}")
        found: dict[str, Any] = {
            "what": "python -m benchmarks.serving, the demo model over loopback",
            "hardware": hardware("cpu"),
            "videos": {"seed": SEED, "count": VIDEOS},
            "alone": baseline,
        }
        if args.soak is None:
            found["load"] = load(questions, args.seconds)
        else:
            found["soak"] = soak(questions, args.soak)
    publish(found, args.out)


if __name__ == "__main__":
    run_main(main)
