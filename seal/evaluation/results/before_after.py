"""A question whose answer a search put right: what was said before, what was found, what after."""

from __future__ import annotations

import html
from collections.abc import Iterable

from PIL import Image

from seal.evaluation.judged import judge_choice
from seal.evaluation.task import Prediction, TaskQuestion
from seal.geometry import Box
from seal.images import context_crop
from seal.pages.embedded import picture
from seal.search import canvas

_SIDE = 420  # pixels of a picture at most
_CROP = 300
_GOOD_LENGTH = 8  # regions of a search that is worth telling


def put_right(
    lines: Iterable[Prediction], before: str, after: str, *, but_of: str | None = None
) -> tuple[Prediction, Prediction] | None:
    """Two systems' answers to the first question that one gets wrong and the other right, after a
    search that found all it looked for; of another image than `but_of`. None: there is none."""
    wrong: dict[tuple[str, str], Prediction] = {}
    right: dict[tuple[str, str], Prediction] = {}
    for line in lines:
        if line["system"] not in (before, after) or line["answer"] is None:
            continue
        question = TaskQuestion.from_dict(line["question"])
        if not question.options or question.image is None or question.image == but_of:
            continue
        correct = judge_choice(question, line)["correct"]
        key = question.split, question.id
        if line["system"] == before and not correct:
            wrong[key] = line
        answer = line["answer"]
        found = answer.get("memory") and answer["searches"] and not answer["not_found"]
        if line["system"] == after and correct and found:
            right[key] = line
    # A short story first: of one target, over a few regions.
    keys = sorted((key for key in wrong if key in right), key=lambda key: _length(right[key]))
    return (wrong[keys[0]], right[keys[0]]) if keys else None


def _length(line: Prediction) -> tuple[int, int]:
    searches = line["answer"]["searches"]
    return len(searches), abs(sum(search["num_steps"] for search in searches) - _GOOD_LENGTH)


def before_and_after(image: Image.Image, before: Prediction, after: Prediction) -> str:
    """Three cards side by side, as HTML: the image alone, what was found, the answer then."""
    question = TaskQuestion.from_dict(after["question"])
    answer = after["answer"]
    whole = picture(
        canvas.fit(image, _SIDE, _SIDE), alt=f"the image of the question: {question.text}"
    )
    refused = f"<p>It says: {_said(answer['first_text'])}</p>" if answer["first_text"] else ""
    crops = "".join(
        f"<figure>{_crop(image, shown['name'], Box(*edges))}</figure>"
        for shown in answer["memory"]
        for edges in shown["boxes"][:1]
    )
    regions = sum(search["num_steps"] for search in answer["searches"])
    names = ", ".join(shown["name"] for shown in answer["memory"])
    looked = "1 region" if regions == 1 else f"{regions} regions"
    cards = (
        f"<h3>Before: the image alone</h3><figure>{whole}</figure>{refused}"
        f"<p>Made to choose: {_chosen(question, before)}</p>",
        f"<h3>The search: {looked}</h3>{crops}"
        f"<p>Found, cut out and shown beside the image: {html.escape(names)}.</p>",
        f"<h3>After: the image and what was found</h3>{_options(question, after)}"
        f"<p>It answers: {_chosen(question, after)}</p>",
    )
    inside = "".join(f'<div class="card">{card}</div>' for card in cards)
    return f'<p class="lead">{html.escape(question.text)}</p><div class="cards">{inside}</div>'


def _said(text: str) -> str:
    return f"&ldquo;{html.escape(text)}&rdquo;"


def _crop(image: Image.Image, name: str, box: Box) -> str:
    crop = context_crop(image, box)
    scale = _CROP / max(crop.size)
    size = max(1, round(crop.width * scale)), max(1, round(crop.height * scale))
    return picture(crop.resize(size, Image.Resampling.BICUBIC), alt=f"the crop of the {name}")


def _chosen(question: TaskQuestion, line: Prediction) -> str:
    score = judge_choice(question, line)
    if score["chosen"] is None:
        return "nothing, because two options were equally likely."
    kind, verdict = ("good", "right") if score["correct"] else ("bad", "wrong")
    said = html.escape(question.options[score["chosen"]])
    return f'{said} <b class="{kind}">{verdict}</b>'


def _options(question: TaskQuestion, line: Prediction) -> str:
    """The options with how likely each was, the most likely first; the true one in bold."""
    losses = line["answer"].get("losses") or []
    told = [
        (loss, f"<b>{html.escape(text)}</b>" if i == question.answer else html.escape(text))
        for i, (text, loss) in enumerate(zip(question.options, losses, strict=False))
        if loss is not None
    ]
    rows = "".join(f"<tr><td>{text}</td><td>{loss:.3f}</td></tr>" for loss, text in sorted(told))
    if not rows:
        return ""
    head = '<tr><th scope="col">option</th><th scope="col">loss</th></tr>'
    return f'<div class="scroll"><table>{head}{rows}</table></div>'
