"""The trained model goes to the hub when the run is finished, and not before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hub_server import ask_here, serve_hub
from huggingface_hub import constants
from programs_here import run_program

from seal.models.files.load import load_model
from seal.training.config import TrainConfig
from seal.training.publish import publish, require_token


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The folder that the hub holds, and what it was asked for."""
    root = tmp_path / "hub"
    root.mkdir()
    with serve_hub(root) as (address, asked):
        ask_here(address, monkeypatch)
        yield root, asked


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def checkpoint_of(folder: Path, step: int) -> Path:
    checkpoint = folder / f"step-{step:08d}"
    checkpoint.mkdir()
    meta = {"format": 1, "step": step, "config": {}, "shapes": {}}
    (checkpoint / "checkpoint.json").write_text(json.dumps(meta))
    return checkpoint


def test_a_run_uploads_its_model_at_its_end_and_not_where_it_was_stopped(hub, tmp_path, capsys):
    root, asked = hub
    torch.set_num_threads(1)
    options = ["experiment=vqa_align_linear_smoke", f"paths.runs={tmp_path}", "train.num_steps=2"]
    options += ["train.validation_samples=0", "train.push_to_hub=me/mine"]
    assert run_program("train/vqa", *options, "train.stop_after=1") == 0
    assert "not uploaded: the run was stopped at step 1" in capsys.readouterr().out
    assert not [word for word in asked if word.startswith("POST")]
    assert run_program("train/vqa", *options) == 0
    assert "/me/mine" in capsys.readouterr().out
    model = tmp_path / "vqa_align_linear_smoke" / "model"
    sent, kept = files(root / "me" / "mine"), files(model)
    assert sent.keys() == kept.keys()
    assert [name for name in sent if sent[name] != kept[name]] == ["README.md", "training.json"]
    assert b'vqa="me/mine"' in sent["README.md"] and b"vqa_align_linear_smoke" in sent["README.md"]
    assert not [name for name in sent if str(tmp_path).encode() in sent[name]]
    assert load_model(root / "me" / "mine").config == load_model(model).config
    assert "POST /api/repos/create" in asked


def test_what_cannot_be_uploaded_stays_here_and_the_error_says_where(hub, tmp_path, monkeypatch):
    model = tmp_path / "model"
    train = TrainConfig(num_steps=4, push_to_hub="me/mine")
    with pytest.raises(ValueError, match=r"trained model is in .*model; .*same command again"):
        publish(train, checkpoint_of(tmp_path, 4), model)  # no model folder
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(
        ValueError, match=r"me/mine needs a token .*hf auth login.*push_to_hub=null"
    ):
        require_token(train)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    require_token(train)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="HF_HUB_OFFLINE is set"):
        require_token(train)


@pytest.mark.parametrize(
    ("step", "stop_after", "uploads"), [(4, None, 1), (4, 4, 1), (4, 9, 1), (3, 3, 0)]
)
def test_only_the_last_step_counts_as_the_end(tmp_path, monkeypatch, step, stop_after, uploads):
    sent = []
    monkeypatch.setattr(
        "seal.training.publish.upload_folder", lambda *what, **how: sent.append((*what, how))
    )
    train = TrainConfig(num_steps=4, stop_after=stop_after, push_to_hub="me/mine")
    publish(train, checkpoint_of(tmp_path, step), tmp_path)
    assert sent == [(tmp_path, "me/mine", {"private": True})] * uploads
