"""Errors about an entry of a source say in which file and where it stands."""

from __future__ import annotations

from types import TracebackType


class ErrorsAt:
    """A context in which a broken entry becomes a ValueError that names its place.

    `with ErrorsAt(index.where(row)): ...` turns what Python raises when an entry lacks a key, or a
    value is not of its type, into one line for who has the file.
    """

    def __init__(self, where: str, otherwise: str = "") -> None:
        """`otherwise`: what else to say if more than a key is wrong, `not a question` say."""
        self.where = where
        self.otherwise = f"{otherwise}: " if otherwise else ""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyError):
            raise ValueError(f"{self.where}: no key {error}") from error
        if isinstance(error, (TypeError, ValueError, AttributeError)):
            raise ValueError(f"{self.where}: {self.otherwise}{error}") from error
