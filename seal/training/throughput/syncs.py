"""Where a step makes the host wait for the GPU: counted, then forbidden."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

_TOLD = "called a synchronizing CUDA operation"


def find_syncs(forward_and_backward: Callable[[], Any]) -> dict[str, Any]:
    """`places`: file:line -> times, of one call; `refused`: what CUDA says once they are errors.

    Call it last: after a refusal in the middle of a backward pass the engine is of no more use.
    """
    with warnings.catch_warnings(record=True) as caught, _mode("warn"):
        warnings.simplefilter("always")
        forward_and_backward()
    places = Counter(
        f"{Path(each.filename).name}:{each.lineno}" for each in caught if _TOLD in str(each.message)
    )
    refused = None
    try:
        with _mode("error"):
            forward_and_backward()
    except RuntimeError as error:
        if _TOLD not in str(error):
            raise
        refused = str(error)
    return {"places": dict(places.most_common()), "refused": refused}


@contextmanager
def _mode(mode: str) -> Iterator[None]:
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
