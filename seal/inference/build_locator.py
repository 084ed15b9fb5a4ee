"""What finds targets, by name: a strategy with a search model, known boxes, or nothing."""

from __future__ import annotations

from dataclasses import replace

from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator
from seal.search.locator import Locator
from seal.search.oracle import Known, OracleLocator
from seal.search.protocol import SearchModel
from seal.search.strategies import STRATEGIES, build_strategy


def check_search(name: str) -> None:
    """Refuse a name that is no way to search, before anything is loaded."""
    if name not in (*STRATEGIES, "none", "oracle"):
        build_strategy(name)  # says what is wrong with it


def build_locator(
    search: str,
    model: SearchModel | None,
    config: SearchConfig | None = None,
    *,
    known: Known | None = None,
    nms_iou: float | None = None,
    lookahead: int = 0,
    concurrency: int = 64,
) -> Locator | None:
    """What `search` names: None for "none", known boxes for "oracle", else a strategy's driver.

    Raises:
        ValueError: there is no such search, or it lacks what it needs.
    """
    check_search(search)
    if search == "none":
        return None
    if search == "oracle":
        if known is None:
            raise ValueError("search=oracle needs known=: the true boxes of a target in an image")
        return OracleLocator(known)
    if model is None:
        raise ValueError(f"search={search} needs a search model")
    config = config or SearchConfig()
    if nms_iou is not None:
        config = replace(config, nms_iou=nms_iou)
    return SearchLocator(
        build_strategy(search, config), model, lookahead=lookahead, concurrency=concurrency
    )
