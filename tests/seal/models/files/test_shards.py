"""Folders of tensors, whole or in shards, are listed from their headers and read file by file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from seal.models.files.shards import list_tensors, read_tensors

STATE = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4).half(), "c": torch.zeros(1).int()}


def write(folder: Path, kind: str) -> Path:
    """STATE as safetensors or .bin, in one file or in two with an index."""
    suffix = kind.removeprefix("sharded ")
    name = {"safetensors": "model.safetensors"}.get(suffix, "pytorch_model.bin")
    parts = {name: STATE}
    if kind.startswith("sharded"):
        parts = {f"one.{suffix}": {"a": STATE["a"]}, f"two.{suffix}": {k: STATE[k] for k in "bc"}}
        placed = {key: file for file, part in parts.items() for key in part}
        (folder / f"{name}.index.json").write_text(json.dumps({"weight_map": placed}))
    for file, part in parts.items():
        if suffix == "safetensors":
            save_file(part, folder / file)
        else:
            torch.save(part, folder / file, _use_new_zipfile_serialization=suffix != "old.bin")
    return folder


KINDS = ["safetensors", "bin", "old.bin", "sharded safetensors", "sharded bin"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_comes_back_under_the_name_it_is_asked_by(kind, tmp_path):
    stored = list_tensors(write(tmp_path, kind))
    for key, tensor in STATE.items():
        assert (stored[key].shape, stored[key].dtype) == (tuple(tensor.shape), tensor.dtype)
    found = dict(read_tensors({f"my.{key}": stored[key] for key in ("b", "a")}))
    assert found.keys() == {"my.a", "my.b"}
    assert torch.equal(found["my.a"], STATE["a"]) and torch.equal(found["my.b"], STATE["b"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_short_is_named(kind, tmp_path):
    write(tmp_path, kind)
    file = next(path for path in sorted(tmp_path.iterdir()) if path.suffix != ".json")
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(ValueError, match=rf"{file.name}: not a .*fetch it again"):
        dict(read_tensors(list_tensors(tmp_path)))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["bin", "old.bin"])
def test_any_damage_to_a_bin_is_an_error_that_names_it(kind, tmp_path):
    (file,) = write(tmp_path, kind).iterdir()
    whole, rng = file.read_bytes(), random.Random(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 4, 16])):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        file.write_bytes(damaged)
        try:
            list_tensors(tmp_path)
        except ValueError as error:
            assert "pytorch_model.bin: " in str(error)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"weight": Path("x")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin: not a file of tensors"):
        list_tensors(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"), [([torch.zeros(1)], "holds a list"), ({"a": 1}, "a is a int, not")]
)
def test_what_is_not_tensors_by_name_is_refused(content, says, tmp_path):
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=says):
        list_tensors(tmp_path)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"has none of model\.safetensors, pytorch_model\.bin"):
        list_tensors(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"metadata": {}}', "has no weight_map of tensor names to files"),
        ('{"weight_map": ["a"]}', "has no weight_map"),
        ("[]", "has no weight_map"),
        ("{", "is not JSON"),
        ('{"weight_map": {"a": "../a.bin"}}', "not beside it"),
    ],
)
def test_an_index_that_names_no_shards_is_named(tmp_path, text, says):
    (tmp_path / "pytorch_model.bin.index.json").write_text(text)
    with pytest.raises(ValueError, match=rf"pytorch_model\.bin\.index\.json .*{says}"):
        list_tensors(tmp_path)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda m: m.update(d="one.bin"), r"one\.bin has no d, which .* places there"),
        (lambda m: m.update(d="three.bin"), r"three\.bin does not exist"),
        (lambda m: m.pop("b"), r"two\.bin holds b, which .* does not list"),
        (lambda m: m.update(a="two.bin"), r"one\.bin|two\.bin has no a"),
    ],
)
def test_an_index_and_shards_that_disagree_are_named(tmp_path, edit, says):
    path = write(tmp_path, "sharded bin") / "pytorch_model.bin.index.json"
    content = json.loads(path.read_text())
    edit(content["weight_map"])
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=says):
        list_tensors(tmp_path)
