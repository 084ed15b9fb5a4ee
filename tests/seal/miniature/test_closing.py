"""The last lines of a demo say its result, and commands that can be typed as they stand."""

from __future__ import annotations

import json
import shlex

from seal.cli import build_parser
from seal.miniature.closing import closing_lines

METRIC = {"value": 0.845, "n": 200, "invalid": 0, "low": 0.788, "high": 0.889}


def finished(out, *, question="What is the color of the cup's badge?"):
    folder = out / "data" / "benchmark" / "direct_attributes"
    folder.mkdir(parents=True)
    asked = {"question": question, "bbox": [[1, 1, 9, 9]]}
    (folder / "0000.json").write_text(json.dumps(asked))
    (folder / "0000.jpg").write_bytes(b"")
    absent = out / "data" / "benchmark" / "absent_targets"
    absent.mkdir()
    (absent / "0000.json").write_text(json.dumps({"question": "What lamp?", "bbox": [None]}))
    (absent / "0000.jpg").write_bytes(b"")
    accuracy = {"none": {"overall": METRIC | {"value": 0.33}}, "guided": {"overall": METRIC}}
    (out / "metrics.json").write_text(json.dumps({"accuracy": accuracy}))
    return out


def test_the_result_is_told_with_its_interval_and_the_time(tmp_path):
    text = "\n".join(closing_lines(finished(tmp_path), 610.0))
    assert "Done in 10 minutes. Of 200 held-out questions" in text
    assert "without a search  33.0 [" in text and "with the search   84.5 [78.8, 88.9] %" in text
    assert "report.html" in text


def test_the_next_commands_are_ones_that_seal_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = closing_lines(finished(tmp_path / "a demo"), 1.0)
    commands = [shlex.split(line) for line in lines[lines.index("Next:") + 1 :]]
    assert [words[1 if words[0].endswith("seal") else 3] for words in commands] == ["ask", "app"]
    (ask,) = [words for words in commands if "ask" in words]
    arguments = build_parser().parse_args(ask[ask.index("ask") :])
    assert arguments.image == "a demo/data/benchmark/direct_attributes/0000.jpg"
    assert arguments.question == "What is the color of the cup's badge?"
    assert str(arguments.vqa) == "a demo/vqa" and str(arguments.vsm) == "a demo/vsm"


def test_without_a_benchmark_there_is_nothing_to_ask_about(tmp_path):
    (tmp_path / "metrics.json").write_text(
        json.dumps({"accuracy": {name: {"overall": METRIC} for name in ("none", "guided")}})
    )
    assert not any(" ask " in line for line in closing_lines(tmp_path, 1.0))
