from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer

from seal.evaluation.grading import JudgeRun, run_judge
from seal.evaluation.judges.config import JudgeConfig
from seal.evaluation.named_tasks import task_named
from seal.evaluation.run_metrics import benchmark_metrics
from seal.evaluation.task import TaskQuestion
from seal.failure import FailedError

KEY = "sk-secret-0123456789abcdef"
SAID = ["-1 and -5", "minus one", "", "perhaps", "five"]


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path / "cache"))


def answered(number: int, said: str | None, system: str = "none") -> dict[str, Any]:
    question = TaskQuestion(
        id=f"v1_{number}",
        text="What is x?",
        image=f"{number // 2}.png",
        labels=("-1<AND>-5",),
        meta={"capability": ["ocr", "math"]},
    )
    cost = {
        "answer_model": dict.fromkeys(("calls", "tokens_read", "tokens_written", "pixels"), 0),
        "calls": {}, "visits": 0, "seconds": {},
    }  # fmt: skip
    return {
        "id": question.id, "system": system, "task": "mm_vet", "task_version": "1",
        "protocol": "default", "scoring": "free", "presented": None,
        "question": question.to_dict(), "prompt": None,
        "answer": None if said is None else {"text": said, "losses": [], "cost": cost},
        "error": "its picture is damaged" if said is None else None,
        "asked": "digest",
    }  # fmt: skip


def write_run(folder: Path, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write_json(path: Path) -> Path:
    path.write_text('{"v1_0": "five"}')
    return path


def graded(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def say(text: str) -> str:
    scores = {"-1 and -5": "score: 1.0", "minus one": "score: 0.5", "five": "score: 0.5"}
    return next((grade for word, grade in scores.items() if f'"{word}"' in text), "hard to say")


def run(server: ChatServer, source: Path, out: Path, model: str = "tiny", **values: Any):
    return run_judge(
        JudgeRun(
            task="MM-Vet",
            answers=str(source),
            judge=f"{server.url}#{model}",
            judging=JudgeConfig(backoff=0.01, attempts=2),
            out=str(out),
            **values,
        )
    )


def test_every_answer_gets_its_grade_and_the_metrics_name_the_judge(tmp_path):
    lines = [answered(i, said) for i, said in enumerate([*SAID, None])]
    source = write_run(tmp_path / "run", lines)
    with ChatServer(say) as server:
        metrics = run(server, source, tmp_path / "graded")
    kept = graded(tmp_path / "graded")
    assert [(line.get("grade") or {}).get("score") for line in kept] == [
        1.0, 0.5, None, None, 0.5, None,
    ]  # fmt: skip
    assert ["grade" in line for line in kept] == [True, True, False, True, True, False]
    assert [{k: v for k, v in line.items() if k != "grade"} for line in kept] == lines
    overall = metrics["systems"]["none"]["overall"]
    # Three grades, and two who said nothing; the one without a grade is in no number.
    assert overall["score"]["value"] == 2.0 / 5 and overall["score"]["invalid"] == 2
    assert overall["ungraded"] == 1
    assert metrics["judge"] == {
        "model": "tiny", "prompt": "mm_vet/1", "graded": 3, "ungraded": 1,
    }  # fmt: skip
    assert metrics["main"] == "score"
    told = json.loads((tmp_path / "graded" / "environment.json").read_text())["judge"]
    assert (told["model"], told["temperature"], told["requests"]) == ("tiny", 0.0, 5)
    assert graded(source) == lines  # the run itself stays as it was
    everything = "".join(p.read_text() for p in (tmp_path / "graded").iterdir() if p.is_file())
    assert KEY not in everything


def test_the_metrics_come_from_the_graded_lines_alone(tmp_path):
    source = write_run(tmp_path / "run", [answered(i, said) for i, said in enumerate(SAID)])
    with ChatServer(say) as server:
        metrics = run(server, source, tmp_path / "graded")
    again = benchmark_metrics(task_named("mm_vet").task(), graded(tmp_path / "graded"))
    assert json.dumps(again) == json.dumps(metrics)


def test_the_same_command_goes_on_and_asks_nothing_twice(tmp_path, monkeypatch):
    def broken(text: str, times: int) -> str | None:
        return None if '"minus one"' in text else "503"

    lines = [answered(i, said) for i, said in enumerate(SAID)]
    source, out = write_run(tmp_path / "run", lines), tmp_path / "graded"
    with ChatServer(say, fault=broken) as server:
        with pytest.raises(FailedError, match="3 of 4 answers got no grade"):
            run(server, source, out)
        assert not (out / "metrics.json").exists()
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path / "other"))  # the folder alone knows what is done
    with ChatServer(say) as server:
        whole = run(server, source, out)
        assert not any('"minus one"' in text for text in server.asked)
        asked = len(server.asked)
        assert run(server, source, out) == whole
        assert len(server.asked) == asked  # no grade twice: not even that of "perhaps"
        assert [line["id"] for line in graded(out)] == [line["id"] for line in lines]
        source = write_run(tmp_path / "run", [answered(0, "five"), *lines[1:]])
        changed = run(server, source, out)
        assert len(server.asked) == asked  # "five" was asked for another question in the same words
        assert changed["systems"]["none"]["overall"]["score"]["value"] < 2.0 / 4


def test_why_there_is_no_grade_is_told_where_something_can_be_done(tmp_path, capsys):
    def fault(text: str, times: int) -> str | None:
        return (
            "400"
            if '"five"' in text
            else "cut"
            if "perhaps" in text or "no grade" in text
            else None
        )

    source = write_run(tmp_path / "run", [answered(i, said) for i, said in enumerate(SAID)])
    with ChatServer(say, fault=fault) as server:
        metrics = run(server, source, tmp_path / "graded")
    assert metrics["judge"]["ungraded"] == 2
    told = capsys.readouterr().err
    assert "2 replies were cut at judging.max_tokens=200 and hold no grade: allow more" in told
    assert "some answers got no reply, the last: HTTP 400" in told and KEY not in told


def test_grades_of_two_judges_are_not_mixed(tmp_path):
    source = write_run(tmp_path / "run", [answered(0, "five")])
    with ChatServer(say) as server:
        run(server, source, tmp_path / "graded")
        with pytest.raises(ValueError, match=r"predictions made with grades.*choose another out="):
            run(server, source, tmp_path / "graded", "other")
        second = run(server, tmp_path / "graded", tmp_path / "second", "other")
        assert second["judge"]["model"] == "other"


def test_systems_are_compared_by_their_grades(tmp_path):
    lines = [answered(i, "five", "none") for i in range(3)]
    lines += [answered(i, "-1 and -5", "guided") for i in range(3)]
    with ChatServer(say) as server:
        metrics = run(server, write_run(tmp_path / "run", lines), tmp_path / "graded")
    difference = metrics["paired"]["guided_vs_none"]["overall"]["difference"]
    assert difference["value"] == 0.5 and difference["n"] == 3


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (lambda folder: write_run(folder, []), "holds no answers"),
        (lambda folder: folder / "nothing", "does not exist: answers= names a run's folder"),
        (lambda folder: write_run(folder, [{"id": "1", "text": "x"}]), "first, and name its out="),
        (lambda folder: write_json(folder.with_suffix(".json")), "first, and name its out="),
        (
            lambda folder: write_run(folder, [answered(0, "x") | {"task": "pope"}]),
            "holds answers to pope, not to mm_vet",
        ),
        (
            lambda folder: write_run(
                folder,
                [answered(0, "x") | {"question": TaskQuestion(id="v1_0", text="Q").to_dict()}],
            ),
            "v1_0 has no answer to be graded by",
        ),
    ],
)
def test_what_cannot_be_graded_is_told(tmp_path, prepare: Callable[[Path], Path], problem):
    with ChatServer(say) as server, pytest.raises(ValueError, match=problem):
        run(server, prepare(tmp_path / "run"), tmp_path / "graded")


def test_the_graded_go_to_a_folder_of_their_own(tmp_path):
    source = write_run(tmp_path / "run", [answered(0, "five")])
    with ChatServer(say) as server, pytest.raises(ValueError, match="is where the answers are"):
        run(server, source, source)


def test_only_tasks_with_a_rubric_have_a_judge(tmp_path):
    with pytest.raises(ValueError, match="task=vstar_bench is scored without a judge"):
        JudgeRun(task="vstar_bench", answers="x", judge="http://h/v1#m", out="y")
    with pytest.raises(ValueError, match="none is named: set judge=http"):
        JudgeRun(task="mm_vet", answers="x", out="y")
