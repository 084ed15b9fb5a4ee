"""failures.html: what a system got wrong, what it was shown, and what it looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from seal.evaluation.task import Prediction, Task, TaskQuestion
from seal.pages.page import Page
from seal.pages.table import Table
from seal.search.draw import draw_path
from seal.search.trace import from_dict

FAILURES = "failures.html"
_PICTURES = 96  # of searches on a page, shared by its systems: it stays small enough to open
_WIDTH = 640  # pixels of each


def write_failures(
    folder: Path, task: Task, predictions: Sequence[Prediction], *, limit: int = 30
) -> Path:
    """The first `limit` wrong answers of each system, with pictures as far as images are there.

    With many systems the last of them go without: a page has only so many pictures.
    """
    page = Page(
        f"{task.name}: wrong answers",
        "Options are listed with their losses, and which of them is true and which was chosen. "
        "Ties choose nothing.",
    )
    systems = list(dict.fromkeys(line["system"] for line in predictions))
    for system in systems:
        shown = 0
        lines = [line for line in predictions if line["system"] == system]
        scored = [(TaskQuestion.from_dict(line["question"]), line) for line in lines]
        # Who waits for a grade (credit None) is not wrong.
        wrong = [
            (q, line)
            for q, line in scored
            if not (score := task.score(q, line))["correct"] and score["credit"] is not None
        ]
        page.heading(f"{system}: {len(wrong)} of {len(lines)} wrong")
        for question, line in wrong[:limit]:
            room = max(1, _PICTURES // len(systems)) - shown
            shown += _show(page, task, question, line, room)
        if len(wrong) > limit:
            page.note(f"and {len(wrong) - limit} more in predictions.jsonl")
    page.write(folder / FAILURES)
    return folder / FAILURES


def _show(page: Page, task: Task, question: TaskQuestion, line: Prediction, room: int) -> int:
    """One answer with at most `room` pictures; returns how many it has."""
    page.subheading(question.text)
    page.note(question.id)
    if line["error"]:
        page.note(line["error"])
        return 0
    answer, score = line["answer"], task.score(question, line)
    if question.options:
        page.table(_options(question, answer["losses"], score["chosen"]))
    if question.labels:
        page.note(f"right: {' | '.join(dict.fromkeys(question.labels))}")
    said = " | ".join(answer.get("texts", ())) or answer["first_text"] or answer["text"]
    page.note(f"said: {said}" + ("; a tie" if score["tie"] else ""))
    if answer["not_found"]:
        page.note(f"not found: {', '.join(answer['not_found'])}")
    searches = [s for s in answer["searches"] if s["strategy"] != "oracle"]  # it looks at nothing
    image = _image(task, question) if searches and room > 0 else None
    if image is None:
        return 0
    if "withheld" in answer:
        page.note(f"a control: of the crops, {' and '.join(answer['withheld'])} were withheld")
    elif "control_of" in line:
        page.note("a control: crops were cut elsewhere than where the search found something")
    for search in searches[:room]:
        result = from_dict(search)
        page.picture(
            draw_path(image, result, width=_WIDTH, max_crops=4), f"The search for: {result.target}"
        )
    return min(room, len(searches))


def _options(question: TaskQuestion, losses: Sequence[float | None], chosen: int | None) -> Table:
    rows = []
    for i, option in enumerate(question.options):
        marks = (["true"] if i == question.answer else []) + (["chosen"] if i == chosen else [])
        rows.append((option, _loss(losses[i]) if losses else "", ", ".join(marks)))
    return Table("", ("option", "loss", ""), tuple(rows))


def _loss(loss: float | None) -> str:
    """None: it was not finite, which files have no word for."""
    return "not finite" if loss is None else f"{loss:.4f}"


def _image(task: Task, question: TaskQuestion) -> Image.Image | None:
    """None if it is not there: results may be looked at where the images are not."""
    name = question.image
    return task.images.open(name) if name is not None and task.images.has(name) else None
