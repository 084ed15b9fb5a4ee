"""What controls say of a search: how much of its gain is left when its crops tell less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seal.evaluation.controls import CONTROLS, CROP_BLACK_PLACED, ORACLE_CROP, RANDOM_CROP
from seal.evaluation.results.result_tables import difference, scaled, shown_scale
from seal.evaluation.shown_systems import search_part, with_shown
from seal.evaluation.task import Prediction, TaskQuestion
from seal.geometry import Box
from seal.images import context_box
from seal.metrics.intervals import proportion
from seal.metrics.metric import Metric
from seal.pages.table import Table

# Split -> paired comparison of two systems' lines, first minus second.
Compare = Callable[[Sequence[Prediction], Sequence[Prediction]], dict[str, Any]]
ORACLES = ("oracle", ORACLE_CROP)
_HOW = {
    "random_crop": "with crops from elsewhere",
    "crop_black": "without pixels and places",
    "crop_black_placed": "with the places alone",
}


def compare_controls(
    by_system: Mapping[str, Sequence[Prediction]],
    compare: Compare,
    *,
    baseline: str = "none",
    seed: int = 0,
) -> dict[str, Any]:
    """Control -> what it is `of`, and by split: what the controlled search gains over `baseline`
    (`gain`), what the control still gains (`left`), the search minus the control (`lost`), and the
    `verdict`, see `verdict_of`. Known boxes (`oracle`) stand beside them, without a verdict: there
    `lost` is what a perfect search would add.

    Empty without controls. What was not run is None: the controlled search, or the baseline.
    """
    controls = {
        name: _called(lines[0]["control_of"], by_system)
        for name, lines in by_system.items()
        if search_part(name) in CONTROLS and lines and "control_of" in lines[0]
    }
    if not controls:
        return {}
    of = next(iter(controls.values()))
    oracles = [with_shown(name, of) for name in ORACLES]  # shown as what is controlled
    beside = {name: of for name in oracles if name in by_system and name != of}
    found: dict[str, Any] = {}
    for name, controlled in (controls | beside).items():
        lines, real, base = by_system[name], by_system.get(controlled), by_system.get(baseline)
        gain = compare(real, base) if real and base else {}
        left = compare(lines, base) if base else {}
        lost = compare(real, lines) if real else {}
        splits: dict[str, Any] = {}
        for split in left or lost:
            of_split = {"gain": gain.get(split), "left": left.get(split), "lost": lost.get(split)}
            judged = search_part(name) in CONTROLS
            of_split["verdict"] = verdict_of(**of_split) if judged else None
            splits[split] = of_split
        found[name] = {"of": controlled, "baseline": baseline, "splits": splits}
        if search_part(name) == RANDOM_CROP:
            found[name]["touching"] = touching(lines, seed=seed).to_dict()
    return found


def _called(search: str, by_system: Mapping[str, Any]) -> str:
    """What the run calls the system that makes a search."""
    if search_part(search) == "oracle" and search not in by_system:
        return with_shown(ORACLE_CROP, search)
    return search


def verdict_of(
    gain: Mapping[str, Any] | None, left: Mapping[str, Any] | None, lost: Mapping[str, Any] | None
) -> str | None:
    """What a control says of a gain, by the 95% intervals of the differences.

    `no_gain`: there is none to control. `survives`: the control is better than the baseline.
    `gone`: it is not, the search is better than the control, and whatever may be left is less than
    half of the gain. `undecided`: none of this can be told, for want of questions. None: one of
    the three was not run.
    """
    if gain is None or left is None or lost is None:
        return None
    if not _above_zero(gain):
        return "no_gain"
    if _above_zero(left):
        return "survives"
    most_left, gained = left["difference"]["high"], gain["difference"]["value"]
    little = most_left is not None and most_left < gained / 2
    return "gone" if _above_zero(lost) and little else "undecided"


def touching(lines: Sequence[Prediction], *, seed: int = 0) -> Metric:
    """The share of a random control's crops that show a part of something annotated all the same,
    for want of room; of questions with annotated boxes."""
    outcomes, clusters = [], []
    for line in lines:
        answer = line["answer"]
        if answer is None or not answer["searches"]:
            continue
        width, height = answer["searches"][0]["image_size"]
        question = TaskQuestion.from_dict(line["question"])
        true = [box for target in question.targets for box in target.boxes]
        if not true:  # nobody knows what it touches
            continue
        for shown in answer["memory"]:
            for edges in shown["boxes"]:
                window = Box(*map(float, context_box(Box(*edges), width, height)))
                outcomes.append(any(window.iou(box) > 0 for box in true))
                clusters.append(question.cluster)
    return proportion(outcomes, clusters=clusters, seed=seed)


def control_table(metrics: Mapping[str, Any]) -> Table:
    """The search, its controls and known boxes: accuracy, what is gained, what is lost."""
    controls: Mapping[str, Any] = metrics["controls"]
    first = next(iter(controls.values()))
    of, baseline, main = first["of"], first["baseline"], metrics["main"]
    splits = list(next(iter(metrics["systems"].values())))
    scale = shown_scale(metrics)
    rows = []
    for name in [n for n in (baseline, of, *controls) if n in metrics["systems"]]:
        of_splits = metrics["systems"][name]
        row = [name, *(scaled(of_splits.get(s, {}).get(main), scale, 1) for s in splits)]
        told = controls.get(name, {}).get("splits", {}).get("overall", {})
        left = told.get("left")
        if name == of:
            left = metrics["paired"].get(f"{of}_vs_{baseline}", {}).get("overall")
        rows.append((*row, difference(left), difference(told.get("lost"))))
    head = ("system", *splits, f"minus {baseline} (p)", f"{of} minus it (p)")
    title = f"controls of {of}: the same search, as many crops, but what is shown says less"
    return Table(title, head, tuple(rows))


def control_verdicts(metrics: Mapping[str, Any]) -> list[str]:
    """A plain line for each control; further ones for single splits in which a gain survives."""
    lines = []
    for name, told in metrics["controls"].items():
        for split, found in told["splits"].items():
            overall = split == "overall"
            placed = search_part(name) == CROP_BLACK_PLACED  # what places alone are worth
            if overall or (found["verdict"] == "survives" and not placed):
                line = _line(name, told["of"], told["baseline"], found)
                if line:
                    lines.append(f"{name}{'' if overall else f', {split}'}: {line}")
        share = told.get("touching", {}).get("value")
        if share:
            lines.append(f"{name}: {share:.0%} of its crops touch a target, for want of room")
    return lines


def _line(name: str, of: str, baseline: str, found: Mapping[str, Any]) -> str:
    control = search_part(name)
    if control in ORACLES:
        if found["lost"] is None:
            return ""
        return f"{of} minus it {difference(found['lost'])}: how far the search is from known boxes"
    match found["verdict"]:
        case None:
            return f"no verdict without both {of} and {baseline} in the run"
        case "no_gain":
            return (
                f"{of} gains nothing over {baseline} that could be told from chance "
                f"({difference(found['gain'])}): nothing to control"
            )
    gain, left = difference(found["gain"]), difference(found["left"])
    told = f"of {of}'s gain over {baseline}, {gain}, {left} is left {_HOW[control]}: "
    match found["verdict"]:
        case "gone":
            if control == CROP_BLACK_PLACED:
                return f"{told}no worth of the coordinates alone can be told from chance"
            return f"{told}the gain is gone"
        case "undecided":
            return f"{told}too few questions to tell whether the gain is gone"
    if control == CROP_BLACK_PLACED:
        return f"{told}so much the coordinates alone are worth"
    return f"{told}FAULT, the gain survives, so it does not come from what was looked at"


def _above_zero(comparison: Mapping[str, Any]) -> bool:
    low = comparison["difference"]["low"]
    return low is not None and low > 0
