"""Models come from the hub as they lie there, the authors' or ours, and go back to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_models
from hub_server import serve_hub
from PIL import Image
from programs_here import ROOT
from safetensors.torch import save_file

from seal.inference.hub import CLIP, model_folder
from seal.models.files.authors import write_authors
from seal.models.files.load import load_model
from seal.models.files.save import save_model


def run(address: str, home: Path, *arguments: str, token: str = "") -> str:
    """`python ...` with the hub at `address` and nothing cached but what is in `home`."""
    environment = os.environ | {
        "HF_ENDPOINT": address, "HF_HOME": str(home), "HF_TOKEN": token, "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1", "SEAL_TRACEBACK": "0",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """Both models as released: without processor settings, the search model without a tower."""
    root = tmp_path_factory.mktemp("hub")
    folder = tiny_models.tokenizer().folder
    vqa, vsm = tiny_models.vqa_model(), tiny_models.vsm_model()
    vsm.vision_tower.load_state_dict(vqa.vision_tower.state_dict())
    for name, model in (("vqa", vqa), ("vsm", vsm)):
        write_authors(root / "owner" / name, model, folder)
    (root / "owner" / "vqa" / "pytorch_model.bin").write_bytes(b"the same weights once more")
    (root / "owner" / "vqa" / "flax_model.msgpack").write_bytes(b"and again")
    clip = root.joinpath(*CLIP.split("/"))
    clip.mkdir(parents=True)
    tower = vqa.vision_tower.vision_model.state_dict()
    save_file(
        {f"vision_model.{k}": v.clone() for k, v in tower.items()}, clip / "model.safetensors"
    )
    Image.new("RGB", (40, 30), (200, 30, 30)).save(root / "photo.png")
    return root


def test_both_released_models_answer_and_search_from_the_hub(hub, tmp_path):
    with serve_hub(hub) as (address, asked):
        command = ["-m", "seal", "ask", str(hub / "photo.png"), "Is it red?", "--device", "cpu"]
        models = ["--vqa", "owner/vqa", "--vsm", "owner/vsm", "--option", "yes", "--option", "no"]
        said = run(address, tmp_path, *command, *models)
        assert said.startswith("0\n"), said
        assert "expected memory (float32)" in said
        # Neither a second copy of the weights nor the tower that the other file brings.
        fetched = {path.rsplit("/", 1)[1] for path in asked if path.startswith("GET /owner")}
        assert "model.safetensors" in fetched
        assert not {"pytorch_model.bin", "flax_model.msgpack"} & fetched
        assert not any("clip-vit" in path for path in asked)
        alone = ["-m", "seal", "locate", str(hub / "photo.png"), "boat", "--vsm", "owner/vsm"]
        said = run(address, tmp_path, *alone, "--device", "cpu")
        assert "regions looked at" in said or "region looked at" in said, said
        assert any("clip-vit-large-patch14/resolve" in path for path in asked)
    # The hub is gone; what was fetched is still here.
    said = run("http://127.0.0.1:9", tmp_path, *alone, "--device", "cpu")
    assert "looked at)" in said, said


def test_a_name_that_the_hub_does_not_have_says_so_in_one_line(hub, tmp_path):
    with serve_hub(hub) as (address, _):
        command = ["-m", "seal", "locate", str(hub / "photo.png"), "boat", "--vsm", "owner/none"]
        said = run(address, tmp_path, *command)
    assert said.startswith("2\n") and len(said.splitlines()) == 2
    assert "owner/none: neither a folder here nor to be had from the hub" in said


def test_a_model_folder_that_is_uploaded_comes_back_byte_for_byte(hub, tmp_path):
    folder = tmp_path / "vqa"
    save_model(folder, tiny_models.vqa_model(5), tiny_models.tokenizer().folder)
    upload = ["-m", "seal", "eval/convert", f"source={folder}", "upload=me/mine"]
    with serve_hub(hub) as (address, _):
        refused = run(address, tmp_path / "home", *upload)
        assert refused.startswith("2\n") and "hf auth login" in refused, refused
        said = run(address, tmp_path / "home", *upload, token="hf_writer")
        assert said.startswith("0\n") and "/me/mine" in said, said
        assert "hf_writer" not in said
    there = {path.name: path.read_bytes() for path in (hub / "me" / "mine").iterdir()}
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    # The card says what the model is loaded by.
    assert b"me/mine" in there.pop("README.md") and b"me/mine" not in kept.pop("README.md")
    assert there == kept
    assert load_model(hub / "me" / "mine").config == load_model(folder).config


def test_the_tokenizer_of_a_part_comes_from_the_hub_as_well(hub, tmp_path):
    parts = ["model=vqa_smoke", "llm=owner/vqa", f"clip={CLIP}", f"out={tmp_path / 'out'}"]
    with serve_hub(hub) as (address, asked):
        said = run(address, tmp_path / "home", "-m", "seal", "eval/convert", *parts)
    assert any(path.endswith("/tokenizer.model") for path in asked)
    # Refused for its sizes, not for a tokenizer that was not fetched.
    assert "num_attention_heads=4, but the model has 2" in said, said


def test_an_upload_without_a_connection_is_one_line(tmp_path):
    folder = tmp_path / "vqa"
    save_model(folder, tiny_models.vqa_model(5), tiny_models.tokenizer().folder)
    upload = ["-m", "seal", "eval/convert", f"source={folder}", "upload=me/mine"]
    said = run("http://127.0.0.1:9", tmp_path / "home", *upload, token="hf_writer")
    assert said.startswith("2\n") and len(said.splitlines()) == 2, said
    assert "vqa could not be uploaded to me/mine: " in said


def test_only_a_model_folder_is_uploaded(hub, tmp_path):
    (tmp_path / "config.json").write_text('{"model_class": "VSM"}')
    (tmp_path / "secrets.txt").write_text("mine")
    said = run("http://127.0.0.1:9", tmp_path / "home", "-m", "seal", "eval/convert",
               f"source={tmp_path}", "upload=me/mine", token="hf_writer")  # fmt: skip
    assert said.startswith("2\n") and "secrets.txt" in said


def test_a_folder_is_taken_as_it_is_and_a_path_is_not_a_hub_id(tmp_path):
    assert model_folder(tmp_path) == tmp_path
    for name in (tmp_path / "none", "./a/b", "a/b/c", "a"):
        with pytest.raises(ValueError, match="no such model folder"):
            model_folder(name)
