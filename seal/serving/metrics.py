"""What `/metrics` tells Prometheus of a server."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from seal.pipeline.answer import Answer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Counted(Protocol):
    """What knows how many are where."""

    @property
    def num_waiting(self) -> int: ...

    @property
    def num_running(self) -> int: ...


class Metrics:
    """Of one server; several in one process keep apart."""

    def __init__(self, queue: Counted) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "seal_requests", "Requests answered.", ["path", "status"], registry=self._registry
        )
        self.in_flight = Gauge(
            "seal_requests_in_flight", "Requests that are being answered.", registry=self._registry
        )
        self.held = Gauge(
            "seal_held_bytes", "Bodies of requests that are here.", registry=self._registry
        )
        waiting = Gauge(
            "seal_questions_waiting", "Questions that wait for a place.", registry=self._registry
        )
        waiting.set_function(lambda: queue.num_waiting)
        running = Gauge("seal_questions_running", "Questions under way.", registry=self._registry)
        running.set_function(lambda: queue.num_running)
        self.seconds = Histogram(
            "seal_question_seconds", "From a request to its answer.",
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self.visits = Counter(
            "seal_search_visits", "Regions that searches looked at.", registry=self._registry
        )
        self.searches = Counter(
            "seal_searches", "Searches that were made.", ["found"], registry=self._registry
        )
        self.tokens = Counter(
            "seal_tokens", "Tokens of the answer model.", ["kind"], registry=self._registry
        )
        self.cancelled = Counter(
            "seal_questions_cancelled", "Questions given up: the client was gone, or time was up.",
            registry=self._registry,
        )  # fmt: skip
        self.batches = Histogram(
            "seal_batch_size", "Questions or queries answered together.", ["kind"],
            buckets=_SIZES, registry=self._registry,
        )  # fmt: skip

    def batch(self, kind: str, size: int) -> None:
        self.batches.labels(kind).observe(size)

    def answered(self, answer: Answer, seconds: float) -> None:
        self.seconds.observe(seconds)
        for result in answer.searches:
            self.visits.inc(len(result.path))
            self.searches.labels("yes" if result.found else "no").inc()
        spent = answer.cost.get("answer_model", {})
        for kind in ("read", "written"):
            self.tokens.labels(kind).inc(spent.get(f"tokens_{kind}", 0))

    def text(self) -> bytes:
        return generate_latest(self._registry)
