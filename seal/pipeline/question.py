"""What is asked about an image: the question, its options, and what to search for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seal.pipeline.pictures import Picture
from seal.text.quote import quoted
from seal.text.targets import check_target, control_mark


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an image; `image=None` asks about text alone."""

    image: Picture | None
    text: str
    options: Sequence[str] = ()
    targets: Sequence[str] | str | None = None  # to search for; None: what the first answer lacks
    final_text: str | None = None  # how it is put after the search, if otherwise

    def __post_init__(self) -> None:
        _check_text("the question", self.text)
        if not self.text.strip():
            raise ValueError("the question is empty: say what you want to know about the image")
        if self.final_text is not None:
            _check_text("the final wording", self.final_text)
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
        if self.targets and self.image is None:
            raise ValueError(f"there is no image to search for {', '.join(self.targets)}")

    def refuse_marks(self) -> None:
        """Refuse what SEAL's own models, and servers, would read as a picture or an end.

        Raises:
            ValueError: the question, its final wording or an option contains such a mark.
        """
        for what, text in (
            ("the question", self.text),
            ("the final wording", self.final_text or ""),
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
