"""Write videos of the synthetic world and their annotations.

    python -m training.synthetic --seed 7 --count 200 --out DIR

makes ``DIR/videos/*.mp4``, the ST-Align-format annotations ``stvg.json``, ``svg.json``
and ``elc.json``, ``descriptions.json``, and the same in VidOR's format
(``DIR/vidor/*.json``) with sentences in VidSTG's (``vidstg.json``). The same seed gives
the same content.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.synthetic.generating import generate
from training.synthetic.worlds import WORLDS


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m training.synthetic",
        description="Write videos of the synthetic world and their annotations.",
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--world",
        choices=tuple(WORLDS),
        default="plain",
        help="what the scenes are like (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="processes (default: %(default)s)"
    )
    args = parser.parse_args()
    for name in ("count", "workers"):
        if getattr(args, name) < 1:
            parser.exit(2, f"error: --{name} must be at least 1.\n")
    try:
        generate(args.seed, args.count, args.out, WORLDS[args.world], args.workers)
    except OSError as error:
        reason = error.strerror or str(error)
        parser.exit(2, f"error: {args.out} can't be written: {reason}.\n")
    except KeyboardInterrupt:
        parser.exit(130, "\nstopped\n")


if __name__ == "__main__":
    main()
