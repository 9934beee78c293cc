"""The tables of docs/scaling.md, from the reports that are committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity.figure import cost_parts

Report = Mapping[str, Any]


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def capacity_table(report: Report) -> str:
    """What a card and its processors do."""
    header = (
        "card, video, questions, seats",
        "GPU s a video: encode + prefill + decode",
        "CPU s a video: read + drive + finish",
        "videos an hour and GPU",
        "questions an hour and GPU",
        "vCPUs that keep pace",
    )
    return markdown(header, [_capacity_row(each) for each in report["capacity"]])


def _capacity_row(row: Report) -> list[str]:
    return [
        f"{row['gpu']}, {row['height']}p, {row['questions']}, {row['seats']}",
        _sum_of(row["gpu_seconds"].values(), 2),
        _sum_of(row["cpu_seconds"].values(), 1),
        f"{row['videos_per_gpu_hour']:,.0f}",
        f"{row['queries_per_gpu_hour']:,.0f}",
        f"{row['balanced_vcpus_per_gpu']:.0f}",
    ]


def _sum_of(parts: Iterable[float], digits: int) -> str:
    values = list(parts)
    shown = " + ".join(f"{each:.{digits}f}" for each in values)
    return f"{shown} = {sum(values):.{digits}f}"


def cost_table(report: Report) -> str:
    """What a thousand queries cost."""
    header = (
        "machine",
        "USD an hour (assumed)",
        "vCPUs a GPU",
        "short of",
        "videos an hour",
        "USD for 1,000",
        "with CPU machines beside it",
    )
    rows = [
        (
            f"{each['instance']} ({each['gpu']})",
            f"{each['usd_per_hour']:.2f}",
            f"{each['vcpus_per_gpu']:.0f}",
            each["bound"].upper(),
            f"{each['videos_per_hour']:,.0f}",
            f"{each['usd_per_1000']:.2f}",
            f"{each['split_usd_per_1000']:.2f}",
        )
        for each in report["cost"]
    ]
    return markdown(header, rows)


def scale_table(report: Report) -> str:
    """Machines and money by the size of the day."""
    header = (
        "videos a day",
        "a second at the peak",
        "GPUs: cells, pools",
        "vCPUs",
        "p50, p95, p99 of a day",
        "refused",
        "GPU busy",
        "USD a day: machines, storage, sent",
        "fixed fleet",
    )
    return markdown(header, [_scale_row(each) for each in report["scales"]])


def _scale_row(row: Report) -> list[str]:
    day, fixed = row["cell_day"]["scaled"], row["cell_day"]["fixed"]
    flows, cells = row["flows"], row["cells"]
    machines, before = (
        cells * (each["gpu_machines_usd"] + each["cpu_machines_usd"])
        for each in (day, fixed)
    )
    percentiles = ", ".join(f"{day[f'p{p}_seconds']:.0f}" for p in (50, 95, 99))
    return [
        f"{row['videos_per_day']:,}",
        f"{row['peak_videos_per_second']:.3g}",
        f"{row['gpus_at_peak_in_cells']:,}, {row['gpus_at_peak_in_pools']:,}",
        f"{row['vcpus_at_peak']:,}",
        f"{percentiles} s",
        f"{100 * day['refused'] / day['arrived']:.2f} %",
        f"{100 * day['utilisation']['answer']:.0f} %",
        f"{machines:,.0f}, {flows['storage_usd_per_day']:,.0f}, "
        f"{flows['out_usd_per_day']:,.0f}",
        f"{before:,.0f}",
    ]


def flow_table(report: Report) -> str:
    """Bytes by the size of the day."""
    header = (
        "videos a day",
        "uploads, Gbit/s",
        "frames to the model, Gbit/s",
        "clips out, Gbit/s",
        "stored, TB",
        "USD for 1,000 videos, all",
    )
    rows = []
    for each in report["scales"]:
        flows = each["flows"]
        rates = (flows[f"{name}_gbps"] for name in ("in", "frames", "out"))
        total = sum(cost_parts(each).values())
        rows.append(
            [
                f"{each['videos_per_day']:,}",
                *(f"{rate:.3g}" for rate in rates),
                f"{flows['stored_terabytes']:,.3g}",
                f"{total:.2f}",
            ]
        )
    return markdown(header, rows)


def check_table(report: Report) -> str:
    """What was predicted of real batches."""
    engines = report["engines"]
    header = ("", *(f"{name}, {e['videos']} videos" for name, e in engines.items()))
    rows: list[Sequence[object]] = [
        ("measured", *(f"{e['measured_span_seconds']:.0f} s" for e in engines.values()))
    ]
    predictions = [{**_baselines(e), **_spans(e)} for e in engines.values()]
    for name in sorted(predictions[0], key=lambda each: "other half" in each):
        spans = zip(predictions, engines.values(), strict=True)
        rows.append((name, *(_predicted(each[name], e) for each, e in spans)))
    for stage in ("read", "answer", "finish"):
        rows.append(
            (
                f"{stage}: busy, measured and simulated",
                *(_busy(e["utilisation"], stage) for e in engines.values()),
            )
        )
    return markdown(header, rows)


def _spans(engine: Report) -> dict[str, float]:
    """What was predicted; its baselines used the other half's seconds."""
    return {
        name.replace("baseline: ", "the other half's seconds, "): p["span_seconds"]
        for name, p in engine["predictions"].items()
    }


def _baselines(engine: Report) -> dict[str, float]:
    """The same baselines of the batch's own seconds."""
    means, more = engine["mean_seconds"].values(), engine["videos"] - 1
    return {
        "own seconds, stages one after the other": more * sum(means),
        "own seconds, the slowest stage alone": more * max(means),
    }


def _predicted(seconds: float, engine: Report) -> str:
    error = 100 * (seconds / engine["measured_span_seconds"] - 1)
    return f"{seconds:.0f} s ({error:+.0f} %)"


def _busy(utilisation: Report, stage: str) -> str:
    pair = (utilisation[each][stage] for each in ("measured", "simulated"))
    return ", ".join(f"{100 * each:.0f} %" for each in pair)


TABLES = {
    "capacity": capacity_table,
    "cost": cost_table,
    "scale": scale_table,
    "flows": flow_table,
}


def filled(text: str, plan: Report, check: Report | None) -> str:
    """A page with its tables written anew.

    Args:
        text: The page; a table stands between ``<!-- capacity: NAME -->`` and
            ``<!-- end -->``.
        plan, check: Committed reports.

    Raises:
        ValueError: A table has no place.
    """
    tables = {name: make(plan) for name, make in TABLES.items()}
    if check is not None:
        tables["check"] = check_table(check)
    for name, table in tables.items():
        start, end = f"<!-- capacity: {name} -->\n", "<!-- end -->"
        before, mark, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (mark and closed):
            raise ValueError(f"The page has no place for the table {name!r}.")
        text = f"{before}{start}{table}\n{closed}{after}"
    return text


def write_tables(page: Path, plan: Report, check: Report | None) -> None:
    """Fill a page."""
    text = filled(page.read_text(encoding="utf-8"), plan, check)
    page.write_text(text, encoding="utf-8")
