"""Which token stands for pictures, of models that tell it and of models that do not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from seal.inference.hf.model import HFModel

WORDS = {"<unk>": 0, "red": 1, "<image>": 2}


def model(written, config=None, unknown="<unk>", words=WORDS):
    plain = Tokenizer(WordLevel(dict(words), unk_token=unknown))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token=unknown)
    return HFModel(
        model=SimpleNamespace(config=SimpleNamespace(**(config or {}))),
        processor=SimpleNamespace(image_token=written, tokenizer=tokenizer),
        name="one", family=None, pixels=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "config", "token"),
    [
        ("<image>", {}, 2), ("<image>", {"image_token_index": 7}, 7), (None, {}, None),
        ("<picture>", {}, None), ("<picture>", {"image_token_id": 7}, 7),
    ],
)  # fmt: skip
def test_the_config_tells_it_or_a_processor_whose_tokenizer_knows_it(written, config, token):
    assert model(written, config).known_image_token_id == token


def test_a_tokenizer_without_a_token_for_the_unknown_does_not_know_it_either():
    words = {"red": 0, "<image>": 1}
    assert model("<picture>", unknown=None, words=words).known_image_token_id is None
    assert model("<image>", unknown=None, words=words).known_image_token_id == 1
