"""Which font has a letter: Pillow's own, DejaVu Sans of matplotlib, or one of this machine's."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import ImageFont

_SECONDS = 5  # for fontconfig to answer
# Where there is no fontconfig: what to try first, by parts of file names.
_LIKELY = (
    "noto", "cjk", "unicode", "pingfang", "hiragino", "yahei", "msgothic", "malgun", "gothic",
    "nirmala", "mangal", "leelaw", "thonburi", "segoe", "arial", "droid", "wqy", "nanum",
)  # fmt: skip
_MOST_TRIED = 300  # font files, opened once each


@dataclass(frozen=True, slots=True)
class Face:
    """A font file and the face in it; no file: the one that Pillow brings, which knows ASCII."""

    path: str = ""
    index: int = 0

    def at(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        """The face for letters of `size` pixels."""
        return _sized(self, size)


PILLOW = Face()


def face_of(letter: str, language: str = "") -> Face | None:
    """The first face that has the letter; None: no font of this machine has.

    language: which of a letter's forms is meant, as fontconfig names it ("ja", "zh-cn").
    """
    if letter.isascii():
        return PILLOW
    return _face_of(letter, language)


def has(face: Face, letters: str) -> bool:
    """Whether a face has all of these."""
    if face == PILLOW:
        return letters.isascii()
    known = _glyphs(face.path)
    return all(ord(letter) in known for letter in letters)


@cache
def dejavu() -> Face:
    """DejaVu Sans, which matplotlib brings: Latin, Greek, Cyrillic, Arabic, Hebrew, signs."""
    import matplotlib

    return Face(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"))


@cache
def _face_of(letter: str, language: str) -> Face | None:
    if has(dejavu(), letter):
        return dejavu()
    known = _by_fontconfig(letter, language)
    if known is not None and _usable(known) and has(known, letter):
        return known
    return next((face for face in _of_system() if has(face, letter)), None)


def _by_fontconfig(letter: str, language: str) -> Face | None:
    program = shutil.which("fc-match")
    if program is None:
        return None
    wanted = f"sans:charset={ord(letter):x}" + (f":lang={language}" if language else "")
    try:
        said = subprocess.run(
            [program, "-f", "%{index} %{file}", wanted],
            capture_output=True, text=True, timeout=_SECONDS, check=True, stdin=subprocess.DEVNULL,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    index, _, path = said.partition(" ")
    # Above the sixteenth bit stands a named weight of a variable font.
    return Face(path, int(index) & 0xFFFF) if index.isdecimal() else None


@cache
def _of_system() -> tuple[Face, ...]:
    """The machine's fonts, likely ones first."""
    from matplotlib.font_manager import findSystemFonts

    def rank(path: str) -> tuple[bool, int, str]:
        name = Path(path).stem.lower()
        likely = next((i for i, part in enumerate(_LIKELY) if part in name), len(_LIKELY))
        odd = any(part in name for part in ("bold", "italic", "oblique", "mono", "serif", "black"))
        return odd, likely, path

    faces = map(Face, sorted(findSystemFonts(), key=rank)[:_MOST_TRIED])
    return tuple(face for face in faces if _usable(face))


@cache
def _glyphs(path: str) -> frozenset[int]:
    """Code points that a file has; none of a file that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@cache
def _usable(face: Face) -> bool:
    """Whether it can be drawn at any size: fonts of colored pictures cannot."""
    try:
        face.at(13)
    except OSError:
        return False
    return True


@cache
def _sized(face: Face, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if face == PILLOW:
        return ImageFont.load_default(size)
    # DejaVu draws larger letters than the others do at the same size.
    fitted = round(size * 0.9) if face == dejavu() else size
    return ImageFont.truetype(face.path, fitted, index=face.index)
