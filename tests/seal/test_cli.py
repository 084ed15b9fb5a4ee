"""The console script: help for a newcomer, exit codes, one-line errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from tiny_families import folder, missing

from seal.cli import main


def test_help_tells_a_newcomer_what_to_do_first(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for needed in ("first steps", "seal demo", "seal ask", "seal locate", "train/vsm", "torchrun"):
        assert needed in text


@pytest.mark.parametrize(
    ("about", "says"),
    [([], "first steps"), (["ask"], "usage: seal ask"), (["train/vsm"], "keys, each written")],
)
def test_help_is_a_command_too(about, says, capsys):
    try:
        assert main(["help", *about]) == 0
    except SystemExit as stop:
        assert stop.code == 0
    assert says in capsys.readouterr().out


def test_no_command_prints_help_and_is_wrong_use(capsys):
    assert main([]) == 2
    assert "first steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train/nothing"], "no program 'train/nothing'"),
        (["train/vsn"], "did you mean train/vsm or train/vqa"),
        (["ask", "missing.jpg", "What is it?"], "missing.jpg"),
        (["ask", "missing.jpg", "  "], "question is empty"),
        (["locate", "missing.jpg", "a mug"], "missing.jpg"),
        (["locate", "missing.jpg", ""], "target is empty"),
    ],
)
def test_wrong_use_is_one_line_on_stderr_and_exit_code_2(arguments, said, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said", "way_out"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate'", "see seal --help"),
        (["train", "vsm"], "'train'; did you mean: seal train/vsm;", "see seal --help"),
        (["train"], "seal train/vqa | seal train/vsm;", "see seal --help"),
        (["vsm"], "'vsm'; did you mean: seal train/vsm;", "see seal --help"),
        (["data_builder", "coco"], "did you mean: seal data_builders/coco;", "see seal --help"),
        (["locat", "a.jpg", "mug"], "did you mean: seal locate;", "see seal --help"),
        (["--experiment", "x"], "e.g. seal train/vsm experiment=x;", "see seal --help"),
        (["ask", "a.jpg", "Why?", "--vqaa", "x"], "did you mean --vqa?", "see seal ask --help"),
        (["ask", "a.jpg", "Why?", "vqa=x"], "did you mean --vqa x?", "see seal ask --help"),
        (["locate", "a.jpg"], "TARGET", "see seal locate --help"),
        (["ask", "a.jpg", "Why?", "--colour"], "unrecognized arguments: --colour", "--help"),
        (["locate", "a.jpg", "mug", "--quantization", "int2"], "'int2'", "see seal locate --help"),
        (["demo", "--seed", "one"], "'one'", "see seal demo --help"),
    ],
)
def test_arguments_that_do_not_parse_are_one_line_too(arguments, said, way_out, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("seal: ") and captured.err.count("\n") == 1
    assert said in captured.err and captured.err.endswith(f"{way_out}\n")
    assert captured.out == ""


def test_traceback_is_shown_only_when_asked(capsys, monkeypatch):
    monkeypatch.setenv("SEAL_TRACEBACK", "0")  # and put back what it was, whatever main sets
    main(["train/nothing"])
    assert "Traceback" not in capsys.readouterr().err
    main(["--traceback", "train/nothing"])
    assert "Traceback" in capsys.readouterr().err


def test_ask_takes_any_image_text_model_and_draws_where_it_looked(tmp_path, capsys):
    if reason := missing("qwen2_5_vl"):
        pytest.skip(reason)
    model = folder("qwen2_5_vl")
    capsys.readouterr()  # of making it
    photo = tmp_path / "photo.png"
    Image.radial_gradient("L").resize((300, 200)).save(photo)
    arguments = [
        "ask", str(photo), "What color is it?", "--option", "red", "--option", "blue",
        "--vqa", str(model), "--search", "vicrop_rel_att", "--device", "cpu",
        "--max-pixels", "50176", "--layout", "bare", "--save-path", str(tmp_path / "seen"),
    ]  # fmt: skip
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] in ("red", "blue") and told["plan"]["by"] == "given"
    assert told["answered_by"]["max_pixels"] == 50176
    assert told["cost"]["answer_model"]["calls"] >= 2
    picture, trace = told["saved"]
    assert Image.open(picture).width > 300
    assert json.loads(Path(trace).read_text())["strategy"] == "vicrop_rel_att"


def test_a_mark_in_a_question_ends_before_seals_own_model_is_loaded(tmp_path, capsys):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    (tmp_path / "config.json").write_text('{"model_class": "vqa"}')
    assert main(["ask", str(photo), "What is <image>?", "--vqa", str(tmp_path)]) == 2
    assert "the question contains <image>" in capsys.readouterr().err


def test_doctor_tells_what_any_image_text_model_takes(capsys):
    if reason := missing("qwen2_5_vl"):
        pytest.skip(reason)
    assert main(["doctor", "--vqa", str(folder("qwen2_5_vl"))]) == 0
    told = capsys.readouterr().out
    needs = told.partition("as the answer model alone:\n")[2].splitlines()[0]
    assert needs.count("yes") == 3
    assert main(["doctor", "--vqa", "http://127.0.0.1:1/v1#x"]) == 2
    assert "is a server" in capsys.readouterr().err
