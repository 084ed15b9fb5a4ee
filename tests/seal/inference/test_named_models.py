"""One string names an answer model: SEAL's own, any image-text model, or a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from chat_server import ChatServer
from tiny_families import folder, missing
from tiny_models import noise, tokenizer, vqa_model, vsm_model

from seal import Seal
from seal.inference.answers.chat_options import ChatOptions
from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.model_kinds import answer_model_identity, model_kind
from seal.inference.named_models import check_shown, load_named
from seal.models.files.save import save_model
from seal.pipeline import ProtocolConfig
from seal.search.oracle import always

OPTIONS = ["red", "blue"]


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("own")
    save_model(place / "vqa", vqa_model(), tokenizer().folder)
    save_model(place / "vsm", vsm_model(), tokenizer().folder)
    return place


@pytest.fixture(scope="module")
def qwen() -> Path:
    if reason := missing("qwen2_5_vl"):
        pytest.skip(reason)
    return folder("qwen2_5_vl")


def test_the_kind_is_that_of_the_folder_or_address(own: Path, qwen: Path) -> None:
    assert model_kind(own / "vqa") == "seal"
    assert model_kind(qwen) == model_kind(folder("llava")) == "hf"
    assert model_kind("http://127.0.0.1:8000/v1#tiny") == "endpoint"


def test_transformers_llava_is_not_taken_for_the_released_search_model(tmp_path: Path) -> None:
    # Both config.json say model_type "llava"; LLaVA-NeXT's and AVG-LLaVA's say another.
    for more, kind in (
        ({"text_config": {}, "vision_config": {}}, "hf"),
        ({}, "seal"),
        ({"model_type": "llava_llama", "mm_projector_type": "mlp2x_gelu"}, "seal"),
        ({"model_type": "llava_next", "text_config": {}, "vision_config": {}}, "hf"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"} | more))
        assert model_kind(tmp_path) == kind


def test_a_name_that_is_nothing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such model folder"):
        load_named(tmp_path / "nothing", None, device="cpu")
    with pytest.raises(ValueError, match="not a model folder"):
        load_named(tmp_path, None, device="cpu")
    for name in ("", 3):
        with pytest.raises(ValueError, match=f"named by a folder, a hub id .* not {name!r}"):
            load_named(name, None, device="cpu")  # type: ignore[arg-type]


def test_the_folder_one_stands_in_is_a_name_like_any_other(qwen: Path, monkeypatch) -> None:
    monkeypatch.chdir(qwen)
    assert model_kind(".") == "hf"
    monkeypatch.chdir(qwen.parent)
    with pytest.raises(ValueError, match="is not a model folder"):
        model_kind(".")


def test_a_dict_in_place_of_options_is_told_before_anything_is_loaded(qwen: Path) -> None:
    for name, kind in (("chat", "ChatOptions"), ("vicrop", "ViCropConfig")):
        with pytest.raises(ValueError, match=f"{name}= takes a {kind} .* not {{'layer': 0}}"):
            Seal.from_pretrained(qwen, search="none", **{name: {"layer": 0}})


def test_each_kind_becomes_its_answer_model_with_what_it_was_told(own: Path, qwen: Path) -> None:
    answers, search = load_named(own / "vqa", own / "vsm", device="cpu")
    assert isinstance(answers, NetworkAnswerModel) and search is not None
    chat = ChatOptions(layout="bare", min_pixels=28 * 28, max_pixels=56 * 56)
    answers, search = load_named(qwen, own / "vsm", device="cpu", chat=chat)
    assert isinstance(answers, HFAnswerModel) and search is not None
    settings = answers.settings()
    assert (settings["layout"], settings["max_pixels"]) == ("bare", 56 * 56)
    with ChatServer() as server:
        answers, _ = load_named(server.url, None, chat=chat_for_servers())
        assert isinstance(answers, EndpointAnswerModel)
        assert answers.settings()["layout"] == "images_first"


def chat_for_servers() -> ChatOptions:
    return ChatOptions(layout="images_first", max_pixels=100 * 100, concurrency=2)


def test_what_a_server_decides_itself_is_refused() -> None:
    for options in ({"dtype": torch.bfloat16}, {"quantization": "nf4"}):
        with pytest.raises(ValueError, match=f"leave out {next(iter(options))}"):
            load_named("http://127.0.0.1:1/v1#x", None, **options)
    with ChatServer() as server:  # programs name a device for whatever else runs here
        assert load_named(f"{server.url}#tiny", None, device="cpu")[1] is None


def test_what_only_models_of_this_project_take_is_refused_for_others(qwen: Path) -> None:
    for options in ({"offload": 2}, {"offload": "auto"}, {"clip": "some/clip"}):
        with pytest.raises(ValueError, match=f"leave out {next(iter(options))}"):
            load_named(qwen, None, device="cpu", **options)


def test_options_that_a_model_would_ignore_are_refused(own: Path, qwen: Path) -> None:
    for name, chat, said in (
        (own / "vqa", ChatOptions(max_pixels=9, layout="bare"), "leave out layout, max_pixels"),
        (qwen, ChatOptions(max_pixels=9, timeout=9), "loaded here: leave out timeout"),
        ("http://127.0.0.1:1/v1#x", ChatOptions(revision="main"), "server.*leave out revision"),
    ):
        with pytest.raises(ValueError, match=said):
            load_named(name, None, device="cpu", chat=chat)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layout": "x"}, "layout='x' is none of interleaved, images_first, bare"),
        ({"max_pixels": 0}, "max_pixels=0 must be at least 1"),
        ({"min_pixels": 9, "max_pixels": 4}, "min_pixels=9 is more than max_pixels=4"),
    ],
)
def test_wrong_options_of_chat_models_are_named(options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ChatOptions(**options)


def test_a_family_that_vicrop_cannot_read_is_told_by_its_config_alone(tmp_path: Path) -> None:
    config = {"model_type": "gemma3", "text_config": {}, "vision_config": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="type 'gemma3' look; it reads llava, instructblip"):
        Seal.from_pretrained(vqa=tmp_path, search="vicrop_grad_att", device="cpu")


def test_the_identity_of_a_model_changes_with_its_files(qwen: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(qwen, copy)
    assert answer_model_identity(copy) == answer_model_identity(qwen)
    config = copy / "config.json"
    config.write_text(config.read_text() + " ")
    assert answer_model_identity(copy) != answer_model_identity(qwen)
    assert answer_model_identity("http://127.0.0.1:1/v1#x") == "http://127.0.0.1:1/v1#x"


@pytest.mark.parametrize("search", ["none", "vicrop_rel_att", "vicrop_grad_att", "oracle"])
def test_any_model_answers_with_any_search(search: str, qwen: Path) -> None:
    known = always() if search != "oracle" else always(box())
    seal = Seal.from_pretrained(vqa=qwen, search=search, known=known, device="cpu")
    answer = seal.ask(noise(), "What color is the boat?", OPTIONS)
    assert answer.option in (0, 1) and answer.chosen_by == "likelihood"
    assert answer.answered_by["model_type"] == "qwen2_5_vl"
    assert answer.plan is None if search == "none" else answer.plan is not None
    if search.startswith("vicrop"):
        assert [target.name for target in answer.memory.targets] == [""]
        assert answer.searches[0].strategy == search
        assert answer.plan.by == "given"  # the question itself is read; nobody is asked
        assert answer.cost["answer_model"]["images"] > 2  # read for the map, and shown twice
    assert json.loads(json.dumps(answer.to_dict()))["answered_by"] == answer.answered_by


def box():
    from seal.geometry import Box

    return Box(10, 10, 40, 40)


def test_marks_in_a_question_are_letters_to_a_model_that_can_tell_them_apart(
    own: Path, qwen: Path
) -> None:
    asked = "What does <image> or <|im_end|></s> mean here?"
    answer = Seal.from_pretrained(vqa=qwen, search="none", device="cpu").ask(noise(), asked)
    assert answer.cost["answer_model"]["images"] == 1
    with pytest.raises(ValueError, match="the question contains <image>"):
        Seal.from_pretrained(own / "vqa", search="none", device="cpu").ask(noise(), asked)


def test_seals_own_model_is_read_by_vicrop_for_what_it_lacks(own: Path) -> None:
    seal = Seal.from_pretrained(own / "vqa", search="vicrop_rel_att", device="cpu")
    answer = seal.ask(noise(), "What color is the boat?", OPTIONS, targets=["boat", "mug"])
    assert [target.name for target in answer.memory.targets] == ["boat", "mug"]
    first, second = answer.searches
    assert first.boxes == second.boxes and first.calls and not second.calls  # one map for both
    answer = seal.ask(noise(), "What color is the boat?", OPTIONS)
    assert answer.plan.by == "seal"


def test_a_region_without_a_name_can_be_shown_to_seals_own_model(own: Path) -> None:
    seal = Seal.from_pretrained(own / "vqa", search="vicrop_rel_att", device="cpu", planner="given")
    answer = seal.ask(noise(), "What color is the boat?", OPTIONS)
    assert [target.name for target in answer.memory.targets] == [""]
    assert "part of the image <object> at location" in seal.answer_model.prompt(answer.memory)


def test_letters_are_chosen_where_a_server_tells_no_likelihood() -> None:
    def first(text: str) -> dict[str, float]:
        assert "(A) red" in text and "(B) blue" in text
        return {"B": -0.1, " A": -2.5}

    with ChatServer(first=first) as server:
        seal = Seal.from_pretrained(vqa=f"{server.url}#tiny", search="none")
        answer = seal.ask(noise(), "What color is the boat?", OPTIONS)
    assert (answer.text, answer.option, answer.chosen_by) == ("blue", 1, "letters")
    assert answer.losses == pytest.approx([2.5, 0.1])


def test_letters_that_a_server_does_not_tell_are_null_in_json_and_undecided() -> None:
    with ChatServer(first=lambda text: {"Z": -0.1}) as server:
        seal = Seal.from_pretrained(vqa=f"{server.url}#tiny", search="none")
        answer = seal.ask(noise(), "What color is the boat?", OPTIONS)
    assert answer.option is None and answer.text == "undecided: red | blue"
    assert answer.to_dict()["losses"] == [None, None]


def test_a_model_here_can_be_told_to_choose_by_letters(qwen: Path) -> None:
    protocol = ProtocolConfig(choosing="letters")
    seal = Seal.from_pretrained(vqa=qwen, search="none", device="cpu", protocol=protocol)
    answer = seal.ask(noise(), "What color is the boat?", OPTIONS)
    assert answer.chosen_by == "letters" and answer.option in (0, 1)
    with pytest.raises(ValueError, match="choosing='x' is none of likelihood, letters"):
        ProtocolConfig(choosing="x")


def test_a_search_that_lacks_a_model_is_told_before_anything_is_loaded(qwen: Path) -> None:
    with pytest.raises(ValueError, match="reads the answer model: give vqa="):
        Seal.from_pretrained(None, search="vicrop_rel_att")
    with pytest.raises(ValueError, match="needs a search model"):
        Seal.from_pretrained(vqa=qwen, search="guided")
    with pytest.raises(ValueError, match="a server never does"):
        Seal.from_pretrained(vqa="http://127.0.0.1:1/v1#x", search="vicrop_rel_att")


def test_ways_to_show_pictures_are_refused_before_anything_is_loaded(own: Path, qwen: Path) -> None:
    check_shown(own / "vqa", ["consistent"])
    with pytest.raises(ValueError, match=r"vqa reads pictures at one granularity"):
        check_shown(own / "vqa", ["36"])
    for name in (qwen, "http://127.0.0.1:8000/v1#tiny"):
        check_shown(name, [])
        with pytest.raises(ValueError, match="shows pictures in its own way, not as auto, 36"):
            check_shown(name, ["auto", "36"])
        with pytest.raises(ValueError, match="leave out granularity"):
            load_named(name, None, device="cpu", granularity=36)
