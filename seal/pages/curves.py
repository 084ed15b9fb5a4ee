"""Loss curves of a training run, from the lines of its metrics.jsonl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seal.pages.lines import Line, lines

_LOSSES = ("loss", "ce", "bce", "dice", "focal", "l1", "giou", "query_alignment")
_HELD_OUT = "validation/"
_MOST_POINTS = 120  # of a drawn line: more do not show


def loss_curves(told: Sequence[Mapping[str, float]]) -> str:
    """The sum in bold, its parts, and both on held-out samples (dots), over the steps: a drawing.

    Empty while there is nothing to draw. Each drawn point is the mean of as many steps as keep the
    line short, so a long run is as small a picture as a short one.
    """
    drawn = []
    for held_out in (False, True):
        for group, part in enumerate(_LOSSES):
            if group and held_out:
                continue  # parts of the held-out loss would double every line
            points = _points(told, part, held_out=held_out)
            if any(y > 0 for _, y in points):
                drawn.append(
                    Line(
                        f"{part}, held out" if held_out else part,
                        tuple(point for point in points if point[1] > 0),
                        group, dashed=held_out, dots=held_out, bold=not group and not held_out,
                    )
                )  # fmt: skip
    parts = [line for line in drawn if line.name not in ("loss", "loss, held out")]
    if len(parts) == 1:  # it is the loss
        drawn.remove(parts[0])
    return lines(drawn, x_label="step", y_label="loss", decades=True) if drawn else ""


def _points(
    told: Sequence[Mapping[str, float]], part: str, *, held_out: bool
) -> list[tuple[float, float]]:
    key = part if part == "loss" else f"loss/{part}"
    key = _HELD_OUT + key if held_out else key
    found = [(line["step"], line[key]) for line in told if key in line]
    each = -(-len(found) // _MOST_POINTS) or 1
    groups = [found[start : start + each] for start in range(0, len(found), each)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]
