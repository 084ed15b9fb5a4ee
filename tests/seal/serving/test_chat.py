"""Chat requests from their first byte to their answer: streams, limits, clients that go away."""

from __future__ import annotations

import asyncio
import json

import pytest
from asgi import JSON, ask, request
from hostile_requests import png_head_url
from PIL import Image
from served import COLOR, SIDE, SKY, application, chat, data_url, fake_seal

CHAT = "/v1/chat/completions"


def post(app, body, **options):
    return request(app, "POST", CHAT, json.dumps(body).encode(), JSON, **options)


async def until(true):
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to that")


def test_a_stream_tells_each_step_then_the_text_then_what_was_found():
    with application() as app:
        whole = ask(app, chat(SIDE)).json()
        options = {"include_usage": True}
        got = ask(app, chat(SIDE, stream=True, stream_options=options))
    assert got.headers["content-type"] == "text/event-stream"
    *chunks, end = got.events()
    assert end == "[DONE]" and {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    usage = chunks.pop()
    assert usage["choices"] == [] and usage["usage"] == whole["usage"]
    assert all(chunk["usage"] is None for chunk in chunks)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == "yes" and chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    told = [chunk["seal"] for chunk in chunks if "seal" in chunk]
    final = told.pop()
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert final["searches"] == whole["seal"]["searches"]
    assert told[0]["event"] == "planned" and told[0]["missing"] == ["mug", "boat"]
    visits = [event for event in told if event["event"] == "visited"]
    assert len(visits) == sum(search["visits"] for search in final["searches"])
    assert all(event["boxes"] for event in told if event["event"] == "searched")
    assert all(len(visit["region"]) == 4 for visit in visits)


def test_what_goes_wrong_in_a_stream_is_its_last_event():
    seal = fake_seal()

    def breaks(_):
        raise ZeroDivisionError("no more")

    seal.locator.model.detect = breaks
    with application(seal) as app:
        got = ask(app, chat(SIDE, stream=True))
    last = got.events()[-1]
    assert got.whole and last["error"]["message"] == "ZeroDivisionError: no more"
    with application(fake_seal()) as app:
        early = ask(app, chat(SIDE, "data:image/png;base64,AAAA", stream=True))
    assert early.status == 400


def test_the_whole_text_is_answered_and_the_bare_question_searched():
    seal = fake_seal()
    text = f"{COLOR}\nA. red\nB. blue\nAnswer with the letter."
    seal.answer_model.answers[f"Be brief.\n{text}"] = "A. red"
    with application(seal) as app:
        body = chat(text, stop=["."], temperature=0.7, top_k=3)
        body["messages"].insert(0, {"role": "system", "content": "Be brief."})
        told = ask(app, body).json()
    assert told["choices"][0]["message"]["content"] == "A"
    assert told["seal"]["missing"] == ["mug"]
    assert told["seal"]["not_used"] == ["temperature", "top_k"]


def test_what_was_said_before_is_put_before_the_question_and_its_picture_is_asked_about():
    seal = fake_seal()
    body = chat("Is there a mug?")
    body["messages"] += [
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": COLOR},
    ]
    with application(seal) as app:
        told = ask(app, body).json()
    assert told["seal"]["image_size"] == [640, 480] and told["seal"]["missing"] == ["mug"]
    put = seal.answer_model.generated[-1][0].question
    assert put == f"Before, it was said:\nUser: Is there a mug?\nAssistant: Yes.\n\n{COLOR}"


def test_a_client_that_goes_away_frees_its_place():
    async def go():
        seal, gone = fake_seal(held=True), asyncio.Event()
        with application(seal, max_waiting=1, max_questions=1) as app:
            one = asyncio.ensure_future(post(app, chat(SIDE, stream=True), gone=gone))
            await until(seal.answer_model.at_it.is_set)
            two = asyncio.ensure_future(post(app, chat(SKY)))
            await until(lambda: app.queue.num_waiting == 1)
            full = await post(app, chat(SKY))
            assert (full.status, full.error["code"]) == (429, "server_busy")
            assert int(full.headers["retry-after"]) > 0
            gone.set()
            left = await one
            assert not left.whole and left.status in (0, 200)
            seal.answer_model.go.set()
            answered = await two
            assert answered.json()["choices"][0]["message"]["content"] == "Yes."
            assert seal.locator.model.batches == []
            assert app.metrics.cancelled._value.get() == 1

    asyncio.run(go())


def test_time_that_is_up_and_a_server_that_stops_are_told():
    async def go():
        seal = fake_seal(held=True)
        with application(seal, timeout=0.1) as app:
            late = await post(app, chat(SIDE))
            assert (late.status, late.error["code"]) == (504, "timeout")
            await until(lambda: app.queue.num_waiting == 0)
            seal.answer_model.go.set()
        seal = fake_seal(held=True)
        with application(seal) as app:
            open_ = asyncio.ensure_future(post(app, chat(SIDE)))
            await until(seal.answer_model.at_it.is_set)
            app.chat.give_up()
            stopped = await open_
            assert (stopped.status, stopped.error["code"]) == (503, "stopping")
            seal.answer_model.go.set()

    asyncio.run(go())


def test_a_body_that_does_not_come_in_time_is_given_up():
    async def go():
        with application(timeout=0.1) as app:
            never = asyncio.Event()

            async def receive():
                await never.wait()

            sent = []

            async def send(message):
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": CHAT,
                     "headers": [(b"content-type", b"application/json")]}  # fmt: skip
            await app(scope, receive, send)
            assert sent[0]["status"] == 408

    asyncio.run(go())


def test_pictures_of_8k_pass_and_larger_ones_are_refused_before_they_are_decoded():
    with application() as app:
        eight = data_url(Image.new("RGB", (7680, 4320)), compress_level=1)
        assert ask(app, chat(SKY, eight)).json()["seal"]["image_size"] == [7680, 4320]
        more = ask(app, chat(SKY, png_head_url(30_000, 30_000)))
        assert (more.status, more.error["code"]) == (413, "image_too_large")
        assert "30000 x 30000" in more.error["message"]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF", "BMP"])
def test_pictures_that_browsers_show_are_taken(kind):
    with application() as app:
        assert ask(app, chat(SKY, data_url(kind=kind))).status == 200


def test_max_tokens_limit_the_answer_and_are_told_to_have_cut_it():
    seal = fake_seal()
    asked = []
    generate = seal.answer_model.generate

    def cut(requests, *, max_new_tokens=200):
        asked.append(max_new_tokens)
        said = generate(requests, max_new_tokens=max_new_tokens)
        return [type(one)(one.text, one.num_tokens, max_new_tokens > 7) for one in said]

    seal.answer_model.generate = cut
    with application(seal, max_tokens=300) as app:
        told = ask(app, chat(SKY, max_tokens=7)).json()
        assert told["choices"][0]["finish_reason"] == "length" and asked[-1] == 7
        told = ask(app, chat(SKY, max_completion_tokens=4096)).json()
        assert told["choices"][0]["finish_reason"] == "stop" and asked[-1] == 300
