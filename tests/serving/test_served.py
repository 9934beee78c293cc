"""The whole server with the demo model: one for all tests, in its own processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from linux_processes import listened
from served import Reply, Server, end, running_server, wait_for

from benchmarks._processes import family_of
from render.exports import grounding_to_dict
from stablechat import StableChat
from stablechat.video import probe

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "assets" / "examples"
RED, STAR = EXAMPLES / "red_circle.mp4", EXAMPLES / "yellow_star.mp4"
QUERY = "the red circle"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(find_spec("ray") is None, reason="needs requirements-ray.txt"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One copy of the model, two questions at once, four that wait."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, "--batch", "2", "--queue", "4") as made:
        yield made


def kept(server: Server, path: Path) -> str:
    """Send a video, or name it again."""
    video: str = server.send("/v1/videos", path.read_bytes()).data["video"]
    return video


def asked_at_once(server: Server, video: str, count: int) -> list[Reply]:
    """Ask as many times at the same time."""
    replies: list[Reply] = []

    def ask() -> None:
        told = {"video": video, "query": QUERY}
        replies.append(server.ask("/v1/ground", told))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def shown(data: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from run to run."""
    return {k: v for k, v in data.items() if k not in ("timings", "files")}


def other_film(folder: Path, name: str) -> Path:
    """The same pictures in a file of its own, so that it is encoded anew."""
    made = folder / name
    made.write_bytes(RED.read_bytes() + name.encode())
    return made


def test_the_answer_is_the_models_own(server: Server, tmp_path: Path) -> None:
    reply = server.send(
        "/v1/ground?query=the+red+circle&clip=true&name=red_circle.mp4",
        RED.read_bytes(),
        x_request_id="test-1",
    )
    assert reply.status == 200, reply.body
    direct = StableChat.from_pretrained(device="cpu").ground(RED, QUERY)
    wanted = grounding_to_dict(direct)
    wanted["video"]["path"] = RED.name
    assert shown(reply.data) == shown(wanted)
    clip = server.get(reply.data["files"]["clip"])
    (tmp_path / "clip.mp4").write_bytes(clip.body)
    info = probe(tmp_path / "clip.mp4")
    span = reply.data["span"]
    assert info.has_audio
    assert info.duration_seconds == pytest.approx(span["duration_seconds"], abs=0.2)
    assert reply.headers["x-request-id"] == "test-1"
    (line,) = (e for e in server.logged("answered") if e["question_id"] == "test-1")
    assert line["application"] == "models" and line["request_id"] == "test-1"


def test_questions_that_wait_are_answered_together(server: Server) -> None:
    video = kept(server, RED)
    replies = asked_at_once(server, video, 4)
    assert [each.status for each in replies] == [200] * 4
    first = replies[0].data
    assert all(each.data["text"] == first["text"] for each in replies)
    lines = server.logged("answered")[-4:]
    assert max(line["batch_size"] for line in lines) == 2


def test_a_video_is_encoded_once(server: Server, tmp_path: Path) -> None:
    video = kept(server, other_film(tmp_path, "once.mp4"))
    for _ in range(2):
        server.ask("/v1/ground", {"video": video, "query": QUERY})
    server.send("/v1/ground?query=the+red+circle", (tmp_path / "once.mp4").read_bytes())
    lines = server.logged("answered")[-3:]
    assert [line["was_kept"] for line in lines] == [False, True, True]


def test_too_many_are_refused_and_the_others_answered(server: Server) -> None:
    video = kept(server, RED)
    replies = asked_at_once(server, video, 16)
    refused = [each for each in replies if each.status != 200]
    assert 1 <= len(refused) <= 12  # those that come at once may find no place yet
    for each in refused:
        assert each.status == 503 and int(each.headers["retry-after"]) > 0
        assert each.data["error"].startswith("Too many questions are waiting")
    texts = {each.data["text"] for each in replies if each.status == 200}
    assert len(texts) == 1


def test_a_deadline(server: Server, tmp_path: Path) -> None:
    video = kept(server, other_film(tmp_path, "late.mp4"))
    told = {"video": video, "query": QUERY}
    reply = server.ask("/v1/ground", told, x_deadline_seconds="0.2")
    assert reply.status == 504 and "in the time" in reply.data["error"]
    # Had it gone on, the video would be kept.
    again = server.ask("/v1/ground", told)
    assert again.status == 200 and again.data["timings"]["encode_seconds"] >= 0
    assert server.logged("answered")[-1]["was_kept"] is False


def test_whoever_hangs_up_frees_the_model(server: Server, tmp_path: Path) -> None:
    film = other_film(tmp_path, "gone.mp4")
    connection = server.connect()
    headers = {"content-type": "video/mp4", "x-request-id": "gone"}
    connection.request("POST", "/v1/ground?query=it", film.read_bytes(), headers)
    time.sleep(0.5)
    connection.close()

    def ended() -> Any:
        return [e for e in server.logged("asked") if e["question_id"] == "gone"]

    (line,) = wait_for(ended, "the question ends")
    assert line["outcome"] == "cancelled"
    reply = server.send("/v1/ground?query=the+red+circle", film.read_bytes())
    assert reply.status == 200
    assert server.logged("answered")[-1]["was_kept"] is False


def test_what_is_no_video(server: Server) -> None:
    reply = server.send("/v1/ground?query=it&name=bad.mp4", b"no video" * 100)
    assert reply.status == 400
    (line,) = reply.data["error"].splitlines()
    assert line.startswith("bad.mp4 is not a video")


def test_the_page_works_on_it(server: Server, tmp_path: Path) -> None:
    client = Client(server.url, verbose=False, download_files=str(tmp_path))
    try:
        job = client.submit(
            video=handle_file(str(RED)), query=QUERY, api_name="/ground"
        )
        clip, answer = job.result(timeout=100)
        assert answer["span"]["start_seconds"] == pytest.approx(0.235, abs=0.01)
        assert answer["video"]["name"] == RED.name and probe(Path(clip)).has_audio
        stages = {told["stage"] for _, told in job.outputs()[:-1]}
        assert "draw" in stages or "answer" in stages
    finally:
        client.close()


def test_figures_and_health(server: Server) -> None:
    assert server.get("/healthz").data == {"status": "alive"}
    assert server.get("/v1/readyz").data == {"status": "ready"}

    def counted() -> Any:
        text = server.get("/metrics").body.decode()
        names = ("questions_total", "video_cache_total", "batch_size_count")
        return all(f"ray_stablechat_{name}" in text for name in names) and text

    text = wait_for(counted, "figures come every few seconds")
    assert 'outcome="refused"' in text and 'result="hit"' in text


def test_it_listens_on_loopback_only(server: Server) -> None:
    family = family_of(server.process.pid)
    heard = {address for pid in family for address in listened(pid)}
    assert heard and heard <= {"127.0.0.1", "::ffff:7f00:1", "::1"}


# The last one: it ends the server.
def test_nothing_is_left(server: Server) -> None:
    family = family_of(server.process.pid)
    assert len(family) > 5 and os.listdir(server.temporary)
    assert end(server.process) == 0
    wait_for(lambda: not [p for p in family if Path(f"/proc/{p}").exists()], "all end")
    assert os.listdir(server.temporary) == []


@pytest.mark.long
def test_a_killed_copy_is_replaced_and_its_question_answered(tmp_path: Path) -> None:
    with running_server(tmp_path, "--replicas", "2") as server:
        video = kept(server, RED)
        told = {"video": video, "query": QUERY}
        before = server.ask("/v1/ground", told)
        pid = server.model_pid(before.headers["x-replica"])
        replies: list[Reply] = []
        film = other_film(tmp_path, "killed.mp4")
        other = kept(server, film)
        told_other = {"video": other, "query": QUERY, "candidates": 8}

        def ask(data: dict[str, Any]) -> None:
            replies.append(server.ask("/v1/ground", data))

        asking = [
            threading.Thread(target=ask, args=(each,))
            for each in (told_other, {**told, "candidates": 8})
        ]
        for thread in asking:
            thread.start()
        time.sleep(1.0)
        os.kill(pid, signal.SIGKILL)
        for thread in asking:
            thread.join()
        assert [each.status for each in replies] == [200, 200]
        for each in replies:
            assert each.data["text"] == before.data["text"]
        assert server.logged("replica lost")
        wait_for(
            lambda: len(list(server.logs.glob("replica_models_Model_*.log"))) == 3,
            "another copy is started",
        )
        after = server.ask("/v1/ground", told)
        assert shown(after.data) == shown(before.data)


@pytest.mark.long
def test_what_runs_is_finished_first(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        replies: list[Reply] = []

        def ask() -> None:
            where = "/v1/ground?query=the+red+circle&candidates=8&clip=true"
            replies.append(server.send(where, RED.read_bytes()))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(1.0)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        refused = server.send("/v1/ground?query=it", STAR.read_bytes())
        assert refused.status == 503 and "being stopped" in refused.data["error"]
        assert server.get("/v1/readyz").status == 503
        asking.join()
        assert replies[0].status == 200 and replies[0].data["span"]
        assert server.process.wait(60) == 0
