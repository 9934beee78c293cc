"""The command line of ``training.demo.train``."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def parse_arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Train the demo model on scenes drawn on the device."
    )
    parser.add_argument("--out", required=True, help="folder of the run; resumed")
    parser.add_argument("--skeleton", default="assets/demo")
    parser.add_argument("--total-seconds", type=float, default=1200)
    parser.add_argument("--stop-after", type=float, default=math.inf)
    parser.add_argument("--videos", type=int, default=48, help="a step and process")
    parser.add_argument("--images", type=int, default=192, help="a step and process")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--optimizer", choices=("adamw", "muon"), default="muon")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--init", type=Path, help="a demo model to begin with; default: random weights"
    )
    parser.add_argument("--no-compile", action="store_true")
    return parser.parse_args()
