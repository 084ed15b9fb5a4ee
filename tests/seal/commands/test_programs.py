"""Programs are found and run by path."""

from __future__ import annotations

import pytest

from seal.commands import programs


@pytest.fixture
def root(tmp_path, monkeypatch):
    for folder in programs.FOLDERS:
        (tmp_path / folder).mkdir()
    (tmp_path / "train" / "toy.py").write_text(
        '"""Train a toy.\n\nMore."""\nimport sys\nprint("ran", __name__, sys.argv[1:])\n'
    )
    (tmp_path / "eval" / "fails.py").write_text('"""Fail."""\nraise SystemExit(2)\n')
    monkeypatch.setattr(programs, "programs_root", lambda: tmp_path)


def test_a_program_runs_as_main_with_its_overrides(root, capsys):
    assert programs.run("train/toy", ["a=1"]) == 0
    assert capsys.readouterr().out == "ran __main__ ['a=1']\n"


def test_the_exit_code_of_a_program_is_passed_on(root):
    assert programs.run("eval/fails", []) == 2


def test_the_listing_shows_each_program_with_its_first_sentence(root):
    assert "train/toy                Train a toy." in programs.listing()


def test_an_unknown_program_is_refused_with_the_nearest_name(root):
    with pytest.raises(ValueError, match="did you mean train/toy"):
        programs.program_path("train/tyo")


def test_the_real_programs_are_where_the_console_script_looks():
    assert (programs.programs_root() / "conf").is_dir()
