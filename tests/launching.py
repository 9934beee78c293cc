"""Two processes on this machine's CPU, started by ``accelerate launch``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


#: How processes share a training: each has the whole model, or a part of it.
DDP = ("--multi_gpu",)
FSDP = ("--config_file", str(ROOT / "training" / "configs" / "accelerate_fsdp.yaml"))


def launch(
    *program: str, how: tuple[str, ...] = DDP
) -> subprocess.CompletedProcess[str]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", *how),
        *("--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"),
        *("--dynamo_backend", "no", "--main_process_port", str(port), *program),
    ]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True
    )
