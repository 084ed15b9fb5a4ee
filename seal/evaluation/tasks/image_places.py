"""Where a benchmark's pictures lie below the folder that one was given: official trees differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from seal.evaluation.benchmark_images import FolderImages


class ImagePlaces:
    """Pictures by file name, in the folder itself or the first of `below` that has it.

    Names that are nowhere stay as they are: the images then say that they have none of them.
    """

    def __init__(self, folder: Path, below: Sequence[str] = ()) -> None:
        self.folder = folder
        self._places = ("", *below)
        self._listed: dict[str, frozenset[str]] = {}

    def name(self, file: str) -> str:
        """The path relative to the folder of a picture that the benchmark calls `file`.

        Its own folders may be missing: `documents/a.png` is also found as `a.png`.
        """
        inside, _, last = file.rpartition("/")
        for within in dict.fromkeys((inside, "")):
            for place in self._places:
                path = "/".join(filter(None, (place, within)))
                if last in self._in(path):
                    return f"{path}/{last}" if path else last
        return file

    def images(self) -> FolderImages:
        return FolderImages(self.folder)

    def _in(self, path: str) -> frozenset[str]:
        # One listing instead of a look for each of thousands of pictures.
        if path not in self._listed:
            folder = self.folder / path
            self._listed[path] = frozenset(os.listdir(folder) if folder.is_dir() else ())
        return self._listed[path]
