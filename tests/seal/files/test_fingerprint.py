from __future__ import annotations

import json
from pathlib import Path

import pytest

from seal.files.fingerprint import fingerprint


def a_folder(path: Path, weights: bytes, training: dict | None = None) -> Path:
    path.mkdir()
    (path / "model.safetensors").write_bytes(weights)
    (path / "config.json").write_text("{}")
    if training is not None:
        (path / "training.json").write_text(json.dumps(training))
    return path


def test_a_fingerprint_follows_the_weights_and_not_the_place(tmp_path):
    first = fingerprint(a_folder(tmp_path / "a", b"x" * 200_000))
    assert fingerprint(a_folder(tmp_path / "b", b"x" * 200_000)) == first
    assert fingerprint(a_folder(tmp_path / "c", b"x" * 199_999 + b"y")) != first


@pytest.mark.parametrize("at", [0, 60, 70_000_000, 99_999_999])
def test_no_byte_of_a_big_file_is_left_out(tmp_path, at):
    folder = a_folder(tmp_path / "a", b"")
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(100_000_000)
    same = fingerprint(folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(at)
        file.write(b"y")
    assert fingerprint(folder) != same


def test_weights_as_the_authors_save_them_count(tmp_path):
    first = fingerprint(a_folder(tmp_path / "a", b"x"))
    (tmp_path / "a" / "pytorch_model-00001-of-00002.bin").write_bytes(b"x")
    assert fingerprint(tmp_path / "a") != first


def test_a_fingerprint_knows_the_training_but_not_who_exported_it(tmp_path):
    facts = {"experiment": "e", "steps": 7, "git_revision": "a", "configuration": {"dry_run": 0}}
    first = fingerprint(a_folder(tmp_path / "a", b"x", facts))
    again = facts | {"git_revision": "b+", "configuration": {}}
    assert fingerprint(a_folder(tmp_path / "b", b"x", again)) == first
    assert fingerprint(a_folder(tmp_path / "c", b"x", facts | {"steps": 8})) != first
