"""What eval/serve_load is told."""

from __future__ import annotations

from dataclasses import dataclass

from seal.inference.hub import MINIATURE_VQA, MINIATURE_VSM


@dataclass(kw_only=True, slots=True)
class ServeLoadConfig:
    """conf/eval_serve_load.yaml"""

    benchmark: str | None = None  # the folder of a benchmark in V*Bench's layout; must be named
    # http://HOST:PORT/v1 of a server that runs; None: one is started here, with the next three
    address: str | None = None
    vqa: str = MINIATURE_VQA
    vsm: str | None = MINIATURE_VSM
    device: str | None = None  # None: a GPU if there is one
    model: str = "seal"  # what the server calls it
    limit: int = 200  # questions, each asked twice: alone, and with the others
    concurrency: int = 200  # requests at the same time
    timeout: float = 600.0  # seconds of one request
    out: str = "runs/serve_load"

    def __post_init__(self) -> None:
        if self.benchmark is None:
            raise ValueError("benchmark= names a folder of questions, as runs/demo/data/benchmark")
        for name in ("limit", "concurrency"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout} must be above 0")
        if self.address is not None and not self.address.startswith("http://"):
            raise ValueError(f"address={self.address} is not http://HOST:PORT/v1")
