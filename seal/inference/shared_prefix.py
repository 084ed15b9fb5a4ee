"""Passes of a language model over many rows that stand behind shared beginnings.

Must agree with passes over the whole sequences (`seal.inference.prefix` does it with copies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seal.inference.prefix import padded_ids
from seal.inference.prefix_pool import PrefixPool
from seal.models.parts.prefix_attention import (
    Beginnings,
    Behind,
    OwnStates,
    PrefixUse,
    prefix_inputs,
)
from seal.models.vlm import VLM

_ROOM = 32  # positions that an answer has before its memory grows


def read_beginnings(
    vlm: VLM,
    pool: PrefixPool,
    slots: Sequence[int],
    embeddings: Tensor,
    rows: Sequence[Sequence[int]] = (),
) -> Tensor:
    """Read beginnings into their slots and, in the same pass, what follows each.

    Args:
        slots: one each, sorted.
        embeddings: (n, P, D) of the beginnings.
        rows: token ids behind each; (): nothing.

    Returns:
        (n, D): the state at the end of each row, or of each beginning if nothing follows.
    """
    ends = torch.full((len(slots),), embeddings.shape[1] - 1)
    if rows:
        ids, lengths = padded_ids(rows, vlm.device)
        words = vlm.llm.get_input_embeddings()(ids)
        embeddings = torch.cat([embeddings, words], dim=1)
        ends = ends + lengths
    use = Beginnings(pool.shape.length, pool.runs(slots))
    hidden = run_pass(vlm, use, embeddings, 0)
    return _picked(hidden, ends)


def read_behind(
    vlm: VLM, pool: PrefixPool, slots: Sequence[int], rows: Sequence[Sequence[int]]
) -> Tensor:
    """rows: token ids, each behind the beginning in its slot -> (B, D) the state at its end."""
    order = _order(slots)
    ids, lengths = padded_ids([rows[i] for i in order], vlm.device)
    use = Behind(pool.runs([slots[i] for i in order]))
    hidden = run_pass(vlm, use, vlm.llm.get_input_embeddings()(ids), pool.shape.length)
    return _picked(hidden, lengths - 1, order)


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends an answer."""

    most: int  # tokens
    end_ids: frozenset[int]  # that are not part of it
    stop_ids: frozenset[int] = frozenset()  # that are

    def limits(self) -> dict[str, Any]:
        """What `VLM.greedy_answers` calls them."""
        return {
            "max_new_tokens": self.most, "end_ids": self.end_ids, "stop_ids": self.stop_ids,
        }  # fmt: skip


def continue_behind(
    vlm: VLM,
    pool: PrefixPool,
    slots: Sequence[int],
    rows: Sequence[Sequence[int]],
    ending: Ending,
) -> list[list[int]]:
    """The likeliest tokens behind each row, which stands behind the beginning in its slot."""
    order = _order(slots)
    ids, lengths = padded_ids([rows[i] for i in order], vlm.device)
    width = ids.shape[1]
    own = OwnStates(width + _ROOM)
    use = Behind(pool.runs([slots[i] for i in order]), own)
    states = run_pass(vlm, use, vlm.llm.get_input_embeddings()(ids), pool.shape.length)
    state = _picked(states, lengths - 1)
    if min(map(len, rows)) < width:
        # Between the end of a short row and what it is continued with lies padding.
        hidden = torch.zeros(len(rows), width + ending.most, dtype=torch.bool)
        hidden[:, :width] = torch.arange(width) >= lengths[:, None]
        use.hidden = hidden.to(vlm.device, non_blocking=True)
    positions = (lengths + pool.shape.length).to(vlm.device, non_blocking=True)[:, None]

    def following(chosen: Tensor, step: int) -> Tensor:
        own.start = width + step
        embedded = vlm.llm.get_input_embeddings()(chosen[:, None])
        state = run_pass(vlm, use, embedded, positions + step)[:, 0]
        return vlm.llm.lm_head(state).argmax(-1)

    first = vlm.llm.lm_head(state).argmax(-1)
    said = vlm.greedy_answers(first, following, **ending.limits())
    given: list[list[int]] = [[] for _ in rows]
    for place, answer in zip(order, said, strict=True):
        given[place] = answer
    return given


def run_pass(vlm: VLM, use: PrefixUse, embeddings: Tensor, start: int | Tensor) -> Tensor:
    """(B, L, D) embeddings at positions that begin with `start` -> (B, L, D) states."""
    positions = torch.arange(embeddings.shape[1], device=embeddings.device)[None] + start
    states: Tensor = vlm.llm.model(
        inputs_embeds=embeddings,
        position_ids=positions.expand(len(embeddings), -1),
        **prefix_inputs(use, embeddings),
    ).last_hidden_state
    return states


def _order(slots: Sequence[int]) -> list[int]:
    return sorted(range(len(slots)), key=lambda i: slots[i])


def _picked(hidden: Tensor, ends: Tensor, order: Sequence[int] | None = None) -> Tensor:
    """(B, L, D) -> (B, D) at `ends`; row i of the result is row `order.index(i)`."""
    rows = torch.arange(len(ends))
    if order is not None:
        rows = torch.tensor(order).argsort()
        ends = ends[rows]
    flat = rows * hidden.shape[1] + ends
    return hidden.flatten(0, 1).index_select(0, flat.to(hidden.device, non_blocking=True))
