"""Read pickles from the internet: plain data comes in, code is refused by name and never run."""

from __future__ import annotations

import os
import pickle
import pickletools
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NoReturn

from seal.files.kind import foreign_kind_of

_LARGEST = 1 << 30  # bytes of a file; the largest refs file has about 50 MB
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_LAST = frozenset({"STOP", "GLOBAL", "INST"})
_NUMBERED = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_PREFIX = {  # bytes of the length before an argument
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_HINT = "get the file from its publisher again, or have it written anew as plain data"


class _RefusedError(Exception):
    """The pickle asks for more than plain data."""


class _PlainUnpickler(pickle.Unpickler):
    """A pickle reaches code through the two methods below and through nothing else."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise _RefusedError(f"asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _RefusedError(f"asks for the persistent object {pid!r}")


def load_plain(path: str | Path) -> Any:
    """The value pickled in `path`, of any protocol, if it is plain data.

    Plain are None, booleans, numbers, text, bytes, lists, tuples, dicts and sets, as far as the
    protocol has them without naming a class: bytes from 3 on, sets from 4. Numpy's numbers are
    objects of a class and refused. Python 2's byte strings become text: UTF-8 if all of them
    are, else Latin-1.

    Raises:
        ValueError: the file asks for a class, function or persistent object, which is named; or
            it is truncated, no pickle, or too large. Nothing in it was run.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    if (size := path.stat().st_size) > _LARGEST:
        raise ValueError(f"{path} has {size} bytes; pickles beyond {_LARGEST} are not read")
    # From memory: a length that the file states wrongly cannot reserve more than the file has.
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    kind = "it is JSON" if raw[:1] in (b"{", b"[") else foreign_kind_of(raw[:512])
    if kind is not None:
        raise ValueError(f"{path}: byte 0: not a pickle: {kind}")
    data = BytesIO(raw)
    try:
        _check_memo(data)
        data.seek(0)
        try:
            return _load(data, "utf-8")
        except UnicodeDecodeError:
            data.seek(0)
            return _load(data, "latin-1")
    except _RefusedError as error:
        raise ValueError(
            f"{path}: byte {data.tell()}: {error}, but only plain containers, numbers and text "
            f"are read; nothing was run; {_HINT}"
        ) from None
    except (pickle.UnpicklingError, EOFError) as error:
        raise ValueError(f"{path}: byte {data.tell()}: {error}; is the file complete?") from error
    # What the C code raises for opcodes that make no sense where they stand.
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        raise ValueError(
            f"{path}: byte {data.tell()}: not a pickle of plain data: {error}"
        ) from error


def _check_memo(data: IO[bytes]) -> None:
    """Refuse to number an object higher than there are bytes before it.

    Loading reserves a table as long as the highest number: one wrong bit may ask for 32 GB.
    """
    for code in iter(lambda: data.read(1), b""):
        opcode = _OPCODES.get(code)
        if opcode is None or opcode.name in _LAST:
            return  # loading ends here too
        size = 0 if opcode.arg is None else opcode.arg.n
        if size == pickletools.UP_TO_NEWLINE:
            argument = data.readline()
        elif size >= 0:
            argument = data.read(size)
        else:
            data.seek(int.from_bytes(data.read(_PREFIX[size]), "little"), os.SEEK_CUR)
        if opcode.name in _NUMBERED:
            number = int.from_bytes(argument, "little") if size > 0 else int(argument)
            if number > data.tell():
                raise pickle.UnpicklingError(f"there cannot be an object number {number}")


def _load(data: IO[bytes], encoding: str) -> Any:
    return _PlainUnpickler(data, encoding=encoding).load()
