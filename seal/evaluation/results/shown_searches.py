"""Which searches of a run tell the most, and what is said below their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seal.evaluation.strategy_metrics import score
from seal.evaluation.task import Prediction

BEST, FOUND, WRONG, ABSENT = "best", "found", "wrong", "absent"
_GOOD_LENGTH = 8  # regions: enough to see how a search goes, few enough to see each of them


def telling_searches(lines: Iterable[Prediction], strategy: str) -> dict[str, Prediction]:
    """Of one strategy's lines: the right search that shows most, another right one of another
    picture, one that went wrong, and one for what is not there and was not found.

    Kinds without such a search are missing. Searches whose maps were kept come first.
    """
    own = [line for line in lines if line["strategy"] == strategy and line["result"] is not None]
    judged = [(line, score(line)) for line in own]
    right = sorted((line for line, one in judged if one.hit), key=_dullness)
    picked = {BEST: right[0]} if right else {}
    others = [line for line in right if _image(line) != _image(right[0])]
    absent = [line for line, one in judged if not one.present and not one.found]
    wrong = [line for line, one in judged if one.present and not one.hit]
    wrong.sort(key=lambda line: not line["result"]["found"])  # a wrong box tells more than none
    for kind, candidates in ((FOUND, others), (WRONG, wrong), (ABSENT, absent)):
        # A stable order: of equal ones the first of the run.
        candidates = sorted(candidates, key=lambda line: not _has_maps(line))
        if candidates:
            picked[kind] = candidates[0]
    return picked


def search_words(line: Prediction) -> str:
    """What a search did, in a sentence."""
    result, one = line["result"], score(line)
    regions = _counted(one.num_steps if one.found else one.visits)
    name = result["target"]
    if one.hit:
        return f"{name}: found in {regions}, and the box is right."
    if one.found:
        where = "elsewhere than it is" if one.present else "though there is none"
        return f"{name}: a box after {regions}, {where}."
    if one.present:
        return f"{name}: not found in {regions}, though it is there."
    return f"{name}: not found in {regions}, and rightly: there is none in this picture."


def _dullness(line: Prediction) -> tuple[bool, int, int]:
    """Least for a search whose maps were kept, which both cues guided, over a few regions."""
    path = line["result"]["path"]
    kinds = {node["cue_kind"] for node in path} - {None}
    return not _has_maps(line), -len(kinds), abs(line["result"]["num_steps"] - _GOOD_LENGTH)


def _has_maps(line: Prediction) -> bool:
    return any("heat" in node for node in line["result"]["path"])


def _image(line: Prediction) -> str:
    return str(line["target"].get("image", line["id"]))


def _counted(regions: int) -> str:
    return "1 region" if regions == 1 else f"{regions} regions"


def spread(groups: Sequence[str], count: int) -> list[int]:
    """Places of `count` items that take turns among their groups, in each from its first."""
    turns: dict[str, int] = {}
    keys = []
    for place, group in enumerate(groups):
        turns[group] = turns.get(group, 0) + 1
        keys.append((turns[group], place))
    return sorted(place for _, place in sorted(keys)[:count])
