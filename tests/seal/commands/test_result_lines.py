"""Lines of results: on the disk at once, continued, and never mixed with others'."""

from __future__ import annotations

import json

import pytest

from seal.commands.result_lines import ResultLines

ONE = {"id": "1", "image": "a.jpg", "question": "Why?"}
TWO = {"id": "2", "image": "b.jpg", "question": "Who?", "options": ["x"]}


def read(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_is_continued_and_what_failed_is_asked_again(tmp_path):
    path = tmp_path / "new" / "out.jsonl"
    with ResultLines(path, "--vqa x") as lines:
        lines.add({**ONE, "text": "\u6c34"})
        lines.add({**TWO, "error": "ValueError: no"})
        assert len(read(path)) == 2  # before it is closed
        assert (lines.num_failed, lines.first_error) == (1, "2: ValueError: no")
    with path.open("ab") as file:
        file.write(b'{"id": "3", "tex')  # of a command that was killed
    with ResultLines(path, "--vqa x") as lines:
        assert lines.has(ONE) and not lines.has(TWO)
        assert not lines.has({**ONE, "question": "Else?"})
        lines.add({**TWO, "text": "y"})
    assert [(line["id"], line["text"]) for line in read(path)] == [("1", "\u6c34"), ("2", "y")]


def test_a_file_of_other_settings_or_of_something_else_stays_as_it_is(tmp_path):
    path = tmp_path / "out.jsonl"
    with ResultLines(path, "--vqa x") as lines:
        lines.add({**ONE, "text": "y"})
        with pytest.raises(ValueError, match="being written by another command"):
            ResultLines(path, "--vqa x")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"made with '--vqa x', and this is '--vqa z'"):
        ResultLines(path, "--vqa z")
    assert path.read_bytes() == before
    path.write_text('{"mine": 1}\n')
    with pytest.raises(ValueError, match="line 1 is no answer of seal"):
        ResultLines(path, "--vqa x")
    assert path.read_text() == '{"mine": 1}\n'
    with pytest.raises(ValueError, match=r"--out .* cannot be written"):
        ResultLines(path / "below", "--vqa x")


def test_without_a_file_lines_go_to_stdout(capsys):
    with ResultLines(None, "--vqa x") as lines:
        lines.add({**ONE, "text": "a\ud800"})  # half a surrogate pair
    assert json.loads(capsys.readouterr().out)["by"] == "--vqa x"
