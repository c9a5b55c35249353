"""Counts and times every request, writes the access log, and tells Prometheus."""

import logging
import time

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_registry = CollectorRegistry()
_requests = Counter(
    "desk_http_requests", "Requests answered.", ["method", "route", "status"], registry=_registry
)
_seconds = Histogram(
    "desk_http_request_seconds",
    "Time from a request to the start of its response.",
    ["method", "route"],
    registry=_registry,
)
questions_asked = Counter("desk_questions_asked", "Questions accepted.", registry=_registry)

_log = logging.getLogger("desk.access")


def exposition() -> bytes:
    """All metrics, in the text format of Prometheus."""
    return generate_latest(_registry)


class Observed:
    """Wraps an application. Works on the raw protocol, so that streams pass through unbuffered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def observe(message: Message) -> None:
            if message["type"] == "http.response.start":
                _record(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, observe)


def _record(scope: Scope, status: int, seconds: float) -> None:
    # The route's pattern, not the path: a label for every question would never end.
    route = getattr(scope.get("route"), "path", "unknown")
    method = scope["method"]
    _requests.labels(method, route, status).inc()
    _seconds.labels(method, route).observe(seconds)
    level = logging.DEBUG if route.startswith(("/health/", "/metrics")) else logging.INFO
    _log.log(
        level,
        "%s %s",
        method,
        scope["path"],
        extra={"route": route, "status": status, "ms": round(seconds * 1000, 1)},
    )
