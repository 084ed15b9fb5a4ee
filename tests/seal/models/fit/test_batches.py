"""Batches and caches grow with the memory that is free, to where more is of no use."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from seal.models.fit.batches import (
    BATCH_SHARE,
    MOST_QUERIES,
    MOST_ROWS,
    fitting_batch,
    fitting_passes,
    query_bytes,
    row_bytes,
)
from seal.models.fit.memory import GIB, Setting
from seal.models.parts.llm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

VQA, VSM, BF16 = VQAModelConfig(), VSMModelConfig(), Setting()


def passes(free, vqa=VQA, vsm=VSM, **options):
    return fitting_passes(vqa, vsm, BF16, int(free * GIB), **({"on_gpu": True} | options))


def test_a_batch_is_the_largest_power_of_two_that_fits():
    for each in (1, 3, 10):
        for free in (0, 9, 100, 1000):
            rows = fitting_batch(each, free, 32)
            assert rows in (1, 2, 4, 8, 16, 32)
            assert rows == 1 or rows * each <= free * BATCH_SHARE
            assert rows == 32 or 2 * rows * each > free * BATCH_SHARE


def test_more_memory_is_never_used_for_less():
    made = [passes(free) for free in (0.1, 1, 4, 8, 16, 24, 50, 120, 500)]
    for one, next_ in pairwise(made):
        assert one.queries <= next_.queries <= MOST_QUERIES
        assert one.rows <= next_.rows <= MOST_ROWS
        assert one.cache_mb <= next_.cache_mb <= 16 << 10
    assert (made[0].queries, made[0].rows) == (1, 1)
    assert (made[-1].queries, made[-1].rows) == (MOST_QUERIES, MOST_ROWS)


def test_what_is_used_fits_beside_the_models():
    for free in (8, 16, 24, 50, 120):
        used = passes(free)
        cache = used.cache_mb << 20
        assert cache + used.queries * query_bytes(VSM, BF16) <= free * GIB
        assert cache + used.rows * row_bytes(VQA, BF16) <= free * GIB


def test_what_is_given_is_kept_and_counts():
    given = passes(24, max_batch=5, cache_mb=100)
    assert (given.queries, given.rows, given.cache_mb) == (5, 5, 100)
    with pytest.raises(ValueError, match="cache_mb=99999: no more than 8192 MiB are free beside"):
        passes(8, cache_mb=99_999)
    assert passes(8, cache_mb=0).queries > passes(8, cache_mb=7 << 10).queries
    # A host has other uses for its memory.
    assert passes(120, on_gpu=False).cache_mb == 4 << 10


def test_an_answer_model_alone_need_not_leave_room_for_crops():
    assert passes(16, vsm=None).rows > passes(16).rows


@pytest.mark.parametrize("bytes_of, config", [(query_bytes, VSM), (row_bytes, VQA)])
def test_a_row_takes_what_its_sizes_say(bytes_of, config):
    half = type(config)(llm=LlmConfig(num_hidden_layers=16, hidden_size=2048))
    assert bytes_of(half, BF16) < bytes_of(config, BF16)
    assert bytes_of(config, Setting(torch.float32)) == 2 * bytes_of(config, BF16)
