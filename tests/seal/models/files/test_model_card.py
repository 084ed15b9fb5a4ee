"""Model cards: what the hub reads, nothing of this machine, and nobody's own text written over."""

from __future__ import annotations

import json

import pytest
import yaml
from hub_server import ask_here, serve_hub
from tiny_models import tokenizer, vqa_model, vsm_model

from seal.inference.hub import MINIATURE_VQA, MINIATURE_VSM, model_folder, upload_folder
from seal.models.files.model_card import folder_card, public_facts
from seal.models.files.save import save_model

FACTS = {
    "experiment": "vqa_7b",
    "steps": 10,
    "initialized_from": "owner/base",
    "records": {"gqa": {"folder": "gqa", "records": 7, "sha256": ["0123456789abcdef"]}},
    "configuration": {
        "init_from": "/home/somebody/project/runs/align/model",
        "paths": {"runs": "/mnt/disk", "records": "data"},
        "list": ["/data/records", 3],
    },
}


def head(text: str) -> dict:
    return yaml.safe_load(text.split("---")[1])


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "mine", vqa_model(), tokenizer().folder, FACTS)
    return tmp_path / "mine"


def test_a_card_tells_what_the_model_is_and_on_what_it_was_trained(folder, tmp_path):
    text = (folder / "README.md").read_text()
    told = head(text)
    assert told["base_model"] == "owner/base" and told["library_name"] == "seal"
    assert (told["license"], told["pipeline_tag"]) == ("other", "image-text-to-text")
    assert "| gqa | gqa | 7 | 0123456789ab |" in text and "wu2024vstar" in text
    save_model(tmp_path / "vsm", vsm_model(), tokenizer().folder)
    text = (tmp_path / "vsm" / "README.md").read_text()
    assert head(text)["pipeline_tag"] == "zero-shot-object-detection"
    assert "it holds no training.json" in text


def test_absolute_paths_lose_the_folders_of_this_machine():
    public = public_facts(FACTS)
    assert public["configuration"] == {
        "init_from": ".../align/model",
        "paths": {"runs": "...", "records": "data"},
        "list": ["...", 3],
    }
    assert {key: public[key] for key in FACTS if key != "configuration"} == {
        key: FACTS[key] for key in FACTS if key != "configuration"
    }


def test_a_card_that_somebody_wrote_stays_when_the_model_is_saved_again(folder):
    save_model(folder, vqa_model(), tokenizer().folder)
    assert "it holds no training.json" in (folder / "README.md").read_text()
    (folder / "README.md").write_bytes(b"# My words \xff")
    save_model(folder, vqa_model(), tokenizer().folder)
    assert (folder / "README.md").read_bytes() == b"# My words \xff"


def test_an_upload_writes_a_card_once_and_never_over_somebodys_own(folder, tmp_path, monkeypatch):
    root = tmp_path / "hub"
    root.mkdir()
    (folder / "README.md").unlink()  # as folders of earlier versions are
    with serve_hub(root) as (address, _):
        ask_here(address, monkeypatch)
        upload_folder(folder, "me/mine")
        there = root / "me" / "mine"
        assert head((there / "README.md").read_text())["base_model"] == "owner/base"
        sent = json.loads((there / "training.json").read_text())
        assert sent["configuration"]["init_from"] == ".../align/model"
        (there / "README.md").write_text("# Edited on the hub")
        again = root / "again"
        (again / "mine").mkdir(parents=True)
        (again / "mine" / "README.md").write_text("# Edited on the hub")
        monkeypatch.setattr("huggingface_hub.HfApi.create_repo", lambda *_, **__: None)
        upload_folder(folder, "again/mine")
    assert (again / "mine" / "README.md").read_text() == "# Edited on the hub"
    assert (again / "mine" / "config.json").is_file()


@pytest.mark.parametrize("name", [MINIATURE_VQA, MINIATURE_VSM])
def test_the_models_that_ship_have_the_card_that_would_be_written(name):
    folder = model_folder(name)
    text = (folder / "README.md").read_text()
    assert text == folder_card(folder, name)
    assert head(text)["license"] == "mit" and "drawn scenes" in text
