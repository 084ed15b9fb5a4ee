"""Passes behind beginnings in a pool give what passes over the whole sequences give."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from tiny_models import vsm_model

from seal.inference.prefix_pool import PrefixPool, PrefixShape
from seal.inference.shared_prefix import Ending, continue_behind, read_beginnings, read_behind
from seal.models.vlm import VLM
from seal.models.vsm import VSM

LENGTH = 6


def network(kv_heads: int = 0, architecture: str = "llama") -> VSM:
    """Tiny, with fewer heads for keys and values if so asked."""
    config = vsm_model().config
    llm = replace(config.llm, num_key_value_heads=kv_heads, architecture=architecture)
    torch.manual_seed(0)
    return replace(config, llm=llm).build().eval()


@pytest.fixture(
    scope="module", params=[(0, "llama"), (1, "llama"), (1, "qwen3"), (0, "olmo2")], ids=str
)
def vlm(request) -> VSM:
    return network(*request.param)


def new_pool(vlm: VSM, capacity: int = 8, block: int = 3) -> PrefixPool:
    llm = vlm.config.llm
    shape = PrefixShape(
        llm.num_hidden_layers, llm.key_value_heads, LENGTH, llm.head_width, vlm.dtype
    )
    return PrefixPool(shape, vlm.device, capacity=capacity, block=block)


def beginnings(vlm: VSM, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, LENGTH, vlm.config.llm.hidden_size, generator=generator)


def whole_state(vlm: VLM, beginning: torch.Tensor, row: list[int]) -> torch.Tensor:
    """(D,): the last state of one pass over everything."""
    embedded = beginning[None]
    if row:
        words = vlm.llm.get_input_embeddings()(torch.tensor([row]))
        embedded = torch.cat([embedded, words], dim=1)
    hidden = vlm.llm.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    return hidden[0, -1]


def whole_answer(vlm: VLM, beginning: torch.Tensor, row: list[int], most: int) -> list[int]:
    """Greedy, each token by a pass over everything."""
    said: list[int] = []
    while len(said) < most:
        token = int(vlm.llm.lm_head(whole_state(vlm, beginning, row + said)).argmax())
        if token == vlm.llm.config.eos_token_id:
            break
        said.append(token)
    return said


def rows(count: int, seed: int = 0) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.randrange(3, 60) for _ in range(draw.randint(1, 7))] for _ in range(count)]


@torch.inference_mode()
def test_a_beginning_and_what_follows_in_one_pass_equal_the_whole(vlm):
    made, asked = beginnings(vlm, 4), rows(4)
    pool = new_pool(vlm)
    states = read_beginnings(vlm, pool, pool.take(4), made, asked)
    for state, beginning, row in zip(states, made, asked, strict=True):
        torch.testing.assert_close(state, whole_state(vlm, beginning, row), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_rows_behind_slots_in_any_order_and_number_equal_the_whole(vlm):
    made, pool = beginnings(vlm, 5), new_pool(vlm)
    slots = pool.take(5)
    alone = read_beginnings(vlm, pool, slots, made)
    for state, beginning in zip(alone, made, strict=True):
        torch.testing.assert_close(state, whole_state(vlm, beginning, []), rtol=1e-4, atol=1e-5)
    draw = random.Random(3)
    for count in (1, 2, 5, 9):
        places = draw.choices(range(5), k=count)
        asked = rows(count, seed=count)
        states = read_behind(vlm, pool, [slots[place] for place in places], asked)
        for state, place, row in zip(states, places, asked, strict=True):
            expected = whole_state(vlm, made[place], row)
            torch.testing.assert_close(state, expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_answers_behind_rows_of_any_length_equal_those_token_by_token(vlm):
    made, pool = beginnings(vlm, 3), new_pool(vlm)
    slots = pool.take(3)
    read_beginnings(vlm, pool, slots, made)
    places, asked, most = [2, 0, 1, 2], rows(4, seed=5), 40  # longer than the room at first
    said = continue_behind(vlm, pool, [slots[i] for i in places], asked, Ending(most, frozenset()))
    for answer, place, row in zip(said, places, asked, strict=True):
        assert answer == whole_answer(vlm, made[place], row, most)


@torch.inference_mode()
def test_an_answer_ends_where_it_is_told_and_the_others_go_on():
    vlm = network()
    made, pool = beginnings(vlm, 2), new_pool(vlm)
    slots, asked = pool.take(2), rows(2, seed=1)
    read_beginnings(vlm, pool, slots, made)
    first, second = (whole_answer(vlm, b, row, 8) for b, row in zip(made, asked, strict=True))
    assert len(first) == len(second) == 8 and first[2] not in first[:2]
    said = continue_behind(
        vlm, pool, slots, asked, Ending(8, frozenset(), stop_ids=frozenset({first[2]}))
    )
    assert said[0] == first[:3]  # what stops it is part of it
    ended = continue_behind(vlm, pool, slots, asked, Ending(8, frozenset({first[2]})))
    assert ended[0] == first[:2]  # what ends it is not
    for answer in (said[1], ended[1]):
        assert answer == second[: len(answer)] and len(answer) >= 3


@torch.inference_mode()
def test_nothing_of_a_beginning_is_copied_or_changed_by_reading_it(vlm):
    pool = new_pool(vlm)
    slots = pool.take(3)
    read_beginnings(vlm, pool, slots, beginnings(vlm, 3))
    kept = [(run.keys.clone(), run.values.clone()) for run in pool.runs(slots)]
    read_behind(vlm, pool, [slots[1]], [[4, 5]])
    continue_behind(vlm, pool, slots, rows(3), Ending(3, frozenset()))
    for (keys, values), run in zip(kept, pool.runs(slots), strict=True):
        assert torch.equal(keys, run.keys) and torch.equal(values, run.values)


@torch.inference_mode()
def test_half_precision_is_about_the_same():
    exact = network()
    rough = network().to(torch.bfloat16)
    made, asked = beginnings(exact, 3), rows(3)
    states = []
    for vlm, given in ((exact, made), (rough, made.to(torch.bfloat16))):
        pool = new_pool(vlm)
        slots = pool.take(3)
        read_beginnings(vlm, pool, slots, given)
        states.append(read_behind(vlm, pool, slots, asked).float())
    torch.testing.assert_close(states[1], states[0], rtol=0.1, atol=0.1)
