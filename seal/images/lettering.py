"""Text in any script on a picture: each part in a font that has it, or spelt where none has."""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache

from PIL import ImageDraw, ImageFont, features

from seal.images.fonts import PILLOW, Face, dejavu, face_of, has
from seal.images.spelt import script, spelt

_KEPT = 4096  # texts whose parts are remembered
_FONTS_WANTED = (
    "no font of this machine has {script} letters ({example}): pictures spell them in Latin ones; "
    "for all scripts install Noto, e.g. apt install fonts-noto-core fonts-noto-cjk"
)
_INVISIBLE = ("Cf", "Cc", "Cs", "Co", "Cn")  # categories: joiners, marks of direction, no letters


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a text in one font, drawn from its left end on."""

    text: str
    face: Face
    direction: str | None = None  # of the line, "ltr" or "rtl"; None: it is plain, or not known


def write(
    draw: ImageDraw.ImageDraw,
    xy: tuple[float, float],
    text: str,
    color: tuple[int, int, int],
    size: int,
    *,
    anchor: str = "la",
) -> None:
    """Draw a line of text.

    xy: its top left corner, or with anchor "mm" its middle. size: of the letters, in pixels.
    """
    x, y = xy
    ascent, descent = _extent(size)
    if anchor == "mm":
        x, y = x - text_width(text, size) / 2, y - (ascent + descent) / 2
    else:
        assert anchor == "la", anchor
    for run in runs(text):
        font = run.face.at(size)
        draw.text((x, y + ascent), run.text, color, font, anchor="ls", direction=run.direction)
        x += _width(run, size)


def text_width(text: str, size: int) -> float:
    """Pixels that a line takes."""
    return sum(_width(run, size) for run in runs(text))


def shorten(text: str, size: int, width: float) -> str:
    """The text, cut with dots where it would be wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    low, high = 0, len(text)  # the longest beginning that fits, by halves
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle] + "...", size) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..."


def wrap(text: str, size: int, width: float, most: int) -> list[str]:
    """The text in lines of at most `width` pixels; what is more than `most` lines ends in dots."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and text_width(longer, size) > width:
            lines.append(line)
            longer = word
        line = longer
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [shorten(line, size, width) for line in lines]


@lru_cache(maxsize=_KEPT)
def runs(text: str) -> tuple[Run, ...]:
    """The parts of a line, left to right. One font for all of it where one has all of it."""
    if text.isascii():
        return (Run(text.replace("\n", " "), PILLOW),)
    # An accent and its letter are one where they can be.
    text = unicodedata.normalize("NFC", " ".join(text.splitlines()))
    if has(dejavu(), "".join(c for c in text if not _invisible(c))):
        return (_run(text, dejavu(), text),)
    language = _language(text)
    parts: list[tuple[Face | None, str]] = []
    for letter in text:
        face = _face(letter, language, parts[-1][0] if parts else None)
        if face is None and _invisible(letter):
            continue
        if face is None and parts and unicodedata.combining(letter):
            face = parts[-1][0]  # what stands on a letter goes where that goes
        if parts and parts[-1][0] == face:
            parts[-1] = face, parts[-1][1] + letter
        else:
            parts.append((face, letter))
    if _right_to_left(text):
        parts.reverse()
    return tuple(_run(part, face, text) if face else _spelt(part) for face, part in parts)


def _width(run: Run, size: int) -> float:
    font = run.face.at(size)
    if isinstance(font, ImageFont.FreeTypeFont):
        return font.getlength(run.text, direction=run.direction)
    return font.getlength(run.text)


def _face(letter: str, language: str, before: Face | None) -> Face | None:
    """The font of a letter: that of what stands before it, if it has it."""
    if before is not None and has(before, letter):
        return before
    return None if _invisible(letter) else face_of(letter, language)


def _spelt(text: str) -> Run:
    for letter in text:
        if unicodedata.category(letter).startswith("L"):
            _tell(script(letter), letter)
    return Run(spelt(text), PILLOW)


def _run(part: str, face: Face, line: str) -> Run:
    turned = _right_to_left(line)
    if face == PILLOW:
        return Run(part, face)  # ASCII has one direction, and Pillow's own font takes no other
    if features.check("raqm"):
        return Run(part, face, "rtl" if turned else "ltr")
    return Run(part[::-1] if turned else part, face)  # nothing else turns it


def _right_to_left(text: str) -> bool:
    strong = (unicodedata.bidirectional(letter) for letter in text)
    return next((kind in ("R", "AL") for kind in strong if kind in ("L", "R", "AL")), False)


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter) in _INVISIBLE or 0xFE00 <= ord(letter) <= 0xFE0F


def _language(text: str) -> str:
    """Whose forms of ideographs are meant, told by what stands beside them."""
    scripts = {script(letter) for letter in text}
    if scripts & {"HIRAGANA", "KATAKANA"}:
        return "ja"
    if "HANGUL" in scripts:
        return "ko"
    return "zh-cn" if "CJK" in scripts else ""


@cache
def _extent(size: int) -> tuple[int, int]:
    """Pixels above and below the base line."""
    font = PILLOW.at(size)
    return font.getmetrics() if isinstance(font, ImageFont.FreeTypeFont) else (size, 0)


@cache
def _told() -> set[str]:
    return set()


def _tell(name: str, letter: str) -> None:
    """Once per script."""
    if name and name not in _told():
        _told().add(name)
        logging.getLogger(__name__).warning(_FONTS_WANTED.format(script=name, example=letter))
