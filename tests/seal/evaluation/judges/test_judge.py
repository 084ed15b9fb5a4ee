from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer

from seal.endpoint.faults import RefusedError
from seal.evaluation.judges.config import JudgeConfig
from seal.evaluation.judges.judge import Judge
from seal.evaluation.judges.mm_vet import MMVetRubric
from seal.evaluation.judges.rubric import JudgePrompt
from seal.evaluation.task import TaskQuestion
from seal.failure import FailedError

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def judge(server: ChatServer, folder: Path, model: str = "#tiny", **values: Any) -> Judge:
    config = JudgeConfig(**{"backoff": 0.01, "cache": str(folder / "judge.sqlite")} | values)
    return Judge.at(server.url + model, MMVetRubric(), config, key_name="OPENAI_API_KEY")


def prompts(*answers: str) -> list[JudgePrompt]:
    question = TaskQuestion(id="q", text="What is x?", labels=("5",))
    return [MMVetRubric().prompt(question, answer) for answer in answers]


def by_answer(**scores: str) -> Callable[[str], str]:
    """What the server says to a request that holds a word; the last turn may be the second ask."""
    return lambda text: next((said for word, said in scores.items() if word in text), "no idea")


def graded(judge: Judge, *answers: str) -> list[Any]:
    told: dict[int, Any] = {}
    grades = judge.grade(prompts(*answers), told.__setitem__)
    assert told == dict(enumerate(grades))  # each is told as soon as it is there
    return [grade["score"] for grade in grades]


def test_grades_come_with_the_model_the_prompt_and_what_was_said(tmp_path):
    with ChatServer(by_answer(half="score: 0.5", whole="score: 1.0")) as server:
        grades = judge(server, tmp_path).grade(prompts("half", "whole"), lambda place, grade: None)
    assert grades[0] == {
        "score": 0.5, "model": "tiny", "prompt": "mm_vet/1", "temperature": 0.0,
        "said": "score: 0.5",
    }  # fmt: skip
    assert grades[1]["score"] == 1.0
    body = server.bodies[0]
    assert body["temperature"] == 0.0 and body["max_tokens"] == 200 and body["model"] == "tiny"
    assert server.keys == {f"Bearer {KEY}"}


def test_the_only_model_that_is_served_judges_where_none_is_named(tmp_path):
    with ChatServer(models=[{"id": "one"}]) as server:
        assert judge(server, tmp_path, "").name == "one"
    with (
        ChatServer(models=[{"id": "one"}, {"id": "two"}]) as server,
        pytest.raises(ValueError, match=r"serves 2 models \(one, two\): name one"),
    ):
        judge(server, tmp_path, "")


def test_a_reply_without_a_grade_is_asked_once_more_and_then_it_is_none_and_not_zero(tmp_path):
    say = {"sorry": "It is fine.", "no grade that can be read": "score: 0.3"}
    with ChatServer(by_answer(**say)) as server:
        assert graded(judge(server, tmp_path), "sorry") == [0.3]
        assert [turn["role"] for turn in server.bodies[1]["messages"]] == [
            "system", "user", "assistant", "user",
        ]  # fmt: skip
        assert server.bodies[1]["messages"][2]["content"] == "It is fine."
    with ChatServer(by_answer(sorry="It is fine.")) as server:
        other = judge(server, tmp_path / "other")
        (grade,) = other.grade(prompts("sorry"), lambda place, grade: None)
        assert grade["score"] is None and grade["said"] == "no idea"
        assert len(server.asked) == 2 and not other.made(grade)


def test_a_reply_that_was_cut_is_none(tmp_path):
    with ChatServer(lambda text: "score: 0", fault=lambda text, times: "cut") as server:
        one = judge(server, tmp_path)
        assert graded(one, "a") == [None]
        assert one.report()["cut"] == 2 and len(server.asked) == 2
        assert graded(judge(server, tmp_path), "a") == [None]
        assert len(server.asked) == 2


def test_what_was_asked_is_not_asked_again(tmp_path):
    with ChatServer(by_answer(good="score: 1.0")) as server:
        first = graded(judge(server, tmp_path), "good", "bad", "good")
        assert first == [1.0, None, 1.0] and len(server.asked) == 3  # "bad" twice
        again = judge(server, tmp_path)
        assert graded(again, "good", "bad") == [1.0, None]
        assert again.report()["requests"] == 0 and again.report()["from_cache"] == 3
        assert graded(judge(server, tmp_path, "#other"), "good") == [1.0]  # it may say otherwise
        assert graded(judge(server, tmp_path, cache="none"), "good") == [1.0]
        assert len(server.asked) == 5


def test_a_grade_at_another_temperature_is_another_judges(tmp_path):
    with ChatServer(by_answer(good="score: 1.0")) as server:
        cold, warm = judge(server, tmp_path), judge(server, tmp_path, temperature=1.0)
        (grade,) = cold.grade(prompts("good"), lambda place, grade: None)
        assert cold.made(grade) and not warm.made(grade)


def test_one_answer_that_the_server_cannot_take_is_ungraded_alone(tmp_path):
    def fault(text: str, times: int) -> str | None:
        return "400" if '"bad"' in text else "503" if times == 0 else None

    with ChatServer(by_answer(good="score: 1.0"), fault=fault) as server:
        one = judge(server, tmp_path)
        kept: dict[int, Any] = {}
        one.grade(prompts("good", "bad", "good one"), kept.__setitem__)
    assert [kept[place]["score"] for place in range(3)] == [1.0, None, 1.0]
    assert "HTTP 400" in kept[1]["fault"] and KEY not in str(kept)


def test_a_server_that_fails_stops_the_grading_and_loses_nothing(tmp_path):
    def fault(text: str, times: int) -> str | None:
        return None if '"good"' in text else "503"

    kept: dict[int, Any] = {}
    with (
        ChatServer(by_answer(good="score: 1.0"), fault=fault) as server,
        pytest.raises(FailedError, match=r"2 of 3 answers got no grade .* goes on from here"),
    ):
        judge(server, tmp_path, attempts=2).grade(prompts("good", "a", "b"), kept.__setitem__)
    assert kept[0]["score"] == 1.0
    with ChatServer(by_answer(good="score: 0.0", a="score: 0.2", b="score: 0.4")) as server:
        assert graded(judge(server, tmp_path), "good", "a", "b") == [1.0, 0.2, 0.2]


def test_more_room_is_given_to_those_alone_that_were_cut(tmp_path):
    def fault(text: str, times: int) -> str | None:
        return "cut" if '"long"' in text or "no grade that" in text else None

    scores = by_answer(short="score: 0.2", long="score: 0.")
    with ChatServer(scores, fault=fault) as server:
        assert graded(judge(server, tmp_path), "short", "long") == [0.2, None]
    with ChatServer(by_answer(long="score: 0.7")) as server:
        assert graded(judge(server, tmp_path, max_tokens=2000), "short", "long") == [0.2, 0.7]
        assert len(server.asked) == 1 and server.bodies[0]["max_tokens"] == 2000


@pytest.mark.parametrize("fault", ["401", "403", "429 insufficient_quota"])
def test_a_refused_key_is_one_line_without_the_key(tmp_path, fault):
    with (
        ChatServer(fault=lambda text, times: fault) as server,
        pytest.raises(RefusedError) as caught,
    ):
        judge(server, tmp_path).grade(prompts("a", "b"), lambda place, grade: None)
    assert "OPENAI_API_KEY" in str(caught.value) and KEY not in str(caught.value)


def test_without_a_judge_or_its_key_it_says_how_to_name_one(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    rubric, config = MMVetRubric(), JudgeConfig()
    for address, problem in (
        (None, r"none is named: set judge=http://HOST:PORT/v1#MODEL"),
        ("", r"none is named"),
        ("gpt-4.1", r"judge='gpt-4.1' is no address of a server"),
        ("https://api.openai.com/v1#gpt-4.1", r"key in the environment variable MY_KEY"),
        ("http://me:hush@host/v1#m", r"judge must not hold a user"),
        ("http://127.0.0.1:9/v1#m", r"cannot be reached"),
    ):
        with pytest.raises(ValueError, match=problem) as caught:
            Judge.at(address, rubric, config, key_name="MY_KEY")
        assert "\n" not in str(caught.value) and "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "values", [{"temperature": -1}, {"max_tokens": 0}, {"timeout": 0}, {"attempts": 0}]
)
def test_impossible_settings_are_refused(values):
    (name,) = values
    with pytest.raises(ValueError, match=f"judging.{name}="):
        JudgeConfig(**values)
