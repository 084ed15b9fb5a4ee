"""The picture with a search over it, as SVG in pixels of the picture, and the steps to go through.

Everything that belongs to a step carries its number (`data-step`); what is shown has the class
`on`. The script in `look` moves it; without a script the verdict stays on.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from PIL import Image

from seal.app.steps import Step
from seal.app.tree import tree
from seal.app.walks import Walk
from seal.app.words import UNSEEN, step_said, verdict
from seal.geometry import Box
from seal.pages.page import picture
from seal.search import canvas

ALL = -1  # the number of the view that shows the verdicts of all searches
MOST_PIXELS_ACROSS = 1600  # of the picture as it is sent; boxes are drawn in its own pixels
_RAMP = 24  # visits until the colors of their order stay the last one
_MOST_TRAILS = 24  # of a longer search the regions would hide the picture below the verdict


def shown_picture(image: Image.Image) -> str:
    """The picture itself as an `<img>`, no wider than a screen."""
    if image.height > image.width:
        width = round(image.width * min(1.0, MOST_PIXELS_ACROSS / image.height))
        return picture(image, width=max(1, width))
    return picture(image, width=MOST_PIXELS_ACROSS)


def overlay(size: tuple[int, int], walks: Sequence[Walk], *, live: Walk | None = None) -> str:
    """What lies over a picture of `size`: every step of every search, the verdict shown.

    live: the search that is going on; only its last step is drawn in full, and shown.
    """
    shown = ALL if len(walks) != 1 else 0
    groups = []
    for place, walk in enumerate(walks):
        if live is not None:
            if walk is live:
                groups.append(_live(size, place, walk))
        else:
            trails = shown == place and len(walk.steps) <= _MOST_TRAILS
            steps = [_trail(step, on=trails) for step in walk.steps]
            steps += [_full(size, walk.steps, number) for number in range(len(walk.steps))]
            steps.append(_verdict(size, walk))
            groups.append(f'<g class="walk on" data-walk="{place}">{"".join(steps)}</g>')
    width, height = size
    return (
        f'<svg class="seal-over" viewBox="0 0 {width} {height}" style="--k:{width / 700:.3f}" '
        f'role="img" aria-label="what the search looked at">{"".join(groups)}</svg>'
    )


def controls(walks: Sequence[Walk]) -> str:
    """Below the picture: which search, a slider over its steps, what each step says, the tree."""
    if not walks:
        return ""
    shown = ALL if len(walks) != 1 else 0
    tabs = ""
    if len(walks) > 1:
        names = [(ALL, "all"), *((place, walk.name) for place, walk in enumerate(walks))]
        tabs = '<div class="tabs" role="group" aria-label="which search">' + "".join(
            f'<button type="button" class="tab{_on(place == shown)}" data-walk="{place}" '
            f'onclick="sealTab(this)">{html.escape(name)}</button>'
            for place, name in names
        )
        tabs += "</div>"
    all_said = "".join(f"<li>{html.escape(verdict(walk))}</li>" for walk in walks)
    everything = ""
    if len(walks) > 1:
        everything = (
            f'<div class="walk on" data-walk="{ALL}"><ul class="verdicts">{all_said}</ul></div>'
        )
    each = "".join(_one(walk, place, shown) for place, walk in enumerate(walks))
    return f'<div class="seal-controls">{tabs}{everything}{each}</div>'


def live_words(walk: Walk) -> str:
    """Below the picture while a search goes on: what its last step says, and the tree so far."""
    if not walk.steps:
        return f'<p class="says">{html.escape(verdict(walk))}</p>'
    said = html.escape(step_said(walk.steps[-1], walk.target))
    title = html.escape(f"Searching for the {walk.name}, region {len(walk.steps)}")
    return (
        f'<div class="seal-controls"><p class="says" role="status"><b>{title}.</b> {said}</p>'
        f"{tree(walk, at=len(walk.steps))}</div>"
    )


def _one(walk: Walk, place: int, shown: int) -> str:
    count = len(walk.steps)
    said = [
        f'<li data-step="{step.number}">{html.escape(step_said(step, walk.target))}</li>'
        for step in walk.steps
    ]
    said.append(f'<li class="on" data-step="{count + 1}">{html.escape(verdict(walk))}</li>')
    moves = ""
    if count:
        moves = (
            '<div class="moves">'
            '<button type="button" onclick="sealPlay(this)" class="play">Replay</button>'
            '<button type="button" onclick="sealMove(this,-1)" aria-label="step back">&lsaquo;'
            "</button>"
            f'<input type="range" min="1" max="{count + 1}" value="{count + 1}" '
            'aria-label="step of the search" oninput="sealSlide(this)">'
            '<button type="button" onclick="sealMove(this,1)" aria-label="step on">&rsaquo;'
            "</button></div>"
        )
    return (
        f'<div class="walk{_on(place == shown)}" data-walk="{place}" data-count="{count}">'
        f'{moves}<ol class="says" aria-live="polite">{"".join(said)}</ol>'
        f"{tree(walk, at=count + 1)}</div>"
    )


def _live(size: tuple[int, int], place: int, walk: Walk) -> str:
    """The trail so far and the last step."""
    steps = walk.steps
    parts = [_trail(step, on=True) for step in steps[:-1]]
    if steps:
        parts.append(_full(size, steps, len(steps) - 1, on=True))
    return f'<g class="walk on" data-walk="{place}">{"".join(parts)}</g>'


def _full(size: tuple[int, int], steps: Sequence[Step], place: int, *, on: bool = False) -> str:
    """A region in full light with its heat, how the heat is spread, and where it goes next."""
    width, height = size
    step = steps[place]
    following = steps[place + 1].box if place + 1 < len(steps) else None
    box = step.box
    hole = f"M{box.x0:g} {box.y0:g}V{box.y1:g}H{box.x1:g}V{box.y0:g}Z"
    parts = [f'<path class="dim" d="M0 0H{width}V{height}H0Z{hole}" fill-rule="evenodd"/>']
    if step.heat is not None:
        parts.append(f'<image href="{step.heat}" {_edges(box)} preserveAspectRatio="none"/>')
    parts.append(rect(box, "here"))
    for part, share in step.parts:
        middle = (part.x0 + part.x1) / 2, (part.y0 + part.y1) / 2
        parts.append(rect(part, "part"))
        parts.append(f'<text class="share" x="{middle[0]:g}" y="{middle[1]:g}">{share:.0%}</text>')
    if step.best_box is not None and step.confidence >= UNSEEN:
        parts.append(rect(step.best_box, "guess"))
    if following is not None:
        parts.append(rect(following, "next"))
        parts.append(_label(following, "next", size, "next"))
    return f'<g class="step{_on(on)}" data-step="{step.number}">{"".join(parts)}</g>'


def _trail(step: Step, *, on: bool) -> str:
    red, green, blue = canvas.order_color(min(step.number - 1, _RAMP), _RAMP + 1)
    inset = min(3.0 * (step.depth - 1), step.box.width / 10, step.box.height / 10)
    b = step.box
    inner = Box(b.x0 + inset, b.y0 + inset, b.x1 - inset, b.y1 - inset)
    return (
        f'<rect class="trail{_on(on)}" data-step="{step.number}" {_edges(inner)} '
        f'stroke="rgb({red},{green},{blue})"/>'
    )


def _verdict(size: tuple[int, int], walk: Walk) -> str:
    """The boxes that were found, or the best guess; shown at first."""
    result = walk.result
    boxes: list[tuple[Box, str, str]] = []
    if result is not None and result.found:
        scores = [*result.scores, *[None] * len(result.boxes)]
        for box, score in zip(result.boxes, scores, strict=False):
            told = walk.target or "crop"
            boxes.append((box, "found", told if score is None else f"{told} {score:.2f}"))
    elif result is not None and result.best_box is not None and not result.settled:
        boxes.append((result.best_box, "doubt", f"best guess {result.best_score:.2f}"))
    parts = []
    for box, kind, text in boxes:
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        parts += [
            f'<circle class="ring {kind}" cx="{x:g}" cy="{y:g}"/>',
            rect(box, kind, html.escape(text)),
            _label(box, text, size, kind),
        ]
    return f'<g class="verdict on" data-step="{len(walk.steps) + 1}">{"".join(parts)}</g>'


def rect(box: Box, kind: str, title: str = "") -> str:
    """A box at its own pixels. `title`: HTML."""
    told = f"<title>{title}</title>" if title else ""
    return f'<rect class="{kind}" {_edges(box)}>{told}</rect>'


def _edges(box: Box) -> str:
    return f'x="{box.x0:g}" y="{box.y0:g}" width="{box.width:g}" height="{box.height:g}"'


def _label(box: Box, text: str, size: tuple[int, int], kind: str) -> str:
    """Text at a corner of a box, on the side where the picture leaves room."""
    width, height = size
    right = (box.x0 + box.x1) / 2 > width * 0.6
    low = box.y0 < height * 0.12
    x, anchor = (box.x1, "end") if right else (box.x0, "start")
    y, dy = (box.y1, "1.9em") if low else (box.y0, "-1.2em")
    return (
        f'<text class="label {kind}" x="{x:g}" y="{y:g}" dy="{dy}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )


def _on(shown: bool) -> str:
    return " on" if shown else ""
