"""Which guide answers what a search asks: names, what each can give, and who gives what."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from seal.inference.guides.asked_config import AskedConfigs
from seal.search.config import SearchConfig
from seal.search.protocol import QueryKind
from seal.text.quote import quoted

_SEARCHED: frozenset[QueryKind] = frozenset(  # all that a guided search asks for
    {"detect", "contextual_cue", "cue_heatmap", "target_heat"}
)
# What each guide answers. A class may not answer less; a test holds it to that.
KINDS: dict[str, frozenset[QueryKind]] = {
    "seal": _SEARCHED,
    "owlv2": frozenset({"detect", "cue_heatmap", "target_heat"}),
    "grounding_dino": frozenset({"detect", "cue_heatmap", "target_heat"}),
    "vlm_yes_no": frozenset({*_SEARCHED, "existing", "latent", "answering"}),
    "vlm_boxes": _SEARCHED,
    "value_similarity": _SEARCHED,
    "retrieval": frozenset({"detect", "cue_heatmap", "target_heat"}),
    "ocr": frozenset({"detect", "cue_heatmap", "target_heat"}),
}
ANNOTATED = "annotated"  # a benchmark's own boxes: only where one is evaluated
KINDS[ANNOTATED] = _SEARCHED
GUIDES = tuple(name for name in KINDS if name != ANNOTATED)
# Those that ask a language model: the answer model, unless guide.models names another.
ASK_A_VLM = ("vlm_yes_no", "vlm_boxes", "value_similarity")
BRINGS_ITS_MODEL = ("ocr",)  # a package holds it; guide.models.ocr= may name another

# The parts of a composed guide, and the kinds of query that go to each.
PARTS: dict[str, frozenset[QueryKind]] = {
    "detect": frozenset({"detect"}),
    "cue": frozenset({"contextual_cue"}),
    "heat": frozenset({"cue_heatmap", "target_heat"}),
    "confidence": frozenset({"existing", "latent", "answering"}),
    "expert": frozenset({"expert"}),
}


@dataclass(kw_only=True, slots=True)
class AnnotatedConfig:
    """Of `annotated`, a perfect detector with limited sight."""

    # Of a region, how much a target must cover to be seen. The targets of COCO-Search18 cover at
    # most a tenth of their photograph: at 0.1 each has to be searched for.
    min_share: float = 0.1
    min_visible: float = 0.5  # of a target, how much must lie in the region: less is no hit

    def __post_init__(self) -> None:
        for name in ("min_share", "min_visible"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"guide.annotated.{name}={getattr(self, name)} is not in [0, 1]")


@dataclass(kw_only=True, slots=True)
class GuideConfig:
    """A guide for each part, by name. A part that is not named is the detecting guide's, if that
    can give it; else it is not there, and a strategy that needs it is refused.
    """

    detect: str | None = "seal"  # finds the target's boxes in a region
    cue: str | None = None  # says where a target would be
    heat: str | None = None  # maps of a target and of where it would be
    confidence: str | None = None  # existing, latent, answering: how sure to go on or to stop
    expert: str | None = None  # one look at the whole image before any search
    # Guide -> folder, hub id, or for those that ask a language model a server's address.
    models: dict[str, str] = field(default_factory=dict)
    ask: AskedConfigs = field(default_factory=AskedConfigs)  # of those that ask a language model
    annotated: AnnotatedConfig = field(default_factory=AnnotatedConfig)  # of `annotated`

    def __post_init__(self) -> None:
        for part in PARTS:
            name = getattr(self, part)
            if name is None:
                continue
            if name not in KINDS:
                raise ValueError(f"guide.{part}={quoted(name)}: {_no_guide(name)}")
            if not gives(name, part):
                raise ValueError(
                    f"guide.{part}={name}: {name} gives {_listed(parts_of(name))}; for {part} take "
                    f"one of {_listed(who_gives(part))}"
                )
        if not self.names:
            raise ValueError(f"guide: no part has a guide; set one of {_listed(PARTS)}")
        for name, model in self.models.items():
            if name not in KINDS:
                raise ValueError(f"guide.models.{name}: {_no_guide(name)}")
            if name == "seal":
                raise ValueError("guide.models.seal: SEAL's search model is named by vsm=")
            if name == ANNOTATED:
                raise ValueError(f"guide.models.{ANNOTATED}: it has no model, but known boxes")
            if not isinstance(model, str) or not model:
                raise ValueError(
                    f"guide.models.{name}={quoted(model)}: name a folder or a hub id, as text"
                )

    @classmethod
    def named(cls, name: str, models: dict[str, str] | None = None) -> GuideConfig:
        """The guide called `name` in every part that it gives, and no other.

        Raises:
            ValueError: there is no such guide.
        """
        if name not in KINDS:
            raise ValueError(f"guide={quoted(name)}: {_no_guide(name)}")
        return cls(detect=name, models=dict(models or {}))

    @classmethod
    def read(cls, text: str, models: dict[str, str] | None = None) -> GuideConfig:
        """A guide in one word, `owlv2`, or part by part, `detect=owlv2,cue=seal,heat=seal`.

        Raises:
            ValueError: an unknown guide or part, or one that does not give what it is named for.
        """
        if "=" not in text:
            return cls.named(text, models)
        chosen: dict[str, Any] = {}
        for word in text.split(","):
            part, equals, name = (piece.strip() for piece in word.partition("="))
            if part not in PARTS or not equals:
                near = difflib.get_close_matches(part, PARTS, n=1)
                meant = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(
                    f"guide: {quoted(word)} sets no part; they are {_listed(PARTS)}, as in "
                    f"detect=owlv2,heat=seal{meant}"
                )
            if part in chosen:
                raise ValueError(f"guide: {part} is set twice, {chosen[part]} and {name}")
            chosen[part] = name
        return cls(**{"detect": None, **chosen}, models=dict(models or {}))

    def part(self, name: str) -> str | None:
        """The guide of a part, named or by default; None: it is not there."""
        chosen: str | None = getattr(self, name)
        if chosen is None and self.detect is not None and gives(self.detect, name):
            return self.detect
        return chosen

    @property
    def parts(self) -> dict[str, str]:
        """Part -> guide, of the parts that are there."""
        found = {name: self.part(name) for name in PARTS}
        return {name: guide for name, guide in found.items() if guide is not None}

    @property
    def names(self) -> list[str]:
        """The guides that are used, each once."""
        return list(dict.fromkeys(self.parts.values()))

    @property
    def kinds(self) -> frozenset[QueryKind]:
        """What the composed guide will answer; see `ComposedGuide` of an expert that detects."""
        answered: set[QueryKind] = set()
        for part, guide in self.parts.items():
            if part != "expert":
                answered |= PARTS[part] & KINDS[guide]
            elif guide != self.part("detect"):
                answered.add("expert")
        return frozenset(answered)

    def require_models(self, *, answers: bool, vsm: bool, known: bool = False) -> None:
        """Refuse a guide that lacks a model, before anything is loaded.

        answers, vsm: whether there is an answer model, a search model. known: whether the boxes of
        what is sought are.
        """
        for name in self.names:
            part = next(part for part, guide in self.parts.items() if guide == name)
            if name == ANNOTATED:
                if not known:
                    raise ValueError(
                        f"guide.{part}={ANNOTATED} sees what a benchmark says is there: only "
                        "eval/search has that; choose another guide"
                    )
            elif name == "seal":
                if not vsm:
                    raise ValueError(
                        f"guide.{part}=seal needs SEAL's search model: give vsm=FOLDER, or another "
                        "guide for that part"
                    )
            elif not (
                name in self.models or name in BRINGS_ITS_MODEL or (name in ASK_A_VLM and answers)
            ):
                or_vqa = " of an image-text model, or give vqa=" if name in ASK_A_VLM else ""
                raise ValueError(
                    f"guide.{part}={name} needs a model: set guide.models.{name}= to a folder or "
                    f"hub id{or_vqa}"
                )


def with_its_cues(config: SearchConfig, kinds: frozenset[QueryKind]) -> SearchConfig:
    """`config` without the cues that a guide of these kinds does not give.

    Of one that gives neither, `config` itself: a strategy that is guided will say what it lacks.
    """
    contextual = {"contextual_cue", "cue_heatmap"} <= kinds
    target = "target_heat" in kinds
    if not contextual and not target:
        return config
    return replace(
        config,
        use_contextual_cue=config.use_contextual_cue and contextual,
        use_target_cue=config.use_target_cue and target,
    )


def gives(guide: str, part: str) -> bool:
    """Whether a guide can serve as a part. Any that detects can be the expert."""
    return bool(KINDS[guide] & ({"detect"} if part == "expert" else PARTS[part]))


def parts_of(guide: str) -> list[str]:
    """The parts a guide can serve as; `expert` is not listed, it is `detect` once more."""
    return [part for part in PARTS if part != "expert" and gives(guide, part)]


def who_gives(part: str) -> list[str]:
    """The guides that can serve as a part."""
    return [guide for guide in GUIDES if gives(guide, part)]


def part_for(kind: QueryKind) -> str:
    """The part that a kind of query goes to."""
    return next(part for part, kinds in PARTS.items() if kind in kinds)


def _no_guide(name: object) -> str:
    near = difflib.get_close_matches(str(name), GUIDES, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"there is no such guide; choose one of {_listed(GUIDES)}{meant}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
