"""The client and `transformers serve`, an endpoint that others wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bigram_llm import SENTENCE, write_bigram_llm
from real_servers import transformers_serve

from seal.building.language import LanguageConfig
from seal.building.language.unwritten_records import Prompt
from seal.building.language.usage import ReportingModel

pytestmark = pytest.mark.xdist_group("transformers_serve")  # it is started once


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Its address and the name of its model."""
    for module in ("fastapi", "uvicorn"):
        pytest.importorskip(module)
    folder = write_bigram_llm(tmp_path_factory.mktemp("serve") / "llm")
    with transformers_serve(folder.parent, folder) as address:
        yield address, str(folder)


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
