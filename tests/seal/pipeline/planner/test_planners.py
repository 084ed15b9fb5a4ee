"""Who says what is missing, how sure, and what stands in for an answer that cannot be read."""

from __future__ import annotations

import json
import math

import pytest
from fakes import FakeAnswerModel, FakeChatModel
from PIL import Image

from seal.inference.answers.protocol import Cost
from seal.pipeline.planner import PLANNERS, PlannerConfig, default_planner
from seal.pipeline.planner.ask import confidence
from seal.text.prompts import refusal
from seal.working_memory import VisualWorkingMemory

COLOR, SIDE, SKY = "What color is the mug?", "Is the mug left of the boat?", "Is it day?"
ODD = 'What does "{most}" say?'  # braces and quotes of the caller's stay as they are


def memories(*questions):
    return [VisualWorkingMemory(question, Image.new("RGB", (64, 48))) for question in questions]


def plans(model, *questions, **config):
    return PlannerConfig(**config).build(model).plan(memories(*questions))


def chat(**options):
    lists = {COLOR: '["mug"]', SIDE: "1. the mug\n2. the boat", SKY: "None", ODD: "sign"}
    sure = {COLOR: 0.3, SIDE: 0.1, SKY: 0.95, ODD: 0.5}
    return FakeChatModel(options.pop("sure", sure), options.pop("lists", lists), **options)


def test_the_plan_of_the_vqa_llm_is_its_first_answer():
    model = FakeAnswerModel({SIDE: ["mug", "...", "boat", "mug"]}, {SKY: "Yes."})
    lacking, sure = plans(model, SIDE, SKY)
    assert lacking.targets == ("mug", "boat") and lacking.unsearchable == ("...",)
    assert (lacking.by, lacking.sure, lacking.confidence) == ("seal", False, None)
    assert lacking.first_text == refusal(["mug", "...", "boat", "mug"])
    assert (sure.targets, sure.sure, sure.first_text) == ((), True, "Yes.")
    assert len(model.generated) == 1


def test_a_refusal_is_never_cut_but_lists_that_were_asked_for_are():
    names = ["mug", "boat", "sign", "lamp", "door", "dog"]
    (refused,) = plans(FakeAnswerModel({COLOR: names}), COLOR, max_targets=2)
    assert refused.targets == tuple(names)
    (asked,) = plans(chat(lists={COLOR: json.dumps(names)}), COLOR, max_targets=2)
    assert asked.targets == ("mug", "boat")
    (nouns,) = plans(chat(), SIDE, name="noun_phrases", max_targets=1)
    assert nouns.targets == ("mug",)


def test_a_model_is_asked_whether_and_only_if_it_is_not_sure_which():
    model = chat()
    color, side, sky = plans(model, COLOR, SIDE, SKY)
    assert (color.targets, side.targets, sky.targets) == (("mug",), ("mug", "boat"), ())
    assert [plan.confidence for plan in (color, side, sky)] == pytest.approx([0.3, 0.1, 0.95])
    assert [plan.sure for plan in (color, side, sky)] == [False, False, True]
    assert {plan.fallback for plan in (color, side, sky)} == {""}
    (whether,), (which,) = model.worded, model.generated
    assert len(whether) == 3 and len(which) == 2
    assert all(memory.image is not None for memory in (*whether, *which))
    assert [each.answered for each in sky.said] == ["Yes"]
    assert [each.answered for each in color.said] == ["No", '["mug"]']
    assert [each.asked for each in color.said] == [whether[0].question, which[0].question]


def test_plans_for_many_questions_are_those_of_each():
    questions = (COLOR, SIDE, SKY, ODD)
    assert plans(chat(), *questions) == [plans(chat(), question)[0] for question in questions]
    assert plans(chat()) == []


def test_the_callers_words_reach_the_model_as_they_are():
    model = chat()
    plans(model, ODD)
    assert f'"{ODD}"' in model.worded[0][0].question
    assert f'"{ODD}"' in model.generated[0][0].question


@pytest.mark.parametrize(("sure_above", "sure"), [(0.0, True), (0.5, True), (0.51, False)])
def test_the_threshold_says_from_when_on_a_model_is_sure(sure_above, sure):
    (plan,) = plans(chat(), ODD, sure_above=sure_above)
    assert plan.sure is sure and plan.targets == (() if sure else ("sign",))


@pytest.mark.parametrize(
    ("said", "sure", "doubt"),
    [("Yes.", True, ""), ("No, it is small.", False, ""), ("The mug", False, "neither Yes nor No")],
)
def test_a_model_without_probabilities_is_taken_at_its_word(said, sure, doubt):
    model = chat(sure={COLOR: None}, says_sure=said)
    (plan,) = plans(model, COLOR)
    assert plan.confidence is None and plan.sure is sure
    assert plan.said[0].answered == said and doubt in plan.fallback
    assert bool(plan.fallback) == bool(doubt)
    assert plan.targets == (() if sure else ("mug",))


class Wordless(FakeChatModel):
    """An endpoint that gives no `logprobs`."""

    def next_word(self, requests):
        self.worded.append([])
        raise ValueError("the endpoint gives no logprobs")


def test_an_endpoint_that_refuses_probabilities_is_taken_at_its_word_and_not_asked_again():
    model = Wordless({}, {COLOR: '["mug"]'}, says_sure="No")
    planner = PlannerConfig().build(model)
    for _ in range(2):
        (plan,) = planner.plan(memories(COLOR))
        assert plan.confidence is None and plan.sure is False and plan.targets == ("mug",)
    assert len(model.worded) == 1


def test_words_that_the_model_would_hardly_begin_with_are_no_confidence():
    (plan,) = plans(chat(mass=0.001, says_sure="Yes"), COLOR)
    assert plan.confidence is None and plan.sure is True
    (plan,) = plans(chat(mass=0.001, says_sure="Yes"), COLOR, min_mass=0.0)
    assert plan.confidence == pytest.approx(0.3) and plan.sure is False


def test_confidence_is_the_share_of_yes():
    assert confidence(0.0, math.inf, 0.01) == 1.0
    assert confidence(math.inf, 0.5, 0.01) == 0.0
    assert confidence(1.0, 1.0, 0.01) == 0.5
    assert confidence(1.0, 2.0, 0.01) == pytest.approx(1 / (1 + math.exp(-1)))
    assert confidence(math.inf, math.inf, 0.0) is None
    assert confidence(5.0, 6.0, 0.01) is None
    assert confidence(5.0, 6.0, 0.0) == pytest.approx(1 / (1 + math.exp(-1)))


@pytest.mark.parametrize("said", ["The mug is red.", "I'm sorry, I can't help.", "", "???"])
def test_noun_phrases_stand_in_for_a_list_that_is_none_and_the_plan_says_so(said):
    (plan,) = plans(chat(lists={SIDE: said}), SIDE)
    assert plan.by == "ask" and plan.targets == ("mug", "boat")
    assert plan.fallback == (
        "what the model said is no list of objects; the question's noun phrases are searched for"
    )
    assert plan.extractor in ("spacy", "fallback") and plan.said[-1].answered == said


def test_a_model_that_names_nothing_is_not_second_guessed():
    (plan,) = plans(chat(lists={SIDE: "[]"}), SIDE)
    assert plan.targets == () and plan.sure is False and plan.fallback == ""


def test_a_list_that_was_cut_loses_what_was_broken_off():
    (plan,) = plans(chat(lists={SIDE: '["mug", "boa'}, finished=False), SIDE)
    assert plan.targets == ("mug",)


class Narrow(FakeChatModel):
    """Its context holds 50 words of a question; as a network does, it refuses what is longer."""

    def fits(self, memory, options=(), *, max_new_tokens=200):
        return len(memory.question.split()) <= 50

    def next_word(self, requests):
        self._require([memory for memory, _ in requests])
        return super().next_word(requests)

    def generate(self, requests, *, max_new_tokens=200):
        self._require(requests)
        return super().generate(requests, max_new_tokens=max_new_tokens)

    def _require(self, requests):
        if not all(map(self.fits, requests)):
            raise ValueError("more than max_position_embeddings")


@pytest.mark.parametrize("words", [10, 40])  # the second question alone, or the first already
def test_a_question_that_leaves_no_room_for_the_planners_is_planned_without_the_model(words):
    model = Narrow({COLOR: 0.3, SIDE: 0.2}, {COLOR: "[]", SIDE: '["mug"]'})
    long = f"{COLOR}{' indeed' * words}"
    cut, whole = plans(model, long, SIDE)
    assert cut.targets == ("mug",)
    assert cut.fallback.startswith("the model's context has no room for the planner's question")
    assert (cut.sure, len(cut.said)) == ((False, 1) if words == 10 else (None, 0))
    assert whole == plans(chat(sure={SIDE: 0.2}, lists={SIDE: '["mug"]'}), SIDE)[0]


def test_what_else_a_model_refuses_is_told():
    class Broken(FakeChatModel):
        def generate(self, requests, *, max_new_tokens=200):
            raise ValueError("the picture has more than max_pixels")

    with pytest.raises(ValueError, match="max_pixels"):
        plans(Broken({COLOR: 0.3}, {}), COLOR)


def test_the_noun_phrases_cost_no_call_and_say_what_parsed_them():
    model = chat()
    side, foreign = plans(model, SIDE, "Welche Farbe hat die Tasse?", name="noun_phrases")
    assert (side.by, side.targets, side.sure) == ("noun_phrases", ("mug", "boat"), None)
    assert side.extractor in ("spacy", "fallback") and side.fallback == ""
    assert foreign.targets == () and "names no thing" in foreign.fallback
    assert model.cost == Cost()


def test_nothing_is_planned_where_targets_are_given():
    model = chat()
    (plan,) = plans(model, SIDE, name="given")
    assert (plan.by, plan.targets, plan.sure, plan.said) == ("given", (), None, ())
    assert model.cost == Cost()


def test_the_answer_model_chooses_the_planner_unless_it_is_named():
    assert default_planner(FakeAnswerModel()) == "seal" and default_planner(chat()) == "ask"
    for name in PLANNERS:
        assert PlannerConfig(name=name).build(FakeAnswerModel()).name == name
    assert PlannerConfig().build(FakeAnswerModel()).name == "seal"
    assert PlannerConfig().build(chat()).name == "ask"


def test_a_plan_is_json():
    for plan in plans(chat(), COLOR, SKY):
        stored = json.loads(json.dumps(plan.to_dict()))
        assert stored["targets"] == list(plan.targets) and stored["by"] == "ask"
        assert stored["said"][0] == {
            "asked": plan.said[0].asked, "answered": plan.said[0].answered,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"name": "askk"}, "planner='askk' is none of seal, ask, noun_phrases, given"),
        ({"sure_above": 1.5}, "sure_above=1.5 is no probability"),
        ({"min_mass": -0.1}, "min_mass=-0.1 is no probability"),
        ({"sure_above": math.nan}, "sure_above=nan is no probability"),
        ({"max_targets": 0}, "max_targets=0 leaves nothing"),
        ({"max_new_tokens": 0}, "max_new_tokens=0 leaves nothing"),
    ],
)
def test_wrong_settings_are_named(config, says):
    with pytest.raises(ValueError, match=says) as error:
        PlannerConfig(**config)
    assert "\n" not in str(error.value)
