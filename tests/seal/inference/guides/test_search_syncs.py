"""How often a GPU's host would wait for it while a search runs: once a batch, once a decoded token.

Counted on the CPU; see `host_syncs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from host_syncs import host_syncs
from tiny_models import noise, tokenizer, vsm_model

from seal.geometry import Box
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query
from seal.search.tree import split

TOKENS = 5
IMAGE = noise()
BOXES = (Box(0, 0, 120, 90), Box(0, 0, 60, 45), Box(60, 45, 120, 90))


@pytest.fixture
def model():
    # Beside another thread things would go on that are not seen here.
    made = NetworkSearchModel(vsm_model(), tokenizer(), side_by_side=False)
    made.max_cue_tokens = TOKENS
    made.contextual_cue(queries("contextual_cue", (Box(1, 1, 9, 9),)))  # finds the periods
    return made


def queries(kind, boxes=BOXES, text="boat"):
    return [Query(kind, Patch(IMAGE, box), text) for box in boxes]


@pytest.mark.parametrize("late_heat", [True, False])
def test_a_batch_of_verdicts_is_one_transfer_of_new_crops_known_ones_and_shared_ones(
    model, late_heat
):
    model.late_heat = late_heat
    for boxes, text in [(BOXES, "boat"), (BOXES, "mug"), (BOXES[:1] * 2, "red boat")]:
        with host_syncs() as syncs:
            model.detect(queries("detect", boxes, text))
        assert len(syncs) == (1 if late_heat else 2), syncs


@pytest.mark.parametrize("kind", ["target_heat", "cue_heatmap"])
def test_a_batch_of_heats_is_one_transfer_and_measuring_them_none(model, kind):
    with host_syncs() as syncs:
        heats = getattr(model, kind)(queries(kind))
        assert len(syncs) == 1, syncs
        for heat, box in zip(heats, BOXES, strict=True):
            heat.peak()
            heat.shares([region.shift(-box.x0, -box.y0) for region in split(box)])
    assert len(syncs) == 1, syncs


@pytest.mark.parametrize("new", [True, False])
def test_a_batch_of_cues_is_one_transfer_a_token(model, new):
    if not new:
        model.detect(queries("detect"))
    before = model.cost.tokens_generated
    with host_syncs() as syncs:
        model.contextual_cue(queries("contextual_cue"))
    assert model.cost.tokens_generated - before == len(BOXES) * TOKENS
    assert len(syncs) == TOKENS, syncs


def test_a_whole_search_waits_for_nothing_else(model):
    """Searches in lockstep: regions as long as there are any, each with both kinds of cue."""
    search = GuidedSearch(SearchConfig(min_size=40, confidence_high=1.0))
    counted = Counted(model)
    with host_syncs() as syncs:
        results = run_searches([search.explore(noise(seed=i), "mug") for i in (1, 2)], counted)
    assert all(len(result.path) == 21 for result in results)
    batches = counted.batches
    assert batches["target_heat"] == batches["contextual_cue"] == batches["cue_heatmap"] == 5
    expected = batches["detect"] + batches["target_heat"] + batches["cue_heatmap"]
    assert len(syncs) <= expected + batches["contextual_cue"] * TOKENS, syncs
    assert sum(sync.startswith("cpu ") for sync in syncs) == expected, syncs
    assert all("seal_vsm.py" in sync or "vlm.py" in sync for sync in syncs)


@dataclass
class Counted:
    """A search model that counts the batches it is asked."""

    model: NetworkSearchModel
    batches: dict[str, int] = field(default_factory=dict)

    def __getattr__(self, kind):
        def answer(asked):
            self.batches[kind] = self.batches.get(kind, 0) + 1
            return getattr(self.model, kind)(asked)

        if kind not in ("detect", "target_heat", "contextual_cue", "cue_heatmap"):
            raise AttributeError(kind)
        return answer
