"""The checkpoint to go on from is found or asked for, and nothing is removed that is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from whole_checkpoints import write_checkpoint

from seal.training.checkpoint import read_weights
from seal.training.checkpoint_store import KINDS, damage, find_checkpoint, rotate

SHAPES = {"a.weight": (3, 5), "scale": ()}


def write(folder: Path, *steps: int) -> None:
    for step in steps:
        meta = {"format": 1, "step": step, "config": {}, "shapes": SHAPES}
        write_checkpoint(
            folder, meta, lambda name, _, step=step: torch.full(SHAPES[name], float(step))
        )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_without_checkpoints_there_is_none(tmp_path: Path) -> None:
    assert find_checkpoint(tmp_path) is None and find_checkpoint(tmp_path / "none") is None


@pytest.mark.parametrize("pointer", [None, b"", b"\n", b"step-00000099", b"\xff\xfe\x00", b"../.."])
def test_a_pointer_that_leads_nowhere_is_told_and_the_newest_taken(
    tmp_path: Path, pointer: bytes | None
) -> None:
    write(tmp_path, 5, 15, 10)
    if pointer is None:
        (tmp_path / "latest").unlink()
    else:
        (tmp_path / "latest").write_bytes(pointer)
    told: list[str] = []
    assert find_checkpoint(tmp_path, told.append) == tmp_path / "step-00000015"
    assert len(told) == 1 and str(tmp_path / "latest") in told[0] and "step-00000015" in told[0]


def test_a_pointer_to_an_earlier_checkpoint_is_followed_silently(tmp_path: Path) -> None:
    write(tmp_path, 5, 10)
    (tmp_path / "latest").write_text("step-00000005\n")
    told: list[str] = []
    assert find_checkpoint(tmp_path, told.append) == tmp_path / "step-00000005" and not told


def test_a_pointer_without_any_checkpoint_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latest").write_text("step-00000005")
    with pytest.raises(ValueError, match=r"names 'step-00000005', but .* holds no checkpoint"):
        find_checkpoint(tmp_path)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize(
    ("file", "content"),
    [
        *((f"{kind}.safetensors", b"cut") for kind in KINDS),
        ("weights.safetensors", None),
        ("checkpoint.json", None),
        ("checkpoint.json", b""),
        ("checkpoint.json", b"[]"),
        ("checkpoint.json", b'{"format": 1, "step": "x", "shapes": {}}'),
        ("checkpoint.json", b'{"format": 2}'),
    ],
)
def test_a_damaged_newest_checkpoint_is_named_and_a_whole_one_offered(
    tmp_path: Path, file: str, content: bytes | None, lost: bool
) -> None:
    write(tmp_path, 5, 10)
    path = tmp_path / "step-00000010" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-4] if content == b"cut" else content)
    if lost:
        (tmp_path / "latest").unlink()
    with pytest.raises(ValueError) as caught:
        find_checkpoint(tmp_path, lambda _: None)
    told = str(caught.value)
    assert str(tmp_path / "step-00000010") in told and file in told and "\n" not in told
    assert f"step-00000005 is whole: to go on from it, write its name into {tmp_path}" in told
    (tmp_path / "latest").write_text("step-00000005")
    assert find_checkpoint(tmp_path) == tmp_path / "step-00000005"
    assert damage(tmp_path / "step-00000005") is None


def test_only_what_was_written_here_is_rotated_away(tmp_path: Path) -> None:
    write(tmp_path, 5)
    (tmp_path / "step-00000005").rename(tmp_path / "step-00000003")  # as if it was copied here
    write(tmp_path, 6, 7, 8)
    (tmp_path / "step-00000006-best").mkdir()
    rotate(tmp_path, 1, "step-00000008")
    assert names(tmp_path) == ["step-00000003", "step-00000006-best", "step-00000008"]


def test_a_damaged_manifest_removes_nothing(tmp_path: Path) -> None:
    write(tmp_path, 5, 6)
    (tmp_path / "written.json").write_text("{")
    rotate(tmp_path, 1, "step-00000006")
    assert names(tmp_path) == ["step-00000005", "step-00000006"]


def test_one_from_elsewhere_is_set_aside_not_replaced(tmp_path: Path) -> None:
    write(tmp_path, 5)
    (tmp_path / "written.json").write_text(json.dumps([]))
    kept = tmp_path / "step-00000005" / "notes.txt"
    kept.write_text("mine")
    write(tmp_path, 5)
    aside = tmp_path / "step-00000005.from-elsewhere-1"
    assert (aside / "notes.txt").read_text() == "mine"
    assert read_weights(tmp_path / "step-00000005")["scale"] == 5
