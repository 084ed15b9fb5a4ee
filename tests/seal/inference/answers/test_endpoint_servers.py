"""The endpoint's answer model and servers that others wrote, with pictures and letters."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_families
import torch
from bigram_llm import SENTENCE, write_bigram_llm
from PIL import Image
from real_servers import llama_serve, transformers_serve
from tiny_gguf import first_token_log_odds, write_text_gguf, write_tower_gguf
from transformers import AutoModelForImageTextToText, AutoProcessor

from seal.failure import FailedError
from seal.geometry import Box
from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.endpoint_config import EndpointConfig
from seal.inference.answers.layouts import user_turn
from seal.working_memory import MemoryTarget, VisualWorkingMemory

KEY = "a-key-of-this-test"
ODDS = {"A": 4.0, "\u2581A": 3.0, "B": 3.5, "C": 2.0, "\u2581No": 1.0}
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def photo() -> Image.Image:
    # The size that the towers take: no resizing between the pixels and the answer.
    return Image.fromarray(RNG.integers(0, 256, (28, 28, 3), dtype=np.uint8))


def ask(address: str, model: Path | str = "", **values: Any) -> EndpointAnswerModel:
    name = f"{address}#{model}" if model else address
    return EndpointAnswerModel.from_address(name, EndpointConfig(**{"backoff": 0.01} | values))


MUG = (MemoryTarget("mug", (Box(3, 4, 20, 20),)),)
MEMORIES = [
    *(VisualWorkingMemory("What?", photo(), MUG) for _ in range(3)),
    VisualWorkingMemory("What?", photo()),
    VisualWorkingMemory("What?"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`transformers serve`, for any folder."""
    for module in ("fastapi", "uvicorn"):
        pytest.importorskip(module)
    with transformers_serve(tmp_path_factory.mktemp("serve")) as address:
        yield address


@pytest.mark.slow  # starting the server takes longer than all other tests here
def test_answers_of_transformers_serve_equal_those_of_the_model_itself(served: str) -> None:
    folder = tiny_families.folder("llava")
    asked = ask(served, folder)
    said = asked.generate(MEMORIES, max_new_tokens=12)
    alone, read = _alone(folder, MEMORIES)
    assert [answer.text for answer in said] == alone
    # Pictures make the difference, and would not be the same after a lossy format.
    assert len(set(alone)) == len(alone)
    assert _alone(folder, [_lossy(memory) for memory in MEMORIES[:3]])[0] != alone[:3]
    assert asked.cost.tokens_read == read and asked.cost.images == 7
    assert asked.report()["requests"] == 7  # two for the test of its sight
    assert ask(served, folder).generate(MEMORIES, max_new_tokens=12) == said


@pytest.mark.slow  # starting the server takes longer than all other tests here
def test_transformers_serve_gives_no_logprobs_and_that_is_told(served: str) -> None:
    asked = ask(served, tiny_families.folder("llava"))
    with pytest.raises(ValueError, match=r"gives no top_logprobs=20 .*it sends none; .*free"):
        asked.next_word([(MEMORIES[0], ("A", "B"))])


@pytest.mark.slow  # starting the server takes longer than all other tests here
def test_a_language_model_to_which_pictures_are_lost_without_a_word_is_found_out(
    served: str, tmp_path: Path
) -> None:
    folder = write_bigram_llm(tmp_path / "llm")
    with pytest.raises(ValueError, match="leaves pictures out: with one it reads"):
        ask(served, folder).generate(MEMORIES[:1])
    assert ask(served, folder).generate(MEMORIES[-1:])[0].text == SENTENCE


def _lossy(memory: VisualWorkingMemory) -> VisualWorkingMemory:
    assert memory.image is not None
    file = io.BytesIO()
    memory.image.save(file, "JPEG", quality=95)
    return VisualWorkingMemory(memory.question, Image.open(file).convert("RGB"), memory.targets)


def _alone(folder: Path, memories: Sequence[VisualWorkingMemory]) -> tuple[list[str], int]:
    """Greedy answers of 12 tokens, and all tokens that were read."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    answers, read = [], 0
    for memory in memories:
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": user_turn(memory)}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        length = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            row = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0, length:]
        answers.append(processor.decode(row, skip_special_tokens=True).strip())
        read += length
    return answers, read


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model for llama.cpp and its tower."""
    for module in ("gguf", "xllamacpp"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("llama")
    return write_text_gguf(folder, ODDS), write_tower_gguf(folder)


def test_letters_of_llama_cpp_have_the_odds_of_its_weights(files: tuple[Path, Path]) -> None:
    log_p = first_token_log_odds(ODDS)
    a = -math.log(math.exp(log_p["A"]) + math.exp(log_p["\u2581A"]))
    expected = [a, -log_p["B"], -log_p["C"], -log_p["\u2581No"], math.inf]
    with llama_serve(*files) as address:
        asked = ask(address)
        requests = [(memory, ("A", "B", "C", "No", "Zebra")) for memory in MEMORIES]
        losses = asked.next_word(requests)
        (said,) = asked.generate(MEMORIES[:1], max_new_tokens=3)
    for row in losses:
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-4)
    assert said.text == "AAA" and (said.num_tokens, said.finished) == (3, False)
    # The same answers out of the cache, the server gone.
    assert asked.next_word(requests) == losses


def test_pictures_are_tokens_to_llama_cpp_and_its_context_is_known(
    files: tuple[Path, Path],
) -> None:
    with llama_serve(*files) as address:
        asked = ask(address)
        question = MEMORIES[0].question
        for memory in (VisualWorkingMemory(question), VisualWorkingMemory(question, photo())):
            before = asked.cost.tokens_read
            asked.generate([memory], max_new_tokens=1)
            read = asked.cost.tokens_read - before
            room = 512 - read
            assert asked.context == 512 and asked.fits(memory, max_new_tokens=room)
            assert not asked.fits(memory, max_new_tokens=room + 1)
        assert asked.cost.images == 3 and read > 4
        long = VisualWorkingMemory("word " * 600)
        assert not asked.fits(long, max_new_tokens=1)
        with pytest.raises(ValueError, match=r"more than model .* reads at once: HTTP 400"):
            asked.generate([long])


def test_llama_cpp_without_a_tower_or_the_key_is_told(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with llama_serve(files[0], key=KEY) as address:
        monkeypatch.setenv("OPENAI_API_KEY", f"{KEY[:-1]}x")
        with pytest.raises(ValueError, match=r"refuses \(HTTP 401\).*OPENAI_API_KEY") as caught:
            ask(address).generate(MEMORIES)
        assert KEY[:-1] not in str(caught.value)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with pytest.raises(ValueError, match=r"not to a picture: .*is not supported.*mmproj"):
            ask(address).generate(MEMORIES)
        assert ask(address).generate(MEMORIES[-1:], max_new_tokens=2)[0].text == "AA"


def test_a_server_that_ends_is_told_after_all_attempts(files: tuple[Path, Path]) -> None:
    with llama_serve(*files) as address:
        asked = ask(address, attempts=3)
        asked.generate(MEMORIES[:2], max_new_tokens=2)
    with pytest.raises(FailedError, match=r"3 of 5 prompts got no answer from .*goes on from here"):
        asked.generate(MEMORIES, max_new_tokens=2)
    assert asked.report()["repeated"] == 6
