"""What can be chosen on the page: the answer models and the searches of one start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from seal.app.ways import Way
from seal.inference.build_locator import build_locator
from seal.pipeline import Seal
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator
from seal.search.locator import Locator
from seal.search.shared_locator import SharedTreeLocator
from seal.search.strategies import STRATEGIES, VICROP

LoadOther = Callable[[], Seal]  # loads an answer model, as a `Seal` that does not search
_MOST_KEPT = 16  # ways to search that are kept made


class Models:
    """The `Seal` of each way to search, on the networks that are loaded once."""

    def __init__(
        self, first: Seal, *, name: str, search: str, others: Mapping[str, LoadOther] | None = None
    ) -> None:
        """`first`: what the page was started with, its answer model called `name`, its way to
        search `search`. `others`: answer models that are loaded when they are chosen, and stay.
        """
        self.name, self.search = name, search
        self._others = dict(others or {})
        self._loaded: dict[str, Seal] = {name: first}
        self._first = Way(name, search)
        self._made: dict[tuple[Any, ...], Seal] = {self._first.key: first}
        self._lock = threading.Lock()  # a model is loaded once, however many ask for it
        locator = first.locator
        if isinstance(locator, SharedTreeLocator):
            locator = locator.locator
        self._driver = locator if isinstance(locator, SearchLocator) else None
        self.searches = [name for name in (*STRATEGIES, *VICROP, "none") if self._works(name)]

    @property
    def names(self) -> list[str]:
        """The answer models, the first one first."""
        return [self.name, *(name for name in self._others if name != self.name)]

    @property
    def answers(self) -> bool:
        """Whether anything answers questions; without, things are only found."""
        return self._loaded[self.name].answer_model is not None

    def is_loaded(self, name: str) -> bool:
        return name in self._loaded

    def seal(self, way: Way) -> Seal:
        """What searches in this way, made if it was not yet.

        Raises:
            ValueError: no such model or search was named at the start, the search does not go with
                the model, or the model cannot be loaded.
        """
        made = self._made.get(way.key)
        if made is not None:  # without waiting for whoever loads another model
            return made
        with self._lock:
            made = self._made.get(way.key)
            if made is None:
                made = self._make(way)
                if len(self._made) >= _MOST_KEPT:
                    self._made.pop(next(key for key in self._made if key != self._first.key))
                self._made[way.key] = made
            return made

    def _make(self, way: Way) -> Seal:
        if way.search not in self.searches:
            raise ValueError(f"no such search here: choose one of {', '.join(self.searches)}")
        base = self._model(way.model or self.name)
        locator = self._locator(base, way)
        return Seal(
            base.answer_model,
            locator,
            protocol=base.protocol,
            planner=base.planner,
            drawn_only=base.drawn_only or self._loaded[self.name].drawn_only,
        )

    def _model(self, name: str) -> Seal:
        if name not in self._loaded:
            load = self._others.get(name)
            if load is None:
                raise ValueError(f"no such model here: choose one of {', '.join(self.names)}")
            self._loaded[name] = load()
        return self._loaded[name]

    def _locator(self, base: Seal, way: Way) -> Locator | None:
        if way.search not in STRATEGIES:
            return build_locator(
                way.search, None, answer_model=base.answer_model, protocol=base.protocol.name
            )
        assert self._driver is not None
        config = getattr(self._driver.strategy, "config", None) or SearchConfig()
        config = replace(config, budget=way.budget or config.budget, shared_tree=way.one_walk)
        return build_locator(
            way.search,
            self._driver.model,
            config,
            answer_model=base.answer_model,
            speed=self._driver.speed,
        )

    def _works(self, search: str) -> bool:
        """Whether the networks that are there can search in this way."""
        if search == self.search:
            return True
        if search in STRATEGIES and self._driver is None:
            return False
        if search in ("none", *VICROP) and not self.answers:
            return False
        try:
            self._locator(self._loaded[self.name], Way(self.name, search))
        except ValueError:
            return False
        return True
