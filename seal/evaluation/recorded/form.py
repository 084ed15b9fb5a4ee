"""What a form of answer files is: how its rows are told from others', and how one is read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from seal.evaluation.recorded.said import Said

Content = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A program's or benchmark's own way to write answers down."""

    name: str  # form=NAME
    looks: str  # the keys that tell it, for messages
    fits: Callable[[Collection[str]], bool]  # whether a row of these keys is of this form
    read: Callable[[Content, str], list[Said]]  # of a row and where it stands; may be several
    scoring: str | None = None  # how its own program reads answers, where the task has that


def require(content: Content, keys: Collection[str], where: str) -> None:
    """Refuse a row that lacks what the rows of its form have.

    Raises:
        ValueError: names the keys.
    """
    if missing := [key for key in keys if key not in content]:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
