"""What comes out of a question: the answer, what it was given, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, isfinite
from pathlib import Path
from typing import Any

from PIL.Image import Image

from seal.images.show import show_picture
from seal.pipeline.answer_picture import answer_picture
from seal.pipeline.planner.plan import Plan
from seal.search.result import SearchResult
from seal.search.trace import to_dict
from seal.working_memory import VisualWorkingMemory

_REPR_TEXT = 80  # characters


@dataclass(slots=True, repr=False)
class Answer:
    """What came out, and how.

    `print` tells it in a few lines, a notebook shows its picture too, and so do `show()` and
    `picture()`.
    """

    text: str  # the chosen option, or free text
    first_text: str  # what the model said before any search; "" if it was not asked
    texts: list[str] = field(default_factory=list)  # one for each final wording; `text` the first
    finished: bool = True  # False: `text` was cut at the most tokens it may have
    option: int | None = None  # index of the chosen option; None: free-form, or a tie
    options: list[str] = field(default_factory=list)  # that were chosen from
    # Of each option, lower is likelier; by likelihood: the mean of -log p over its tokens and its
    # end; by letters: -log p of its letter, infinity where the model does not tell.
    losses: list[float] = field(default_factory=list)
    chosen_by: str = ""  # likelihood | letters; "" without options
    missing: list[str] = field(default_factory=list)  # what was searched for, or should have been
    unsearchable: list[str] = field(default_factory=list)  # named as missing, but no thing's name
    plan: Plan | None = None  # what to search for, and who said so; None: nothing was to be planned
    memory: VisualWorkingMemory | None = None  # what the final answer was given
    searches: list[SearchResult] = field(default_factory=list)  # one per missing target
    # Of the image and each crop, the level they were read at: for each of `texts`, or for the
    # options. Empty where the answer model has no levels.
    levels_each: list[tuple[int, ...]] = field(default_factory=list)
    left_out: int = 0  # instances that were found but not shown: the VQA LLM's context was full
    answered_by: dict[str, Any] = field(default_factory=dict)  # the answer model's `settings()`
    cost: dict[str, Any] = field(default_factory=dict)  # visits, calls, tokens, pixels, seconds
    notes: list[str] = field(default_factory=list)  # what whoever reads the answer should know

    @property
    def probabilities(self) -> list[float]:
        """Of each option, how the model shares its belief among those given: they sum to 1.

        The softmax of minus the losses. By letters that is the probability of each letter, given
        that the answer is one of them. By likelihood it compares the options by the geometric mean
        of their tokens' probabilities, as the choice does, so that a long option is as good as a
        short one. Neither says how often such an answer is right: nothing was calibrated. Empty
        without options, and where the model tells nothing of any of them.
        """
        known = [loss for loss in self.losses if isfinite(loss)]
        if not known:
            return []
        best = min(known)
        shares = [exp(best - loss) for loss in self.losses]
        return [share / sum(shares) for share in shares]

    @property
    def told_options(self) -> str:
        """The options with their `probabilities`, the likeliest first, as in "red 0.81, blue 0.19";
        "" where there are none.
        """
        shares = sorted(
            zip(self.options, self.probabilities, strict=False), key=lambda each: -each[1]
        )
        return ", ".join(f"{option} {share:.2f}" for option, share in shares)

    @property
    def question(self) -> str:
        """What was asked, as it was put last; "" where nothing is known of it."""
        return "" if self.memory is None else self.memory.question

    @property
    def levels(self) -> tuple[int, ...]:
        """Of the image and each crop, the level they were read at for `text`; () without levels."""
        return self.levels_each[0] if self.levels_each else ()

    @property
    def error(self) -> str | None:
        """Of a search that failed, so that there is no answer: see `SearchResult.error`."""
        return next((result.error for result in self.searches if result.error is not None), None)

    def require(self) -> Answer:
        """The answer itself.

        Raises:
            Exception: what a search of it failed with.
        """
        for result in self.searches:
            if result.failure is not None:
                raise result.failure
        return self

    @property
    def not_found(self) -> list[str]:
        """Targets that were searched for in vain."""
        return [
            result.target
            for result in self.searches
            if result.target and not result.found and not result.settled and result.error is None
        ]

    def to_dict(self, *, heat_cells: int = 0) -> dict[str, Any]:
        """JSON-able, with the trace of every search."""
        targets = self.memory.targets if self.memory is not None else ()
        withheld = [] if self.memory is None else self.memory.withheld
        each = list(map(list, self.levels_each))
        return {
            "text": self.text,
            "texts": self.texts,
            "first_text": self.first_text,
            "option": self.option,
            **({"options": list(self.options)} if self.options else {}),
            "losses": [loss if isfinite(loss) else None for loss in self.losses],
            **({"probabilities": self.probabilities} if self.probabilities else {}),
            "chosen_by": self.chosen_by,
            "missing": self.missing,
            "unsearchable": self.unsearchable,
            "not_found": self.not_found,
            "plan": None if self.plan is None else self.plan.to_dict(),
            "left_out": self.left_out,
            "memory": [
                {"name": t.name, "boxes": [[b.x0, b.y0, b.x1, b.y1] for b in t.boxes]}
                for t in targets
            ],
            **({"withheld": withheld} if withheld else {}),
            **({} if self.finished else {"finished": False}),
            **({"levels": list(self.levels)} if self.levels else {}),
            **({"levels_each": each} if len(each) > 1 else {}),
            **({} if self.error is None else {"error": self.error}),
            **({"notes": list(self.notes)} if self.notes else {}),
            "searches": [to_dict(result, heat_cells=heat_cells) for result in self.searches],
            "answered_by": self.answered_by,
            "cost": self.cost,
        }

    def __str__(self) -> str:
        """A few lines: the answer, what was missing, where it was found, and what it cost."""
        text = self.text or (f"no answer: {self.error.splitlines()[0]}" if self.error else "")
        lines = [text]
        if self.probabilities:
            lines.append(f"options: {self.told_options}")
        if self.missing or self.unsearchable:
            lines.append("missing at first: " + ", ".join([*self.missing, *self.unsearchable]))
        lines += [str(result) for result in self.searches]
        if self.left_out:
            lines.append(f"{self.left_out} of these were not shown: the model's context was full")
        if self.cost:
            lines.append(f"cost: {self._cost()}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= _REPR_TEXT else self.text[:_REPR_TEXT] + "..."
        found = [result.target for result in self.searches if result.found]
        told = [f"found: {', '.join(found)}"] if found else []
        told += [f"not found: {', '.join(self.not_found)}"] if self.not_found else []
        return f"<Answer {'; '.join([repr(text), *told])}>"

    def picture(self, image: Image | None = None, *, width: int = 1024) -> Image:
        """One sheet: question and answer, then what each search looked at; without a search, the
        image.

        image: what was asked about, upright, where the answer holds it not.

        Raises:
            ValueError: the answer holds no picture, and none is given.
        """
        image = self._kept if image is None else image
        if image is None:
            raise ValueError(
                "there is no picture: it was a question about text alone, or one of so many that "
                "their pictures are not kept; give it, as in answer.picture(image)"
            )
        return answer_picture(image, self.question, self.text, self.searches, width=width)

    def show(self, image: Image | None = None) -> Path | None:
        """Show the picture: in a notebook there, on a desktop in a window; elsewhere it is written
        to a file, whose path is told on stderr and returned.
        """
        return show_picture(self.picture(image), "answer")

    def _repr_html_(self) -> str:
        """What a notebook shows: the words, and the picture where it is kept."""
        from seal.pages.shown import shown_html

        return shown_html(str(self), None if self._kept is None else self.picture())

    @property
    def _kept(self) -> Image | None:
        return None if self.memory is None else self.memory.image

    def _cost(self) -> str:
        visits, calls = self.cost.get("visits", 0), sum(self.cost.get("calls", {}).values())
        seconds = sum(self.cost.get("seconds", {}).values())
        looked = f"{visits} region{'s' if visits != 1 else ''} looked at"
        return f"{looked}, {calls} calls of the search model, {seconds:.1f} s"
