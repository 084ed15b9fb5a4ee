"""The judge as a program, and behind eval/benchmark: a tiny model, and a server in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer
from PIL import Image
from programs_here import run_program
from tiny_models import tokenizer, vqa_model

from seal.models.files.save import save_model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    save_model(folder / "vqa", vqa_model(), tokenizer().folder)
    (folder / "mm-vet" / "images").mkdir(parents=True)
    entries = {}
    for number in range(3):
        Image.new("RGB", (40, 30), (80 * number, 0, 0)).save(
            folder / "mm-vet" / "images" / f"{number}.png"
        )
        entries[f"v1_{number}"] = {
            "imagename": f"{number}.png", "question": f"What is number {number}?",
            "answer": "red<OR>dark", "capability": ["rec"], "imagesource": "drawn",
        }  # fmt: skip
    (folder / "mm-vet" / "mm-vet.json").write_text(json.dumps(entries))
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def say(text: str) -> str:
    return "score: 1.0" if "number 1" in text else "score: 0.5"


def benchmark(place: Path, out: Path, *more: str) -> int:
    return run_program(
        "eval/benchmark", "task=mm_vet", f"benchmark={place / 'mm-vet'}", f"vqa={place / 'vqa'}",
        "systems=[none]", f"out={out}", "device=cpu", *more,
    )  # fmt: skip


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_answers_are_graded_behind_the_benchmark_or_elsewhere_alike(place, tmp_path, capsys):
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    assert benchmark(place, run) == 0
    assert "`seal eval/judge` later" in capsys.readouterr().err
    overall = metrics(run)["systems"]["none"]["overall"]
    assert overall["score"]["value"] is None and overall["ungraded"] == 3
    assert "judge" not in metrics(run)
    with ChatServer(say) as server:
        code = run_program(
            "eval/judge", "task=mmvet", f"answers={run}", f"judge={server.url}",
            f"out={elsewhere}",
        )  # fmt: skip
        assert code == 0 and "graded by tiny: 3, ungraded: 0" in capsys.readouterr().out
        # The same command with a judge grades what is there; the replies are known by now.
        assert benchmark(place, run, f"judge={server.url}#tiny") == 0
        assert len(server.asked) == 3
    for folder in (run, elsewhere):
        overall = metrics(folder)["systems"]["none"]["overall"]
        assert overall["score"]["value"] == pytest.approx(2 / 3) and overall["ungraded"] == 0
        assert metrics(folder)["judge"] == {
            "model": "tiny", "prompt": "mm_vet/1", "graded": 3, "ungraded": 0,
        }  # fmt: skip
    lines = [(folder / "predictions.jsonl").read_text() for folder in (run, elsewhere)]
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        ((), "none is named: set judge=http://HOST:PORT/v1#MODEL"),
        (("judge=https://api.openai.com/v1#gpt-4.1",), "environment variable OPENAI_API_KEY"),
        (("judge=http://127.0.0.1:9/v1#m",), "cannot be reached"),
    ],
)
def test_without_a_judge_it_is_a_line_and_the_exit_code_of_wrong_use(
    tmp_path, capsys, judge, problem
):
    folder = tmp_path / "run"
    folder.mkdir()
    line = {"id": "1", "system": "none", "task": "mm_vet", "question": {}}
    (folder / "predictions.jsonl").write_text(json.dumps(line) + "\n")
    out = tmp_path / "graded"
    assert run_program("eval/judge", "task=mm_vet", f"answers={folder}", f"out={out}", *judge) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("judge: ") and problem in told
    assert not out.exists()


def test_a_benchmark_without_grades_takes_no_judge(place, tmp_path, capsys):
    code = run_program(
        "eval/benchmark", "task=vstar_bench", "benchmark=x", f"vqa={place / 'vqa'}",
        "systems=[none]", f"out={tmp_path}", "judge=http://127.0.0.1:9/v1#m",
    )  # fmt: skip
    assert code == 2
    assert "task=vstar_bench is scored without a judge" in capsys.readouterr().err
