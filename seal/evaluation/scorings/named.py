"""The scorings by name."""

from __future__ import annotations

from seal.evaluation.scorings.by_kind import ByKind
from seal.evaluation.scorings.hr_bench import LETTER_HR_BENCH
from seal.evaluation.scorings.letters import Letters
from seal.evaluation.scorings.likelihood import Likelihood
from seal.evaluation.scorings.llava import LETTER_LLAVA, LETTER_LLAVA_CN
from seal.evaluation.scorings.lmms_eval import LmmsEval
from seal.evaluation.scorings.mme_realworld import (
    LETTER_MME_REALWORLD,
    LETTER_MME_REALWORLD_CN,
    LETTER_TREE_BENCH,
)
from seal.evaluation.scorings.scoring import Scoring
from seal.evaluation.scorings.vlmevalkit import VLMEvalKit
from seal.evaluation.scorings.words import SHORT, UNANSWERABLE, YES_OR_NO, Words
from seal.evaluation.scorings.zoom_bench import AS_ASKED_ZOOM_BENCH

_ALL: tuple[Scoring, ...] = (
    Likelihood(),
    Likelihood("as_released"),
    Letters(),
    Letters("letter_cyclic", cyclic=True),
    LmmsEval(),
    VLMEvalKit(),
    Words("string"),
    Words("free"),
    Words("short_answer", SHORT),
    Words("short_or_unanswerable", f"{UNANSWERABLE}\n{SHORT}"),  # as LLaVA-1.5 puts VizWiz
    Words("yes_no", YES_OR_NO, " "),
    Words("vicrop", SHORT, " "),
    ByKind("letter_or_short", Letters()),
    ByKind("cyclic_or_short", Letters("letter_cyclic", cyclic=True)),
    ByKind("letter_llava_or_short", LETTER_LLAVA),
    LETTER_HR_BENCH,
    LETTER_LLAVA,
    LETTER_LLAVA_CN,
    LETTER_MME_REALWORLD,
    LETTER_MME_REALWORLD_CN,
    LETTER_TREE_BENCH,
    AS_ASKED_ZOOM_BENCH,
)
SCORINGS: dict[str, Scoring] = {scoring.name: scoring for scoring in _ALL}


def scoring_named(name: str) -> Scoring:
    """The scoring of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in SCORINGS:
        raise ValueError(f"scoring={name!r} is none of {', '.join(SCORINGS)}")
    return SCORINGS[name]
