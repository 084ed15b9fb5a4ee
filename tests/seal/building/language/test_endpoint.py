from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer

from seal.building.language import LanguageConfig, print_usage
from seal.building.language.unwritten_records import Prompt
from seal.building.language.usage import ReportingModel

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def prompts(number: int) -> list[Prompt]:
    return [Prompt("task", "Be brief.", f"user {i}") for i in range(number)]


def model(server: ChatServer, folder: Path, **values: Any) -> ReportingModel:
    defaults = {"backoff": 0.01, "cache": str(folder / "cache.sqlite"), "model": "tiny"}
    return LanguageConfig(kind="openai", base_url=server.url, **defaults | values).build({})


def accept(place: int, answer: str) -> None:
    pass


def test_many_requests_are_in_flight_and_no_more_than_allowed(tmp_path: Path) -> None:
    with ChatServer(lambda text: f"answer to {text}", delay=0.1) as server:
        said = model(server, tmp_path, concurrency=8).write(prompts(32), accept)
    assert said == [f"answer to user {i}" for i in range(32)]
    assert 4 <= server.most_at_once <= 8
    assert server.keys == {f"Bearer {KEY}"}
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert server.bodies[0]["max_tokens"] == 200 and server.bodies[0]["temperature"] == 0.7


@pytest.mark.parametrize(
    "fault",
    [
        *("429", "429 0", "500", "503", "408", "hang", "drop"),
        *("truncated", "not json", "html", "no choices", "no content"),
    ],
)
def test_every_fault_is_asked_again(tmp_path: Path, fault: str) -> None:
    with ChatServer(fault=lambda text, times: None if times else fault) as server:
        writer = model(server, tmp_path, timeout=0.6)
        said = writer.write(prompts(3), accept)
    assert said == ["user 0", "user 1", "user 2"]
    assert len(server.asked) == 6
    assert writer.report() == {
        "requests": 6,
        "repeated": 3,
        "from_cache": 0,
        "no_answer": 0,
        "prompt_tokens": 30,
        "completion_tokens": 6,
    }


def test_the_server_says_how_long_to_wait_and_everybody_does(tmp_path: Path) -> None:
    started = time.monotonic()
    arrivals: list[float] = []

    def fault(text: str, times: int) -> str | None:
        arrivals.append(time.monotonic() - started)
        return "429 1" if text == "user 0" and times == 0 else None

    with ChatServer(fault=fault) as server:
        said = model(server, tmp_path, concurrency=1).write(prompts(3), accept)
    assert said == ["user 0", "user 1", "user 2"]
    assert all(later - arrivals[0] >= 0.95 for later in arrivals[1:])


def test_a_refused_answer_is_asked_for_again_with_the_reason(tmp_path: Path) -> None:
    def check(place: int, answer: str) -> None:
        if "reason" not in answer:
            raise ValueError("that is the reason")

    with ChatServer() as server:
        (said,) = model(server, tmp_path).write(prompts(1), check)
        assert said and "'user 0'" in said and "that is the reason" in said
        again = model(server, tmp_path)
        assert again.write(prompts(1), check) == [said]
    assert len(server.asked) == 2  # the refused answer is known too
    assert again.report()["requests"] == 0 and again.report()["from_cache"] == 2


def test_an_answer_that_was_cut_is_asked_for_again_in_other_words(tmp_path: Path) -> None:
    with ChatServer(fault=lambda text, times: "cut" if "earlier" not in text else None) as server:
        (said,) = model(server, tmp_path).write(prompts(1), accept)
    assert said and "longer than 200 tokens" in said and len(server.asked) == 2


def test_a_prompt_is_given_up_after_all_attempts_and_stays_so(tmp_path: Path) -> None:
    def check(place: int, answer: str) -> None:
        if place == 1:
            raise ValueError("no")

    with ChatServer() as server:
        for _ in range(2):
            writer = model(server, tmp_path, attempts=3)
            assert writer.write(prompts(2), check) == ["user 0", None]
            assert writer.report()["no_answer"] == 1
    assert len(server.asked) == 4


def test_a_prompt_that_always_fails_is_dropped_alone(tmp_path: Path) -> None:
    with ChatServer(fault=lambda text, times: "500" if text == "user 1" else None) as server:
        said = model(server, tmp_path, attempts=3).write(prompts(4), accept)
    assert said == ["user 0", None, "user 2", "user 3"]
    assert server.asked.count("user 1") == 3


def test_a_request_that_is_wrong_in_itself_is_not_repeated(tmp_path: Path) -> None:
    with ChatServer(fault=lambda text, times: "400" if text == "user 1" else None) as server:
        assert model(server, tmp_path).write(prompts(3), accept)[1] is None
    assert server.asked.count("user 1") == 1


def test_a_prompt_that_occurs_twice_is_sent_once(tmp_path: Path) -> None:
    with ChatServer(delay=0.05) as server:
        said = model(server, tmp_path).write(prompts(2) + prompts(2), accept)
    assert said == ["user 0", "user 1"] * 2 and len(server.asked) == 2


def test_an_endpoint_that_is_down_stops_the_build_instead_of_dropping_its_records(
    tmp_path: Path,
) -> None:
    with ChatServer(fault=lambda text, times: "503" if times < 2 else None) as server:
        with pytest.raises(RuntimeError, match=r"3 of 3 prompts .* HTTP 503.* goes on from here"):
            model(server, tmp_path, attempts=2).write(prompts(3), accept)
        assert model(server, tmp_path).write(prompts(3), accept) == ["user 0", "user 1", "user 2"]
    with pytest.raises(RuntimeError, match=r"2 of 2 prompts"):
        model(server, tmp_path, attempts=2).write(prompts(5)[3:], accept)


@pytest.mark.parametrize("fault", ["401", "403", "404", "429 insufficient_quota"])
def test_what_no_prompt_would_survive_is_an_error_that_says_what_to_check(
    tmp_path: Path, fault: str
) -> None:
    with ChatServer(fault=lambda text, times: fault) as server, pytest.raises(ValueError) as caught:
        model(server, tmp_path, concurrency=1).write(prompts(3), accept)
    message = str(caught.value)
    assert server.url in message and "'tiny'" in message and "OPENAI_API_KEY" in message
    assert KEY not in message and len(server.asked) == 1


def test_the_key_is_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # This server repeats the key in its errors and in its answers' place.
    with ChatServer(fault=lambda text, times: "500" if times == 0 else None) as server:
        writer = model(server, tmp_path, attempts=2, price_in=1.0, price_out=2.0)
        writer.write(prompts(3), accept)
        print_usage(writer)
    with ChatServer(fault=lambda text, times: "500") as server, pytest.raises(RuntimeError) as down:
        model(server, tmp_path, attempts=1, cache=str(tmp_path / "b")).write(prompts(2), accept)
    seen = [repr(writer), str(writer.settings()), str(writer.report()), str(down.value)]
    seen += capfd.readouterr()
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files and "cost 4.2e-05" in "".join(seen)
    assert "no luck" in str(down.value)  # what the server said is told
    for part in (KEY, KEY[3:], KEY[:10]):
        assert part not in "".join(seen)
        assert all(part.encode() not in content for content in files)
