"""``batch`` on Ray: one cluster for all tests, from which processes and machines go.

The model is a stand-in that tells what it was asked, but for the last test, which
starts a cluster of its own with the demo model.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from batch_fakes import (
    FakeChat,
    inputs_about,
    no_model,
    questions_in,
    small_plan,
    write_videos,
)
from linux_processes import children_titled, listened

from benchmarks._processes import family_of, title_of
from stablechat.cli.batch.jobs import BatchInput, Result
from stablechat.cli.batch.local_engine import LocalEngine
from stablechat.cli.batch.ray_engine import RayEngine, RayOptions, pipeline
from stablechat.cli.batch.ray_engine.pipeline import Shares
from stablechat.cli.batch.running import Report, run_batch
from stablechat.errors import CancelledError, EngineError, InputError, ModelError
from stablechat.folders import owned_folder

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 100.0
NODE = {
    "num_cpus": 2,
    "object_store_memory": 100 << 20,
    "include_dashboard": False,
    "node_ip_address": "127.0.0.1",
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    # Not imported here: it reads its settings only then.
    pytest.mark.skipif(find_spec("ray") is None, reason="needs requirements-ray.txt"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One machine that stays, on loopback; a test adds another one."""
    before = dict(os.environ)
    os.environ.update(
        RAY_USAGE_STATS_ENABLED="0",
        RAY_AUTH_MODE="disabled" if "ray" in sys.modules else "token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        RAY_BACKEND_LOG_LEVEL="fatal",
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",  # takes loopback as it is
        RAY_ENABLE_AUTO_CONNECT="0",
        # A machine that is gone is given up after two seconds, and not after thirty.
        RAY_health_check_initial_delay_ms="500",
        RAY_health_check_period_ms="500",
        RAY_health_check_timeout_ms="1000",
        RAY_health_check_failure_threshold="3",
        PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    )
    with owned_folder("scray-", Path("/tmp")) as folder:
        (folder / "ray").mkdir()
        os.environ["RAY_TMPDIR"] = str(folder)
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args=dict(NODE))
        try:
            yield made
        finally:
            made.shutdown()
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_videos(tmp_path_factory.mktemp("videos"), 12)


def answered(
    cluster: Any,
    out: Path,
    inputs: list[BatchInput],
    load: Callable[[], Any],
    cancelled: Callable[[], bool] = lambda: False,
    plan: dict[str, Any] | None = None,
    **options: bool,
) -> Report:
    """A run on the cluster."""
    made = small_plan(out, **plan or {})
    engine = RayEngine(made, load, RayOptions(cluster.address))
    return run_batch(inputs, made, engine, cancelled, lambda _: None, **options)


def lines_of(out: Path) -> list[dict[str, Any]]:
    path = out / "results.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def check_whole(out: Path, inputs: list[BatchInput]) -> None:
    """A line for each input, no more and no less, and a folder for each answer."""
    lines = lines_of(out)
    assert sorted(line["id"] for line in lines) == sorted(each.id for each in inputs)
    done = [line["folder"] for line in lines if line["status"] == "done"]
    assert len(os.listdir(out / "answers")) == len(done)
    for folder in done:
        assert (out / folder / "result.json").is_file()
        assert not list((out / folder).glob(".*"))


def wait_for(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.02)
    pytest.fail("nothing happened")


def without_times(result: Result) -> dict[str, Any]:
    return {**result.to_dict(), "timings": {}, "detail": ""}


@pytest.mark.parametrize("windows", [{}, {"window_seconds": 1.0, "top": 2}])
def test_the_same_results_as_here(
    cluster: Any, videos: list[Path], tmp_path: Path, windows: dict[str, Any]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    inputs = inputs_about([*videos[:2], bad], "find it", "bug", "x" * 9999)
    load = partial(FakeChat, tmp_path / "log")
    there = answered(cluster, tmp_path / "there", inputs, load, plan=windows)
    plan = small_plan(tmp_path / "here", **windows)
    here = run_batch(
        inputs, plan, LocalEngine(plan, load), lambda: False, lambda _: None
    )
    assert [without_times(each) for each in there.results] == [
        without_times(each) for each in here.results
    ]
    check_whole(tmp_path / "there", inputs)
    asked = len(questions_in(tmp_path / "log"))
    again = answered(cluster, tmp_path / "there", inputs, load, plan=windows)
    assert again.results == there.results and again.num_before == len(inputs)
    assert len(questions_in(tmp_path / "log")) == asked


@pytest.mark.long
def test_processes_that_are_killed(
    cluster: Any,
    videos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that reads, one with the model, and every one that a query comes to."""
    monkeypatch.setattr(pipeline, "MAX_RETRIES", 1)
    out, log = tmp_path / "out", tmp_path / "log"
    inputs = inputs_about(videos[:6], "a")
    inputs += inputs_about(videos[6:7], "kill once")
    inputs += inputs_about(videos[7:8], "kill always")

    def kill_a_reader() -> None:
        (pid, *_) = wait_for(lambda: children_titled(r"ray::Map\(.*read"))
        os.kill(pid, signal.SIGKILL)

    killed = threading.Thread(target=kill_a_reader)
    killed.start()
    report = answered(cluster, out, inputs, partial(FakeChat, log, 0.1))
    killed.join()
    check_whole(out, inputs)
    (failed,) = report.failed
    assert failed.query == "kill always" and failed.kind == "infrastructure"
    # Tried again as often as it may be, and in another process each time.
    deaths = [query for _, query in questions_in(log) if query == "kill always"]
    assert 2 <= len(deaths) <= 3
    before = len(questions_in(log))
    assert answered(cluster, out, inputs, partial(FakeChat, log)).failed
    assert len(questions_in(log)) == before


@pytest.mark.long
def test_a_machine_that_is_lost(
    cluster: Any, videos: list[Path], tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    inputs = inputs_about(videos, "a", "b")
    node = cluster.add_node(**NODE)
    lost = threading.Event()

    def lose() -> None:
        wait_for(lambda: len(lines_of(out)) >= 4)
        cluster.remove_node(node, allow_graceful=False)
        lost.set()

    thread = threading.Thread(target=lose)
    thread.start()
    report = answered(cluster, out, inputs, partial(FakeChat, log, 0.3))
    thread.join()
    assert lost.is_set() and not report.failed
    check_whole(out, inputs)


@pytest.mark.long
def test_a_driver_that_is_killed(
    cluster: Any, videos: list[Path], tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    script = (
        "import sys\n"
        "from functools import partial\n"
        "from pathlib import Path\n"
        "from batch_fakes import FakeChat, inputs_about, small_plan\n"
        "from stablechat.cli.batch.ray_engine import RayEngine, RayOptions\n"
        "from stablechat.cli.batch.running import run_batch\n"
        "address, out, log, *videos = sys.argv[1:]\n"
        "plan = small_plan(Path(out))\n"
        "load = partial(FakeChat, Path(log), 0.2)\n"
        "engine = RayEngine(plan, load, RayOptions(address))\n"
        "inputs = inputs_about([Path(each) for each in videos], 'a', 'b')\n"
        "run_batch(inputs, plan, engine, lambda: False, print)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, cluster.address, out, log, *videos]
    ) as driver:
        wait_for(lambda: len(lines_of(out)) >= 4)
        driver.kill()
    finished = lines_of(out)
    inputs = inputs_about(videos, "a", "b")
    assert 4 <= len(finished) < len(inputs)
    whole = {path.parent.name for path in out.glob("answers/*/result.json")}
    before = questions_in(log)
    report = answered(cluster, out, inputs, partial(FakeChat, log))
    assert not report.failed and lines_of(out)[: len(finished)] == finished
    check_whole(out, inputs)
    # Nothing that was finished is asked again.
    again = questions_in(log)[len(before) :]
    plan = small_plan(out)
    names = {
        (Path(each.video).name, each.query): plan.folder_name(each).rpartition("/")[2]
        for each in inputs
    }
    assert not {names[asked] for asked in again} & whole
    assert report.num_before >= len(finished)


@pytest.mark.long
def test_a_run_that_is_stopped(
    cluster: Any, videos: list[Path], tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    inputs = inputs_about(videos[:4], "a")
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(CancelledError):
        answered(
            cluster, out, inputs, partial(FakeChat, log, 0.3),
            cancelled=lambda: len(lines_of(out)) >= 1,
        )  # fmt: skip

    assert signal.getsignal(signal.SIGTERM) is handler
    assert 1 <= len(lines_of(out)) < len(inputs)


def test_a_model_that_cannot_be_loaded_is_no_endless_round(tmp_path: Path) -> None:
    (row,) = pipeline.Model(small_plan(tmp_path), no_model, 1)({})
    with pytest.raises(ModelError, match="no such model"):
        pipeline._result_of(pipeline.finish_row(row, small_plan(tmp_path)))


def test_a_folder_that_a_machine_does_not_share(tmp_path: Path) -> None:
    row = {"answered": "anything", "why_not": ""}
    with pytest.raises(InputError, match="must be a folder that they share"):
        pipeline._result_of(pipeline.finish_row(row, small_plan(tmp_path / "no")))


def test_a_cluster_that_is_not_there(videos: list[Path], tmp_path: Path) -> None:
    plan = small_plan(tmp_path / "out")
    engine = RayEngine(plan, no_model, RayOptions("nonsense:address"))
    inputs = inputs_about(videos[:1], "a")
    with pytest.raises(EngineError, match="can't be started or reached"):
        run_batch(inputs, plan, engine, lambda: False, print)


@pytest.mark.parametrize(
    ("nodes", "models", "shares"),
    [
        ([{"CPU": 2}], None, Shares(1, 0, 1)),
        ([{"CPU": 16}, {"CPU": 8}, {}], None, Shares(2, 0, 4)),
        ([{"CPU": 32, "GPU": 4}, {"CPU": 8}], None, Shares(4, 1, 4)),
        ([{"CPU": 32, "GPU": 4}], 2, Shares(2, 1, 16)),
        ([], None, Shares(1, 0, 1)),
    ],
)
def test_how_a_cluster_is_shared_out(
    nodes: list[dict[str, float]], models: int | None, shares: Shares
) -> None:
    listed = [{"Alive": True, "Resources": each} for each in nodes]
    listed.append({"Alive": False, "Resources": {"CPU": 1, "GPU": 8}})
    assert Shares.of_nodes(listed, models) == shares


@pytest.mark.long
def test_a_cluster_of_its_own(tmp_path: Path) -> None:
    """With the demo model: loopback only, nothing left, killed and gone on with."""
    video = ROOT / "assets" / "examples" / "red_circle.mp4"
    command = [sys.executable, "-m", "stablechat", "batch", str(video)]
    command += ["--query", "the red circle", "--out", str(tmp_path / "out")]
    command += ["--engine", "ray", "--json"]
    usual = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment = {**usual, "HOME": str(tmp_path)}
    start = partial(
        subprocess.Popen, command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with start() as driver:
        wait_for(lambda: [p for p in family_of(driver.pid) if holds_model(p)])
        family = {pid for pid in family_of(driver.pid) if not is_helper(pid)}
        driver.kill()
    orphan = folders_of(driver.pid)
    assert len(orphan) == 1
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
    with start() as driver:
        wait_for(lambda: [p for p in family_of(driver.pid) if holds_model(p)])
        heard = {address for p in family_of(driver.pid) for address in listened(p)}
        told, logged = driver.communicate(timeout=120)
    assert driver.returncode == 0, logged
    assert heard and heard <= {"127.0.0.1", "::ffff:7f00:1"}
    assert json.loads(told)["num_done"] == 1
    assert all("Set ray log level" in line for line in logged.splitlines())
    assert folders_of(driver.pid) == [] and not orphan[0].exists()
    assert not (tmp_path / ".ray").exists()
    (line,) = lines_of(tmp_path / "out")
    assert line["found"] and line["start_seconds"] < line["end_seconds"]


def folders_of(pid: int) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"scray-{pid}-*"))


def holds_model(pid: int) -> bool:
    return title_of(pid).startswith("ray::MapWorker")


def is_helper(pid: int) -> bool:
    """Ray's own, which end a minute after the rest was killed."""
    return title_of(pid).startswith(("ray::DashboardAgent", "ray::RuntimeEnvAgent"))
