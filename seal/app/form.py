"""What is asked for on the page: the fields of the form, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from seal.app.ways import Way
from seal.pipeline.question import Question
from seal.search.budget import BudgetConfig
from seal.text.targets import check_target

ASK, FIND = "Ask a question", "Find things"
MOST_TARGETS = 16  # at a time
MOST_TEXT = 4000  # characters of a field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A question with its targets, or targets alone."""

    image: Image.Image
    name: str  # of the picture
    question: str = ""  # "": the targets are only to be found
    options: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    way: Way

    @property
    def title(self) -> str:
        """In a line."""
        return self.question or f"Find: {', '.join(self.targets)}"

    def as_question(self) -> Question:
        """Checked as every question is.

        Raises:
            ValueError: what is wrong with it.
        """
        return Question(self.image, self.question, self.options, self.targets or None)


def read_form(
    *,
    image: Image.Image | None,
    name: str,
    mode: Any,
    question: Any,
    options: Any,
    targets: Any,
    one_walk: Any,
    search: Any,
    nodes: Any,
    seconds: Any,
    model: Any,
) -> Wanted:
    """The fields as the browser sent them, whatever they are.

    Raises:
        ValueError: what is missing or wrong, in one line.
    """
    if image is None:
        raise ValueError("There is no picture yet: drop one on the page, or choose an example.")
    question, asked_for, choices = (
        _text(question, "the question").strip(),
        _lines(targets, "the things to find"),
        _lines(options, "the options"),
    )
    if mode == FIND:
        question, choices = "", ()
        if not asked_for:
            raise ValueError("Nothing to find yet: name one thing a line, as in “the red boat”.")
    elif not question:
        raise ValueError("The question is empty: say what you want to know about the picture.")
    if len(asked_for) > MOST_TARGETS:
        raise ValueError(f"{len(asked_for)} things are too many at a time: at most {MOST_TARGETS}.")
    for target in asked_for:
        check_target(target)
    wanted = Wanted(
        image=image,
        name=name,
        question=question,
        options=choices,
        targets=asked_for,
        way=Way(
            model=model if isinstance(model, str) else "",
            search=search if isinstance(search, str) else "",
            budget=_budget(nodes, seconds),
            one_walk=bool(one_walk) and len(asked_for) > 1,
        ),
    )
    if question:
        wanted.as_question()
    return wanted


def _budget(nodes: Any, seconds: Any) -> BudgetConfig | None:
    """None: no limit."""
    try:
        most = None if nodes in (None, "", 0) else int(nodes)
        longest = None if seconds in (None, "", 0) else float(seconds)
    except (TypeError, ValueError):
        raise ValueError("The budget is a number of regions and of seconds, or empty.") from None
    if most is None and longest is None:
        return None
    if (most is not None and most < 1) or (longest is not None and not 0 < longest < 1e9):
        raise ValueError("The budget must be above 0; leave it empty for no limit.")
    return BudgetConfig(nodes=most, seconds=longest)


def _text(value: Any, what: str) -> str:
    text = "" if value is None else value
    if not isinstance(text, str):
        raise ValueError(f"{what} must be text")
    if len(text) > MOST_TEXT:
        raise ValueError(f"{what} has {len(text):,} characters: at most {MOST_TEXT:,}.")
    return text


def _lines(value: Any, what: str) -> tuple[str, ...]:
    """One a line, each once."""
    lines = (line.strip() for line in _text(value, what).splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))
