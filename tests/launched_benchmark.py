"""``benchmarks.training`` under FSDP on CPUs."""

from __future__ import annotations

from launched_training import allow_fsdp_on_cpu

from benchmarks.training import main

if __name__ == "__main__":
    allow_fsdp_on_cpu()
    main()
