"""Searches side by side: whom a step serves, what it prepares, and whom a fault ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from random_search import RandomModel, visits

from seal.geometry import Box
from seal.search import driver
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator, run_searches
from seal.search.locator import LocateRequest
from seal.search.lockstep import MAX_WAIT, PREPARED, Lockstep, drive
from seal.search.protocol import Ask, AskAll, Patch, Query
from seal.search.result import SearchResult
from seal.search.run import Run
from seal.search.speed import SpeedConfig
from seal.search.strategies import build_strategy
from seal.search.trace import from_dict, to_dict
from seal.search.tree import split

CONFIG = SearchConfig(min_size=80, min_size_scale=16)
SIZES = [(640, 480), (300, 220), (500, 200), (96, 320), (40, 40), (641, 479)]
images = [Image.new("1", size) for size in SIZES]


class Faulty(RandomModel):
    """Raises for every query about one of `broken`, whatever else is in the batch."""

    def __init__(self, broken, kind="detect", error=RuntimeError, **options):
        super().__init__(**options)
        self.broken, self.kind, self.error = broken, kind, error

    def _check(self, kind, queries):
        if kind == self.kind and any(q.patch.image in self.broken for q in queries):
            raise self.error("a pipe burst")

    def detect(self, queries):
        self._check("detect", queries)
        return super().detect(queries)

    def cue_heatmap(self, queries):
        self._check("cue_heatmap", queries)
        return super().cue_heatmap(queries)


class Preparing(RandomModel):
    """Keeps what it was told is coming, with the batch it was told before."""

    max_batch = 4

    def __init__(self, **options):
        super().__init__(**options)
        self.told = []

    def prepare(self, patches):
        self.told.append((len(self.batches), [patch.box for patch in patches]))


def explore(image, strategy="guided"):
    return build_strategy(strategy, CONFIG).explore(image, "mug")


def requests(*chosen):
    return [LocateRequest(image, "mug") for image in chosen]


@pytest.mark.parametrize("kind", ["detect", "cue_heatmap"])
@given(broken=st.sets(st.sampled_from(range(6)), max_size=4), batch=st.sampled_from([None, 1, 3]))
@settings(max_examples=8, deadline=None)
def test_a_fault_ends_the_searches_it_belongs_to_and_changes_no_other(kind, broken, batch):
    model = Faulty([images[i] for i in broken], kind, seed=3, confidence=0.45)
    together = run_searches([explore(image) for image in images], model, max_batch=batch)
    for i, (image, result) in enumerate(zip(images, together, strict=True)):
        (alone,) = run_searches([explore(image)], RandomModel(3, 0.45))
        if i in broken and (kind == "detect" or alone.calls.get(kind)):
            assert result.error is not None and not result.found and not result.boxes
        else:
            assert result.error is None
            assert visits(result) == visits(alone)


def test_a_search_that_failed_tells_the_error_first_then_its_trace():
    locator = SearchLocator(build_strategy("guided", CONFIG), Faulty([images[1]]))
    whole, failed = locator.locate(requests(*images[:2]))
    first, *trace = failed.error.split("\n")
    assert first == "RuntimeError: a pipe burst"
    assert "_check" in "\n".join(trace)
    assert (failed.target, failed.strategy, failed.image_size) == ("mug", "guided", SIZES[1])
    assert failed.calls == {"detect": 1}
    assert [node.box for node in failed.path] == [Box(0, 0, *SIZES[1])]
    assert to_dict(failed)["error"] == failed.error
    assert whole.error is None


def test_what_a_search_saw_before_it_failed_is_kept():
    class Tiring(RandomModel):
        def detect(self, queries):
            if len(self.batches) > 20:
                raise RuntimeError("tired")
            return super().detect(queries)

    strategy = build_strategy("guided", CONFIG)
    (whole,) = SearchLocator(strategy, RandomModel(3, 0.2)).locate(requests(images[0]))
    (failed,) = SearchLocator(strategy, Tiring(3, 0.2)).locate(requests(images[0]))
    boxes = [node.box for node in failed.path]
    assert 3 < len(boxes) < len(whole.path)
    assert boxes == [node.box for node in whole.path][: len(boxes)]
    again = from_dict(to_dict(failed))
    assert [node.box for node in again.path] == boxes
    assert (again.found, again.error) == (False, failed.error)


def test_where_no_search_comes_through_the_error_is_raised():
    broken = Faulty(images, error=FloatingPointError)
    with pytest.raises(FloatingPointError, match="a pipe burst"):
        run_searches([explore(image) for image in images], broken)


def test_an_interrupt_ends_everything():
    with pytest.raises(KeyboardInterrupt):
        run_searches([explore(i) for i in images], Faulty([images[2]], error=KeyboardInterrupt))


def test_a_region_that_cannot_be_seen_ahead_is_no_fault_until_its_turn():
    class Shortsighted(RandomModel):
        def detect(self, queries):
            if any(query.patch.box.x0 > 0 for query in queries):
                raise RuntimeError("too far right")
            return super().detect(queries)

    root = Patch(images[0], Box(0, 0, *images[0].size))
    children = [Patch(images[0], box) for box in split(root.box)]

    def left_only():
        yield Ask(Query("detect", root, "mug"), tuple(children))
        yield Ask(Query("detect", children[0], "mug"))
        return SearchResult(target="mug", strategy="", found=False, boxes=[], scores=[])

    model = Shortsighted()
    (result,) = run_searches([left_only()], model, lookahead=4)
    assert result.error is None
    assert (result.evaluated_ahead, result.wasted_ahead) == (2, 1)
    assert result.calls == {"detect": 2}


def test_lookahead_fills_up_a_batch_and_opens_no_other():
    model = Preparing(confidence=0.2)
    run_searches([explore(i, "sequential_bfs") for i in images[:3]], model, lookahead=3)
    assert max(size for _, size in model.batches) == model.max_batch
    full = RandomModel(confidence=0.2)
    full.max_batch = 1
    results = run_searches([explore(images[0], "sequential_bfs")], full, lookahead=3)
    assert results[0].evaluated_ahead == 0


def test_a_model_may_want_lookahead_for_what_is_asked_alone():
    class Launching(RandomModel):
        lookahead, max_batch = 3, 16

    model = Launching(confidence=0.2)
    (result,) = run_searches([explore(images[0], "sequential_bfs")], model)
    assert result.evaluated_ahead == 0  # a bare drive looks ahead as far as it is told
    strategy = build_strategy("sequential_bfs", CONFIG)
    (alone,) = SearchLocator(strategy, model).locate(requests(images[0]))
    assert alone.evaluated_ahead > 0 and visits(alone) == visits(result)
    model.batches.clear()
    together = SearchLocator(strategy, model).locate(requests(*[images[0]] * 5))
    assert max(size for _, size in model.batches) == 5
    assert sum(each.evaluated_ahead for each in together) == 0


@pytest.mark.parametrize("late", [False, True])
def test_heat_that_is_part_of_a_detection_is_no_call_of_its_own(late):
    class Late(RandomModel):
        late_heat = late

        def detect(self, queries):
            return [replace(found, heat=None) for found in super().detect(queries)]

        def target_heat(self, queries):
            self.batches.append(("target_heat", len(queries)))
            asked = [replace(query, kind="detect") for query in queries]
            return [self._detect(query).heat for query in asked]

    model, plain = Late(confidence=0.2), RandomModel(confidence=0.2)
    for driven in (model, CachedModel(model)):
        (result,) = run_searches([explore(images[0])], driven)
        (whole,) = run_searches([explore(images[0])], plain)
        assert [node.box for node in result.path] == [node.box for node in whole.path]
        asked = {} if late else {"target_heat": result.calls.get("target_heat", 0)}
        assert result.calls == whole.calls | asked
        assert result.seconds["target_heat"] > 0
    assert any(kind == "target_heat" for kind, _ in model.batches)


def test_what_comes_next_is_named_before_the_batch_that_it_is_behind():
    model = Preparing(confidence=0.2)
    (result,) = run_searches([explore(images[0], "sequential_bfs")], model)
    before, named = model.told[0]
    assert before == 0 and named == split(Box(0, 0, *SIZES[0]))[::-1][:PREPARED]
    order = [node.box for node in result.path]
    assert all(box in order for _, boxes in model.told for box in boxes)
    # Of six searches four go through the model first: the other two are named, then children.
    together = Preparing(confidence=0.2)
    run_searches([explore(image) for image in images], together)
    roots = [Box(0, 0, *size) for size in SIZES]
    assert together.told[0][1][:2] == roots[4:]


def test_nothing_is_named_where_that_is_turned_off():
    model = Preparing()
    locator = SearchLocator(
        build_strategy("guided", CONFIG), model, speed=SpeedConfig(prepare=False)
    )
    locator.locate(requests(*images))
    assert not model.told


def test_no_search_waits_longer_than_a_few_steps():
    """One asks for what nobody else does, beside many that ask for the other kinds."""
    patch = Patch(images[0], Box(0, 0, *images[0].size))
    waits = []

    def asks(*kinds):
        for kind in kinds:
            yield Ask(Query(kind, patch, "mug"))
        return SearchResult(target="mug", strategy="", found=False, boxes=[], scores=[])

    crowd = [Run(asks(*["detect", "latent", "existing"] * 12)) for _ in range(5)]
    alone = Run(asks("contextual_cue", "cue_heatmap"))
    waiting = iter([*crowd, alone])
    lockstep = Lockstep(RandomModel(), lambda: next(waiting, None))
    while alone.result is None:
        lockstep.step()
        waits += [run.waited for run in lockstep.active]
    assert 0 < max(waits) <= MAX_WAIT + 1
    assert all(run.result is None for run in crowd)


def test_what_is_asked_all_at_once_holds_up_nobody_else():
    """Of many queries no more than a batch is answered a step, beside those of the others."""
    patches = [Patch(images[0], Box(x, 0, x + 20, 20)) for x in range(0, 600, 10)]

    def crowd():
        answers = yield AskAll(tuple(Query("latent", patch, "mug") for patch in patches))
        return SearchResult(target="mug", strategy="", found=False, boxes=[], scores=answers)

    model = Preparing(seed=2, confidence=0.9)
    (alone,) = run_searches([crowd()], RandomModel(2, 0.9))
    ended = list(drive(iter([Run(crowd(), "crowd"), Run(explore(images[4]), "one")]), model))
    assert [run.key for run in ended] == ["one", "crowd"]
    assert ended[1].result.scores == alone.scores
    assert ended[1].result.calls == {"latent": len(patches)}
    assert max(size for kind, size in model.batches if kind == "latent") == model.max_batch
    # The rest is prepared meanwhile.
    assert patches[-1].box in model.told[0][1]


@pytest.mark.parametrize("strategy", ["guided", "zoom_eye", "expert_first", "random_dfs"])
def test_every_visit_is_told_in_order_once_it_is_done_with(strategy):
    told = []
    run = Run(
        explore(images[0], strategy),
        on_visit=lambda node: told.append((node, node.confidence, node.cue_kind)),
    )
    (ended,) = drive(iter([run]), RandomModel(5, 0.45))
    assert ended.result is not None
    assert told == [(node, node.confidence, node.cue_kind) for node in ended.result.path]


def test_a_stream_takes_requests_when_places_are_free_and_forgets_images_it_is_done_with():
    class Remembering(RandomModel):
        def __init__(self):
            super().__init__(confidence=0.2)
            self.forgotten = []

        def forget(self, image):
            self.forgotten.append(image)

    taken = []

    def asked():
        for image in images:
            for target in ("mug", "cat"):
                taken.append(image)
                yield LocateRequest(image, target)

    model = Remembering()
    locator = SearchLocator(
        build_strategy("sequential_bfs", CONFIG), model, speed=SpeedConfig(concurrency=2)
    )
    done = []
    for number, result in locator.locate_stream(asked(), forget=locator.forget):
        done.append(number)
        assert result.image_size == SIZES[number // 2]
        assert result.target == ["mug", "cat"][number % 2]
        assert len(taken) <= len(done) - 1 + 2 + 1  # as many as places, and one in hand
    assert sorted(done) == list(range(2 * len(images)))
    assert sorted(map(id, model.forgotten)) == sorted(map(id, images))


def test_a_stream_that_is_left_forgets_what_it_held():
    class Remembering(RandomModel):
        forgotten = ()

        def forget(self, image):
            self.forgotten = (*self.forgotten, image)

    model = Remembering(confidence=0.2)
    locator = SearchLocator(build_strategy("guided", CONFIG), model)
    stream = locator.locate_stream(requests(*images), forget=locator.forget)
    next(stream)
    stream.close()
    assert len(model.forgotten) == len(images)


def test_a_model_says_how_fast_it_is_driven_through_whatever_passes_queries_on():
    class Sized(RandomModel):
        concurrency, max_batch, lookahead = 5, 3, 2

        def prepare(self, patches):
            pass

    model = Sized()
    for driven in (model, CachedModel(model), CachedModel(CachedModel(model))):
        pace = SpeedConfig().of(driven)
        assert (pace.concurrency, pace.room, pace.lookahead, pace.fill) == (5, 3, 2, 3)
        assert pace.preparing == (model.prepare,)
    pace = SpeedConfig(concurrency=9, max_batch=2, lookahead=0, prepare=False).of(model)
    assert (pace.concurrency, pace.max_batch, pace.room) == (9, 2, 2)
    assert (pace.lookahead, pace.fill, pace.preparing) == (0, None, ())


@pytest.mark.parametrize("name", ["lookahead", "concurrency", "max_batch", "cache_mb"])
def test_a_speed_that_is_none_is_refused(name):
    for value in (-1, 1.5, "3", True):
        with pytest.raises(ValueError, match=f"{name}={value!r} must be a whole number of at leas"):
            SpeedConfig(**{name: value})


def test_a_lever_is_on_or_off():
    for name in ("prepare", "graphs"):
        with pytest.raises(ValueError, match=f"{name}='no' is neither True nor False"):
            SpeedConfig(**{name: "no"})


def test_a_stream_holds_no_more_pixels_than_it_may_however_many_places_there_are(monkeypatch):
    monkeypatch.setattr(driver, "MOST_OPEN_PIXELS", 2 * 300 * 300)
    held = {}

    def asked():
        for number in range(9):
            image = Image.new("1", (300, 300))
            held[id(image)] = image
            assert len(held) <= 3  # what it may, and the one that goes beyond
            yield LocateRequest(image, f"{number}")

    locator = SearchLocator(build_strategy("guided", CONFIG), RandomModel(confidence=0.2))
    found = list(locator.locate_stream(asked(), forget=lambda image: held.pop(id(image))))
    assert sorted(number for number, _ in found) == list(range(9))
    assert not held
    # One alone may be larger than all of that.
    large = LocateRequest(Image.new("1", (700, 700)), "mug")
    assert [number for number, _ in locator.locate_stream([large, large])] == [0, 1]
