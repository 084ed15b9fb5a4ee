from __future__ import annotations

import collections
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.building.formats import safe_pickle
from seal.building.formats.safe_pickle import load_plain

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def written(folder: Path, data: bytes) -> Path:
    path = folder / "refs.p"
    path.write_bytes(data)
    return path


@settings(max_examples=100, deadline=None)
@given(VALUES, st.integers(0, 5))
def test_plain_data_comes_back_in_every_protocol(
    tmp_path_factory: pytest.TempPathFactory, value: Any, protocol: int
) -> None:
    path = written(tmp_path_factory.mktemp("p"), pickle.dumps(value, protocol))
    assert load_plain(path) == value


def test_bytes_and_sets_come_from_the_protocols_that_have_them(tmp_path: Path) -> None:
    value = {"bytes": b"\x00\xff", "set": {1, 2}, "frozen": frozenset("ab")}
    for protocol in (4, 5):
        assert load_plain(written(tmp_path, pickle.dumps(value, protocol))) == value
    assert load_plain(written(tmp_path, pickle.dumps(b"\xff", 3))) == b"\xff"
    with pytest.raises(ValueError, match=r"asks for _codecs\.encode"):
        load_plain(written(tmp_path, pickle.dumps(b"\xff", 2)))


@pytest.mark.parametrize("protocol", range(6))
def test_code_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    proof = tmp_path / "proof"
    data = pickle.dumps([1, Call(os.system, f"touch {proof}")], protocol)
    with pytest.raises(ValueError, match=rf"refs\.p: byte \d+: asks for {os.name}\.system, .*run"):
        load_plain(written(tmp_path, data))
    assert not proof.exists()
    pickle.loads(data)  # what any other reader would have done
    assert proof.exists()


# Written by hand: every opcode that reaches for a class or calls something.
@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),  # GLOBAL, REDUCE
        (b"(S'true'\niposix\nsystem\n.", "posix.system"),  # INST
        (b"(cposix\nsystem\nS'true'\no.", "posix.system"),  # OBJ
        (b"\x80\x02cbuiltins\nobject\n)\x81.", "builtins.object"),  # NEWOBJ
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.", "posix.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        (b"\x80\x02ccopy_reg\n_reconstructor\n.", "copy_reg._reconstructor"),
        (b"Pdevice:7\n.", "the persistent object 'device:7'"),  # PERSID
        (b"\x80\x02K\x07Q.", "the persistent object 7"),  # BINPERSID
    ],
)
def test_every_way_to_code_is_refused(tmp_path: Path, data: bytes, name: str) -> None:
    with pytest.raises(ValueError, match="asks for") as error:
        load_plain(written(tmp_path, data))
    assert f"asks for {name}, but only plain" in str(error.value)


@pytest.mark.parametrize(
    "data", [b"]}b.", b")R.", b"K\x01K\x02R.", b"\x82\x01.", b"\x97.", b"]]}s."]
)
def test_opcodes_that_make_no_sense_are_an_error(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"refs\.p: byte \d+: "):
        load_plain(written(tmp_path, data))


@pytest.mark.parametrize(
    "value",
    [np.float64(1.5), np.arange(3), collections.OrderedDict(a=1), complex(1, 2), Path("a"), len],
)
def test_objects_of_classes_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"asks for .* only plain containers"):
        load_plain(written(tmp_path, pickle.dumps([value])))


def test_python_2_strings_are_utf_8_or_else_latin_1(tmp_path: Path) -> None:
    def short(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text  # SHORT_BINSTRING

    utf = b"\x80\x02]" + short("caf\xe9".encode()) + b"a."
    latin = b"\x80\x02](" + short("caf\xe9".encode("latin-1")) + short(b"cup") + b"e."
    assert load_plain(written(tmp_path, utf)) == ["caf\xe9"]
    assert load_plain(written(tmp_path, latin)) == ["caf\xe9", "cup"]
    # Protocol 0, as `pickle.dump` of Python 2 wrote by default.
    old = b"(lp0\n(dp1\nS'split'\np2\nS'train'\np3\nsS'ref_id'\np4\nI0\nsS'n'\nL5L\ns"
    old += b"S'u'\nVa\\u00e9\nsa."
    assert load_plain(written(tmp_path, old)) == [
        {"split": "train", "ref_id": 0, "n": 5, "u": "a\xe9"}
    ]


@pytest.mark.parametrize("protocol", range(6))
def test_a_file_cut_anywhere_is_an_error_that_names_it(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps([{"sent": "the cup", "ids": (1, 2, 300)}], protocol)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"refs\.p: byte \d+: "):
            load_plain(written(tmp_path, whole[:length]))


def test_a_stated_length_reserves_no_memory(tmp_path: Path) -> None:
    for data in (
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"a.",  # BINUNICODE8
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"a.",  # BYTEARRAY8
        b"\x80\x02\x8b" + struct.pack("<i", 1 << 30) + b"a.",  # LONG4
    ):
        with pytest.raises(ValueError, match=r"refs\.p: byte \d+"):
            load_plain(written(tmp_path, data))


def test_a_file_that_is_too_large_or_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_pickle, "_LARGEST", 10)
    with pytest.raises(ValueError, match=r"refs\.p has 12 bytes; pickles beyond 10"):
        load_plain(written(tmp_path, b"x" * 12))
    with pytest.raises(ValueError, match=r"none\.p is not a file"):
        load_plain(tmp_path / "none.p")


@pytest.mark.parametrize(
    "data",
    [
        b"(lp0\nr\xff\xff\xff\x7fa.",  # LONG_BINPUT; one bit makes it of a PUT
        b"\x80\x02]r\x00\x00\x00\x01a.",
        b"(lp2000000000\n.",
        b"\x80\x02X\x03\x00\x00\x00abcr\x00\x00\x00\x40.",
    ],
)
def test_a_high_object_number_reserves_no_memory(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"refs\.p: byte \d+: there cannot be an object number"):
        load_plain(written(tmp_path, data))
