"""Passes on a stage, replayed, give what the passes that read the pool in place give."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from host_syncs import host_syncs
from recorded import Recorder
from tiny_models import noise, tokenizer, vsm_model

from seal.geometry import Box
from seal.inference.graphs import CudaRecorder, Graphs
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.inference.prefix_pool import PrefixPool, PrefixShape
from seal.inference.shared_prefix import Ending, continue_behind, read_beginnings, read_behind
from seal.inference.staged_prefix import StagedPasses
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query

LENGTH = 9
ROWS = [[5, 6, 7], [8], [9, 10, 11, 12, 13], [4, 4]]


@pytest.fixture(scope="module")
def vlm():
    return vsm_model().eval()


def new_pool(vlm):
    llm = vlm.config.llm
    shape = PrefixShape(
        llm.num_hidden_layers, llm.key_value_heads, LENGTH, llm.head_width, vlm.dtype
    )
    return PrefixPool(shape, vlm.device, capacity=8, block=4)


def beginnings(vlm, seed, count):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, LENGTH, vlm.config.llm.hidden_size, generator=generator)


def close(given, expected):
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_states_and_answers_equal_those_read_in_place_whatever_is_on_the_stage(vlm):
    """Crops come and go, in slots that are used again; some passes have too many rows."""
    graphs = Graphs(Recorder(), most_rows=2)
    pool, plain = new_pool(vlm), new_pool(vlm)
    passes = StagedPasses(vlm, pool, graphs)
    ending = Ending(6, frozenset())
    for round_, count in enumerate([1, 2, 3, 1, 2, 1, 3, 2]):
        slots = pool.take(count)
        assert plain.take(count) == slots
        made = beginnings(vlm, round_, count)
        rows = ROWS[:count] if round_ % 2 else ()
        states = passes.read_beginnings(slots, made, rows)
        close(states, read_beginnings(vlm, plain, slots, made, rows))
        for asked in ([*reversed(slots)], [slots[0]] * 2, slots):
            behind = ROWS[-len(asked) :]
            given = passes.read_behind(asked, behind)
            close(given, read_behind(vlm, plain, asked, behind))
            said = passes.continue_behind(asked, behind, ending)
            assert said == continue_behind(vlm, plain, asked, behind, ending)
        for slot in slots:
            pool.give_back(slot)
            plain.give_back(slot)
    assert graphs.num_replayed > 20 and not graphs.failed


@torch.inference_mode()
def test_an_answer_longer_than_there_is_room_for_is_not_staged(vlm):
    graphs = Graphs(Recorder())
    pool = new_pool(vlm)
    passes = StagedPasses(vlm, pool, graphs)
    slots = pool.take(1)
    passes.read_beginnings(slots, beginnings(vlm, 0, 1))
    ending = Ending(190, frozenset())
    for _ in range(2):
        said = passes.continue_behind(slots, [[5] * 20], ending)
        assert said == continue_behind(vlm, pool, slots, [[5] * 20], ending)
    assert graphs.num_recorded == 0


@torch.inference_mode()
def test_what_lies_on_the_stage_already_is_not_copied_again(vlm):
    pool = new_pool(vlm)
    passes = StagedPasses(vlm, pool, Graphs(Recorder()))
    slots = pool.take(2)
    passes.read_beginnings(slots, beginnings(vlm, 0, 2))
    assert passes.num_copied == 2  # to the pool
    for _ in range(3):
        passes.read_behind(slots, ROWS[:2])
    assert passes.num_copied == 2
    passes.read_behind([slots[1]], ROWS[:1])
    assert passes.num_copied == 3
    passes.read_beginnings([slots[1]], beginnings(vlm, 1, 1))
    passes.read_behind(slots, ROWS[:2])
    assert passes.num_copied == 3 + 1 + 2


@torch.inference_mode()
def test_what_was_brought_in_part_is_brought_again(vlm, monkeypatch):
    pool = new_pool(vlm)
    passes = StagedPasses(vlm, pool, Graphs(Recorder()))
    slots = pool.take(2)
    passes.read_beginnings(slots, beginnings(vlm, 0, 2))
    expected = passes.read_behind(slots[:1], ROWS[:1])
    (run,) = pool.runs(slots[1:])
    half = dataclasses.replace(run, values=torch.zeros(2, 2))
    with monkeypatch.context() as patched:
        patched.setattr(pool, "runs", lambda slots: [half])
        with pytest.raises(RuntimeError):
            passes.read_behind(slots[1:], ROWS[:1])
    close(passes.read_behind(slots[:1], ROWS[:1]), expected)


@torch.inference_mode()
def test_where_nothing_can_be_recorded_there_is_no_stage_either(vlm):
    def no_memory(function, inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    pool = new_pool(vlm)
    passes = StagedPasses(vlm, pool, Graphs(no_memory, tell=lambda line: None))
    slots = pool.take(1)
    passes.read_beginnings(slots, beginnings(vlm, 0, 1))
    expected = passes.read_behind(slots, ROWS[:1])
    for _ in range(3):
        close(passes.read_behind(slots, ROWS[:1]), expected)
    assert passes._stage is None


def searches(model):
    search = GuidedSearch(SearchConfig(min_size=60, confidence_high=1.0))
    images = [noise(seed=i) for i in range(2)]
    # One after the other, as at batch 1, then both at once.
    results = [run_searches([search.explore(image, "mug")], model)[0] for image in images]
    return results + run_searches([search.explore(image, "red boat") for image in images], model)


def test_whole_searches_are_the_same_and_no_recorded_function_reads_on_the_host():
    recorder = Recorder()
    model = NetworkSearchModel(
        vsm_model(), tokenizer(), graphs=Graphs(recorder), side_by_side=False
    )
    plain = NetworkSearchModel(vsm_model(), tokenizer())
    model.max_cue_tokens = plain.max_cue_tokens = 5
    for one, other in zip(searches(model), searches(plain), strict=True):
        assert [node.box for node in one.path] == [node.box for node in other.path]
        assert [node.cue for node in one.path] == [node.cue for node in other.path]
        for node, same in zip(one.path, other.path, strict=True):
            assert node.confidence == pytest.approx(same.confidence, abs=1e-5)
    names = {function.__name__ for function, _ in recorder.recorded}
    assert names >= {
        "encode_images", "encode_detector", "decode_boxes", "decode_masks",
        "_begin_pass", "_question_pass", "_first_word_pass", "_word_pass",
    }  # fmt: skip
    with torch.inference_mode(), host_syncs() as syncs:
        for function, inputs in recorder.recorded:
            function(*inputs)
    assert syncs == []


def test_when_memory_is_short_recordings_go_first_and_the_answers_stay(monkeypatch):
    graphs = Graphs(Recorder(), most_rows=2)
    model = NetworkSearchModel(vsm_model(), tokenizer(), graphs=graphs, side_by_side=False)
    image = noise()
    boxes = [Box(0, 0, 120, 90), Box(0, 0, 60, 45), Box(60, 45, 120, 90)]
    queries = [Query("detect", Patch(image, box), "boat") for box in boxes]
    for query in queries:
        model.detect([query])
    assert graphs.num_kept and graphs.num_recorded
    expected = model.detect(queries)
    real, sizes = model.model.detector.predict_boxes, []

    def predict(features):
        sizes.append((len(features), graphs.num_kept, model._reader.passes._stage is None))
        if len(features) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(features)

    monkeypatch.setattr(model.model.detector, "predict_boxes", predict)
    for one, other in zip(model.detect(queries), expected, strict=True):
        close(torch.tensor(one.scores), torch.tensor(other.scores))
    assert model.max_batch == 1 and not graphs.failed
    assert sizes[0][0] == 3 and sizes[0][1] > sizes[1][1]
    assert [gone for _, _, gone in sizes[:2]] == [False, True]


def test_settings_say_whether_graphs_are_used():
    assert "graphs" not in NetworkSearchModel(vsm_model(), tokenizer(), graphs=True).settings()
    used = NetworkSearchModel(vsm_model(), tokenizer(), graphs=Graphs(Recorder())).settings()
    assert used["graphs"] == "4 rows"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_graphs_of_whole_searches_find_what_plain_passes_find():
    graphs = Graphs(CudaRecorder())
    model = NetworkSearchModel(vsm_model().cuda(), tokenizer(), graphs=graphs)
    plain = NetworkSearchModel(vsm_model().cuda(), tokenizer())
    image = noise()
    for text in ("boat", "mug", "red boat"):
        query = Query("detect", Patch(image, Box(0, 0, 120, 90)), text)
        one, other = model.detect([query])[0], plain.detect([query])[0]
        torch.testing.assert_close(torch.tensor(one.scores), torch.tensor(other.scores))
        asked = [Query("contextual_cue", query.patch, text)]
        assert model.contextual_cue(asked) == plain.contextual_cue(asked)
    assert graphs.num_replayed and not graphs.failed
