from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from whole_checkpoints import safetensors_of

from seal.training import tensor_file
from seal.training.tensor_file import lay_out, read_at, read_offsets, reserve, write_at

VALUES = {
    "b.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "a": np.array(7, dtype=np.float32),
    "none": np.zeros((0, 3), dtype=np.float32),
    "c": np.arange(5, dtype=np.float32) - 2,
}
SHAPES = {name: value.shape for name, value in VALUES.items()}


def write_backwards(path: Path) -> None:
    layout = lay_out(SHAPES)
    reserve(path, layout)
    descriptor = os.open(path, os.O_WRONLY)
    for name, value in reversed(VALUES.items()):
        data = value.tobytes()
        for begin in range(len(data) - 4, -1, -4):
            piece = memoryview(data)[begin : begin + 4]
            write_at(descriptor, piece, layout.offsets[name] + begin)
    os.close(descriptor)


def test_pieces_in_any_order_make_the_file_that_whole_tensors_make(tmp_path):
    path = tmp_path / "pieces.safetensors"
    write_backwards(path)
    assert path.read_bytes() == safetensors_of(VALUES)
    for name, value in load_file(path).items():
        assert np.array_equal(value, VALUES[name]) and value.shape == SHAPES[name]


def test_pieces_are_found_in_a_file_of_another_writer(tmp_path):
    path = tmp_path / "theirs.safetensors"
    save_file(VALUES, path)  # it sorts the tensors
    offsets = read_offsets(path, SHAPES)
    assert list(offsets) == list(SHAPES)
    with path.open("rb") as file:
        data = np.zeros(3, dtype=np.float32)
        read_at(file.fileno(), memoryview(data).cast("B"), offsets["b.weight"] + 4 * 5)
    assert data.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"c": None}, "c is missing"),
        ({"c": {"dtype": "F16", "shape": [5], "data_offsets": [0, 20]}}, r"c is F16 \[5\]"),
        ({"c": {"dtype": "F32", "shape": [5], "data_offsets": [-4, 16]}}, "c lies at bytes -4"),
        ({"c": {"dtype": "F32", "shape": [5], "data_offsets": [0, 24]}}, "c lies at bytes 0 to 24"),
    ],
)
def test_a_header_of_other_tensors_is_refused_with_the_name(tmp_path, change, says):
    path = tmp_path / "changed.safetensors"
    content = safetensors_of(VALUES)
    length = int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8 : 8 + length]) | change).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(ValueError, match=says):
        read_offsets(path, SHAPES)


def test_a_file_that_ends_too_early_is_refused(tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(safetensors_of(VALUES)[:-4])
    offset = read_offsets(path, SHAPES)["c"]
    with path.open("rb") as file, pytest.raises(ValueError, match="ends too early"):
        read_at(file.fileno(), memoryview(bytearray(20)), offset)


def test_a_disk_without_room_is_told_before_anything_is_taken_of_it(tmp_path, monkeypatch):
    free = SimpleNamespace(f_bavail=1, f_frsize=lay_out(SHAPES).size - 1)
    monkeypatch.setattr(os, "fstatvfs", lambda _: free)
    path = tmp_path / "pieces.safetensors"
    with pytest.raises(OSError) as caught:
        reserve(path, lay_out(SHAPES))
    assert caught.value.errno == errno.ENOSPC and path.stat().st_size == 0


def test_without_fallocate_the_file_has_its_length_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(tensor_file.ctypes, "CDLL", lambda *_, **__: object())
    path = tmp_path / "pieces.safetensors"
    write_backwards(path)
    assert path.read_bytes() == safetensors_of(VALUES)
