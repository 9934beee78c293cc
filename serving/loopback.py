"""Keeping a server on one machine to itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EVERYWHERE, _HERE = "[::]:", "127.0.0.1:"


def listen_here_only() -> None:
    """Let this replica be reached by its own machine only.

    Serve opens a server between replicas on all addresses, whether it is used or not;
    who calls it needs the cluster's token, and there is no setting. Called before the
    replica is ready, which is when it opens.
    """
    replica: Any = import_module("ray.serve._private.replica")
    bind = replica.add_port_to_grpc_server
    if getattr(bind, "is_ours", False):
        return

    def bind_here(server: Any, address: str, *more: Any, **named: Any) -> Any:
        return bind(server, address.replace(_EVERYWHERE, _HERE), *more, **named)

    bind_here.is_ours = True  # type: ignore[attr-defined]
    replica.add_port_to_grpc_server = bind_here
