"""How many rows go through a model at once, and how much it keeps, by the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass

from seal.models.fit.memory import GIB, QUESTION_TOKENS, Setting, key_value_bytes, visual_positions
from seal.models.parts.llm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

MOST_QUERIES = 32  # of a search: beyond that a pass is no cheaper a query
MOST_ROWS = 16  # of an answer model, whose rows are several times as long
CACHE_SHARE, BATCH_SHARE = 0.4, 0.7  # of what is free, then of what the cache leaves
CACHE_ON_HOST, CACHE_ON_GPU = 4 * GIB, 16 * GIB  # at the most; the latter is 100 crops at 7B


@dataclass(frozen=True, slots=True)
class Passes:
    """What the memory beside the models is used for."""

    queries: int  # of a search in one pass
    rows: int  # of an answer model in one pass
    cache_mb: int  # what is kept of crops


def fitting_passes(
    vqa: VQAModelConfig | None,
    vsm: VSMModelConfig | None,
    setting: Setting,
    free: int,
    *,
    on_gpu: bool,
    max_batch: int | None = None,
    cache_mb: int | None = None,
) -> Passes:
    """By `free` bytes, once the models are loaded; the two do not run at the same time.

    max_batch, cache_mb: where they are given already.

    Raises:
        ValueError: a search is to keep more of crops than is free.
    """
    if cache_mb is None:
        most = CACHE_ON_GPU if on_gpu else CACHE_ON_HOST
        cache_mb = int(min(free * CACHE_SHARE, most)) >> 20
    if vsm is not None:
        if cache_mb << 20 > max(0, free):
            raise ValueError(
                f"cache_mb={cache_mb}: no more than {max(0, free) >> 20} MiB are free beside the "
                "models; give less, or leave it out for a share of them"
            )
        free -= cache_mb << 20
    queries, rows = max_batch or MOST_QUERIES, max_batch or MOST_ROWS
    if max_batch is None and vsm is not None:
        queries = fitting_batch(query_bytes(vsm, setting), free, MOST_QUERIES)
    if max_batch is None and vqa is not None:
        rows = fitting_batch(row_bytes(vqa, setting), free, MOST_ROWS)
    return Passes(queries, rows, cache_mb)


def fitting_batch(each: int, free: int, most: int) -> int:
    """The largest power of two of rows, `most` at the most, that take `BATCH_SHARE` of `free`;
    `each`: bytes of one.
    """
    rows = 1
    while rows * 2 <= most and rows * 2 * each <= free * BATCH_SHARE:
        rows *= 2
    return rows


def query_bytes(config: VSMModelConfig, setting: Setting) -> int:
    """Of one query of a search in a pass: a new crop through both towers and the language model."""
    detector = config.detector
    tokens = detector.grid_size**2 + 1
    # Its attention may be computed in full; beside it the inputs and outputs of one block.
    seen = tokens**2 * detector.num_attention_heads
    seen += tokens * (6 * detector.hidden_size + 2 * detector.intermediate_size)
    read = _pass_values(config.llm, config.vision.num_tokens + QUESTION_TOKENS // 2)
    return (seen + read) * setting.dtype.itemsize


def row_bytes(config: VQAModelConfig, setting: Setting) -> int:
    """Of one row of an answer model in a pass: its keys and values, and a copy; activations."""
    positions = visual_positions(config) + QUESTION_TOKENS
    kept = 2 * key_value_bytes(config.llm, setting) * positions
    return kept + _pass_values(config.llm, positions) * setting.dtype.itemsize


def _pass_values(llm: LlmConfig, positions: int) -> int:
    """Numbers in memory at once while a row goes through one block: its states and its MLP."""
    return positions * (6 * llm.hidden_size + 3 * llm.intermediate_size)
