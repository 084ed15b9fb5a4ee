"""`seal ask` and `seal locate` on model folders: what is printed, written and returned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image
from tiny_detectors import owl_folder
from tiny_models import levelled_vqa_model, noise, tokenizer, vqa_model, vsm_model

from seal.cli import main
from seal.geometry import Box
from seal.images.tiles import TilesConfig
from seal.inference.build_locator import build_locator
from seal.models.files.save import save_model
from seal.models.parts.router import RouterConfig
from seal.pipeline import Seal
from seal.search.draw import draw_path
from seal.search.strategies import STRATEGIES
from seal.search.trace import from_dict

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
    levelled = levelled_vqa_model(
        tiles=TilesConfig(), router=RouterConfig(text_tokens=4, num_heads=4)
    )
    save_model(place / "levels", levelled, tokenizer().folder)
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


def test_locate_says_not_found_and_has_a_code_for_it(place, capsys):
    assert locate(place, "blind") == 3
    captured = capsys.readouterr()
    assert captured.out.startswith("boat: not found (")
    assert "Error" not in captured.err and "expected memory" in captured.err  # no error


@pytest.mark.parametrize(("vsm", "code"), [("sure", 0), ("blind", 3)])
def test_locate_as_json_holds_the_boxes_inside_the_image(place, capsys, vsm, code):
    assert locate(place, vsm, "--json") == code
    said = json.loads(capsys.readouterr().out)
    assert (said["target"], said["found"], said["saved"]) == ("boat", code == 0, [])
    assert len(said["boxes"]) == len(said["scores"])
    assert bool(said["boxes"]) == said["found"]
    assert len(said["path"]) >= 1


def test_a_search_model_that_says_something_else_is_told_with_the_result(place, capsys):
    assert locate(place, "blind", "--json") == 3
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.splitlines() if "the search model says" in line]
    told = json.loads(captured.out)["guide"]["models"]["seal"]["locate_answer"]
    assert told["constant"] is False and repr(told["said"]) in line


def test_a_search_that_its_budget_ended_says_so(place, capsys):
    whole = ("--search", "sequential_bfs")
    assert locate(place, "blind", *whole, "--budget", "nodes=1", "--budget", "seconds=99") == 3
    said = capsys.readouterr().out
    assert said == "boat: not found (1 region looked at, stopped early after 1 node)\n"
    assert locate(place, "blind", *whole, "--budget", "nodes=1", "--json") == 3
    assert json.loads(capsys.readouterr().out)["stopped_early"] == "1 node"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--budget", "12"), "--budget '12' is not KIND=N"),
        (("--budget", "visits=3"), "kinds: nodes, calls, seconds"),
        (("--budget", "nodes=1.5"), "is not KIND=N"),
        (("--budget", "nodes=0"), "budget.nodes=0"),
        (("--all", "--search", "random_bfs"), "--all is --search every_instance"),
        (("--lookahead", "-1"), "lookahead=-1 must be a whole number of at least 0"),
        (("--max-batch", "0"), "max_batch=0 must be a whole number of at least 1"),
    ],
)
def test_a_wrong_choice_is_told_before_a_model_is_loaded(place, no_model, capsys, flags, words):
    assert locate(place, "sure", *flags) == 2
    assert words in capsys.readouterr().err


def test_how_hard_a_search_is_driven_changes_what_it_costs_and_not_what_it_visits(place, capsys):
    def told(*flags):
        assert locate(place, "blind", "--search", "sequential_bfs", "--json", *flags) == 3
        said = capsys.readouterr()
        return json.loads(said.out), said.err

    plain, lines = told()
    assert "MiB for crops, room for 64 searches side by side)" in lines
    small = ("--max-batch", "2", "--cache-mb", "64", "--concurrency", "1", "--no-prepare")
    driven, lines = told("--lookahead", "3", *small)
    assert "in one pass: 2 queries of a search (64 MiB for crops" in lines
    assert (plain["evaluated_ahead"], driven["wasted_ahead"]) == (0, 0)
    assert driven["evaluated_ahead"] > 0
    assert [node["box"] for node in driven["path"]] == [node["box"] for node in plain["path"]]
    assert driven["calls"] == plain["calls"]


def test_all_boxes_and_counts(place, capsys):
    assert locate(place, "sure", "--all") == 0
    said = capsys.readouterr().out
    assert locate(place, "sure", "--all", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["count"] == len(told["boxes"]) >= 1
    assert said.startswith(f"boat: {told['count']} found: [")
    assert told["scores"] == sorted(told["scores"], reverse=True)


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


@pytest.mark.parametrize("granularity", ["auto", "2"])
def test_ask_tells_the_level_and_the_visual_tokens_it_read(place, capsys, granularity):
    said = ["--vqa", str(place / "levels"), "--search", "none", "--granularity", granularity]
    assert ask(place, "--option", "red", "--option", "blue", *said, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (level,) = told["levels"]
    assert level in (1, 2, 4, 8, 16) and (granularity == "auto" or level == 2)
    assert told["answered_by"]["granularity"] == ("auto" if granularity == "auto" else 2)
    tokens = told["cost"]["answer_model"]["visual_tokens"]
    assert tokens > level
    assert ask(place, "--option", "red", "--option", "blue", *said) == 0
    text, options, read = capsys.readouterr().out.splitlines()
    assert options.startswith("  options: ")
    assert (text, read) == (
        told["text"],
        f"  read at level {level}: {tokens:,.0f} visual tokens in all",
    )


def test_ask_tells_the_level_of_each_crop(place, capsys):
    said = ["--vqa", str(place / "levels"), "--search", "vicrop_rel_att", "--planner", "given"]
    assert ask(place, "--option", "red", *said) == 0
    assert ", crop at " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("vqa", "granularity", "says"),
    [
        ("levels", "5", "granularity=5 is no level of"),
        ("levels", "fine", "'fine' is neither auto nor a level"),
        ("vqa", "auto", "reads pictures at one granularity"),
    ],
)
def test_ask_refuses_a_granularity_that_the_model_has_not(place, capsys, vqa, granularity, says):
    said = ["--vqa", str(place / vqa), "--search", "none", "--granularity", granularity]
    assert ask(place, *said) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1  # and nothing was loaded


def test_ask_refuses_an_option_given_twice(place, capsys):
    assert ask(place, "--option", "red", "--option", "red") == 2
    assert "an option appears twice" in capsys.readouterr().err


def test_a_region_without_a_name_is_told_in_words(place, capsys):
    assert ask(place, "--search", "vicrop_rel_att", "--planner", "given") == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("  what the question is about: [") for line in said)


def test_ask_searches_for_what_target_names_whatever_the_planner(place, capsys):
    for more in ([], ["--planner", "given"]):
        assert ask(place, "--target", "mug", "--target", "red boat", "--json", *more) == 0
        said = json.loads(capsys.readouterr().out)
        assert [search["target"] for search in said["searches"]] == ["mug", "red boat"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--planner", "given"], "give --target"),
        (["--search", "none", "--target", "mug"], "drop one"),
        (["--target", "the"], "names no thing"),
    ],
)
def test_targets_that_nothing_comes_of_are_refused(no_model, place, capsys, flags, says):
    assert ask(place, *flags) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


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
    # What was written before stays.
    again = [f"photo-large-{index}.{kind}" for index in (2, 3) for kind in ("png", "json")]
    assert said["saved"] == [str(tmp_path / name) for name in again]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names + again)
    assert said["not_found"] == ["boat"]
    assert [len(target["boxes"]) for target in said["memory"]] == [1, 0]


def test_the_map_and_its_crop_are_drawn_and_can_be_drawn_from_the_trace(place, tmp_path, capsys):
    photo, vqa = str(place / "photo.png"), str(place / "vqa")
    how = ["--search", "vicrop_rel_att", "--planner", "noun_phrases", "--device", "cpu"]
    assert main(["ask", photo, QUESTION, "--vqa", vqa, *how, "--save-path", str(tmp_path)]) == 0
    result = from_dict(json.loads((tmp_path / "photo-0.json").read_text()))
    assert result.strategy == "vicrop_rel_att" and result.path[0].heat is not None
    assert result.best_box == result.boxes[0]
    with Image.open(tmp_path / "photo-0.png") as drawn, Image.open(photo) as image:
        again = draw_path(image.convert("RGB"), result)
        assert drawn.size == again.size
        differing = np.asarray(drawn).astype(int) - np.asarray(again)
    assert np.abs(differing).mean() < 1


@pytest.fixture
def album(tmp_path, place) -> Path:
    """Two pictures and a damaged one, and lines about them and about one that is not there."""
    for name in ("a.png", "b.png"):
        noise(640, 480).save(tmp_path / name)
    (tmp_path / "damaged.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    lines = [
        {"id": "k1", "image": "a.png", "question": QUESTION},
        {"id": "k2", "image": "b.png", "question": QUESTION, "targets": ["boat"]},
        {"id": "k3", "image": "none.png", "question": QUESTION},
    ]
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_ask_answers_the_lines_of_a_file_and_goes_on_where_it_was(knowing, album, capsys):
    out = album / "answers.jsonl"
    command = ["ask", str(album / "lines.jsonl"), "--miniature", "--out", str(out), "--quiet"]
    assert main(command) == 1
    assert capsys.readouterr().err.startswith("seal: failed: k3: UnreadableImageError: ")
    lines = {line["id"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert [lines[key].get("text") for key in ("k1", "k2", "k3")] == ["red", "red", None]
    assert [search["target"] for search in lines["k1"]["searches"]] == ["mug", "boat"]
    assert lines["k1"]["searches"][0]["found"] and lines["k1"]["not_found"] == ["boat"]
    assert [search["target"] for search in lines["k2"]["searches"]] == ["boat"]
    assert "none.png: does not exist" in lines["k3"]["error"]
    noise(640, 480).save(album / "none.png")
    assert main(command) == 0  # k3 alone is asked
    again = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["id"] for line in again][-1] == "k3" and len(again) == 3
    assert main([*command, "--search", "random_bfs"]) == 2
    assert "holds answers made with" in capsys.readouterr().err


def test_ask_asks_the_same_of_each_picture_of_a_folder(knowing, album, tmp_path_factory, capsys):
    seen = tmp_path_factory.mktemp("seen")
    flags = ["--option", "red", "--option", "blue", "--miniature", "--json", "-q"]
    assert main(["ask", str(album), QUESTION, *flags, "--save-path", str(seen)]) == 1
    said = capsys.readouterr()
    lines = {line["id"]: line for line in map(json.loads, said.out.splitlines())}
    assert set(lines) == {"a.png", "b.png", "damaged.png"}
    assert len(lines["a.png"]["probabilities"]) == 2 and lines["a.png"]["answer"]["losses"]
    assert len(lines["a.png"]["saved"]) == 4
    assert "damaged" in lines["damaged.png"]["error"] and said.err.count("\n") == 1


@pytest.mark.parametrize(("target", "code"), [("mug", 1), ("boat", 1)])
def test_locate_writes_a_line_for_each_picture(knowing, album, capsys, target, code):
    assert main(["locate", str(album), target, "--miniature"]) == code
    lines = {line["id"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    found = [lines[name]["found"] for name in ("a.png", "b.png")]
    assert found == [target == "mug"] * 2 and "error" in lines["damaged.png"]
    (album / "damaged.png").unlink()
    code = main(["locate", str(album), target, "--miniature", "-q"])
    assert code == (0 if target == "mug" else 3) and capsys.readouterr().err == ""


def test_quiet_prints_nothing_but_results(place, capsys):
    assert locate(place, "sure", "--quiet") == 0
    assert capsys.readouterr().err == ""
    assert locate(place, "sure") == 0
    assert "expected memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["photo.png", "boat", "--out", "x.jsonl"], "photo.png is one picture"),
        ([".", "the"], "names no thing"),
        (["lines.jsonl"], "lines.jsonl cannot be read"),
    ],
)
def test_what_is_wrong_with_many_is_told_before_a_model_is_loaded(
    no_model, place, capsys, more, says
):
    name, *rest = more
    assert main(["locate", str(place / name), *rest]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


@pytest.fixture
def no_model(monkeypatch) -> None:
    def from_pretrained(*_, **__):
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(Seal, "from_pretrained", from_pretrained)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("...", "names no thing"),
        ("the", "names no thing"),
        ("[LOC]", "contains [LOC]"),
        (" ", "the target is empty"),
        ("boat " * 2001, "is too long to be the name of a thing"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_before_a_model_is_loaded(
    no_model, place, capsys, target, says
):
    assert main(["locate", str(place / "photo.png"), target]) == 2
    said = capsys.readouterr().err
    assert says in said and len(said) < 400 and said.count("\n") == 1


@pytest.mark.parametrize(
    ("image", "says"),
    [("none.png", "does not exist"), ("https://example.org/a.png", "is an address")],
)
def test_a_wrong_image_is_refused_before_a_model_is_loaded(no_model, place, capsys, image, says):
    where = image if "://" in image else str(place / image)
    assert main(["locate", where, "boat"]) == 2
    assert says in capsys.readouterr().err


def test_pictures_are_not_written_among_those_that_are_asked_about(no_model, album, capsys):
    for place in (album, album / "seen"):
        assert main(["locate", str(album), "boat", "--save-path", str(place)]) == 2
        assert "name a folder elsewhere" in capsys.readouterr().err


def test_the_place_of_pictures_is_checked_before_a_model_is_loaded(no_model, place, capsys):
    photo = str(place / "photo.png")
    assert main(["locate", photo, "boat", "--save-path", f"{photo}/found"]) == 2
    assert "--save-path" in (said := capsys.readouterr().err) and "cannot be made" in said


def test_a_detector_guides_without_a_search_model(tmp_path, place, capsys):
    """Drawn, traced, and named in both."""
    folder = owl_folder(tmp_path / "owl")
    capsys.readouterr()  # of libraries that write a folder
    photo = str(place / "photo.png")
    flags = ["--guide", "owlv2", "--guide-model", f"owlv2={folder}", "--device", "cpu"]
    code = main(["locate", photo, "boat", *flags, "--save-path", str(tmp_path), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert code == (0 if result["found"] else 3)
    assert result["guide"]["parts"] == {"detect": "owlv2", "heat": "owlv2", "expert": "owlv2"}
    assert result["guide"]["models"]["owlv2"]["model"] == str(folder)
    assert "use_contextual_cue" in result["config"] and not result["config"]["use_contextual_cue"]
    trace = json.loads((tmp_path / "photo-0.json").read_text())
    assert trace["guide"] == result["guide"] and (tmp_path / "photo-0.png").is_file()


def test_a_guide_of_parts_has_heat_and_cues_from_the_search_model(tmp_path, place, capsys):
    folder = owl_folder(tmp_path / "owl")
    capsys.readouterr()  # of libraries that write a folder
    flags = ["--guide", "detect=owlv2,cue=seal,heat=seal", "--guide-model", f"owlv2={folder}"]
    locate(place, "blind", *flags, "--json")
    result = json.loads(capsys.readouterr().out)
    assert list(result["guide"]["models"]) == ["owlv2", "seal"]
    assert result["config"]["use_contextual_cue"]
    assert result["found"] or result["calls"]["target_heat"] > 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--guide", "owl2"], "did you mean owlv2?"),
        (["--guide", "detect=owlv2,cues=seal"], "'cues=seal' sets no part"),
        (["--guide", "detect=seal,cue=owlv2"], "for cue take one of seal"),
        (["--guide", "owlv2"], "guide.detect=owlv2 needs a model: set guide.models.owlv2="),
        (["--guide", "owlv2", "--guide-model", "owlv2"], "is not NAME=MODEL"),
        (["--guide-model", "owlv2=x"], "--guide-model owlv2=: --guide seal does not ask owlv2"),
        (["--guide", "owlv2", "--guide-model", "owlv2=none/here/at/all"], "no such model folder"),
        (
            ["--guide", "owlv2", "--guide-model", "owlv2=x", "--search", "no_target_cue"],
            "asks its guide for contextual_cue, which this one does not give: name a guide that "
            "does (guide.cue=)",
        ),
    ],
)  # fmt: skip
def test_a_wrong_guide_is_told_in_a_line(place, capsys, flags, says):
    assert main(["locate", str(place / "photo.png"), "boat", *flags, "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1


@pytest.mark.parametrize("command", [["ask", "a.png", "What?"], ["locate", "a.png", "boat"]])
def test_an_unknown_search_offers_what_is_taken(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--search", "nope"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "guided" in said and "human_prior" not in said
    assert ("'none'" in said or " none" in said) == (command[0] == "ask")


def test_the_help_tells_every_search(capsys):
    with pytest.raises(SystemExit):
        main(["ask", "--help"])
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in (*STRATEGIES, "none"))


def test_an_interruption_has_a_code_of_its_own(place, monkeypatch, capsys):
    def from_pretrained(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Seal, "from_pretrained", from_pretrained)
    assert main(["locate", str(place / "photo.png"), "boat", "--miniature"]) == 130
    assert capsys.readouterr().err == "seal: interrupted\n"
