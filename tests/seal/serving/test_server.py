"""The server on a port: the `openai` client, clients that are killed, signals."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from asgi import get
from served import COLOR, SIDE, SKY, application, chat, fake_seal, on_loopback

openai = pytest.importorskip("openai")
TESTS = Path(__file__).parents[2]


def test_the_openai_client_gets_answers_whole_streamed_and_side_by_side():
    with application(api_key="swordfish") as app, on_loopback(app) as address:
        with (
            openai.OpenAI(base_url=address, api_key="wrong", max_retries=0) as client,
            pytest.raises(openai.AuthenticationError, match="API key"),
        ):
            client.models.list()
        with openai.OpenAI(base_url=address, api_key="swordfish", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == ["seal"]
            whole = client.chat.completions.create(**chat(SIDE))
            assert whole.choices[0].message.content == "yes" and whole.usage.total_tokens > 0
            assert whole.seal["missing"] == ["mug", "boat"]
            options = {"include_usage": True}
            chunks = list(
                client.chat.completions.create(**chat(SIDE), stream=True, stream_options=options)
            )
            said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            assert said == "yes" and chunks[-1].usage == whole.usage
            chosen = client.chat.completions.create(
                **chat(COLOR), extra_body={"seal": {"options": ["red", "blue"]}}
            )
            assert chosen.seal["option"] == 0
            with pytest.raises(openai.BadRequestError, match="no data URL"):
                client.chat.completions.create(**chat(COLOR, "http://127.0.0.1/x.png"))
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(**chat(COLOR) | {"model": "gpt-4o"})

        async def many():
            async with openai.AsyncOpenAI(base_url=address, api_key="swordfish") as client:
                asked = [
                    client.chat.completions.create(**chat(text)) for text in (COLOR, SIDE, SKY) * 8
                ]
                return [a.choices[0].message.content for a in await asyncio.gather(*asked)]

        assert asyncio.run(many()) == ["red", "yes", "Yes."] * 8


def test_a_killed_client_frees_its_place():
    seal = fake_seal(held=True)
    with application(seal, max_questions=1, max_waiting=1) as app, on_loopback(app) as address:
        host, port = address.removeprefix("http://").removesuffix("/v1").split(":")
        body = json.dumps(chat(SIDE)).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        one = socket.create_connection((host, int(port)))
        one.sendall(head + body)
        assert seal.answer_model.at_it.wait(20)
        two = socket.create_connection((host, int(port)))
        two.sendall(head + body)
        _until(lambda: app.queue.num_waiting == 1)
        two.close()
        _until(lambda: app.queue.num_waiting == 0)  # that of the one who waited, at once
        one.close()
        _until(lambda: app.metrics.cancelled._value.get() == 2)
        seal.answer_model.go.set()
        _until(lambda: app.queue.num_running == 0)  # the other's with the batch
        assert seal.locator.model.batches == []
        assert get(app, "/healthz").status == 200


def _until(true):
    for _ in range(2000):
        if true():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come to that")


def _serving(seconds, grace):
    process = subprocess.Popen(
        [sys.executable, TESTS / "serve_fakes.py", str(seconds), str(grace)],
        stdout=subprocess.PIPE, text=True, cwd=TESTS,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip().removeprefix("serving ")


def _asked(address):
    """A question under way; the thread and what comes of it."""
    got: list[object] = []

    def go():
        try:
            with openai.OpenAI(base_url=address, api_key="none", max_retries=0) as client:
                got.append(client.chat.completions.create(**chat(SKY)).choices[0].message.content)
        except Exception as error:
            got.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    return thread, got


def test_sigterm_finishes_what_is_open_and_ends_with_0():
    process, address = _serving(seconds=1.0, grace=20)
    thread, got = _asked(address)
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    thread.join(20)
    assert got == ["Yes."] and process.wait(20) == 0
    assert process.stdout.read().startswith("stopping: 1 open")


@pytest.mark.slow
def test_the_grace_ends_and_a_second_signal_ends_at_once():
    process, address = _serving(seconds=3.0, grace=0.2)
    thread, got = _asked(address)
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    thread.join(20)
    assert isinstance(got[0], openai.InternalServerError) and "stopping" in str(got[0])
    assert process.wait(20) == 0
    process, address = _serving(seconds=30, grace=60)
    thread, got = _asked(address)
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 1 and time.monotonic() - started < 5
    thread.join(20)
