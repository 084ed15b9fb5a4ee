"""Find the image that an annotation file names, and see whether the two belong together."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from seal.images import open_image, stored_size

CORRUPT = "image does not decode"  # the drop that `max_corrupt` limits
MISSING = "image file missing"
OTHER_SIZE = "image size differs from its annotation"
TURNED = "image turned by its EXIF tag, its annotation is not"
_MOST_FOLDERS = 8  # in front of a file name
_SAMPLE = 256  # names that say which layout a folder has


class Unusable(str):
    """Why an image cannot be used; `where` says which one, and what was looked for."""

    where: str

    def __new__(cls, reason: str, where: str) -> Unusable:
        self = super().__new__(cls, reason)
        self.where = where
        return self

    def __reduce__(self) -> tuple[type[Unusable], tuple[str, str]]:
        return Unusable, (str(self), self.where)  # workers send it


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image that can be used."""

    name: str  # path below the root
    width: int  # pixels
    height: int


class ImageFiles:
    """The images below a folder, under the names that annotation files have for them.

    A name may be a path, a path on the machine it was made on, a URL, or percent-encoded; it may
    differ from the file's in case (`.JPG`), or in how accents are composed (macOS). What
    stands in front of the file name often is not there on disk (`images/v1/patch8/a.jpg` lies at
    `patch8/a.jpg`): with `drop_folders` the image is looked for without it as well. Where
    else the photos of well-known datasets may lie, `photo_layouts.py` knows.
    """

    def __init__(self, root: str | Path, *, drop_folders: bool, sample: Iterable[str] = ()) -> None:
        """`sample`: some of the names; the layout that holds most of them is tried first."""
        self.root = str(root)
        self._absolute = f"{os.path.abspath(self.root)}/"
        self._listings: dict[str, dict[str, list[str]]] = {}
        self._drops = list(range(_MOST_FOLDERS + 1 if drop_folders else 1))
        hits = dict.fromkeys(self._drops, 0)
        for name in sample if drop_folders else ():
            for drop in self._drops:
                hits[drop] += self._below(name, drop) is not None
        self._drops.sort(key=lambda drop: -hits[drop])

    def find(self, names: Sequence[str]) -> str | None:
        """The path below the root of the first name that is there; None: there is none."""
        # A whole path into the root names what is below it.
        names = [n.removeprefix(self._absolute) if isinstance(n, str) else n for n in names]
        for lookup in (self._below, self._alike):
            for name in names:
                for drop in self._drops:
                    if (path := lookup(name, drop)) is not None:
                        return path
        return None

    def look(self, names: Sequence[str], size: tuple[int, int] | None) -> ImageFile | Unusable:
        """The image, decoded once, or why it cannot be used.

        Args:
            size: width and height that the annotation gives, if it does.
        """
        name = self.find(names)
        if name is None:
            return Unusable(MISSING, f"{names[0]} below {self.root}")
        try:
            width, height = open_image(Path(self.root, name)).size
        except ValueError as error:
            return Unusable(CORRUPT, str(error))
        if size is None or size == (width, height):
            return ImageFile(name, width, height)
        turned = size == (height, width) == stored_size(Path(self.root, name))
        return Unusable(
            TURNED if turned else OTHER_SIZE,
            f"{self.root}/{name} is {width} x {height}, annotated as {size[0]} x {size[1]}",
        )

    def _alike(self, name: str, drop: int) -> str | None:
        """The one path that differs from the name only as file systems and tools change names."""
        for parts in _spellings(name):
            path = ""
            for part in parts[drop:]:
                alike = self._listing(path).get(_folded(part), [])
                exact = [entry for entry in alike if entry == part] or alike
                if len(exact) != 1:  # none, or it could be either
                    break
                path = f"{path}/{exact[0]}" if path else exact[0]
            else:
                if path and os.path.isfile(f"{self.root}/{path}"):
                    return path
        return None

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """What a folder below the root holds, by folded name; read once."""
        if folder not in self._listings:
            entries: dict[str, list[str]] = {}
            with suppress(OSError):  # no folder, or one that may not be looked into
                for entry in os.listdir(f"{self.root}/{folder}"):
                    entries.setdefault(_folded(entry), []).append(entry)
            self._listings[folder] = entries
        return self._listings[folder]

    def _below(self, name: str, drop: int) -> str | None:
        for parts in _spellings(name):
            if drop < len(parts):
                path = "/".join(parts[drop:])
                if os.path.isfile(f"{self.root}/{path}"):
                    return path
        return None


def _folded(name: str) -> str:
    """Equal for names that differ in case, in how accents are composed, or as .jpg and .jpeg."""
    folded = unicodedata.normalize("NFC", name).casefold()
    return f"{folded[:-5]}.jpg" if folded.endswith(".jpeg") else folded


def plain_name(name: str) -> str:
    """A name as a path below a folder, for images that nobody looks for."""
    return "/".join(next(_spellings(name)))


def _spellings(name: str) -> Iterator[list[str]]:
    """The parts of a name as it is, without what a URL or another system adds, and decoded."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"an image's file name is a text, got {name!r}")
    path = urlsplit(name).path if "://" in name else name
    seen = []
    for spelling in (path, path.replace("\\", "/"), unquote(path.replace("\\", "/"))):
        # Nothing outside the root is looked at.
        parts = [part for part in spelling.split("/") if part not in ("", ".", "..")]
        if parts and parts not in seen:
            seen.append(parts)
            yield parts
