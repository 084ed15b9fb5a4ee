"""The folders that are measured: a tokenizer of the right size, one tower for both models."""

from __future__ import annotations

from pathlib import Path

import pytest

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.models import (
    make_models,
    make_tokenizer,
    model_folders,
    models_made,
)
from seal.evaluation.speed.script import QUESTION
from seal.inference.load import load_models
from seal.models.presets import MINIATURE_PIECES, RELEASED_PIECES
from seal.text.conversation import VQA
from seal.text.tokens import SEARCH_TOKENS


@pytest.mark.parametrize("pieces", [RELEASED_PIECES, MINIATURE_PIECES])
def test_every_id_of_the_vocabulary_decodes_and_words_are_whole(
    tmp_path: Path, pieces: int
) -> None:
    tokenizer = make_tokenizer(pieces, tmp_path, SEARCH_TOKENS)
    assert tokenizer.vocab_size == pieces + len(SEARCH_TOKENS)
    assert all(isinstance(tokenizer.decode([i]), str) for i in range(tokenizer.vocab_size))
    for text in (VQA.system, QUESTION):
        words = len(text.split())
        assert words < len(tokenizer.encode(text)) < 1.5 * words


def test_both_models_share_a_tower_and_are_made_once(tmp_path: Path) -> None:
    config = SpeedConfig(size="miniature", out=str(tmp_path), num_hidden_layers=1)
    assert not models_made(config)
    make_models(config, "cpu")
    assert models_made(config)
    assert not models_made(SpeedConfig(size="miniature", out=str(tmp_path)))
    answers, search = load_models(*model_folders(config), device="cpu")
    assert answers is not None and search is not None
    assert answers.model.vision_tower is search.model.vision_tower
    assert len(answers.model.llm.model.layers) == len(search.model.llm.model.layers) == 1
    assert answers.model.config.llm.vocab_size == answers.tokenizer.vocab_size
    assert search.model.config.llm.vocab_size == search.tokenizer.vocab_size
