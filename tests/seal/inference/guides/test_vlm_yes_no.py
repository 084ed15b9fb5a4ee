"""A model asked for Yes or No tells what it sees of a patch, and drives a whole search."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny_families
import tiny_models
from chat_server import ChatServer
from seeing_model import SeeingModel, scene

from seal.geometry import Box
from seal.inference.answers.endpoint import EndpointAnswerModel
from seal.inference.answers.endpoint_config import EndpointConfig
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.guides.vlm_yes_no import YesNoGuide, yes_share
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query, answered_kinds
from seal.search.trace import from_dict, to_dict
from seal.search.tree import split
from seal.search.zoom_eye import ZoomEye
from seal.working_memory import VisualWorkingMemory

IMAGE = scene(800, 600, Box(640, 60, 680, 100))
WHOLE = Box(0, 0, 800, 600)


def queries(kind, boxes, text="the mug", image=IMAGE):
    return [Query(kind, Patch(image, box), text) for box in boxes]


def test_a_confidence_is_the_share_of_yes():
    assert yes_share(math.log(4), math.log(4)) == 0.5
    assert yes_share(-math.log(0.6), -math.log(0.2)) == pytest.approx(0.75)
    assert yes_share(-math.log(0.2), -math.log(0.6)) == pytest.approx(0.25)
    assert (yes_share(math.inf, 3.0), yes_share(3.0, math.inf)) == (0.0, 1.0)
    assert (yes_share(2000.0, 0.0), yes_share(0.0, 2000.0)) == (0.0, 1.0)


def test_what_is_shown_decides():
    guide = YesNoGuide(SeeingModel())
    boxes = [WHOLE, Box(600, 0, 800, 150), Box(0, 300, 400, 600)]
    assert guide.existing(queries("existing", boxes)) == pytest.approx([0.1, 0.95, 0.1])
    assert guide.latent(queries("latent", boxes)) == pytest.approx([0.8, 0.8, 0.05])
    asked = queries("answering", boxes, "what color is the mug?")
    assert guide.answering(asked) == pytest.approx([0.1, 0.95, 0.1])


def test_a_batch_is_one_call_and_answers_what_each_does_alone():
    model = SeeingModel()
    guide = YesNoGuide(model)
    asked = queries("existing", split(WHOLE))
    together = guide.existing(asked)
    assert model.batches == [4]
    assert together == [guide.existing([query])[0] for query in asked]


def test_the_patch_is_shown_by_itself_or_beside_the_whole_image():
    model = SeeingModel()
    box = Box(600, 0, 800, 150)
    YesNoGuide(model).existing(queries("existing", [box, WHOLE]))
    assert model.shown == [(200, 150), (800, 600)] and model.cost.images == 2
    model = SeeingModel()
    guide = YesNoGuide(model, show="both")
    assert guide.existing(queries("existing", [box, WHOLE])) == pytest.approx([0.95, 0.1])
    assert model.cost.images == 3  # the whole image needs no closer view
    assert model.asked[0].startswith("Look only at the closer view")


def test_a_model_that_refuses_is_read_by_its_refusal():
    model = SeeingModel(names_missing=True)
    guide = YesNoGuide(model)
    near = Box(600, 0, 800, 150)
    assert guide.existing(queries("existing", [near, WHOLE])) == pytest.approx([0.95, 0.1])
    (sure,) = guide.answering(queries("answering", [near], "What is on the mug?"))
    assert sure == pytest.approx(0.95) and model.asked[-1] == "What is on the mug?"
    guide.latent(queries("latent", [near]))
    assert "Yes or No" in model.asked[-1]
    assert YesNoGuide(model, asking="yes_no").settings()["asking"] == "yes_no"
    assert guide.settings()["asking"] == "refusal"


def test_the_detection_is_the_patch_itself():
    (found,) = YesNoGuide(SeeingModel()).detect(queries("detect", [Box(600, 0, 800, 150)]))
    np.testing.assert_array_equal(found.boxes, [[0, 0, 200, 150]])
    assert found.scores == pytest.approx([0.95]) and found.heat is None


@pytest.mark.parametrize(
    ("image", "share"),
    [
        (IMAGE, [0, 1, 0, 0]),
        (scene(900, 300, Box(500, 20, 540, 60)), [0, 0, 1, 0]),
        (scene(301, 907, Box(20, 700, 60, 740)), [0, 0, 0, 1]),
    ],
    ids=["2x2", "columns", "rows"],
)
def test_the_heat_of_a_patch_lies_on_the_child_that_holds_the_target(image, share):
    model = SeeingModel()
    guide = YesNoGuide(model)
    patch = Patch(image, Box(0, 0, *image.size))
    (heat,) = guide.target_heat([Query("target_heat", patch, "mug")])
    assert heat.shares(split(patch.box)) == pytest.approx(share, abs=0.02)
    assert heat.peak() == pytest.approx(0.8)
    assert model.batches == [4]  # what a heat costs
    (cue,) = guide.cue_heatmap([Query("cue_heatmap", patch, "table")])
    assert cue.shares(split(patch.box)) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("says", "phrase"),
    [
        ("The mug is most likely to appear on the table.", "table"),
        ("Sure. The mug is most likely to appear on the table. It is small.", "table"),
        ("<think>hm</think>The mug is most likely to appear on the table\nbecause", "table"),
        ("", "mug"),
        ("The mug is most likely to appear.", "mug"),
    ],
)
def test_a_contextual_cue_is_asked_for_in_words(says, phrase):
    (cue,) = YesNoGuide(SeeingModel(says_where=says)).contextual_cue(
        queries("contextual_cue", [WHOLE])
    )
    assert cue.phrase == phrase


def test_a_whole_search_goes_where_the_answers_point_and_can_be_drawn():
    model = SeeingModel()
    guide = YesNoGuide(model)
    config = SearchConfig(min_size=100)
    strategy = GuidedSearch(config)
    assert strategy.needs <= answered_kinds(guide)
    (result,) = run_searches([strategy.explore(IMAGE, "the mug")], guide)
    assert result.found and result.boxes == [Box(600, 0, 800, 150)]
    assert [node.box for node in result.path] == [
        WHOLE, Box(400, 0, 800, 300), Box(600, 0, 800, 150),
    ]  # fmt: skip
    # Its thresholds fit SEAL's logits, so the cue of the answer model's words was asked for here;
    # with its own, the confidence itself guides.
    assert {node.cue_kind for node in result.path[:2]} == {"contextual"}
    own = GuidedSearch(guide.search_config())
    (result,) = run_searches([own.explore(IMAGE, "the mug")], guide)
    assert {node.cue_kind for node in result.path[:2]} == {"target"}
    assert guide.cost.queries["target_heat"] > 0 and guide.cost.asked.calls == model.cost.calls
    again = from_dict(to_dict(result, heat_cells=24))
    assert again.path[0].box == WHOLE
    assert draw_path(IMAGE, result).width > 100


@pytest.mark.parametrize("show", ["patch", "both"])
def test_a_zooming_search_ends_where_the_question_can_be_answered(show):
    model = SeeingModel()
    guide = YesNoGuide(model, show=show)
    strategy = ZoomEye(SearchConfig(min_size=100))
    assert strategy.needs <= answered_kinds(guide)
    search = strategy.explore(IMAGE, "the mug", "What color is the mug?")
    (result,) = run_searches([search], guide)
    assert result.found and result.boxes == [Box(600, 0, 800, 150)]
    assert len(result.path) == 3
    # Two confidences of each child of the two regions that were split, one of each visit.
    assert guide.cost.queries == {"answering": 3, "existing": 8, "latent": 8}
    assert guide.cost.asked.calls == 19 and sum(model.batches) == 19
    assert max(model.batches) == 4
    assert draw_path(IMAGE, result).width > 100
    assert from_dict(to_dict(result)).boxes == result.boxes


def test_costs_are_those_of_the_guide_alone():
    model = SeeingModel()
    guide = YesNoGuide(model)
    model.generate([VisualWorkingMemory("what is it?", IMAGE)])
    guide.existing(queries("existing", [WHOLE]))
    assert (guide.cost.asked.calls, model.cost.calls) == (1, 2)
    assert guide.cost.queries == {"existing": 1}


def test_an_image_that_is_forgotten_is_forgotten_by_the_model_too():
    model = SeeingModel()
    guide = YesNoGuide(model)
    guide.existing(queries("existing", [WHOLE, Box(600, 0, 800, 150)]))
    guide.forget(IMAGE)
    assert model.forgotten[0] is IMAGE and model.forgotten[1].size == (200, 150)


@pytest.fixture
def served(monkeypatch, tmp_path):
    """An endpoint's model by its server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path))
    config = EndpointConfig(backoff=0.01, check_vision=False)
    return lambda server: EndpointAnswerModel.from_address(f"{server.url}#tiny", config)


def test_a_server_is_asked_for_the_first_token(served):
    def first(asked):
        yes = 0.9 if "closer" in asked else 0.2
        return {"Yes": math.log(yes * 0.8), "No": math.log((1 - yes) * 0.8), "Well": math.log(0.2)}

    with ChatServer(first=first) as server:
        guide = YesNoGuide(served(server))
        boxes = split(WHOLE)
        assert guide.existing(queries("existing", boxes)) == pytest.approx([0.2] * 4)
        assert guide.latent(queries("latent", boxes)) == pytest.approx([0.9] * 4)
    assert {body["max_tokens"] for body in server.bodies} == {1}
    assert len(server.pictures) == 4  # three of the children look alike: equal requests go once
    assert guide.settings()["asking"] == "yes_no"


def test_a_server_without_logprobs_is_refused_with_the_way_out(served):
    with (
        ChatServer() as server,
        pytest.raises(ValueError, match="gives no top_logprobs=20 of an answer's first token"),
    ):
        YesNoGuide(served(server)).existing(queries("existing", [WHOLE]))


def test_a_server_that_begins_with_neither_word_is_refused_with_the_way_out(served):
    with (
        ChatServer(first=lambda asked: {"Well": -0.1}) as server,
        pytest.raises(ValueError, match="neither Yes nor No"),
    ):
        YesNoGuide(served(server)).existing(queries("existing", [WHOLE]))


class _Thinking(SeeingModel):
    def next_word(self, requests):
        return [[loss + 9 for loss in pair] for pair in super().next_word(requests)]


def test_a_model_that_begins_otherwise_is_told_of_once():
    told: list[str] = []
    guide = YesNoGuide(_Thinking(), tell=told.append)
    for _ in range(2):
        assert guide.existing(queries("existing", split(WHOLE))) == pytest.approx([0.1] * 4)
    (line,) = told
    assert "a probability of 0.00011 at most" in line
    YesNoGuide(SeeingModel(), tell=told.append).existing(queries("existing", [WHOLE]))
    assert len(told) == 1


class _Silent(SeeingModel):
    def next_word(self, requests):
        return [[math.inf, math.inf] for _ in requests]


def test_a_model_that_tells_no_probability_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"neither Yes nor No to .* raise\s+top_logprobs"):
        YesNoGuide(_Silent()).existing(queries("existing", [WHOLE]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"show": "all"}, "show='all' is none of patch, both"),
        ({"asking": "maybe"}, "asking='maybe' is none of yes_no, refusal"),
        ({"asking": "refusal"}, "asking=refusal needs a model that was taught"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        YesNoGuide(SeeingModel(), **options)


@pytest.mark.parametrize("show", ["patch", "both"])
def test_a_real_family_answers_in_a_batch_what_it_answers_alone(show):
    name = tiny_families.folder("qwen2_5_vl")
    guide = YesNoGuide(HFAnswerModel.from_pretrained(name, device="cpu", max_batch=3), show=show)
    image = tiny_models.noise(150, 90)
    boxes = [Box(0, 0, 150, 90), *split(Box(0, 0, 150, 90))]
    asked = queries("existing", boxes, "mug", image)
    together = guide.existing(asked)
    alone = [guide.existing([query])[0] for query in asked]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len({round(sure, 6) for sure in together}) > 1 and all(0 < s < 1 for s in together)


def test_seals_own_vqa_llm_is_asked_by_its_refusal_and_drives_a_search():
    answers = NetworkAnswerModel(tiny_models.vqa_model(), tiny_models.tokenizer(), max_batch=4)
    guide = YesNoGuide(answers)
    assert guide.settings()["asking"] == "refusal"
    image = tiny_models.noise(120, 90)
    search = GuidedSearch(SearchConfig(min_size=30, cue_threshold=0.1, cue_threshold_min=0.1))
    asked = queries("existing", split(Box(0, 0, 120, 90)), "boat", image)
    together = guide.existing(asked)
    assert together == pytest.approx([guide.existing([q])[0] for q in asked], abs=1e-5)
    (result,) = run_searches([search.explore(image, "boat")], guide)
    assert result.path and all(0 <= node.confidence <= 1 for node in result.path)
