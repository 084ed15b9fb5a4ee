"""Scripted outcomes: the networks do the work, the script decides what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_models

from seal.evaluation.speed.script import (
    LENGTHS,
    OPTIONS,
    QUESTION,
    TARGETS,
    ScriptedAnswers,
    ScriptedSearch,
    search_lengths,
)
from seal.inference.build_locator import build_locator
from seal.inference.guides.seal_vsm import sentence_ends
from seal.inference.load import load_answer_model, load_search_model
from seal.models.files.random_weights import write_random_model
from seal.pipeline import Seal
from seal.search.config import SearchConfig
from seal.search.locator import LocateRequest
from seal.search.speed import SpeedConfig
from seal.text.prompts import parse_missing

CONFIG = SearchConfig(min_size=24)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("models")
    tokenizer = tiny_models.tokenizer()
    never = {tokenizer.eos_id} | sentence_ends(tokenizer)
    for name, model in (("vqa", tiny_models.vqa_model()), ("vsm", tiny_models.vsm_model())):
        write_random_model(root / name, model.config, tokenizer.folder, never=never)
    return root / "vqa", root / "vsm"


@pytest.fixture
def pair(folders: tuple[Path, Path]) -> tuple[ScriptedAnswers, ScriptedSearch]:
    vqa, vsm = folders
    return (
        ScriptedAnswers(load_answer_model(vqa, device="cpu")),
        ScriptedSearch(load_search_model(vsm, device="cpu"), cue_tokens=15, config=CONFIG),
    )


def _seal(answers: ScriptedAnswers, search: ScriptedSearch) -> Seal:
    return Seal(answers, build_locator("guided", search, CONFIG))


def test_the_mean_search_length_is_the_papers() -> None:
    lengths = [length for pair in LENGTHS for length in pair]
    assert sum(lengths) / len(lengths) == pytest.approx(4.65)
    assert {sum(pair) for pair in LENGTHS} == {9, 10}


def test_more_questions_than_there_are_lengths_begin_again() -> None:
    assert search_lengths(len(LENGTHS) + 1) == [*LENGTHS, LENGTHS[0]]


@pytest.mark.parametrize("lengths", [(5, 4), (1, 8), (9, 1)])
def test_searches_end_after_the_visits_they_are_told(pair, lengths: tuple[int, int]) -> None:
    image = tiny_models.noise(120, 120)
    pair[1].begin(image, dict(zip(TARGETS, lengths, strict=True)))
    answer = _seal(*pair).ask(image, QUESTION, options=OPTIONS)
    assert tuple(len(result.path) for result in answer.searches) == lengths
    assert tuple(result.num_steps for result in answer.searches) == lengths
    assert not answer.not_found
    assert [len(result.boxes) for result in answer.searches] == [1, 1]
    assert len(answer.losses) == len(OPTIONS)


def test_each_visit_but_the_last_asks_for_a_cue_of_as_many_tokens(pair) -> None:
    search = pair[1]
    image = tiny_models.noise(120, 120)
    search.begin(image, dict(zip(TARGETS, (5, 3), strict=True)))
    answer = _seal(*pair).ask(image, QUESTION, options=OPTIONS)
    cost = search.model.cost
    assert cost.queries == {
        "detect": 8, "target_heat": 6, "contextual_cue": 6, "cue_heatmap": 6,
    }  # fmt: skip
    assert cost.tokens_generated == 6 * 15
    assert {node.cue.phrase for r in answer.searches for node in r.path if node.cue} == {
        "the table"
    }


def test_searches_go_breadth_first(pair) -> None:
    search = pair[1]
    image = tiny_models.noise(120, 120)
    search.begin(image, {TARGETS[0]: 6})
    (result,) = build_locator("guided", search, CONFIG).locate([LocateRequest(image, TARGETS[0])])
    assert [node.depth for node in result.path] == [1, 2, 2, 2, 2, 3]


def test_the_first_answer_names_both_targets_and_costs_its_tokens(pair) -> None:
    answers, search = pair
    image = tiny_models.noise()
    search.begin(image, dict(zip(TARGETS, (1, 1), strict=True)))
    answer = _seal(*pair).ask(image, QUESTION, options=OPTIONS)
    assert parse_missing(answer.first_text) == list(TARGETS) == answer.missing
    cost = answers.model.cost
    assert cost.tokens_written == answers.first_tokens > 10
    assert cost.options_scored == len(OPTIONS)
    said = answers.generate([answer.memory], max_new_tokens=7)
    assert said[0].num_tokens == 7


def test_a_model_that_stops_by_itself_is_an_error(folders: tuple[Path, Path]) -> None:
    model = load_search_model(folders[1], device="cpu")
    head = model.model.llm.lm_head
    head.weight.data.zero_()  # all logits are equal: the first id, which decodes to nothing
    model.model.llm.config.eos_token_id = 0
    search = ScriptedSearch(model, cue_tokens=15, config=CONFIG)
    image = tiny_models.noise()
    search.begin(image, {TARGETS[0]: 2})
    (result,) = build_locator("guided", search, CONFIG).locate([LocateRequest(image, TARGETS[0])])
    assert result.error is not None and "stopped after 0 tokens, not 15" in result.error


def test_what_is_evaluated_ahead_does_not_change_where_a_target_is_seen(pair) -> None:
    search = pair[1]
    image = tiny_models.noise(120, 120)
    search.begin(image, {TARGETS[0]: 7})
    locator = build_locator("guided", search, CONFIG, speed=SpeedConfig(lookahead=3))
    (result,) = locator.locate([LocateRequest(image, TARGETS[0])])
    assert len(result.path) == result.num_steps == 7 and result.evaluated_ahead > 0


def test_more_visits_than_there_are_regions_are_refused(pair) -> None:
    with pytest.raises(ValueError, match="22 visits cannot be made"):
        pair[1].begin(tiny_models.noise(120, 120), {TARGETS[0]: 22})
