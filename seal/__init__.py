"""SEAL / V*: show, search and tell. `from seal import Seal`; importing loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seal.version import __version__

__all__ = ["Answer", "Question", "Seal", "__version__"]

if TYPE_CHECKING:
    from seal.pipeline import Answer, Question, Seal


def __getattr__(name: str) -> Any:
    # Resolved on first use, so that `import seal` stays instant and torch-free.
    if name in {"Answer", "Question", "Seal"}:
        from seal import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'seal' has no attribute {name!r}")
