from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bigram_llm import SENTENCE, write_bigram_llm

from seal.building.language import LanguageConfig
from seal.building.language.unwritten_records import Prompt
from seal.building.language.usage import ReportingModel

PROMPTS = [Prompt("task", "Be brief.", "dog " * i) for i in (1, 9, 3, 1, 5)]


def model(folder: Path, max_tokens: int = 20) -> ReportingModel:
    return LanguageConfig(
        kind="local",
        model=str(folder),
        cache=str(folder.parent / "cache.sqlite"),
        batch_size=2,
        max_tokens=max_tokens,
        attempts=2,
    ).build({})


def accept(place: int, answer: str) -> None:
    pass


@pytest.mark.parametrize("chat_template", [True, False])
def test_prompts_of_any_length_are_answered_in_batches(tmp_path: Path, chat_template: bool) -> None:
    folder = write_bigram_llm(tmp_path / "llm", chat_template=chat_template)
    writer = model(folder)
    assert writer.write(PROMPTS, accept) == [SENTENCE] * 5
    assert writer.report()["requests"] == 4  # one prompt occurs twice
    assert writer.report()["completion_tokens"] % 4 == 0
    again = model(folder)
    assert again.write(PROMPTS, accept) == [SENTENCE] * 5
    assert again.report()["requests"] == 0  # out of the cache


def test_another_model_in_the_same_folder_is_asked_anew(tmp_path: Path) -> None:
    for chat_template in (True, False):
        shutil.rmtree(tmp_path / "llm", ignore_errors=True)
        writer = model(write_bigram_llm(tmp_path / "llm", chat_template=chat_template))
        writer.write(PROMPTS, accept)
        assert writer.report()["requests"] == 4


def test_a_model_that_differs_in_its_last_byte_is_another(tmp_path: Path) -> None:
    folder = write_bigram_llm(tmp_path / "llm")
    before = model(folder).settings()
    weights = next(folder.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert model(folder).settings()["files"] != before["files"]


def test_what_is_refused_or_cut_is_given_up(tmp_path: Path) -> None:
    folder = write_bigram_llm(tmp_path / "llm")
    seen: list[str] = []

    def refuse(place: int, answer: str) -> None:
        seen.append(answer)
        raise ValueError("no")

    writer = model(folder)
    assert writer.write(PROMPTS[:2], refuse) == [None, None]
    assert seen == [SENTENCE] * 4 and writer.report()["no_answer"] == 2
    assert model(folder, max_tokens=3).write(PROMPTS[:1], accept) == [None]


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "llm").mkdir()
    with pytest.raises(ValueError, match=r"language\.model=.*llm cannot be loaded"):
        model(tmp_path / "llm").write(PROMPTS, accept)
