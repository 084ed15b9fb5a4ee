"""One guide out of several: each kind of query goes to the part that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any

from PIL.Image import Image

from seal.inference.guides.config import PARTS, with_its_cues
from seal.search.config import SearchConfig
from seal.search.protocol import (
    Cue,
    Detections,
    Heat,
    Query,
    QueryKind,
    answered_kinds,
    target_heats,
)


class ComposedGuide:
    """A `SearchModel` of parts; each is a `SearchModel`, or as much of one as its part takes.

    One object may be several parts: it is asked, charged and told to forget as one.
    """

    def __init__(
        self,
        detect: Any = None,
        cue: Any = None,
        heat: Any = None,
        confidence: Any = None,
        expert: Any = None,
    ) -> None:
        """A part that is None is not there. `expert`: anything that detects.

        Raises:
            ValueError: no part at all.
        """
        given = {
            "detect": detect, "cue": cue, "heat": heat, "confidence": confidence, "expert": expert,
        }  # fmt: skip
        self.parts = {part: model for part, model in given.items() if model is not None}
        if not self.parts:
            raise ValueError(f"a guide needs at least one of its parts: {', '.join(PARTS)}")
        self.kinds = frozenset[QueryKind]().union(*map(self._kinds, self.parts))
        self.queries: dict[str, dict[str, int]] = {part: {} for part in self.parts}

    @property
    def passes_to(self) -> tuple[Any, ...]:
        """What answers; see `speed.answering_models`."""
        return tuple(self.parts.values())

    @property
    def late_heat(self) -> bool:
        """Whether heat is a part of what the part that detects does; see `speed.Pace`."""
        detects = self.parts.get("detect")
        return detects is self.parts.get("heat") and getattr(detects, "late_heat", False)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        """With the heat of the part that detects, if the heat is that part's."""
        found: list[Detections] = self._ask("detect", "detect", queries)
        if self.parts.get("heat") is self.parts["detect"]:
            return found
        return [replace(each, heat=None) for each in found]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        cues: list[Cue] = self._ask("cue", "contextual_cue", queries)
        return cues

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        heats: list[Heat] = self._ask("heat", "cue_heatmap", queries)
        return heats

    def target_heat(self, queries: Sequence[Query]) -> list[Heat]:
        """Of a part that has no `target_heat`: the heat that comes with its detections."""
        self._count("heat", "target_heat", queries)
        return target_heats(self.parts["heat"], queries)

    def existing(self, queries: Sequence[Query]) -> list[float]:
        return self._confidence("existing", queries)

    def latent(self, queries: Sequence[Query]) -> list[float]:
        return self._confidence("latent", queries)

    def answering(self, queries: Sequence[Query]) -> list[float]:
        return self._confidence("answering", queries)

    def expert(self, queries: Sequence[Query]) -> list[Detections]:
        """One look at the whole image: what the expert detects there, without heat."""
        self._count("expert", "expert", queries)
        asked = [replace(query, kind="detect") for query in queries]
        found: list[Detections] = self.parts["expert"].detect(asked)
        return [replace(each, heat=None) for each in found]

    def search_config(self) -> SearchConfig:
        """When it is sure and how small it looks: of the part that detects; when heat is strong: of
        the part that gives heat. A cue that no part gives is not asked for.
        """
        detects = next(iter(self.parts.values()))
        config = _search_config(detects)
        heat = self.parts.get("heat")
        if heat is not None and heat is not detects:
            of_heat = _search_config(heat)
            config = replace(
                config,
                cue_threshold=of_heat.cue_threshold,
                cue_threshold_decay=of_heat.cue_threshold_decay,
                cue_threshold_min=of_heat.cue_threshold_min,
            )
        # What a part would do without is decided by what all parts together give.
        config = replace(config, use_contextual_cue=True, use_target_cue=True)
        return with_its_cues(config, self.kinds)

    def settings(self) -> dict[str, Any]:
        """`parts`: part -> guide; `models`: guide -> what it says of itself."""
        names = self._names()
        return {
            "parts": {part: names[id(model)] for part, model in self.parts.items()},
            "models": {
                names[id(model)]: settings()
                for model in self.parts.values()
                if (settings := getattr(model, "settings", None)) is not None
            },
        }

    @property
    def cost(self) -> dict[str, Any]:
        """`queries`: part -> kind -> number; `models`: guide -> its own account."""
        names = self._names()
        accounts = {
            names[id(model)]: asdict(cost)
            for model in self.parts.values()
            if is_dataclass(cost := getattr(model, "cost", None)) and not isinstance(cost, type)
        }
        return {"queries": {part: dict(n) for part, n in self.queries.items()}, "models": accounts}

    def forget(self, image: Image) -> None:
        """Drop what the parts know about an image."""
        for model in {id(model): model for model in self.parts.values()}.values():
            # Only what keeps something has something to forget.
            forget = getattr(model, "forget", None)
            if forget is not None:
                forget(image)

    def _confidence(self, kind: QueryKind, queries: Sequence[Query]) -> list[float]:
        said: list[float] = self._ask("confidence", kind, queries)
        return said

    def _ask(self, part: str, kind: QueryKind, queries: Sequence[Query]) -> list[Any]:
        self._count(part, kind, queries)
        answers: list[Any] = getattr(self.parts[part], kind)(queries)
        return answers

    def _count(self, part: str, kind: QueryKind, queries: Sequence[Query]) -> None:
        counted = self.queries[part]
        counted[kind] = counted.get(kind, 0) + len(queries)

    def _kinds(self, part: str) -> frozenset[QueryKind]:
        answered = answered_kinds(self.parts[part])
        if part == "expert":
            # What detects is no expert apart: the whole image need not be looked at twice.
            apart = self.parts["expert"] is not self.parts.get("detect")
            return frozenset({"expert"}) if apart and "detect" in answered else frozenset()
        return PARTS[part] & answered

    def _names(self) -> dict[int, str]:
        """Identity of each part -> its name; two of one name get numbers."""
        names: dict[int, str] = {}
        for model in self.parts.values():
            if id(model) not in names:
                name = getattr(model, "name", type(model).__name__)
                same = sum(known.split(" ")[0] == name for known in names.values())
                names[id(model)] = name if not same else f"{name} {same + 1}"
        return names


def _search_config(model: Any) -> SearchConfig:
    """The numbers that suit a model; the published ones of a model that names none."""
    found = getattr(model, "search_config", None)
    return SearchConfig() if found is None else found()
