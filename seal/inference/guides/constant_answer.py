"""Whether a search model says what its detections take for granted: asked once for a checkpoint."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seal.files.cache_folder import cache_folder
from seal.files.fingerprint import SUFFIXES, fingerprint
from seal.files.whole import write_whole
from seal.search.protocol import Query
from seal.text.prompts import LOCATE_ANSWER

FOLDER = "constant_answer"  # in the cache


class ConstantAnswer:
    """The check of one loaded model; what came out is kept with the checkpoint's fingerprint.

    A model that says something else was trained otherwise, or not enough: its searches go on, but
    whoever reads their results must know.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        precision: str = "",
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """folder: of the checkpoint; None: it has none, and the check is this object's alone.

        precision: what the weights are computed in, as in "bfloat16-nf4": it may change what they
        say. tell: is told what came out; None: the log.
        """
        self.folder, self.precision = folder, precision
        self.outcome: dict[str, Any] | None = None  # "constant": bool, "said": text or None
        self._tell = tell or logging.getLogger(__name__).info

    def once(self, ask: Callable[[Query], str | None], query: Query) -> dict[str, Any]:
        """What came out; `ask(query)`, as of `NetworkSearchModel.check_constant_answer`, is called
        where nobody knows it yet.
        """
        if self.outcome is not None:
            return self.outcome
        path = None if self.folder is None else self._path(self.folder)
        known = None if path is None else _read(path)
        if known is None:
            said = ask(query)
            known = {"constant": said is None, "said": said}
            if path is not None:
                _keep(path, known)
            if said is None:
                self._tell(f"checked once: the search model says {LOCATE_ANSWER!r}, as it should")
        if not known["constant"]:
            self._tell(
                f"warning: asked to locate a thing, the search model says {known['said']!r}, not "
                f"{LOCATE_ANSWER!r}: its query vector is not what it was trained to be"
            )
        self.outcome = known
        return known

    def _path(self, folder: Path) -> Path:
        """Where the outcome is kept."""
        name = "-".join(filter(None, (_fingerprint(folder), self.precision)))
        return cache_folder() / FOLDER / f"{name}.json"


def _fingerprint(folder: Path) -> str:
    """Of a checkpoint; all of it is read again only where one of its files was touched."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES:
            stat = path.stat()
            digest.update(f"\0{path.name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    place = cache_folder() / FOLDER / f"at-{digest.hexdigest()[:16]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        name = json.loads(place.read_text(encoding="utf-8"))["fingerprint"]
        if isinstance(name, str) and name.isalnum():
            return name
    name = fingerprint(folder)
    _keep(place, {"fingerprint": name})
    return name


def _read(path: Path) -> dict[str, Any] | None:
    """What was kept; None: nothing, or nothing that can be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        constant, said = kept["constant"], kept["said"]
        if constant is (said is None) and (constant or isinstance(said, str)):
            return {"constant": constant, "said": said}
    return None


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Write, where one may; a cache that cannot be written is asked again."""
    with contextlib.suppress(OSError, ValueError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(content) + "\n")
