"""The console script: help for a newcomer, exit codes, one-line errors."""

from __future__ import annotations

import pytest

from seal.cli import main


def test_help_tells_a_newcomer_what_to_do_first(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for needed in ("first steps", "seal demo", "seal ask", "seal locate", "train/vsm", "torchrun"):
        assert needed in text


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
