from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from seal.miniature.base_models import ASSETS, QUERIES, Parts
from seal.miniature.world import BADGE_COLORS, KINDS, REGIONS
from seal.miniature.world_questions import badge_sentence, where_question
from seal.models.files.load import load_model
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.text.prompts import refusal
from seal.text.tokenize import load_tokenizer

LIMIT = 13_000_000  # bytes, of base models and of the trained ones that ship
FILE_LIMIT = 5_000_000


def test_the_assets_are_small():
    sizes = [path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()]
    assert sum(sizes) < LIMIT and max(sizes) < FILE_LIMIT


@pytest.mark.parametrize(
    ("name", "kind"), [("vqa_base", VQAModel), ("vsm_base", VSM), ("avg_base", VQAModel)]
)
def test_a_base_model_loads_into_the_real_class_and_fits_its_tokenizer(name, kind):
    model = load_model(ASSETS / name)
    assert type(model) is kind
    assert load_tokenizer(ASSETS / name).vocab_size == model.config.llm.vocab_size


def test_every_kind_has_a_query_of_the_detectors_width():
    queries = load_file(ASSETS / "vsm_base" / QUERIES)
    model = load_model(ASSETS / "vsm_base")
    assert isinstance(model, VSM)
    assert set(queries) == set(KINDS)
    assert {tuple(q.shape) for q in queries.values()} == {(model.config.detector.query_size,)}


def test_words_of_the_world_are_written_and_read_back():
    tokenizer = load_tokenizer(ASSETS / "vqa_base")
    sentences = [badge_sentence(kind, color) for kind in KINDS for color in BADGE_COLORS]
    sentences += [refusal(list(KINDS)), *where_question("boat", frozenset(REGIONS))]
    for sentence in sentences:
        ids = tokenizer.encode(sentence)
        assert tokenizer.decode(ids) == sentence
    assert len(tokenizer.encode(badge_sentence("boat", "white"))) <= 11


def test_a_finished_part_is_kept_unless_it_was_made_with_another_seed_or_more_steps(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"weight": torch.full((2,), float(len(made)))}

    first = Parts(tmp_path, seed=1).keep("clip", 10, make)
    assert torch.equal(Parts(tmp_path, seed=1).keep("clip", 10, make)["weight"], first["weight"])
    assert len(made) == 1
    assert Parts(tmp_path, seed=1).keep("clip", 20, make)["weight"][0] == 2
    assert Parts(tmp_path, seed=2).keep("clip", 20, make)["weight"][0] == 3
