"""Health for load balancers and metrics for Prometheus, from the pulses of all processes."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from zhongshu.kernel.pulse import read_pulses

__all__ = ["health", "metrics"]

STALE_S = 15.0


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 when records answer and no process is silent, else 503; names nothing that an outsider could use."""
    pulses = read_pulses(settings.HOUSE.path("run"))
    states = {name: "ok" if figures["age_s"] < STALE_S else "silent" for name, figures in pulses.items()}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        states["records"] = "ok"
    except DatabaseError:
        states["records"] = "down"
    well = all(state == "ok" for state in states.values())
    return JsonResponse({"status": "ok" if well else "degraded", "parts": states}, status=200 if well else 503)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the figures of all processes in the Prometheus text format; only from this machine or with a token of somebody who may see metrics."""
    if request.META.get("REMOTE_ADDR") not in ("127.0.0.1", "::1") and not request.user.is_authenticated:
        return HttpResponse("metrics are open to this machine and to logged-in callers only\n", status=403, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(_Pulses())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4; charset=utf-8")


class _Pulses:
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one gauge per figure of each process, nested names joined by underscores."""
        seen: dict[str, GaugeMetricFamily] = {}
        for process, figures in read_pulses(settings.HOUSE.path("run")).items():
            for name, labels, value in _flatten(figures):
                metric = f"zhongshu_{name}"
                family = seen.setdefault(metric, GaugeMetricFamily(metric, f"{name} as the processes report it", labels=["process", "part"]))
                family.add_metric([process, labels], value)
        yield from seen.values()


def _flatten(figures: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, str, float]]:
    for name, value in figures.items():
        key = "".join(c if c.isalnum() else "_" for c in name)
        if isinstance(value, bool | int | float):
            yield key, "", float(value)
        elif isinstance(value, dict) and depth == 0:
            for part, inner in value.items():
                if isinstance(inner, bool | int | float):
                    yield key, str(part), float(inner)
