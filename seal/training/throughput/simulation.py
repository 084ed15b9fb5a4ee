"""How evenly a step is spread over many GPUs, told by lengths alone: nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from seal.data.layout import MULTIPLE
from seal.models.presets import vqa_preset, vsm_preset
from seal.training.plan import Plan
from seal.training.throughput.lengths import VQA_KINDS, VSM_KINDS
from seal.training.throughput.samples import Extent, Shown, extents_of, synthetic_mixture

RANKS = (8, 32)
BATCHES = {"vqa": 128, "vsm": 64}  # samples of a step, in the paper
WINDOW = 64  # micro-batches that are sorted by length together, where they are


@dataclass(frozen=True, slots=True)
class Balance:
    """Fractions."""

    useful: float  # work done / (ranks x slowest rank)
    padding: float  # positions that are padding


@dataclass(frozen=True, slots=True)
class Comparison:
    """One batch on one number of ranks, three ways."""

    program: str
    ranks: int
    micro_batch_size: int
    ours: Balance  # dealt by the plan of training, packed
    grouping: Balance  # micro-batches of like length, padded
    original: Balance  # as drawn, padded


def simulate(program: str, *, steps: int, seed: int) -> list[Comparison]:
    """The paper's batch of `program` on each number of `RANKS`, over the first `steps` steps."""
    batch = BATCHES[program]
    sizes = vqa_preset("7b") if program == "vqa" else vsm_preset("7b")
    kinds = VQA_KINDS if program == "vqa" else VSM_KINDS
    mixture = synthetic_mixture(kinds, Shown.by(sizes), seed)
    drawn = extents_of(mixture, range(steps * batch))
    compared = []
    for ranks in RANKS:
        micro = batch // ranks
        run = partial(balance, ranks=ranks, steps=steps)
        as_drawn = Plan(batch, micro)
        ours = Plan(batch, micro, lambda index: drawn[index].packed)
        like_lengths = by_length(drawn, micro, seed=seed)
        compared.append(
            Comparison(
                program,
                ranks,
                micro,
                ours=run(drawn, ours, packed=True),
                grouping=run(like_lengths, as_drawn, packed=False),
                original=run(drawn, as_drawn, packed=False),
            )
        )
    return compared


def balance(
    extents: Sequence[Extent], plan: Plan, *, ranks: int, steps: int, packed: bool
) -> Balance:
    """What of the ranks' time is work if a rank's time is its positions, padding included.

    After each micro-batch the ranks wait for the slowest.

    Args:
        extents: of the stream's samples.
        packed: a micro-batch is one row of documents; else each conversation is a row, filled up
            to the longest of its micro-batch.
    """
    work = filled = taken = 0
    for step in range(steps):
        rounds = zip(*(plan.micro_batches(step, rank, ranks) for rank in range(ranks)), strict=True)
        for micro_batches in rounds:
            costs = []
            for indices in micro_batches:
                own, full = _positions([extents[index] for index in indices], packed)
                work += own
                costs.append(full)
            filled += sum(costs)
            taken += ranks * max(costs)
    return Balance(work / taken, 1 - work / filled)


def by_length(extents: Sequence[Extent], size: int, *, seed: int) -> list[Extent]:
    """The order of `group_by_length` in other trainers: windows of micro-batches of like length."""
    rng = np.random.default_rng(seed)
    ordered: list[Extent] = []
    for start in range(0, len(extents), size * WINDOW):
        part = sorted(extents[start : start + size * WINDOW], key=lambda extent: max(extent.rows))
        groups = [part[at : at + size] for at in range(0, len(part), size)]
        ordered += [extent for group in rng.permutation(len(groups)) for extent in groups[group]]
    return ordered


def plan_document(compared: Iterable[Comparison]) -> dict[str, dict[str, dict[str, float]]]:
    """What plan.json holds: program -> ranks -> our fractions."""
    document: dict[str, dict[str, dict[str, float]]] = {}
    for each in compared:
        document.setdefault(each.program, {})[str(each.ranks)] = asdict(each.ours)
    return document


def _positions(extents: Sequence[Extent], packed: bool) -> tuple[int, int]:
    """Those of a micro-batch that are attended, and all of them."""
    if packed:
        own = sum(extent.packed for extent in extents)
        return own, -(-own // MULTIPLE) * MULTIPLE
    rows = [row for extent in extents for row in extent.rows]
    return sum(rows), len(rows) * max(rows)
