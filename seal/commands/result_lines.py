"""A line of JSON for each of many answers, on stdout or in a file that can be continued."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from seal.files.whole import write_whole
from seal.text.quote import quoted

ASKED = ("id", "image", "question", "target", "options", "targets")  # what a line answers
BY = "by"  # the options of the command that decide the answers


class ResultLines:
    """A context manager; a line is on the disk when `add` returns.

    A file that is there is continued: what it answers is not asked again, but for lines with an
    `error`, which leave it. A line that a killed command left half-written is dropped.
    """

    def __init__(self, path: Path | None, by: str) -> None:
        """`path=None`: stdout.

        Raises:
            ValueError: the file holds something else, answers of other models or settings, cannot
                be written, or is being written by somebody else.
        """
        self.path, self.by = path, by
        self.num_failed, self.first_error = 0, ""
        self._file: BinaryIO | None = None
        self._answered: set[str] = set()
        if path is not None:
            self._answered = self._begin(path)

    def __enter__(self) -> ResultLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def has(self, asked: Mapping[str, Any]) -> bool:
        """Whether the file answers exactly this; `asked`: the keys of a line that are `ASKED`."""
        return _key(asked) in self._answered

    def add(self, line: Mapping[str, Any]) -> None:
        text = json.dumps({**line, BY: self.by}, ensure_ascii=False) + "\n"
        if line.get("error"):
            self.num_failed += 1
            self.first_error = self.first_error or f"{line.get('id')}: {line['error']}"
        if self._file is None:
            # Half a surrogate pair in a name is no UTF-8.
            sys.stdout.write(text.encode("utf-8", "backslashreplace").decode())
            sys.stdout.flush()
        else:
            self._file.write(text.encode("utf-8", "backslashreplace"))
            self._file.flush()
            os.fsync(self._file.fileno())

    def _begin(self, path: Path) -> set[str]:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = self._read(path) if path.is_file() else []
            kept = [line for line in lines if not line.get("error")]
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
            write_whole(path, text.encode("utf-8", "backslashreplace"))
            self._file = path.open("ab")
            _take(self._file, path)
        except OSError as error:
            raise ValueError(
                f"--out {path} cannot be written: {error.strerror or error}"
            ) from error
        return {_key(line) for line in kept}

    def _read(self, path: Path) -> list[dict[str, Any]]:
        from seal.evaluation.store import json_line, numbered_lines

        with path.open("rb") as file:
            _take(file, path)
        lines = []
        for number, text in numbered_lines(path):
            if not text.endswith("\n"):
                break  # of a command that was killed
            line = json_line(path, number, text)
            if BY not in line or "id" not in line:
                raise ValueError(
                    f"--out {path}: line {number} is no answer of seal: name another file"
                )
            if line[BY] != self.by:
                raise ValueError(
                    f"--out {path} holds answers made with {quoted(line[BY])}, and this is "
                    f"{quoted(self.by)}: name another file"
                )
            lines.append(line)
        return lines


def _key(asked: Mapping[str, Any]) -> str:
    return json.dumps({key: asked.get(key) for key in ASKED})


def _take(file: BinaryIO, path: Path) -> None:
    """Hold the file until it is closed.

    Raises:
        ValueError: somebody else does.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"--out {path} is being written by another command: wait for it, or name another file"
        ) from None
