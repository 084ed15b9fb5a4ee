"""The client and `transformers serve`, an endpoint that others wrote."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from bigram_llm import SENTENCE, write_bigram_llm

from seal.building.language import LanguageConfig
from seal.building.language.unwritten_records import Prompt
from seal.building.language.usage import ReportingModel

_STARTS_WITHIN = 200.0  # seconds; about 10 where nothing else runs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Its address and the name of its model."""
    for module in ("fastapi", "uvicorn"):
        pytest.importorskip(module)
    folder = write_bigram_llm(tmp_path_factory.mktemp("serve") / "llm")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = (folder.parent / "log").open("wb")
    process = subprocess.Popen(
        command, stdout=log, stderr=log, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )
    try:
        end = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                told = (folder.parent / "log").read_text(errors="replace")[-2000:]
                assert process.poll() is None, f"the server ended: {told}"
                assert time.monotonic() < end, f"the server did not start: {told}"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.kill()
        process.wait()
        log.close()


def model(server: tuple[str, str], cache: Path, **values: int) -> ReportingModel:
    return LanguageConfig(
        kind="openai",
        base_url=server[0],
        model=server[1],
        cache=str(cache / "cache.sqlite"),
        backoff=0.01,
        **{"max_tokens": 20, "concurrency": 4, "attempts": 2} | values,
    ).build({})


def only(place: int, answer: str) -> None:
    if answer != SENTENCE:
        raise ValueError("another sentence")


PROMPTS = [Prompt("task", "Be brief.", f"dog {i}") for i in range(6)]


def test_it_answers_and_is_not_asked_twice(server: tuple[str, str], tmp_path: Path) -> None:
    writer = model(server, tmp_path)
    assert writer.write(PROMPTS, only) == [SENTENCE] * 6
    report = writer.report()
    assert (report["requests"], report["repeated"]) == (6, 0)
    assert report["prompt_tokens"] > 6 * 10 and report["completion_tokens"] >= 6 * 7
    again = model(server, tmp_path)
    assert again.write(PROMPTS, only) == [SENTENCE] * 6
    assert again.report()["requests"] == 0


def test_an_answer_that_does_not_fit_is_not_taken(server: tuple[str, str], tmp_path: Path) -> None:
    writer = model(server, tmp_path, max_tokens=3)
    assert writer.write(PROMPTS[:2], lambda place, answer: None) == [None, None]
    assert writer.report()["requests"] == 4


def test_a_model_it_does_not_have_is_an_error(server: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises((ValueError, RuntimeError), match=r"no-such-model"):
        model((server[0], "/no-such-model"), tmp_path).write(PROMPTS[:2], only)
