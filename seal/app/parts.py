"""What the page is made of: given once, at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seal.app.desk import Desk
from seal.app.examples import Example
from seal.app.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Models, what drives them, and what is shown at first."""

    models: Models
    desk: Desk
    examples: Sequence[Example]
    folder: Path  # for uploads and saved sessions; gone when the page ends
    told: Mapping[str, str]  # the models by their roles, for the page and saved sessions
    search_words: Mapping[str, str]  # what each search does
    only_drawn: bool = False  # the models know drawn shapes and nothing else
