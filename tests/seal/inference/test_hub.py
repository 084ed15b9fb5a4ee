"""What the hub holds is looked at before it is fetched."""

from __future__ import annotations

import json

import huggingface_hub
import pytest
import tiny_models

from seal.commands.query import RELEASED_VQA, RELEASED_VSM
from seal.inference.hub import model_folder
from seal.models.convert import authors_config
from seal.models.load import config_to_dict

MODELS = {"vqa": tiny_models.vqa_model, "vsm": tiny_models.vsm_model}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """One repository; what was asked of it."""
    asked = []

    def file(name, filename):
        asked.append((name, filename))
        return str(tmp_path / filename)

    def snapshot(name):
        asked.append((name, "everything"))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", file)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    return asked


@pytest.mark.parametrize(("kind", "name"), [("vqa", RELEASED_VQA), ("vsm", RELEASED_VSM)])
def test_a_repository_of_the_authors_is_refused_before_its_weights_are_fetched(
    kind, name, hub, tmp_path
):
    config = authors_config(MODELS[kind]().config)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError) as error:
        model_folder(name)
    short = name.split("/")[1]
    assert f"hf download {name} --local-dir {short}" in str(error.value)
    assert f"seal eval/convert model={kind}_7b source={short}" in str(error.value)
    assert hub == [(name, "config.json")]


@pytest.mark.parametrize("kind", MODELS)
def test_a_repository_of_ours_is_fetched(kind, hub, tmp_path):
    config = config_to_dict(MODELS[kind]().config)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert model_folder("owner/model") == tmp_path
    assert hub == [("owner/model", "config.json"), ("owner/model", "everything")]
