from __future__ import annotations

import json
from pathlib import Path

import pytest

from seal.files import fingerprint as module
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


@pytest.mark.parametrize("first", [60, 1500, 5000, 9_990])
def test_a_big_file_is_sampled_all_along_its_header_whole(tmp_path, monkeypatch, first):
    """From `first` on the weights differ by as much as a stride."""
    for name, value in {"WHOLE": 1000, "STRIDE": 100, "SLICE": 10}.items():
        monkeypatch.setattr(module, name, value)
    weights = bytearray((50).to_bytes(8, "little") + b"h" * 50 + b"x" * 9_942)
    same = fingerprint(a_folder(tmp_path / "a", bytes(weights)))
    changed = weights.copy()
    changed[first : first + 100] = b"y" * len(changed[first : first + 100])
    assert fingerprint(a_folder(tmp_path / "b", bytes(changed))) != same
    weights[57:58] = b"H"
    assert fingerprint(a_folder(tmp_path / "c", bytes(weights))) != same


def test_a_fingerprint_knows_the_training_but_not_who_exported_it(tmp_path):
    facts = {"experiment": "e", "steps": 7, "git_revision": "a", "configuration": {"dry_run": 0}}
    first = fingerprint(a_folder(tmp_path / "a", b"x", facts))
    again = facts | {"git_revision": "b+", "configuration": {}}
    assert fingerprint(a_folder(tmp_path / "b", b"x", again)) == first
    assert fingerprint(a_folder(tmp_path / "c", b"x", facts | {"steps": 8})) != first
