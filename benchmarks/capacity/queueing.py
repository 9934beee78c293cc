"""Closed forms of simple queues, which the simulation has to agree with."""

from __future__ import annotations


def erlang_c(servers: int, load: float) -> float:
    """Probability that who comes has to wait, in M/M/c.

    From Erlang B by its recursion, which needs no factorial:
    ``B(0) = 1, B(c) = a B(c-1) / (c + a B(c-1))``, ``C = B / (1 - (1 - B) a / c)``.

    Args:
        servers: c.
        load: Arrivals a second times mean seconds of service, a < c.

    Raises:
        ValueError: The queue would grow for ever.
    """
    if not 0 <= load < servers:
        raise ValueError(f"load must be in [0, {servers}), got {load}.")
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked / (1 - (1 - blocked) * load / servers)


def mmc_wait_seconds(rate: float, service_seconds: float, servers: int) -> float:
    """Mean wait in M/M/c: ``C / (c / s - rate)``."""
    waits = erlang_c(servers, rate * service_seconds)
    return waits / (servers / service_seconds - rate)


def md1_wait_seconds(rate: float, service_seconds: float) -> float:
    """Mean wait in M/D/1 (Pollaczek and Khinchine): ``s rho / (2 (1 - rho))``."""
    busy = rate * service_seconds
    if not 0 <= busy < 1:
        raise ValueError(f"the server's load must be in [0, 1), got {busy}.")
    return service_seconds * busy / (2 * (1 - busy))
