"""Start the app in a process of its own, and do on its page what a person does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from fake_chat import DESCRIPTION, SPAN_SECONDS
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]

#: How to start the app, by the model that answers.
CHATS = {
    "fake": [str(Path(__file__).with_name("serve_fake.py"))],
    "demo": [str(ROOT / "app.py")],
}

#: How long a tab that is gone can come back, in tests.
GRACE_SECONDS = 5.0

#: When the red circle of ``assets/examples/red_circle.mp4`` moves left.
RED_CIRCLE_SECONDS = (0.27, 3.93)


# Without the background flags Chromium tries to reach hosts that a closed network
# refuses, many at a time.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Server:
    """A running app.

    Attributes:
        url: Its address.
        chat: A key of :data:`CHATS`.
        temporary: The folder that its private folder is in.
        log: What it printed.
        process: The process.
    """

    url: str
    chat: str
    temporary: Path
    log: Path
    process: subprocess.Popen[bytes]


@dataclass(frozen=True)
class Story:
    """A video, a question that the server's model can answer, and the truth.

    Attributes:
        video: The file to upload.
        question: What to look for in it.
        span_seconds: When that happens.
        within_seconds: How far off the answer may be.
        words: What the video's description must mention.
    """

    video: Path
    question: str
    span_seconds: tuple[float, float]
    within_seconds: float
    words: str


_ANSWER_MS = 120_000


def start_app(
    chat: str, folder: Path, clip: Path | None = None, arguments: Sequence[str] = ()
) -> Server:
    """Start the app in its own temporary folder and wait for its address.

    Args:
        chat: A key of :data:`CHATS`.
        folder: For its files and its log.
        clip: What the fake model's page has as an example.
        arguments: More of the command line.
    """
    temporary, log = folder / "tmp", folder / "log.txt"
    temporary.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "PYTHONUNBUFFERED": "1",
        "FAKE_GRACE_SECONDS": str(GRACE_SECONDS),
        "FAKE_FILMS": "yes",
    }
    if clip is not None:
        environment["FAKE_EXAMPLES"] = str(_examples(folder, clip))
    command = [sys.executable, *CHATS[chat], "--no-browser", *arguments]
    with log.open("wb") as output:
        process = _spawn(command, environment, output)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("StableChat is at "):
                url = line.removeprefix("StableChat is at ").strip()
                return Server(url, chat, temporary, log, process)
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"The app did not start:\n{log.read_text()}")


def _spawn(
    command: list[str], environment: dict[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
    )


def story(server: Server, clip: Path) -> Story:
    """What the journey asks, by the model that answers."""
    question = "the red circle moving left"
    if server.chat == "fake":
        return Story(clip, question, SPAN_SECONDS, 0.001, DESCRIPTION)
    video = ROOT / "assets" / "examples" / "red_circle.mp4"
    return Story(video, question, RED_CIRCLE_SECONDS, 0.35, "red circle")


def end_app(server: Server) -> None:
    """End it politely."""
    server.process.terminate()
    try:
        server.process.wait(15)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def _examples(folder: Path, clip: Path) -> Path:
    examples = folder / "examples"
    examples.mkdir()
    shutil.copy(clip, examples / "example.mp4")
    entries = [
        {"video": "example.mp4", "query": "the example star", "mode": "ground"},
        {"video": "example.mp4", "query": "", "mode": "describe"},
    ]
    (examples / "examples.json").write_text(json.dumps(entries))
    return examples


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium, the one that ``CHROMIUM`` names or the system's."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(path).exists():
        pytest.fail(f"There is no Chromium at {path}: install it, or set CHROMIUM.")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield launched
        launched.close()


def open_page(context: BrowserContext, server: Server) -> Page:
    """Open a tab."""
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator("#sc-run")).to_be_visible(timeout=20_000)
    return page


def upload(page: Page, video: Path) -> None:
    """Choose a video, and wait until the page has told about it."""
    page.set_input_files("#sc-video input[type=file]", video)
    expect(page.locator("#sc-video-line .sc-facts")).to_be_visible(timeout=20_000)


def ask(page: Page, question: str) -> None:
    """Type a question and press Run."""
    page.locator("#sc-question textarea").fill(question)
    press_run(page)


def choose_candidates(page: Page, count: int) -> None:
    """Open the options, and type how many answers there are to be."""
    page.locator("#sc-more > button").click()
    number = page.locator("#sc-candidates input[type=number]")
    handle = page.locator("#sc-candidates input[type=range]")
    for _ in range(10):
        number.fill(str(count))
        number.press("Tab")
        page.wait_for_timeout(300)
        # Gradio loses a number that comes in the first 50 ms of the control, or later
        # on a busy machine; a person is not that quick.
        if handle.input_value() == str(count):
            break
    expect(handle).to_have_value(str(count))


def press_run(page: Page) -> None:
    """Press Run."""
    # Mark the card on the page, so that it does not count as the new answer.
    page.eval_on_selector("#sc-status .sc-card", "card => card.dataset.old = 1")
    page.locator("#sc-run").click()


def wait_for_answer(page: Page, timeout_ms: int = _ANSWER_MS) -> None:
    """Wait for an answer to the last question."""
    answer = page.locator("#sc-status .sc-good:not([data-old])")
    expect(answer).to_be_visible(timeout=timeout_ms)
    expect(page.locator("#sc-run")).to_be_enabled()


def download(page: Page, selector: str, folder: Path) -> Path:
    """Press a download button and keep the file under the name it came with."""
    with page.expect_download() as download:
        page.locator(selector).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def seconds(cell: str) -> float:
    """Read ``h:mm:ss.mmm``."""
    hours, minutes, seconds = cell.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def results(server: Server) -> set[Path]:
    """The answers that are on the server's disk."""
    return set(server.temporary.glob("stablechat-*/sessions/*/*/*.json"))
