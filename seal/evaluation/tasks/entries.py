"""Read a benchmark's annotations: what is not as it should be is named with file, key and value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seal.text.letters import LETTERS

_SHOWN = 80  # characters of a wrong value
IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif",
)  # fmt: skip


class Entry:
    """One JSON object of a benchmark. Every getter raises a ValueError that says what it found; a
    key that is not there is `null`.
    """

    def __init__(self, where: Path | str, content: Mapping[str, Any]) -> None:
        """`where`: the file, and the line if it has several entries."""
        self.where = where
        self.content = content

    @classmethod
    def parse(cls, where: Path | str, text: str, keys: Sequence[str]) -> Entry:
        """The object in a text, which must have `keys`."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:  # the latter: lists too deep in each other
            raise ValueError(f"{where} is not JSON: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(
                f"{where}: expected one object with {', '.join(keys)}, found a "
                f"{type(content).__name__}"
            )
        if missing := [key for key in keys if key not in content]:
            raise ValueError(f"{where} lacks {', '.join(missing)}")
        return cls(where, content)

    def text(self, key: str) -> str:
        """A text that is not blank."""
        value = self.content.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, value, "a text that is not empty")
        return self._whole(key, value)

    def texts(self, key: str) -> list[str]:
        """A list of texts, none of them blank."""
        value: Any = self.content.get(key)
        plain = isinstance(value, list) and all(isinstance(v, str) and v.strip() for v in value)
        if not plain:
            raise self.wrong(key, value, "a list of texts that are not empty")
        return [self._whole(key, text) for text in value]

    def options(self, key: str) -> tuple[str, ...]:
        """Two or more texts, but no more than there are letters, that differ in more than blanks
        and case, to which judging by words is blind.
        """
        options = self.texts(key)
        if len(options) < 2 or len({" ".join(o.split()).casefold() for o in options}) != len(
            options
        ):
            raise self.wrong(key, options, "two or more different options")
        if len(options) > len(LETTERS):
            raise self.wrong(key, options, f"at most {len(LETTERS)}, found {len(options)}")
        return tuple(options)

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self.content.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        return value

    def box_numbers(self, key: str, value: Any) -> list[float]:
        """[x, y, width, height] of some size, as numbers."""
        numbers = isinstance(value, list) and all(
            isinstance(v, int | float) and not isinstance(v, bool) and _is_finite(v) for v in value
        )
        if not numbers or len(value) != 4 or value[2] <= 0 or value[3] <= 0:
            raise self.wrong(key, value, "[x, y, width, height] of some size, as numbers")
        return [float(v) for v in value]

    def _whole(self, key: str, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:  # no tokenizer and no file takes it
            raise self.wrong(key, ascii(value), "whole characters, found half of one") from None
        return value

    def wrong(self, key: str, value: Any, expected: str) -> ValueError:
        shown = json.dumps(value, ensure_ascii=False, default=str)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}..."
        return ValueError(f"{self.where}: {key}={shown}: expected {expected}")


def images_by_stem(folder: Path) -> dict[str, list[Path]]:
    """The images in a folder by their names without suffix, whatever the suffix's case."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(path.stem, []).append(path)
    return found


def image_beside(annotation: Path, images: Mapping[str, list[Path]]) -> Path | None:
    """The image of an annotation's name; `images`: see `images_by_stem`, of its folder.

    Raises:
        ValueError: there are two.
    """
    found = images.get(annotation.stem, [])
    if len(found) > 1:
        raise ValueError(
            f"{annotation}: which image is meant, {found[0].name} or {found[1].name}? "
            "Move one of them away"
        )
    return found[0] if found else None


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number too large for a float
        return False
