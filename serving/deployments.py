"""The deployments of Serve, and how they hang together."""

from __future__ import annotations

import asyncio
from typing import Any

from ray import serve
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp

from serving.drain import Drain
from serving.health import health_routes
from serving.loopback import listen_here_only
from serving.measures import AskMeasures, scraped
from serving.model import Model
from serving.remote import Models, Renderers, put_to
from serving.renderer import Renderer
from serving.settings import Settings

#: Names of the applications of Serve.
MODELS, RENDERERS, API, PAGE = "models", "renderers", "api", "page"

# Questions about one video go where it is encoded, as long as there is room. Serve's
# multiplexing would do that, too, but tells the routers a second later.
_ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
#: Replicas that are tried where the video's own has no room.
_FALLBACKS = 2
# So little that all find room on a small machine; threads are shared out by us.
_CPUS = 0.01
#: Connections that wait at a front process; most of them only listen.
_CONNECTIONS = 1000
#: A replica is asked so often whether it is well.
_HEALTH_SECONDS = 5.0
#: How often a replica that ends looks whether it has finished.
_GRACE_LOOK_SECONDS = 0.2


class ApiDeployment:
    """The API's processes.

    Args:
        settings: Of the server.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.is_local:
            listen_here_only()
        self._settings = settings

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The application; Serve asks for it once it may be built."""
        from serving.api import Api, build_api

        settings, drain = self._settings, Drain(self._settings.folder)
        models = Models(put_to(_handle("Model", MODELS)), drain, AskMeasures())
        renderers = Renderers(_handle("Renderer", RENDERERS), drain)
        health = health_routes(drain, why_not_ready, scraped)
        return build_api(Api(settings, models, renderers), settings, health)


class PageDeployment:
    """The page's process; there is one, since tabs belong to it.

    Args:
        settings: Of the server.
    """

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        from serving.page import open_sessions, remote_chat

        if settings.is_local:
            listen_here_only()
        handle = _handle("Model", MODELS)
        self._settings = settings
        self._sessions = open_sessions(settings)
        models = Models(put_to(handle), Drain(settings.folder), AskMeasures())
        self._chat = remote_chat(settings, models, await handle.about.remote())

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The application; Serve asks for it once it may be built."""
        from serving.page import build_page

        page: ASGIApp = build_page(
            self._settings, self._sessions, self._chat, why_not_ready, scraped
        )
        return page

    def __del__(self) -> None:
        """Remove the page's files."""
        if hasattr(self, "_sessions"):
            self._sessions.close()


async def why_not_ready() -> str | None:
    """Why no question can be answered now; None if one can."""
    status = await asyncio.to_thread(serve.status)
    models = status.applications.get(MODELS)
    if models is None:
        return "there is no model"
    states = models.deployments["Model"].replica_states
    running = sum(count for state, count in states.items() if state == "RUNNING")
    return None if running else "no model is loaded"


def deploy(settings: Settings, logging_config: LoggingConfig) -> None:
    """Start all applications and wait until they run.

    Args:
        settings: Of the server.
        logging_config: Of all its processes.
    """
    applications: list[tuple[str, Any, str | None]] = [
        (MODELS, _model(settings), None),
        (RENDERERS, _renderer(settings), None),
        (API, _api(settings), "/v1"),
        (PAGE, _page(settings), "/"),
    ]
    for name, application, prefix in applications:
        serve.run(
            application, name=name, route_prefix=prefix, logging_config=logging_config
        )


def _model(settings: Settings) -> Any:
    replicas = settings.replicas
    scaled: dict[str, Any] = {"num_replicas": replicas.least}
    if replicas.most > replicas.least:
        scaled = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=replicas.least,
                max_replicas=replicas.most,
                target_ongoing_requests=settings.max_batch,
            )
        }
    return _deployed(
        Model,
        settings,
        # One batch that is answered, and one that waits.
        max_ongoing_requests=2 * settings.max_batch,
        max_queued_requests=settings.max_queued,
        request_router_config=RequestRouterConfig(
            request_router_class=_ROUTER,  # type: ignore[arg-type]  # a path, as told
            request_router_kwargs={"num_fallback_replicas": _FALLBACKS},
        ),
        ray_actor_options={"num_cpus": _CPUS, "num_gpus": settings.gpus},
        **scaled,
    )


def _renderer(settings: Settings) -> Any:
    return _deployed(
        Renderer,
        settings,
        num_replicas=settings.renderers,
        max_ongoing_requests=1,
        max_queued_requests=settings.max_queued,
    )


def _api(settings: Settings) -> Any:
    return _deployed(
        serve.ingress()(ApiDeployment),
        settings,
        name="Api",
        num_replicas=settings.apis,
        max_ongoing_requests=_CONNECTIONS,
    )


def _page(settings: Settings) -> Any:
    return _deployed(
        serve.ingress()(PageDeployment),
        settings,
        name="Page",
        num_replicas=1,
        max_ongoing_requests=_CONNECTIONS,
        # Open tabs hold a connection each, which never ends by itself.
        graceful_shutdown_timeout_s=1.0,
    )


def _deployed(kind: type, settings: Settings, **options: Any) -> Any:
    """A deployment with its settings, fit to be run."""
    usual: dict[str, Any] = {
        "name": kind.__name__,
        "ray_actor_options": {"num_cpus": _CPUS},
        "health_check_period_s": _HEALTH_SECONDS,
        "graceful_shutdown_timeout_s": settings.grace_seconds,
        "graceful_shutdown_wait_loop_s": _GRACE_LOOK_SECONDS,
    }
    make: Any = serve.deployment
    return make(kind, **{**usual, **options}).bind(settings)


def _handle(deployment: str, application: str) -> DeploymentHandle[Any]:
    return serve.get_deployment_handle(deployment, app_name=application)
