"""What is asked about an image: the question, its options, and what to search for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.pipeline.pictures import Picture
from seal.search.budget import BudgetConfig
from seal.text.quote import quoted
from seal.text.targets import check_target, control_mark


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an image; `image=None` asks about text alone."""

    image: Picture | None
    text: str
    options: Sequence[str] = ()
    targets: Sequence[str] | str | None = None  # to search for; None: what the first answer lacks
    # How it is put after the search, if otherwise; several are answered one by one, each alone.
    final_texts: Sequence[str] = ()
    max_new_tokens: int = MAX_ANSWER_TOKENS  # of an answer in words after the search
    budget: BudgetConfig | None = None  # of each search for it; None: what the `Seal` has

    def __post_init__(self) -> None:
        _check_text("the question", self.text)
        if not self.text.strip():
            raise ValueError("the question is empty: say what you want to know about the image")
        object.__setattr__(self, "final_texts", _texts("final_texts", self.final_texts))
        if any(not text.strip() for text in self.final_texts):
            raise ValueError(f"a final wording is empty: {quoted(list(self.final_texts))}")
        if self.final_texts and self.options:
            raise ValueError("options are chosen from, or a final wording is answered: not both")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens} must be at least 1")
        # Lists are what people have at hand; of a frozen class this is how they become tuples.
        object.__setattr__(self, "options", _texts("options", self.options))
        for option in self.options:
            _check_text("an option", option)
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"an option appears twice: {quoted(list(self.options))}")
        if any(not option.strip() for option in self.options):
            raise ValueError(f"an option is empty: {quoted(list(self.options))}")
        if self.targets is not None:
            named = (self.targets,) if isinstance(self.targets, str) else self.targets
            object.__setattr__(self, "targets", _texts("targets", named))
            for target in self.targets:
                check_target(target)
        if self.budget is not None and not isinstance(self.budget, BudgetConfig):
            raise ValueError(
                f"budget= takes a BudgetConfig (from {BudgetConfig.__module__}), not "
                f"{quoted(self.budget)}"
            )
        if self.targets and self.image is None:
            raise ValueError(f"there is no image to search for {', '.join(self.targets)}")

    def refuse_marks(self) -> None:
        """Refuse what SEAL's own models, and servers, would read as a picture or an end.

        Raises:
            ValueError: the question, its final wording or an option contains such a mark.
        """
        for what, text in (
            ("the question", self.text),
            *(("the final wording", text) for text in self.final_texts),
            *(("an option", option) for option in self.options),
        ):
            mark = control_mark(text)
            if mark is not None:
                raise ValueError(
                    f"{what} contains {mark}, which the model reads as a mark and not as letters: "
                    f"{quoted(text)}; leave it out"
                )


def _texts(name: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise ValueError(
            f'give {name} as a list of texts, as in ["red", "blue"], not {quoted(values)}'
        )
    return tuple(values)


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{what} is text, not {type(text).__name__} ({quoted(text)})")
