"""A guide without confidences gets them from its detections, its heat and the answer model."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeAnswerModel
from PIL import Image
from seeing_model import SeeingModel, scene

from seal.geometry import Box
from seal.inference.build_locator import build_locator, check_guide
from seal.inference.guides.added_confidences import AddedConfidences, added_kinds
from seal.inference.guides.config import GuideConfig
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat
from seal.search.locator import LocateRequest
from seal.search.oracle import OracleModel, always
from seal.search.protocol import Detections, Patch, Query, answered_kinds
from seal.search.speed import SpeedConfig

IMAGE = Image.new("RGB", (800, 600))
BOX = Box(600, 100, 640, 140)


def queries(kind, *boxes, text="mug", image=IMAGE):
    return [Query(kind, Patch(image, box), text) for box in boxes]


class Detector:
    """Sees a score of 0.25 per query before, and heat of a peak of 9 if asked for it apart."""

    def __init__(self, *, heat_with_boxes=False):
        self.heat_with_boxes = heat_with_boxes
        self.batches = []
        self.forgotten = []
        self.kinds = frozenset({"detect", "target_heat"})

    def detect(self, queries):
        self.batches.append(("detect", len(queries)))
        heat = GridHeat(np.eye(4), 10, 10, peak=1.0) if self.heat_with_boxes else None
        scores = [np.array([0.1, 0.25], np.float32), np.zeros(0, np.float32)]
        return [
            Detections(np.zeros((len(scores[i % 2]), 4), np.float32), scores[i % 2], heat)
            for i, _ in enumerate(queries)
        ]

    def target_heat(self, queries):
        self.batches.append(("target_heat", len(queries)))
        return [GridHeat(np.eye(4), 10, 10, peak=9.0) for _ in queries]

    def forget(self, image):
        self.forgotten.append(image)


def test_existing_is_the_best_score_and_latent_the_heat_beside_its_threshold():
    config = SearchConfig(cue_threshold_min=3.0)
    guide = AddedConfidences(Detector(), None, config)
    boxes = [Box(0, 0, 400, 300), Box(400, 0, 800, 300)]
    assert guide.existing(queries("existing", *boxes)) == [0.25, 0.0]  # nothing detected: 0
    assert guide.latent(queries("latent", *boxes)) == pytest.approx([9 / 12, 9 / 12])
    # The detections were there already.
    assert guide.model.model.batches == [("detect", 2), ("target_heat", 2)]


def test_heat_that_comes_with_the_detections_is_not_asked_for():
    guide = AddedConfidences(Detector(heat_with_boxes=True), None, SearchConfig())
    assert guide.latent(queries("latent", BOX)) == pytest.approx([1 / 4])
    assert guide.model.model.batches == [("detect", 1)]


def test_answering_is_what_the_answer_model_says_and_is_asked_once():
    model = SeeingModel()
    image = scene(800, 600, Box(640, 60, 680, 100))
    guide = AddedConfidences(Detector(), model)
    asked = queries(
        "answering", Box(0, 0, 800, 600), Box(600, 0, 800, 150), text="what color?", image=image
    )
    first = guide.answering(asked)
    assert first == pytest.approx([0.1, 0.95])
    calls = model.cost.calls
    assert guide.answering(asked) == first
    assert model.cost.calls == calls
    guide.forget(image)
    guide.answering(asked)
    assert model.cost.calls == 2 * calls


def test_what_a_guide_tells_itself_is_left_to_it():
    class Sure(Detector):
        def __init__(self):
            super().__init__()
            self.kinds |= {"existing", "latent", "answering"}

        def existing(self, queries):
            return [0.5] * len(queries)

        latent = answering = existing

    guide = AddedConfidences(Sure(), FakeAnswerModel())
    for kind in ("existing", "latent", "answering"):
        assert getattr(guide, kind)(queries(kind, BOX)) == [0.5]
    assert guide.added == frozenset()
    assert guide.model.model.batches == []


def test_nothing_is_made_of_nothing():
    every = frozenset({"detect", "target_heat"})
    assert added_kinds(every, answers=True) == {"existing", "latent", "answering"}
    assert added_kinds(every, answers=False) == {"existing", "latent"}
    assert added_kinds(frozenset({"detect"}), answers=True) == {"answering"}
    assert added_kinds(every | {"existing"}, answers=False) == {"latent"}


def test_a_shared_cache_is_used_not_wrapped_again_and_all_is_forgotten():
    detector = Detector()
    shared = CachedModel(detector)
    shared.detect(queries("detect", BOX))
    guide = AddedConfidences(shared, None)
    guide.existing(queries("existing", BOX))
    assert detector.batches == [("detect", 1)]
    guide.forget(IMAGE)
    assert detector.forgotten == [IMAGE]
    guide.existing(queries("existing", BOX))
    assert detector.batches == [("detect", 1)] * 2


def test_a_search_with_confidences_runs_on_a_guide_without():
    oracle = OracleModel(always(BOX), min_share=0.05)
    assert not {"existing", "latent"} & answered_kinds(oracle)
    locator = build_locator("zoom_eye", oracle, SearchConfig(min_size=100))
    (result,) = locator.locate([LocateRequest(IMAGE, "mug")])
    assert result.found
    (box,) = result.boxes
    assert box.x0 <= BOX.x0 and BOX.x1 <= box.x1 and box.area <= BOX.area / 0.05
    assert set(result.calls) == {"existing", "latent"}
    assert result.guide == oracle.settings() | {"confidences_added": ["existing", "latent"]}


def test_a_question_is_put_where_there_is_an_answer_model():
    oracle = OracleModel(always(BOX))
    needs = {"what?": ["mug"]}
    for search in ("zoom_eye", "expert_first"):
        locator = build_locator(
            search,
            oracle,
            SearchConfig(),
            answer_model=_Refusing(needs),
            speed=SpeedConfig(lookahead=2),
        )
        (result,) = locator.locate([LocateRequest(IMAGE, "mug", "what?")])
        assert result.calls["answering"] >= 1
        assert result.path[0].confidences["answering"] == pytest.approx(0.25)


class _Refusing(FakeAnswerModel):
    """Begins with Sorry at three of four times."""

    def next_word(self, requests):
        self._count([memory for memory, _ in requests])
        return [[-np.log(0.75) for _ in words] for _, words in requests]


def test_what_cannot_be_made_is_told_before_anything_is_loaded():
    check_guide("zoom_eye", GuideConfig(), answers=False)  # targets alone are sought
    check_guide("expert_first", GuideConfig.named("owlv2"), answers=True)
    boxes = GuideConfig(detect=None, expert="ocr")
    with pytest.raises(ValueError, match=r"latent, .*name a guide that does \(guide.confidence=\)"):
        check_guide("zoom_eye", boxes, answers=True)
    check_guide("zoom_eye", GuideConfig(detect="ocr", confidence="vlm_yes_no"), answers=True)


def test_a_guide_that_lacks_what_cannot_be_made_is_refused():
    class OnlyBoxes:
        kinds = frozenset({"detect"})

    with pytest.raises(ValueError, match=r"zoom_eye asks its guide for existing, latent, which"):
        build_locator("zoom_eye", OnlyBoxes(), answer_model=FakeAnswerModel())
