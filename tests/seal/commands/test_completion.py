"""Completion: a real bash completes commands, options, programs, keys and their files."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from seal.cli import build_parser, main, subparsers
from seal.commands.completion import all_words, bash, fish, zsh
from seal.commands.programs import names


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Writes the script of a shell and gives its path."""
    folder = tmp_path_factory.mktemp("completion")
    words = all_words(subparsers(build_parser()))

    def write(shell: str) -> str:
        (folder / shell).write_text({"bash": bash, "zsh": zsh, "fish": fish}[shell](words))
        return str(folder / shell)

    return write


@pytest.fixture(scope="module")
def completed(scripts):
    """What bash offers behind a line."""
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    script = scripts("bash")

    def complete(line: str) -> list[str]:
        code = 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _seal; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(
            ["bash", "-c", code, "bash", script, line],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("seal loc", ["locate"]),
        ("seal train/v", ["train/vqa", "train/vsm"]),
        ("seal ask a.jpg Why? --optio", ["--option"]),
        ("seal ask a.jpg Why? --search zoom", ["zoom_eye"]),
        ("seal completion z", ["zsh"]),
        ("seal help train/vs", ["train/vsm"]),
        ("seal train/vsm train.num_st", ["train.num_steps="]),
        # Readline takes what stands behind an equals sign for a word of its own.
        ("seal train/vsm experiment=vsm_mini", ["vsm_miniature"]),
        ("seal train/vsm nothing.at.all", []),
    ],
)
def test_bash_completes(completed, line, offered):
    assert completed(line) == offered


def test_bash_offers_every_program_and_leaves_files_to_itself(completed):
    assert {*names(), "ask", "doctor"} <= set(completed("seal "))
    assert "ask" not in completed("seal ask ") and "photo" not in completed("seal ask pho")


@pytest.mark.parametrize(("shell", "check"), [("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_other_shells_read_their_script(scripts, shell, check):
    script = scripts(shell)
    with open(script) as file:
        text = file.read()
    assert "train/vsm" in text and "experiment=vsm_miniature" in text
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    subprocess.run([shell, *check, script], check=True)


def test_an_unknown_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["completion", "cmd"])
    assert stop.value.code == 2 and "'cmd'" in capsys.readouterr().err
