"""Prometheus metrics of one server; no label holds anything that a client chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)


class Metrics:
    """Counters and clocks of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "ecgllm_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "ecgllm_request_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stages = Histogram(
            "ecgllm_stage_seconds",
            "Time of the parts of an answer, such as read, measure, decode, check, render.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "ecgllm_tokens",
            "Tokens of the model's answers by kind: prompt, ecg, completion.",
            ("kind",),
            registry=self.registry,
        )
        self.claims = Counter(
            "ecgllm_claims",
            "Sentences of chat answers that were checked, by verdict.",
            ("verdict",),
            registry=self.registry,
        )

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Show a value that is read when it is asked for."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """Give all of them in Prometheus' text format."""
        return generate_latest(self.registry)
