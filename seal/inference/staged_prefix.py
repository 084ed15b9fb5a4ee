"""The passes of `seal.inference.shared_prefix` over few rows, as graphs that are replayed.

A graph reads and writes where it did when it was recorded, so what it works on is brought there:
the beginnings, from the pool to a stage and back, one copy of each, and the rows' own keys and
values, which lie in a memory of a fixed size. Without graphs, and for many rows, these are the
passes of that file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seal.inference.graphs import Graphs
from seal.inference.prefix import padded_ids
from seal.inference.prefix_pool import PrefixPool
from seal.inference.shared_prefix import (
    Ending,
    continue_behind,
    read_beginnings,
    read_behind,
    run_pass,
)
from seal.models.parts.prefix_attention import Beginnings, Behind, Run
from seal.models.vlm import VLM

_WIDTHS = 16  # questions are padded to a multiple of this, for few shapes
_ROOM = 192  # positions of a question and its answer


class StagedPasses:
    """Passes behind the beginnings of a pool, to whose slots nobody else may write."""

    def __init__(self, vlm: VLM, pool: PrefixPool, graphs: Graphs) -> None:
        """Of a 7B model the stage takes about 300 MB a row; it is made when it is first needed."""
        self.vlm, self.pool, self.graphs = vlm, pool, graphs
        self.num_copied = 0  # beginnings, from the pool or to it
        self._stage: _Stage | None = None
        self._begin = graphs.captured("beginnings", self._begin_pass)
        self._ask = graphs.captured("questions", self._question_pass)
        self._first = graphs.captured("first words", self._first_word_pass)
        self._next = graphs.captured("words", self._word_pass)

    def read_beginnings(
        self, slots: Sequence[int], embeddings: Tensor, rows: Sequence[Sequence[int]] = ()
    ) -> Tensor:
        """See `shared_prefix.read_beginnings`."""
        if self._stage is not None:  # what is written into these slots is news to it
            self._stage.slots = [None if slot in slots else slot for slot in self._stage.slots]
        if not self._staged(len(slots)):
            return read_beginnings(self.vlm, self.pool, slots, embeddings, rows)
        ends = torch.full((len(slots),), embeddings.shape[1] - 1)
        if rows:
            words, lengths = self._embedded(rows)
            embeddings = torch.cat([embeddings, words], dim=1)
            ends = ends + lengths
        stage = self._staged_memory()
        stage.slots[: len(slots)] = [None] * len(slots)
        states: Tensor = self._begin(embeddings, self._sent(ends))
        for run in self.pool.runs(slots):
            for kept, staged in ((run.keys, stage.keys), (run.values, stage.values)):
                kept.copy_(staged[:, run.rows])
        stage.slots[: len(slots)] = slots
        self.num_copied += len(slots)
        return states

    def read_behind(self, slots: Sequence[int], rows: Sequence[Sequence[int]]) -> Tensor:
        """See `shared_prefix.read_behind`."""
        if not self._staged(len(rows)):
            return read_behind(self.vlm, self.pool, slots, rows)
        self._bring(slots)
        words, lengths = self._embedded(rows)
        states: Tensor = self._ask(words, self._sent(lengths - 1))
        return states

    def continue_behind(
        self, slots: Sequence[int], rows: Sequence[Sequence[int]], ending: Ending
    ) -> list[list[int]]:
        """See `shared_prefix.continue_behind`."""
        width = _width(max(map(len, rows)))
        if not self._staged(len(rows)) or width + ending.most > _ROOM:
            return continue_behind(self.vlm, self.pool, slots, rows, ending)
        self._bring(slots)
        words, lengths = self._embedded(rows)
        lengths = self._sent(lengths)
        places = self._sent(torch.arange(width, width + ending.most))

        def following(chosen: Tensor, step: int) -> Tensor:
            words: Tensor = self._next(chosen, lengths, places[:1], places[step : step + 1])
            return words

        first = self._first(words, lengths)
        return self.vlm.greedy_answers(first, following, **ending.limits())

    def clear(self) -> None:
        """Let go of all recordings and of what they work on."""
        self.graphs.clear()
        self._stage = None

    def _staged(self, rows: int) -> bool:
        if not self.graphs.records:  # any more, if there is a stage
            self._stage = None
        return self.graphs.records and rows <= self.graphs.most_rows

    def _bring(self, slots: Sequence[int]) -> None:
        """Beginnings to the stage, the slot of row i to place i."""
        stage = self._staged_memory()
        for place, slot in enumerate(slots):
            if stage.slots[place] != slot:
                (run,) = self.pool.runs([slot])
                stage.slots[place] = None  # until all of it is there
                stage.keys[:, place].copy_(run.keys[:, 0])
                stage.values[:, place].copy_(run.values[:, 0])
                stage.slots[place] = slot
                self.num_copied += 1

    def _embedded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Token ids -> (B, W, D), padded on the right, and (B,) lengths, on the host."""
        ids, lengths = padded_ids(rows, self.vlm.device)
        ids = F.pad(ids, (0, _width(ids.shape[1]) - ids.shape[1]))
        return self.vlm.llm.get_input_embeddings()(ids), lengths

    def _sent(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.vlm.device, non_blocking=True)

    def _staged_memory(self) -> _Stage:
        if self._stage is None:
            shape, rows = self.pool.shape, self.graphs.most_rows
            sizes = (shape.layers, rows, shape.heads, shape.length, shape.head_width)
            own = (shape.layers, rows, shape.heads, _ROOM, shape.head_width)
            # Zeros: what nobody has written yet weighs nothing, but 0 * nan would be nan.
            keys, values, own_keys, own_values = (
                torch.zeros(size, dtype=shape.dtype, device=self.pool.device)
                for size in (sizes, sizes, own, own)
            )
            self._stage = _Stage(keys, values, own_keys, own_values, [None] * rows)
        return self._stage

    # What is recorded. Nothing below reads a tensor on the host.

    def _begin_pass(self, embeddings: Tensor, ends: Tensor) -> Tensor:
        """(n, P + W, D), (n,) -> (n, D) states at `ends`; the beginnings are left on the stage."""
        use = Beginnings(self.pool.shape.length, [self._staged_run(len(ends))])
        return _at(run_pass(self.vlm, use, embeddings, 0), ends)

    def _question_pass(self, words: Tensor, ends: Tensor) -> Tensor:
        """(B, W, D), (B,) -> (B, D) states at `ends`."""
        use = Behind([self._staged_run(len(ends))])
        return _at(run_pass(self.vlm, use, words, self.pool.shape.length), ends)

    def _first_word_pass(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(B, W, D) and how much of each is no padding -> (B,) what comes behind."""
        use = Behind([self._staged_run(len(lengths))], _OwnBegun(self._staged_memory()))
        states = _at(run_pass(self.vlm, use, words, self.pool.shape.length), lengths - 1)
        return self.vlm.llm.lm_head(states).argmax(-1)

    def _word_pass(self, chosen: Tensor, lengths: Tensor, width: Tensor, place: Tensor) -> Tensor:
        """(B,) tokens, which come to `place` (1,) -> (B,) the next ones.

        Behind a question of `lengths` (B,) comes padding up to `width` (1,), then the answer.
        """
        places = torch.arange(_ROOM, device=place.device)
        hidden = (places > place) | ((places >= lengths[:, None]) & (places < width))
        own = _OwnContinued(self._staged_memory(), place)
        use = Behind([self._staged_run(len(chosen))], own, hidden)
        positions = (self.pool.shape.length + lengths + place - width)[:, None]
        words = self.vlm.llm.get_input_embeddings()(chosen[:, None])
        states = run_pass(self.vlm, use, words, positions)[:, 0]
        return self.vlm.llm.lm_head(states).argmax(-1)

    def _staged_run(self, rows: int) -> Run:
        stage = self._staged_memory()
        return Run(slice(0, rows), 1, stage.keys[:, :rows], stage.values[:, :rows])


@dataclass(slots=True)
class _Stage:
    """Where recorded passes find and leave keys and values, of few rows."""

    keys: Tensor  # (layers, rows, H, P, d) of beginnings
    values: Tensor
    own_keys: Tensor  # (layers, rows, H, room, d) of what stands behind them
    own_values: Tensor
    slots: list[int | None]  # whose beginning lies in a place


@dataclass(frozen=True, slots=True)
class _OwnBegun:
    """Keeps the keys and values of a question, which sees nothing of its own but itself."""

    stage: _Stage

    def add(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        rows, _, length, _ = key.shape
        self.stage.own_keys[layer, :rows, :, :length] = key
        self.stage.own_values[layer, :rows, :, :length] = value
        return key, value


@dataclass(frozen=True, slots=True)
class _OwnContinued:
    """Adds those of a word and gives all there is room for; the later ones are to be hidden."""

    stage: _Stage
    place: Tensor  # (1,)

    def add(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        keys = self.stage.own_keys[layer, : len(key)].index_copy_(2, self.place, key)
        values = self.stage.own_values[layer, : len(key)].index_copy_(2, self.place, value)
        return keys, values


def _at(states: Tensor, ends: Tensor) -> Tensor:
    """(B, L, D) at `ends` (B,) -> (B, D)."""
    return states[torch.arange(len(ends), device=ends.device), ends]


def _width(length: int) -> int:
    return -(-length // _WIDTHS) * _WIDTHS
