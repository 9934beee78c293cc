"""The capacity model's sums, its inputs, and that the page says what they say."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks._timing import RESULTS
from benchmarks.capacity import measured
from benchmarks.capacity.__main__ import main
from benchmarks.capacity.bookkeeping import measure as measure_bookkeeping
from benchmarks.capacity.check import Ran, compare, line_of, read_run
from benchmarks.capacity.cpu import measured as processors_of
from benchmarks.capacity.figure import plan_png
from benchmarks.capacity.instances import (
    INSTANCES,
    PROCESSORS,
    Instance,
    StoragePrices,
    priced,
)
from benchmarks.capacity.measured import Figure, Measured, ModelSeconds, VideoWork
from benchmarks.capacity.model import (
    Demand,
    Workload,
    demand_of,
    flows_of,
    rent,
    videos_per_gpu_hour,
    workers_for,
)
from benchmarks.capacity.plan import Assumptions, Planner, report
from benchmarks.capacity.tables import filled
from benchmarks.capacity.workload import Day, log_normal, peak, services

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def known() -> Measured:
    """Round numbers."""
    model = ModelSeconds(
        Figure(0.1, "a"),
        Figure(0.1, "b"),
        {"H100": (0.2, 0.4), "H200": (0.1,)},
        {"H100": "c", "H200": "c"},
    )
    video = VideoWork("v", 60, 10**7, 4.0, 6.0, 10**6, "d")
    return Measured(model, {8: 5.0, 32: 8.0}, Figure(3.0, "e"), {}, {1080: video})


def test_it_reads_the_committed_results() -> None:
    found = measured.load()
    assert found.model.encode.value == pytest.approx(0.148955)
    assert set(found.videos) == {720, 1080}
    assert found.model.decode["H100"][0] > np.mean(found.model.decode["H200"])
    assert {8, 32} < set(found.answers_per_second)
    for name, value, source in found.sources():
        assert value > 0, name
        assert (RESULTS / source.split(":")[0]).is_file()
    with pytest.raises(OSError, match="stages"):
        measured.load(RESULTS / "elsewhere")


def test_what_a_video_costs() -> None:
    alone = demand_of(known(), Workload())
    assert alone.gpu == pytest.approx(0.1 + 0.1 + 0.3)
    assert alone.cpu == pytest.approx(4.0 + 0.5 + 6.0)
    assert videos_per_gpu_hour(alone) == pytest.approx(7200)
    assert alone.balanced_vcpus_per_gpu == pytest.approx(21)
    seated = demand_of(known(), Workload(questions=10, seats=8))
    assert seated.gpu == pytest.approx(0.1 + 1.0 + 10 / 5)
    assert seated.cpu_seconds["finish"] == pytest.approx(60)
    other = demand_of(known(), Workload("H200"))
    assert other.gpu_seconds["decode"] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="H100 only"):
        demand_of(known(), Workload("H200", seats=8))
    with pytest.raises(ValueError, match="7 seats were not measured"):
        demand_of(known(), Workload(seats=7))
    with pytest.raises(ValueError, match="question"):
        Workload(questions=0)


@pytest.mark.parametrize(("vcpus", "bound"), [(10, "cpu"), (100, "gpu")])
def test_what_is_short_sets_the_price(vcpus: int, bound: str) -> None:
    machine = Instance("m", "X", 2, vcpus, 1, 1, 36.0)
    others = Instance("c", "", 0, 10, 1, 1, 1.0)
    found = rent(machine, others, Demand({"all": 1.0}, {"all": 20.0}), 1, 1.0)
    assert found.bound == bound
    by_gpu, by_cpu = 7200.0, vcpus * 180.0
    assert found.videos_per_hour == pytest.approx(min(by_gpu, by_cpu))
    assert found.usd_per_1000 == pytest.approx(36000 / min(by_gpu, by_cpu))
    # 40 vCPUs keep pace with two cards; those that are missing cost 0.1 USD each.
    missing = max(0, 40 - vcpus)
    assert found.split_vcpus == pytest.approx(missing)
    assert found.split_usd_per_1000 == pytest.approx((36 + 0.1 * missing) / 7.2)


def test_half_as_busy_costs_twice() -> None:
    machine, others = INSTANCES["p5.48xlarge"], INSTANCES[PROCESSORS]
    demand = demand_of(known(), Workload())
    full, half = (rent(machine, others, demand, 1, share) for share in (1.0, 0.5))
    assert half.usd_per_1000 == pytest.approx(2 * full.usd_per_1000)
    for wrong in ((others, 1.0), (machine, 0.0)):
        with pytest.raises(ValueError, match=r"GPU|utilisation"):
            rent(wrong[0], others, demand, 1, wrong[1])


def test_prices_can_be_given() -> None:
    assert priced({"p5.48xlarge": 1.5})["p5.48xlarge"].usd_per_hour == 1.5
    assert priced({})["p5.48xlarge"].remark.startswith("assumed")
    with pytest.raises(ValueError, match="no p6"):
        priced({"p6": 1.0})


def test_bytes_of_a_day() -> None:
    work = Workload(questions=2, upload_days=1, result_days=10, result_bytes=0)
    flows = flows_of(known(), work, 86400, StoragePrices(0.03, 0.1))
    assert flows.in_gbps == pytest.approx(0.08)  # 10 MB a second
    assert flows.out_gbps == pytest.approx(0.016)
    assert flows.stored_terabytes == pytest.approx(0.864 + 1.728)
    assert flows.storage_usd_per_day == pytest.approx(2592 * 0.03 / 30)
    assert flows.out_usd_per_day == pytest.approx(172.8 * 0.1)


def test_workers_for_a_rate() -> None:
    assert workers_for(2.0, 3.0, 0.75) == 8
    assert workers_for(0.0, 3.0, 0.75) == 1


def test_a_day_has_its_videos_and_its_peak() -> None:
    day = Day(20_000)
    rng = np.random.default_rng(1)
    days = [day.arrivals(rng) for _ in range(30)]
    assert np.mean([len(each) for each in days]) == pytest.approx(20_000, rel=0.02)
    times = np.concatenate(days) / 3600
    evening, morning = (np.sum(np.abs(times - hour) < 1) for hour in (20, 8))
    assert evening / morning == pytest.approx(1.8 / 0.2, rel=0.25)
    assert all(np.all(np.diff(each) >= 0) for each in days)
    with pytest.raises(ValueError, match="No day"):
        Day(1, peak_ratio=3)


def test_the_busiest_time_has_a_burst_in_its_middle() -> None:
    day = Day(10**6, burst_factor=3.0)
    times = peak(day, np.random.default_rng(0), 1.0)
    thirds = np.histogram(times, bins=[0, 1200, 2400, 3600])[0]
    assert thirds[1] / thirds[0] == pytest.approx(3.0, rel=0.05)
    assert thirds[0] == pytest.approx(day.peak_rate * 1200, rel=0.05)


def test_times_of_stages_have_their_means() -> None:
    rng = np.random.default_rng(0)
    drawn = log_normal(rng, 2.0, 0.5, 50_000)
    assert drawn.mean() == pytest.approx(2.0, rel=0.02)
    assert drawn.std() == pytest.approx(1.0, rel=0.05)
    assert np.all(log_normal(rng, 2.0, 0.0, 3) == pytest.approx(2.0))
    found = services(known(), Workload(), rng, 20_000, 0.5, threads=2)
    assert found.mean(axis=1) == pytest.approx([2.0, 0.5, 3.0], rel=0.02)
    assert set(np.round(found[1], 6)) == {0.4, 0.6}


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    assumed = Assumptions(mtbf_hours=6.0)
    return report(known(), assumed, priced({}), StoragePrices(), (2000,))


def test_a_plan_keeps_its_target(small: dict[str, Any]) -> None:
    (row,) = small["scales"]
    gpus, p95, refused = row["tried"]["2000"][-1]
    assert gpus == row["gpus_at_peak_in_cells"]
    assert p95 <= 30 and refused <= 0.001
    for day in row["cell_day"].values():
        assert day["arrived"] == day["answered"] + day["refused"] + day["in_flight"]
        assert day["p50_seconds"] <= day["p95_seconds"] <= day["p99_seconds"]
    fixed, scaled = (row["cell_day"][name] for name in ("fixed", "scaled"))
    assert scaled["vcpu_hours"] <= fixed["vcpu_hours"] * 1.05
    assert plan_png(small).startswith(b"\x89PNG")
    assert json.dumps(small)


def test_a_target_that_no_number_keeps() -> None:
    planner = Planner(known(), replace(Assumptions(), target_p95_seconds=1.0))
    with pytest.raises(ValueError, match="p95"):
        planner.size(1000)


def test_the_page_says_what_was_computed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    plan, check = (
        json.loads((RESULTS / f"capacity_{name}.json").read_text())
        for name in ("plan", "check")
    )
    assert filled(page, plan, check) == page
    with pytest.raises(ValueError, match="no place"):
        filled("nothing", plan, check)


def test_the_command_takes_assumptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "plan.json"
    options = ("--price", "p5en.48xlarge=8", "--instance", "p5en.48xlarge")
    options += ("--peak-ratio", "1.2", "--target-p95-seconds", "40")
    command = ("capacity", "plan", "--videos", "500", "--out", str(out), *options)
    monkeypatch.setattr("sys.argv", list(command))
    main()
    found = json.loads(out.read_text())
    assumed = found["assumed"]
    assert (assumed["day"]["peak_ratio"], assumed["target_p95_seconds"]) == (1.2, 40)
    assert assumed["work"]["gpu"] == "H200"
    (price,) = {c["usd_per_hour"] for c in found["cost"] if c["price"] == "given"}
    assert price == 8
    assert [row["videos_per_day"] for row in found["scales"]] == [500]


def test_processors_are_measured_where_the_clock_says_nothing() -> None:
    found = processors_of(lambda: time.sleep(0.05), runs=1)
    assert found["wall_seconds"] >= 0.05 > found["processor_seconds"]
    found = processors_of(lambda: sum(range(2_000_000)), runs=1)
    assert found["processor_seconds"] > 0.01


def test_a_batch_is_compared_with_what_was_predicted() -> None:
    services = np.array([[1.0] * 5, [2.0] * 5, [0.5] * 5])
    ran = Ran(services, 20.0, 8.0)
    found = compare(line_of("local"), ran, ran, 12.0)
    # 1 to read, 2 for each, 0.5 to finish; the first alone takes 3.5.
    assert found["measured_span_seconds"] == 8.0
    for name in ("own seconds", "the other half's seconds"):
        assert found["predictions"][f"simulated, {name}"]["error_percent"] == 0
    sums = found["predictions"]["baseline: stages one after the other"]
    assert sums == {"span_seconds": 14.0, "error_percent": 75.0}
    assert found["utilisation"]["simulated"] == {
        "read": 0.5, "answer": 1.0, "finish": 0.25,
    }  # fmt: skip
    assert line_of("ray").processors == line_of("ray").stages[0].workers


def test_a_batch_is_read_from_its_files(tmp_path: Path) -> None:
    timings = {f"{name}_seconds": 1.0 for name in ("encode", "prefill", "decode")}
    timings |= {"read_seconds": 2.0, "finish_seconds": 4.0}
    row = {"status": "done", "folder": "a", "timings": timings, "reason": "no"}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").touch()
    (tmp_path / "results.jsonl").write_text(json.dumps(row) + "\n")
    ran = read_run(tmp_path, 9.0)
    assert ran.services.tolist() == [[2.0], [3.0], [4.0]]
    (tmp_path / "results.jsonl").write_text(json.dumps({**row, "status": "failed"}))
    with pytest.raises(ValueError, match="1 were not answered: no"):
        read_run(tmp_path, 9.0)


def test_what_a_line_of_the_results_costs() -> None:
    found = measure_bookkeeping()
    assert found["append_seconds"] > 0
    assert 200 < found["bytes_per_result"] < 2000
    assert 500 < found["memory_bytes_per_result"] < 10_000
