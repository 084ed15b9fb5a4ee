"""The answer as the page shows it: what was said, what it was given, and what it took."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PIL import Image

from seal.app.walks import Walk
from seal.app.words import looks, place_of, verdict
from seal.geometry import Box
from seal.images import context_crop, cut
from seal.pages.page import picture
from seal.pipeline.answer import Answer

_CROP = 224  # pixels across of a crop as it is shown
_MOST_CROPS = 24


def answer_card(answer: Answer, options: Sequence[str], image: Image.Image) -> str:
    """HTML of an answer."""
    if answer.error is not None:
        why = answer.error.splitlines()[0]
        return f'<div class="seal-card bad"><p>There is no answer: {html.escape(why)}</p></div>'
    parts = ['<div class="seal-card">', f'<p class="answer">{html.escape(answer.text)}</p>']
    if options:
        parts.append(_options(answer, options))
    parts += [f'<p class="aside">{html.escape(line)}</p>' for line in _asides(answer)]
    parts.append(_memory(answer, image))
    parts.append("</div>")
    return "".join(parts)


def found_card(walks: Sequence[Walk], image: Image.Image) -> str:
    """HTML of searches without a question."""
    said = verdict(walks[0]) if len(walks) == 1 else _counted(walks)
    lines = f'<p class="answer">{html.escape(said)}</p>'
    crops = [
        (walk.target, box) for walk in walks if walk.result is not None for box in walk.result.boxes
    ]
    title = "What was found, cut from the picture" if crops else ""
    return f'<div class="seal-card">{lines}{_crops(crops, image, title)}</div>'


def _counted(walks: Sequence[Walk]) -> str:
    """Of several searches; what each came to stands below the picture."""
    missing = [walk.name for walk in walks if walk.result is None or not walk.result.found]
    told = f"{len(walks) - len(missing)} of {len(walks)} found"
    return f"{told}; not found: {', '.join(missing)}." if missing else f"{told}."


def _options(answer: Answer, options: Sequence[str]) -> str:
    """A bar for each option, as long as it is likely."""
    likely = answer.probabilities
    rows = []
    for number, option in enumerate(options):
        chosen = " chosen" if number == answer.option else ""
        share = likely[number] if number < len(likely) else None
        bar = "" if share is None else f'<i style="width:{share:.1%}"></i>'
        told = "" if share is None else f"<b>{share:.0%}</b>"
        rows.append(
            f'<li class="option{chosen}"><span>{html.escape(option)}</span>'
            f'<span class="bar">{bar}</span>{told}</li>'
        )
    tie = '<p class="aside">No option is likelier than all others.</p>'
    return f'<ul class="options">{"".join(rows)}</ul>' + (tie if answer.option is None else "")


def _asides(answer: Answer) -> list[str]:
    told = []
    if answer.first_text and answer.first_text != answer.text:
        told.append(f"From the whole picture alone the model said: “{answer.first_text}”")
    elif answer.first_text and not answer.searches:
        told.append("The whole picture was enough: nothing had to be searched for.")
    if answer.not_found:
        told.append(f"Not found: {', '.join(answer.not_found)}.")
    if answer.unsearchable:
        told.append(f"Named as missing, but no thing's name: {', '.join(answer.unsearchable)}.")
    if answer.left_out:
        told.append(
            f"{answer.left_out} found things were left out: the model had no room for them."
        )
    told += [f"{note[:1].upper()}{note[1:]}." for note in answer.notes]
    told.append(_took(answer))
    return [line for line in told if line]


def _took(answer: Answer) -> str:
    seconds = sum(answer.cost.get("seconds", {}).values())
    visits = sum(len(result.path) for result in answer.searches)
    return f"{looks(visits)} looked at, {seconds:.1f} s." if visits else f"{seconds:.1f} s."


def _memory(answer: Answer, image: Image.Image) -> str:
    if answer.memory is None:
        return ""
    crops = [(target.name, box) for target in answer.memory.targets for box in target.boxes]
    missing = [target.name for target in answer.memory.targets if not target.boxes]
    title = "Working memory: beside the whole picture, the answer was given"
    if not crops and not missing:
        return '<p class="aside">Working memory: the whole picture and the question alone.</p>'
    more = "".join(
        f'<p class="aside">that there is no trace of the {html.escape(name)}</p>'
        for name in missing
    )
    return _crops(crops, image, title) + more


def _crops(crops: Sequence[tuple[str, Box]], image: Image.Image, title: str) -> str:
    if not crops:
        return f'<p class="aside">{html.escape(title)}:</p>' if title else ""
    figures = []
    for name, box in crops[:_MOST_CROPS]:
        crop = _crop(image, box, named=bool(name))
        label = f"<b>{html.escape(name or 'crop')}</b><br>{html.escape(place_of(box))}"
        figures.append(
            f"<figure>{picture(crop, exact=True)}<figcaption>{label}</figcaption></figure>"
        )
    left = len(crops) - _MOST_CROPS
    more = f'<p class="aside">and {left} more</p>' if left > 0 else ""
    return (
        f'<p class="aside">{html.escape(title)}:</p><div class="crops">{"".join(figures)}</div>'
        + more
    )


def _crop(image: Image.Image, box: Box, *, named: bool) -> Image.Image:
    """A crop as the model is given it, enlarged to be seen: small ones with square pixels."""
    crop = context_crop(image, box) if named else cut(image, box.as_ints())
    scale = _CROP / max(crop.size)
    size = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
    how = Image.Resampling.NEAREST if scale > 4 else Image.Resampling.LANCZOS
    return crop.resize(size, how)
