"""Whatever parts a guide is composed of, the same answers make the same search."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from fakes import FakeSearchModel
from PIL import Image
from random_search import RandomModel, visits

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.inference.guides.composed import ComposedGuide
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.locator import LocateRequest
from seal.search.protocol import Patch, Query
from seal.search.trace import from_dict, to_dict

BOXES = {"mug": [Box(1700, 1130, 1740, 1170)], "boat": [Box(90, 600, 130, 660)]}
CONFIG = SearchConfig(min_size=64, min_size_scale=8)


def whole(make):
    model = make()
    return ComposedGuide(model, model, model, expert=model)


def split(make):
    return ComposedGuide(make(), make(), make(), expert=make())


COMPOSITIONS = {
    "one": whole,
    "apart": split,
    "detections apart": lambda make: ComposedGuide(make(), *[make()] * 2),
    "cue apart": lambda make: (lambda m: ComposedGuide(m, make(), m))(make()),
    "nested": lambda make: ComposedGuide(whole(make), split(make), split(make)),
    "cached parts": lambda make: split(lambda: CachedModel(make())),
    "cached": lambda make: CachedModel(split(make)),
}


def images():
    return [Image.new("L", (2048, 1536)), Image.new("L", (640, 900))]


def search(model, photos, config=CONFIG, **options):
    strategy = GuidedSearch(config)
    asked = [(photo, name) for photo in photos for name in ("mug", "boat", "cat")]
    return run_searches([strategy.explore(*each) for each in asked], model, **options)


def looked(result):
    """All that was seen and asked, but that heat may come with the detections or apart."""
    *seen, calls = visits(result)
    return seen, {kind: number for kind, number in calls.items() if kind != "target_heat"}


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_a_search_visits_the_same_through_every_composition(composition):
    photos = images()
    expected = list(map(looked, search(FakeSearchModel(BOXES), photos)))
    assert {seen[1] for seen, _ in expected} == {True, False}  # found and not
    for options in ({"concurrency": 1}, {"lookahead": 4}, {"lookahead": 2, "max_batch": 2}):
        model = COMPOSITIONS[composition](lambda: FakeSearchModel(BOXES))
        assert list(map(looked, search(model, photos, **options))) == expected


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_so_does_one_whose_cues_are_weak_and_mixed(composition):
    """Random heat: some nodes are guided by the target, others by the cue."""
    config = replace(CONFIG, cue_threshold=3.0, cue_threshold_min=1.0)
    photos = images()[1:]
    expected = search(RandomModel(3, 0.2), photos, config)
    guided_by = Counter(node.cue_kind for result in expected for node in result.path)
    assert guided_by["target"] and guided_by["contextual"]
    model = COMPOSITIONS[composition](lambda: RandomModel(3, 0.2))
    assert list(map(looked, search(model, photos, config))) == list(map(looked, expected))


def test_calls_are_counted_by_part_and_kind_as_the_searches_count_them():
    guide = split(lambda: FakeSearchModel(BOXES))
    results = search(guide, images())
    calls = sum((Counter(result.calls) for result in results), Counter())
    counted = {kind: n for kinds in guide.cost["queries"].values() for kind, n in kinds.items()}
    assert counted == dict(calls) and calls["target_heat"] > 0
    for part, kinds in guide.cost["queries"].items():
        batches = guide.parts[part].batches
        assert sum(kinds.values()) == sum(size for _, size in batches)


def test_heat_that_comes_with_the_detections_is_not_asked_for():
    model = FakeSearchModel(BOXES)
    results = search(ComposedGuide(model, model, model), images())
    assert not any("target_heat" in result.calls for result in results)
    alone = FakeSearchModel(BOXES)
    search(alone, images())
    assert model.batches == alone.batches


def test_an_expert_is_a_detector_that_looks_once():
    expert = FakeSearchModel({"mug": [Box(0, 0, 60, 60)]})
    guide = ComposedGuide(detect=FakeSearchModel(BOXES), expert=expert)
    assert guide.kinds == {"detect", "expert"}
    photo = Image.new("L", (100, 100))
    (found,) = guide.expert([Query("expert", Patch(photo, Box(0, 0, 100, 100)), "mug")])
    assert found.boxes.tolist() == [[0, 0, 60, 60]] and found.heat is None
    assert expert.batches == [("detect", 1)]
    assert ComposedGuide(expert=expert).kinds == {"expert"}


class Sure:
    """Answers confidences alone."""

    name = "sure"
    kinds = frozenset({"existing", "latent", "answering"})

    def existing(self, queries):
        return [0.1] * len(queries)

    def latent(self, queries):
        return [0.2] * len(queries)

    def answering(self, queries):
        return [0.3] * len(queries)


def test_confidences_go_to_their_part():
    guide = ComposedGuide(detect=FakeSearchModel(BOXES), confidence=Sure())
    query = Query("existing", Patch(Image.new("L", (9, 9)), Box(0, 0, 9, 9)), "mug")
    asked = [getattr(guide, kind)([query]) for kind in ("existing", "latent", "answering")]
    assert asked == [[0.1], [0.2], [0.3]]
    assert guide.cost["queries"]["confidence"] == {"existing": 1, "latent": 1, "answering": 1}
    assert guide.kinds == {"detect", "existing", "latent", "answering"}


@dataclass
class Cost:
    calls: int = 3


class Numbered(FakeSearchModel):
    """Has numbers, settings, a cost and a memory."""

    def __init__(self, name, **numbers):
        super().__init__(BOXES)
        self.name, self.numbers, self.forgotten = name, numbers, []
        self.cost = Cost()

    def search_config(self):
        return SearchConfig(**self.numbers)

    def settings(self):
        return {"of": self.name}

    def forget(self, image):
        self.forgotten.append(image)


def test_the_numbers_of_a_search_come_from_the_parts_they_are_about():
    sizes = {"min_size": 60, "min_size_scale": 16, "confidence_high": 0.4, "confidence_low": 0.2}
    detector = Numbered("one", **sizes, cue_threshold=1.0)
    heat = Numbered("two", min_size=999, cue_threshold=0.7, cue_threshold_min=0.5)
    config = ComposedGuide(detector, heat, heat).search_config()
    assert config == SearchConfig(**sizes, cue_threshold=0.7, cue_threshold_min=0.5)
    assert ComposedGuide(confidence=Sure()).search_config() == SearchConfig()
    alone = Numbered("alone", use_contextual_cue=False)  # as a detector is by itself
    assert ComposedGuide(alone, heat, heat).search_config().use_contextual_cue


def test_a_cue_that_no_part_gives_is_not_asked_for():
    """A detector alone is guided by its own heat."""
    model = FakeSearchModel(BOXES)
    guide = ComposedGuide(model, heat=model)
    config = guide.search_config()
    assert not config.use_contextual_cue and config.use_target_cue
    (result,) = build_locator("guided", guide, replace(CONFIG, use_contextual_cue=False)).locate(
        [LocateRequest(images()[0], "mug")]
    )
    assert result.found and set(result.calls) == {"detect"}
    cue_only = ComposedGuide(model, model, Only("cue_heatmap"))
    assert not cue_only.search_config().use_target_cue


class Only:
    """Says that it answers some kinds."""

    name = "only"

    def __init__(self, *kinds):
        self.kinds = frozenset(kinds)


@pytest.mark.parametrize(
    ("search", "guide", "said"),
    [
        ("guided", ComposedGuide(Only("detect")), "cue_heatmap, target_heat.*guide.cue=, guide.h"),
        ("no_target_cue", ComposedGuide(Only("detect"), heat=Only("cue_heatmap", "target_heat")),
         r"no_target_cue asks its guide for contextual_cue, .*\(guide.cue=\)"),
        ("sequential_bfs", ComposedGuide(confidence=Sure()), r"for detect, .*\(guide.detect=\)"),
    ],
)  # fmt: skip
def test_a_guide_that_lacks_what_a_strategy_needs_is_told_which_part_to_set(search, guide, said):
    with pytest.raises(ValueError, match=said) as error:
        build_locator(search, guide, guide.search_config())
    assert "\n" not in str(error.value)


def test_every_result_names_the_guide_with_its_settings():
    one, two = Numbered("one"), Numbered("two")
    guide = ComposedGuide(one, one, two, expert=Numbered("one"))
    expected = {
        "parts": {"detect": "one", "cue": "one", "heat": "two", "expert": "one 2"},
        "models": {"one": {"of": "one"}, "two": {"of": "two"}, "one 2": {"of": "one"}},
    }
    assert guide.settings() == expected
    assert guide.cost["models"] == {name: {"calls": 3} for name in ("one", "two", "one 2")}
    (result,) = build_locator("guided", CachedModel(guide), CONFIG).locate(
        [LocateRequest(images()[0], "mug")]
    )
    assert result.guide == expected
    assert from_dict(to_dict(result)).guide == expected
    (bare,) = build_locator("guided", FakeSearchModel(BOXES), CONFIG).locate(
        [LocateRequest(images()[0], "mug")]
    )
    assert bare.guide == {}


def test_an_old_trace_without_a_guide_is_read():
    (result,) = search(FakeSearchModel(BOXES), images())[:1]
    trace = to_dict(result)
    del trace["guide"]
    assert from_dict(trace).guide == {}


def test_each_part_forgets_once():
    one, two = Numbered("one"), Numbered("two")
    photo = images()[0]
    ComposedGuide(one, one, two, confidence=Sure()).forget(photo)
    assert one.forgotten == two.forgotten == [photo]


def test_a_guide_has_a_part():
    with pytest.raises(ValueError, match="at least one of its parts"):
        ComposedGuide()


def test_a_part_that_detects_is_no_expert_apart():
    one = FakeSearchModel(BOXES)
    assert "expert" not in ComposedGuide(detect=one, expert=one).kinds
    locator = build_locator("expert_first", ComposedGuide(one, one, one, expert=one), CONFIG)
    (result,) = locator.locate([LocateRequest(Image.new("RGB", (400, 300)), "mug")])
    assert "expert" not in result.calls and one.batches[0] == ("detect", 1)
    apart = ComposedGuide(one, one, one, expert=FakeSearchModel(BOXES))
    (result,) = build_locator("expert_first", apart, CONFIG).locate(
        [LocateRequest(Image.new("RGB", (400, 300)), "mug")]
    )
    assert result.calls["expert"] == 1
