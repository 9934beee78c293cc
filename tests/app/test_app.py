"""The command line of ``app.py``."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import app
from stablechat.errors import CheckpointError
from ui.root import own_torch_cache

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--auth"),
        (["--share"], "--auth"),
        (["--port", "99999"], "--port"),
        (["--auth", "/nowhere/logins"], "can't read"),
        (["--max-file-size", "huge"], "--max-file-size"),
        (["--port", "{taken}"], "in use by another program"),
        (["--host", "192.0.2.1", "--auth", "env"], "not an address of this machine"),
        (["--host", "no.such.host.invalid", "--auth", "env"], "not an address"),
    ],
)
def test_bad_input_is_one_plain_line_and_exit_code_2(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    _isolate(monkeypatch, tmp_path)
    monkeypatch.setattr(app, "load_chat", lambda _: pytest.fail("loaded too early"))
    monkeypatch.setenv("STABLECHAT_AUTH", "ada:secret")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert app.main([a.replace("{taken}", port) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bad_model_is_one_plain_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_: object) -> None:
        raise CheckpointError("There is no model in /nowhere.")

    _isolate(monkeypatch, tmp_path)
    monkeypatch.setattr(app, "load_chat", fail)
    assert app.main(["--model", "/nowhere", "--no-browser"]) == 2
    assert capsys.readouterr().err == "There is no model in /nowhere.\n"
    assert list(tmp_path.iterdir()) == []


def test_the_models_options_reach_the_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr(
        "stablechat.chat.StableChat.from_pretrained",
        lambda model, **options: seen.update(model=model, **options),
    )
    app.load_chat(app.parse_arguments(["--quantization", "8bit", "--device", "cpu"]))
    expected = {"model": None, "device": "cpu", "dtype": None, "quantization": "8bit"}
    assert seen == expected


@pytest.mark.parametrize("chosen", [None, "theirs"])
def test_torchs_cache_goes_with_the_app(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _isolate(monkeypatch, tmp_path)
    environ = {} if chosen is None else {"TORCHINDUCTOR_CACHE_DIR": chosen}
    with own_torch_cache(environ):
        folder = Path(environ["TORCHINDUCTOR_CACHE_DIR"])
        assert folder.is_dir() == (chosen is None)
    assert environ == ({} if chosen is None else {"TORCHINDUCTOR_CACHE_DIR": chosen})
    assert list(tmp_path.iterdir()) == []


def test_help_loads_neither_gradio_nor_torch() -> None:
    code = (
        "import sys, app\n"
        "try: app.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('gradio', 'torch', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr
    assert "--model" in done.stdout


def test_a_second_signal_does_not_cut_the_cleaning_short() -> None:
    import os
    import signal
    import time

    cleaned = []
    with app._until_interrupted():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            cleaned.append(True)
    assert cleaned
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _isolate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this process's environment, and put the private folder into tmp_path."""
    import os

    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
