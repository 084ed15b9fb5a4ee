"""Both models train and serve in the chat template of every family, on a decoder of that family."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_tokenizers
import torch
from programs_here import run_program
from tiny_models import noise

from seal.geometry import Box
from seal.inference.load import load_models
from seal.search.protocol import Patch, Query
from seal.text.extend_tokenizer import extend_tokenizer
from seal.text.tokens import SEARCH_TOKENS
from seal.training.log import read_metrics
from seal.working_memory import VisualWorkingMemory

DECODERS = {
    "llama3": "llama", "qwen2_5": "qwen2", "qwen3": "qwen3", "smollm2": "llama",
    "mistral": "mistral", "mistral_tekken": "mistral",
}  # fmt: skip
OPTIONS = ["red", "The boat is blue and on the water."]


def train(name: str, folder: Path, family: str, *more: str) -> Path:
    tokenizer = extend_tokenizer(
        tiny_tokenizers.folder(family), folder / "tokenizer", SEARCH_TOKENS
    )
    sizes = {
        "prompt_style": "chat", "llm.architecture": DECODERS[family],
        "llm.num_key_value_heads": 1, "llm.tie_word_embeddings": "true",
        "llm.vocab_size": tokenizer.vocab_size, "llm.eos_token_id": tokenizer.eos_id,
    }  # fmt: skip
    options = [f"model.{key}={value}" for key, value in sizes.items()]
    options += [f"experiment={name}", f"paths.runs={folder}", f"tokenizer={tokenizer.folder}"]
    assert run_program(f"train/{name[:3]}", *options, "deepspeed=zero2", *more) == 0
    return folder / name


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(run / "metrics.jsonl") if "loss" in line]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vqa_instruct_smoke", "vqa_lora_smoke"])
@pytest.mark.parametrize("family", DECODERS)
def test_the_vqa_llm_trains_goes_on_bit_for_bit_and_answers(family, name, tmp_path):
    run = train(name, tmp_path / "whole", family)
    seen = losses(run)
    assert len(seen) == 20 and seen[-1] < seen[0]
    train(name, tmp_path / "parts", family, "train.stop_after=10", "train.save_every=10")
    assert losses(train(name, tmp_path / "parts", family, "train.save_every=10")) == seen
    answers, _ = load_models(run / "model", None)
    assert answers is not None and answers.model.config.prompt_style == "chat"
    memories = [VisualWorkingMemory("Is it red?", noise()), VisualWorkingMemory("What is it?")]
    together = answers.loglikelihood([(memory, OPTIONS) for memory in memories])
    for memory, found in zip(memories, together, strict=True):
        assert found == pytest.approx(answers.loglikelihood([(memory, OPTIONS)])[0], abs=1e-5)
    for said in answers.generate(memories, max_new_tokens=8):
        assert "<|" not in said.text and "</s>" not in said.text


@pytest.mark.slow
@pytest.mark.parametrize("family", DECODERS)
def test_the_search_model_trains_and_searches(family, tmp_path):
    run = train("vsm_smoke", tmp_path, family)
    seen = losses(run)
    assert len(seen) == 20 and seen[-1] < seen[0]
    _, search = load_models(None, run / "model")
    assert search is not None and search.model.config.prompt_style == "chat"
    queries = [
        Query("detect", Patch(image, Box(0, 0, *image.size)), text)
        for image, text in ((noise(), "boat"), (noise(60, 130, seed=1), "red mug"))
    ]
    for query, found in zip(queries, search.detect(queries), strict=True):
        (alone,) = search.detect([query])
        torch.testing.assert_close(
            torch.from_numpy(found.scores), torch.from_numpy(alone.scores), atol=1e-5, rtol=1e-5
        )
