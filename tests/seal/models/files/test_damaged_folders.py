"""A damaged model folder or checkpoint is told by a file's name, or gives what was saved."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models
import torch
from fuzz_model_folders import copy_of, damage_folder, judge
from whole_checkpoints import write_checkpoint

from seal.images.tiles import TilesConfig
from seal.inference.load import load_answer_model, load_search_model
from seal.models.files.save import save_model
from seal.models.parts.router import RouterConfig
from seal.training.checkpoint import read_weights
from seal.training.checkpoint_store import find_checkpoint

MAKERS = {
    "vqa": tiny_models.vqa_model,
    "vsm": tiny_models.vsm_model,
    "avg": lambda: tiny_models.levelled_vqa_model(tiles=TilesConfig(), router=RouterConfig()),
}
LOADERS = {"vqa": load_answer_model, "vsm": load_search_model, "avg": load_answer_model}
SHAPES = {"a.weight": (3, 5), "a.bias": (3,), "scale": ()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for kind, make in MAKERS.items():
        tokenizer = tiny_models.tokenizer().folder
        save_model(root / kind, make(), tokenizer, {"steps": 1}, max_shard_size="60KB")
    return root


def try_folders(kind: str, seeds: range, saved: Path, tmp_path: Path) -> int:
    """How many of the damaged folders were refused."""
    whole = MAKERS[kind]().state_dict()
    told = 0
    for seed in seeds:
        folder = copy_of(saved / kind, tmp_path / "broken")
        what = damage_folder(folder, seed)
        found = judge(
            lambda folder=folder: LOADERS[kind](folder, device="cpu", tell=lambda _: None),
            folder,
            (ValueError,),
        )
        told += isinstance(found, str)
        if not isinstance(found, str) and ".safetensors:" not in what:
            for key, value in found.model.state_dict().items():
                assert torch.equal(value, whole[key]), f"{seed}: {what}: {key}"
    return told


@pytest.mark.parametrize("kind", ["vqa", "vsm"])
def test_damaged_model_folders_are_told_by_their_file(kind, saved, tmp_path):
    assert 5 < try_folders(kind, range(15), saved, tmp_path) < 15


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_hundreds_of_damaged_model_folders_are_told_by_their_file(kind, saved, tmp_path):
    assert try_folders(kind, range(15, 265), saved, tmp_path) > 100


def checkpoints(folder: Path) -> Path:
    for step in (5, 10):
        write_checkpoint(
            folder,
            {"format": 1, "step": step, "config": {"seed": 0}, "shapes": SHAPES},
            lambda name, kind, step=step: torch.full(SHAPES[name], float(step)),
        )
    return folder


def try_checkpoints(seeds: range, tmp_path: Path) -> int:
    """How many were refused; the weights of the others are those of a step, bit for bit."""
    good = checkpoints(tmp_path / "good")
    told = 0
    for seed in seeds:
        folder = copy_of(good, tmp_path / "broken")
        what = damage_folder(folder, seed)
        found = judge(
            lambda folder=folder: read_weights(find_checkpoint(folder, lambda _: None)),
            folder,
            (ValueError,),
        )
        told += isinstance(found, str)
        if not isinstance(found, str):
            step = 5.0 if found["scale"] == 5 else 10.0
            assert {name: tuple(value.shape) for name, value in found.items()} == SHAPES, what
            assert all((value == step).all() for value in found.values()), f"{seed}: {what}"
    return told


def test_damaged_checkpoints_are_told_by_their_file(tmp_path):
    assert 5 < try_checkpoints(range(60), tmp_path) < 60


@pytest.mark.slow
def test_hundreds_of_damaged_checkpoints_are_told_by_their_file(tmp_path):
    assert try_checkpoints(range(60, 460), tmp_path) > 100


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"<!DOCTYPE html>"])
def test_a_damaged_sentencepiece_model_is_named(saved, tmp_path, content):
    folder = copy_of(saved / "vqa", tmp_path / "broken")
    (folder / "tokenizer.model").write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.model is .*fetch it again") as caught:
        LOADERS["vqa"](folder, device="cpu", tell=lambda _: None)
    assert "\n" not in str(caught.value)
