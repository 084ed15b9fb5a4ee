"""`seal ask` and `seal locate` on model folders: what is printed, written and returned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image
from tiny_models import noise, tokenizer, vqa_model, vsm_model

from seal.cli import main
from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.models.files.save import save_model
from seal.pipeline import Seal

MUG = Box(40, 60, 60, 76)
QUESTION = "What color is the mug?"


def search_model(logit: float):
    """A random one that is as sure of each of its boxes as `logit` says, whatever it is shown."""
    model = vsm_model()
    head = model.detector.class_head
    with torch.no_grad():
        for layer in (head.logit_shift, head.logit_scale):
            layer.weight.zero_()
        head.logit_shift.bias.fill_(logit)
        head.logit_scale.bias.zero_()
    return model


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Model folders: `vqa`, `sure` of everything, `blind` to everything; and `photo.png`."""
    place = tmp_path_factory.mktemp("models")
    save_model(place / "vqa", vqa_model(), tokenizer().folder)
    save_model(place / "sure", search_model(3.0), tokenizer().folder)
    save_model(place / "blind", search_model(-6.0), tokenizer().folder)
    noise().save(place / "photo.png")
    return place


def locate(place: Path, vsm: str, *flags: str) -> int:
    image = str(place / "photo.png")
    return main(["locate", image, "boat", "--vsm", str(place / vsm), "--device", "cpu", *flags])


def ask(place: Path, *flags: str) -> int:
    models = ["--vqa", str(place / "vqa"), "--vsm", str(place / "blind"), "--device", "cpu"]
    return main(["ask", str(place / "photo.png"), "Is the boat red?", *models, *flags])


def test_locate_prints_the_boxes_and_returns_0(place, capsys):
    assert locate(place, "sure") == 0
    assert capsys.readouterr().out.startswith("boat: [")


def test_what_is_not_quantized_has_the_type_that_is_asked_for(place, capsys):
    for flags, named in ((), "float32"), (("--dtype", "bfloat16"), "bfloat16"):
        assert locate(place, "sure", *flags) == 0
        assert f"expected memory ({named})" in capsys.readouterr().err


def test_locate_says_not_found_and_returns_1(place, capsys):
    assert locate(place, "blind") == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("boat: not found (")
    assert "Error" not in captured.err and "expected memory" in captured.err  # no error


@pytest.mark.parametrize(("vsm", "code"), [("sure", 0), ("blind", 1)])
def test_locate_as_json_holds_the_boxes_inside_the_image(place, capsys, vsm, code):
    assert locate(place, vsm, "--json") == code
    said = json.loads(capsys.readouterr().out)
    assert (said["target"], said["found"], said["saved"]) == ("boat", code == 0, [])
    assert len(said["boxes"]) == len(said["scores"])
    assert bool(said["boxes"]) == said["found"]
    assert len(said["path"]) >= 1


@pytest.mark.parametrize("vsm", ["sure", "blind"])
def test_locate_writes_a_picture_and_a_trace(place, tmp_path, capsys, vsm):
    locate(place, vsm, "--save-path", str(tmp_path / "new" / "found"))
    picture, trace = (tmp_path / "new" / "found" / f"photo-0.{kind}" for kind in ("png", "json"))
    assert capsys.readouterr().out.endswith(f"written: {picture}, {trace}\n")
    assert Image.open(picture).size >= (120, 90)
    assert json.loads(trace.read_text())["target"] == "boat"


@pytest.mark.parametrize("search", ["guided", "sequential_bfs", "none"])
def test_ask_answers_with_one_of_the_options(place, capsys, search):
    assert ask(place, "--option", "red", "--option", "blue", "--json", "--search", search) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["text"] == ["red", "blue"][said["option"]]
    assert len(said["losses"]) == 2
    assert {"missing", "not_found", "memory", "searches", "cost"} <= said.keys()
    assert ask(place, "--option", "red", "--option", "blue", "--search", search) == 0
    assert capsys.readouterr().out.splitlines()[0] == said["text"]


def test_ask_refuses_an_option_given_twice(place, capsys):
    assert ask(place, "--option", "red", "--option", "red") == 2
    assert "an option appears twice" in capsys.readouterr().err


@pytest.fixture
def knowing(place, monkeypatch) -> None:
    """A pipeline that needs the mug for its answer: a random model never says what it lacks."""

    def from_pretrained(*models, search, **options) -> Seal:
        answers = FakeAnswerModel({QUESTION: ["mug", "boat"]}, {QUESTION: "red"})
        return Seal(answers, build_locator(search, FakeSearchModel({"mug": [MUG]})))

    monkeypatch.setattr(Seal, "from_pretrained", from_pretrained)
    noise(640, 480).save(place / "photo-large.png")


def test_ask_tells_what_it_searched_for_and_writes_each_search(knowing, place, tmp_path, capsys):
    asked = ["ask", str(place / "photo-large.png"), QUESTION, "--save-path", str(tmp_path)]
    assert main(asked) == 0
    answer, mug, boat, written = capsys.readouterr().out.splitlines()
    assert answer == "red"
    assert mug.startswith("  mug: [") and boat.startswith("  boat: not found (")
    names = [f"photo-large-{index}.{kind}" for index in (0, 1) for kind in ("png", "json")]
    assert written == "written: " + ", ".join(str(tmp_path / name) for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["saved"] == [str(tmp_path / name) for name in names]
    assert said["not_found"] == ["boat"]
    assert [len(target["boxes"]) for target in said["memory"]] == [1, 0]
