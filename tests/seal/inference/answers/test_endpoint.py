from __future__ import annotations

import asyncio
import io
import math
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import ChatServer
from PIL import Image

from seal.failure import FailedError
from seal.geometry import Box
from seal.images import context_crop, cut
from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.endpoint_config import EndpointConfig
from seal.working_memory import MemoryTarget, VisualWorkingMemory

KEY = "sk-secret-0123456789abcdef"
RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path))


def model(server: ChatServer, name: str = "#tiny", **values: Any) -> EndpointAnswerModel:
    config = EndpointConfig(**{"backoff": 0.01} | values)
    return EndpointAnswerModel.from_address(server.url + name, config, tell=silent)


def silent(line: str) -> None:
    raise AssertionError(line)


def question(i: int, image: Image.Image | None = PHOTO) -> VisualWorkingMemory:
    return VisualWorkingMemory(f"question {i}", image)


def pixels(file: bytes) -> tuple[tuple[int, int], bytes]:
    image = Image.open(io.BytesIO(file))
    return image.size, image.tobytes()


SEARCHED = VisualWorkingMemory(
    "What is it?",
    PHOTO,
    (MemoryTarget("cup", (Box(10, 10, 30, 40),)), MemoryTarget("", (Box(5, 6, 50, 60),))),
)


def test_pictures_arrive_byte_for_byte_in_the_order_of_the_layout() -> None:
    with ChatServer() as server:
        (said,) = model(server, check_vision=False).generate([SEARCHED])
    (body,) = server.bodies
    assert [part["type"] for part in body["messages"][0]["content"]] == [
        *("image_url", "text", "image_url", "text", "image_url", "text")
    ]
    shown = [PHOTO, context_crop(PHOTO, Box(10, 10, 30, 40)), cut(PHOTO, (5, 6, 50, 60))]
    assert [pixels(file) for file in server.pictures] == [(i.size, i.tobytes()) for i in shown]
    assert said.text.endswith("What is it?") and "A closer view of cup" in said.text
    assert (body["max_tokens"], body["temperature"], body["model"]) == (200, 0.0, "tiny")


def test_other_layouts_and_fields_are_sent_as_configured() -> None:
    more = {"chat_template_kwargs": {"enable_thinking": False}}
    with ChatServer() as server:
        asked = model(
            server,
            layout="bare",
            detail="high",
            temperature=None,
            extra=more,
            check_vision=False,
        )
        asked.generate([SEARCHED], max_new_tokens=7)
    (body,) = server.bodies
    *shown, text = body["messages"][0]["content"]
    assert [part["image_url"]["detail"] for part in shown] == ["high"] * 3
    assert text == {"type": "text", "text": "What is it?"}
    assert body["max_tokens"] == 7 and "temperature" not in body
    assert body["chat_template_kwargs"] == more["chat_template_kwargs"]


def test_many_are_in_flight_in_order_and_none_is_asked_twice() -> None:
    memories = [question(i) for i in range(20)] + [question(3)]
    with ChatServer(lambda text: f"to {text}", delay=0.1) as server:
        asked = model(server, concurrency=8, check_vision=False)
        said = asked.generate(memories)
        assert [g.text for g in said] == [f"to question {i}" for i in [*range(20), 3]]
        assert all((g.num_tokens, g.finished) == (2, True) for g in said)
        assert 4 <= server.most_at_once <= 8 and len(server.asked) == 20
        again = model(server, check_vision=False)
        assert again.generate(memories) == said
    assert len(server.asked) == 20 and again.report()["from_cache"] == 21
    assert server.keys == {f"Bearer {KEY}"}
    # What an answer costs does not depend on who was asked for it before.
    assert asked.cost == again.cost
    shown = PHOTO.width * PHOTO.height * 21
    assert (asked.cost.calls, asked.cost.images, asked.cost.pixels) == (21, 21, shown)
    assert (asked.cost.tokens_read, asked.cost.tokens_written) == (15 * 21, 2 * 21)


def test_a_kept_answer_goes_by_pixels_words_model_and_settings() -> None:
    other = PHOTO.copy()
    other.putpixel((0, 0), (1, 2, 3))
    with ChatServer(models=None) as server:
        for memory in (question(1), question(1, other), question(1, None), question(2)):
            model(server, check_vision=False).generate([memory])
        model(server, "#big", check_vision=False).generate([question(1)])
        model(server, temperature=1.0, check_vision=False).generate([question(1)])
        model(server, check_vision=False).generate([question(1)], max_new_tokens=9)
        model(server, extra={"seed": 1}, check_vision=False).generate([question(1)])
        assert len(server.asked) == 8
        model(server, check_vision=False).generate([question(1, PHOTO.copy())])
        assert len(server.asked) == 8
        model(server, cache="", check_vision=False).generate([question(1)])
    assert len(server.asked) == 9


def test_an_answer_that_was_cut_says_so() -> None:
    with ChatServer(fault=lambda text, times: "cut") as server:
        (said,) = model(server).generate([question(1, None)])
    assert said.text == "question 1" and not said.finished


@pytest.mark.parametrize(
    "fault",
    [
        *("429", "429 0", "500", "503", "408", "hang", "drop"),
        *("truncated", "not json", "html", "no choices", "200 of a gateway"),
    ],
)
def test_every_fault_is_asked_again(fault: str) -> None:
    with ChatServer(fault=lambda text, times: None if times else fault) as server:
        asked = model(server, timeout=0.5, check_vision=False)
        said = asked.generate([question(i) for i in range(3)])
    assert [g.text for g in said] == ["question 0", "question 1", "question 2"]
    assert (asked.report()["requests"], asked.report()["repeated"]) == (6, 3)
    assert asked.cost.calls == 3


def test_one_that_never_answers_is_told_after_the_others_are_kept() -> None:
    with ChatServer(fault=lambda text, times: "503" if text == "question 1" else None) as server:
        asked = model(server, attempts=3, check_vision=False)
        with pytest.raises(FailedError, match=r"1 of 4 prompts .* HTTP 503.* goes on from here"):
            asked.generate([question(i) for i in range(4)])
        server.fault = lambda text, times: None
        said = model(server, check_vision=False).generate([question(i) for i in range(4)])
    assert [g.text for g in said] == [f"question {i}" for i in range(4)]
    assert server.asked.count("question 1") == 4 and server.asked.count("question 0") == 1


def test_what_a_gateway_says_of_the_server_behind_it_is_told() -> None:
    fault = "200 upstream is busy"
    told = r"malformed response: .*upstream is busy"
    with ChatServer(fault=lambda *_: fault) as server, pytest.raises(FailedError, match=told) as e:
        model(server, attempts=2).generate([question(1, None)])
    assert KEY not in str(e.value)


def test_letters_by_logprobs() -> None:
    first = {
        "A": math.log(0.5), " A": math.log(0.2), "C": -9999.0, "B": -math.inf, "D": math.log(0.01),
        **{f"word{i}": -5.0 - i for i in range(20)},
    }  # fmt: skip
    with ChatServer(first=lambda text: first) as server:
        asked = model(server, top_logprobs=22, check_vision=False)
        requests = [(question(i), ("A", "B", "C", "D", "word1", "word19", "E")) for i in range(2)]
        losses = asked.next_word(requests)
        a, b, c, d, near, far, e = losses[0]
        assert a == pytest.approx(-math.log(0.7)) and d == pytest.approx(-math.log(0.01))
        assert near == 6.0 and (b, c, far, e) == (math.inf,) * 4
        assert losses[0] == losses[1]
        assert model(server, top_logprobs=22, check_vision=False).next_word(requests) == losses
    assert len(server.bodies) == 2
    body = server.bodies[0]
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 22)


def test_answers_that_begin_with_none_of_the_words_are_told_once() -> None:
    told: list[str] = []
    with ChatServer(first=lambda text: {"<think>": -0.1, "So": -3.0}) as server:
        asked = EndpointAnswerModel.from_address(server.url, tell=told.append)
        losses = asked.next_word([(question(i, None), ("A", "B")) for i in range(3)])
    assert losses == [[math.inf] * 2] * 3
    assert len(told) == 1 and "'<think>'" in told[0] and "A, B" in told[0] and "extra=" in told[0]


def test_nothing_is_nothing() -> None:
    with ChatServer() as server:
        asked = model(server)
        assert asked.generate([]) == asked.next_word([]) == asked.loglikelihood([]) == []
    assert not server.asked


def test_a_server_without_logprobs_is_told_and_its_answer_not_kept() -> None:
    with ChatServer() as server:
        with pytest.raises(ValueError, match=r"gives no top_logprobs=20.*it sends none.*vLLM"):
            model(server).next_word([(question(1, None), ("A", "B"))])
        server.first = lambda text: {"A": -0.5, "B": -1.0}
        assert model(server).next_word([(question(1, None), ("A", "B"))]) == [[0.5, 1.0]]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("400 logprobs are not supported with this model", r"gives no top_logprobs=20.*with this"),
        ("400 sample logprobs of 20, max allowed: 5", r"max allowed: 5; lower top_logprobs"),
        ("400 temperature has one value", r"refuses 'question 1'.*HTTP 400.*temperature=None"),
        ("413 too large", r"HTTP 413.*lower max_pixels"),
        ("400 maximum context length is 9 tokens", r"1 pictures is more than .* fewer crops"),
        ("400 context_length_exceeded", r"fewer crops, lower max_pixels or put a shorter question"),
    ],
)
def test_what_the_server_refuses_is_told_with_the_way_out(fault: str, told: str) -> None:
    with ChatServer(fault=lambda text, times: fault) as server:
        asked = model(server, check_vision=False)
        with pytest.raises(ValueError, match=told) as caught:
            asked.next_word([(question(1), ("A", "B"))])
    assert "\n" not in str(caught.value) and KEY not in str(caught.value)
    assert len(server.asked) == 1


def test_likelihood_of_options_is_not_to_be_had() -> None:
    with ChatServer() as server, pytest.raises(ValueError, match=r"'tiny' at .*scoring=letter"):
        model(server).loglikelihood([(question(1), ("a cup", "a dog"))])
    assert not server.asked


def test_two_words_that_begin_alike_are_refused_before_anything_is_sent() -> None:
    with ChatServer() as server, pytest.raises(ValueError, match="begin with the same token"):
        model(server).next_word([(question(1), ("the cup", "the dog"))])
    assert not server.asked


def test_a_model_that_sees_is_tested_once_and_text_alone_never() -> None:
    with ChatServer() as server:
        asked = model(server)
        asked.generate([question(1, None)])
        assert len(server.asked) == 1
        asked.generate([question(1)])
        asked.generate([question(2)])
        assert len(server.asked) == 5 and asked.cost.calls == 3
        model(server).generate([question(3)])
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("vision", "told"),
    [
        ("drops", r"leaves pictures out: with one it reads 10 tokens, without it 10; take a model"),
        ("image input is not supported", r"answers to text but not to a picture: .*not supported"),
    ],
)
def test_a_server_without_vision_is_told_apart(vision: str, told: str) -> None:
    with ChatServer(vision=vision) as server:
        with pytest.raises(ValueError, match=told) as caught:
            model(server).generate([question(i) for i in range(5)])
        assert len(server.asked) <= 3 and "\n" not in str(caught.value)
        assert model(server).generate([question(1, None)])[0].text == "question 1"


def test_a_server_that_counts_nothing_is_told_not_to_be_known_to_see() -> None:
    told: list[str] = []
    with ChatServer(usage=False) as server:
        asked = EndpointAnswerModel.from_address(server.url, tell=told.append)
        (said,) = asked.generate([question(1)])
    assert said.num_tokens == 0 and asked.cost.tokens_read == 0
    assert len(told) == 1 and "not known whether it sees" in told[0]


def test_a_picture_beyond_the_budget_is_resized_told_and_recorded() -> None:
    told: list[str] = []
    with ChatServer() as server:
        config = EndpointConfig(max_pixels=2500, check_vision=False)
        asked = EndpointAnswerModel.from_address(server.url, config, tell=told.append)
        asked.generate([question(1)])
    (width, height), _ = pixels(server.pictures[0])
    assert 2300 < width * height <= 2500 and asked.cost.pixels == width * height
    assert len(told) == 1 and "120 x 90" in told[0] and f"{width} x {height}" in told[0]
    assert asked.settings()["max_pixels"] == 2500 and asked.report()["resized_pictures"] == 1


def test_whether_it_fits_the_server_counts() -> None:
    def fault(text: str, times: int) -> str | None:
        return "400 maximum context length is 60 tokens" if "long" in text else None

    with ChatServer(fault=fault, models=[{"id": "tiny", "max_model_len": 60}]) as server:
        asked = model(server, check_vision=False)
        assert asked.context == 60
        assert asked.fits(question(1), max_new_tokens=45)  # 10 for the text, 5 for the picture
        assert not asked.fits(question(1), max_new_tokens=46)
        assert asked.fits(question(1), ("A", "B"))
        assert not asked.fits(VisualWorkingMemory("long"), max_new_tokens=1)
        assert len(server.asked) == 2
    with ChatServer() as server:
        assert model(server).fits(VisualWorkingMemory("long"))
        assert not server.asked


def test_the_only_model_is_taken() -> None:
    with ChatServer(models=[{"id": "org/m-7b", "max_model_len": "?"}]) as server:
        asked = model(server, "")
        assert (asked.endpoint.model, asked.context) == ("org/m-7b", None)


@pytest.mark.parametrize(
    ("models", "told"),
    [
        (
            [{"id": "a"}, {"id": "b"}],
            r"serves 2 models \(a, b\): name one as in http://.*/v1#MODEL",
        ),
        ([{"id": f"m{i}"} for i in range(12)], r"serves 12 models \(m0, .*m9 and 2 more\)"),
        ([], r"serves 0 models \(none\)"),
        (None, r"has no list of its models: name one as in"),
        (405, r"has no list of its models"),
        ([{"name": "a"}], r"gives no list of models but .*ends in /v1"),
        (b"<html>welcome</html>", r"gives no list of models.*ends in /v1"),
        (500, r"gives no list of models: HTTP 500"),
        (401, r"refuses \(HTTP 401\).*key in the environment variable OPENAI_API_KEY"),
    ],
)
def test_a_model_that_cannot_be_told_is_an_error_that_names_the_way_out(
    models: object, told: str
) -> None:
    with ChatServer(models=models) as server, pytest.raises(ValueError, match=told) as caught:
        model(server, "")
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_to_be_had_at_once_is_asked_for_again() -> None:
    with ChatServer(models=503) as server:
        timer = threading.Timer(0.05, setattr, (server, "models", [{"id": "tiny"}]))
        timer.start()
        assert model(server, "", backoff=0.1).endpoint.model == "tiny"


def test_a_server_without_a_list_serves_the_model_that_is_named() -> None:
    for models in (None, 400, 405):
        with ChatServer(models=models) as server:
            assert model(server).generate([question(1, None)])[0].text == "question 1"


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_a_refused_key_or_model_is_told_with_what_is_served_and_without_the_key(
    status: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with ChatServer(fault=lambda text, times: status) as server:
        asked = model(server, "#mine")
        with pytest.raises(ValueError, match=r"'mine' at .*serves tiny.*OPENAI_API_KEY") as caught:
            asked.generate([question(i) for i in range(4)])
    seen = [str(caught.value), repr(asked.endpoint), str(asked.settings()), str(asked.report())]
    seen += capfd.readouterr()
    assert KEY not in "".join(seen) and "no luck" in seen[0]
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*.sqlite*"))


def test_an_endpoint_that_is_down_is_told_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ValueError, match=r"cannot be reached: .*start the server"):
        EndpointAnswerModel.from_address(f"http://127.0.0.1:{port}/v1#m")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("org/model", "no endpoint"),
        ("http://u:hush@h/v1#m", "must not hold a user"),
        ("http://h/v1?key=hush#m", "must not hold a user"),
        ("http://#m", "http://host:8000/v1"),
        ("https://api.openai.com/v1#gpt", "needs a key in the environment variable NO_KEY"),
    ],
)
def test_what_is_no_address_or_lacks_its_key_is_refused(address: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        EndpointAnswerModel.from_address(address, EndpointConfig(api_key_env="NO_KEY"))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"layout": "poster"}, "layout='poster' is none of interleaved"),
        ({"detail": "huge"}, "detail='huge' is none of low"),
        ({"max_pixels": 0}, "max_pixels=0 must be at least 1"),
        ({"temperature": -1}, "temperature=-1"),
        ({"top_logprobs": 0}, "top_logprobs=0"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"attempts": 0}, "attempts=0"),
        ({"backoff": math.nan}, "backoff=nan"),
        ({"timeout": math.inf}, "timeout=inf"),
        ({"extra": {"temperature": 1}}, "must not hold temperature"),
    ],
)
def test_impossible_settings_are_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        EndpointConfig(**values)


def test_it_answers_within_a_running_event_loop_as_in_a_notebook() -> None:
    async def notebook(i: int) -> str:
        return model(server).generate([question(i)])[0].text

    with ChatServer() as server:
        assert asyncio.run(notebook(1)) == "question 1"
        server.fault = lambda text, times: "401"
        with pytest.raises(ValueError, match="HTTP 401"):
            asyncio.run(notebook(2))
