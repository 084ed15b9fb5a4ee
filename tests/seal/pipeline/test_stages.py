"""Plans in show, search and tell: what is searched for, by name or by question, and the cost."""

from __future__ import annotations

import json

import pytest
from fakes import FakeAnswerModel, FakeChatModel, FakeSearchModel
from PIL import Image

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import ProtocolConfig, Question
from seal.pipeline.planner import PlannerConfig
from seal.pipeline.stages import ShowSearchTell
from seal.search.oracle import OracleLocator, always
from seal.search.result import SearchResult
from seal.text.letters import letter_question
from seal.working_memory import MemoryTarget

MUG, PART = Box(40, 60, 60, 76), Box(100, 100, 300, 300)
COLOR, SIDE, SKY = "What color is the mug?", "Is the mug left of the boat?", "Is it day?"
PICTURE = Image.new("RGB", (640, 480), (90, 120, 60))


class ByQuestion:
    """Crops the same part whatever is asked, or finds nothing."""

    by_question = True

    def __init__(self, found=True):
        self.found, self.requests = found, []

    def locate(self, requests):
        self.requests += requests
        return [
            SearchResult(
                target=request.target,
                strategy="part",
                found=self.found,
                boxes=[PART] if self.found else [],
                scores=[1.0] if self.found else [],
                image_size=request.image.size,
            )
            for request in requests
        ]


def chat(**options):
    return FakeChatModel(
        {COLOR: 0.3, SIDE: 0.1, SKY: 0.9},
        {COLOR: '["mug"]', SIDE: "[]", SKY: "[]"},
        {COLOR: "red", SKY: "day"},
        **options,
    )


def stages(model, locator="guided", **planner):
    if locator == "guided":
        locator = build_locator("guided", FakeSearchModel({"mug": [MUG]}))
    planned = PlannerConfig(**planner).build(model) if planner else None
    return ShowSearchTell(model, locator, ProtocolConfig(), planned)


def test_a_model_that_never_refuses_is_asked_and_shown_what_it_named():
    model = chat()
    (answer,) = stages(model)([Question(PICTURE, COLOR)])
    assert answer.plan.by == "ask" and answer.missing == ["mug"] and answer.text == "red"
    assert answer.memory.targets[0].boxes[0].iou(MUG) > 0.9
    assert answer.memory.question == COLOR and answer.first_text == ""


def test_the_first_answer_is_kept_if_the_model_is_sure():
    model = chat()
    (free, chosen) = stages(model)(
        [Question(PICTURE, SKY), Question(PICTURE, SKY, ("day", "night"))]
    )
    assert free.text == "day" and chosen.option == 0
    for answer in (free, chosen):
        assert answer.plan.sure and answer.memory.targets == () and answer.searches == []
    # Of the sure, nothing is asked but whether, and the answer.
    assert [memory.question for batch in model.generated for memory in batch] == [SKY]
    assert model.scored[0][0][0].targets == ()


@pytest.mark.parametrize("name", ["seal", "ask", "noun_phrases", "given"])
def test_named_targets_are_searched_for_whoever_plans(name):
    model = chat()
    question = Question(PICTURE, SIDE, ("yes", "no"), targets=("mug", "boat", "mug"))
    (answer,) = stages(model, name=name)([question])
    assert answer.plan.by == "given" and answer.plan.targets == ("mug", "boat")
    assert answer.missing == ["mug", "boat"] and answer.not_found == ["boat"]
    assert model.worded == [] and sum(map(len, model.generated)) == 0


@pytest.mark.parametrize(
    ("name", "targets"),
    [("seal", ["sign"]), ("ask", ["mug"]), ("noun_phrases", ["mug"]), ("given", [])],
)
def test_the_planner_decides_what_is_searched_for(name, targets):
    model = FakeAnswerModel({COLOR: ["sign"]})  # asked for a list it talks of something else
    (answer,) = stages(model, name=name)([Question(PICTURE, COLOR)])
    assert answer.missing == targets and answer.plan.by == name


def test_nobody_is_asked_where_nothing_can_be_searched():
    model = chat()
    without = stages(model, locator=None)([Question(PICTURE, COLOR)])
    text_only = stages(model)([Question(None, COLOR)])
    for (answer,) in (without, text_only):
        assert answer.plan is None and answer.text == "red" and answer.to_dict()["plan"] is None
    assert model.worded == []


def test_a_locator_of_questions_is_given_names_if_there_are_any():
    locator = ByQuestion()
    (answer,) = stages(chat(), locator)([Question(PICTURE, COLOR)])
    assert [(r.target, r.question) for r in locator.requests] == [("mug", COLOR)]
    assert answer.memory.targets == (MemoryTarget("mug", (PART,)),)


@pytest.mark.parametrize(("name", "question"), [("ask", SIDE), ("given", COLOR), ("given", SKY)])
def test_and_the_question_alone_if_nobody_named_anything(name, question):
    locator = ByQuestion()
    (answer,) = stages(chat(), locator, name=name)([Question(PICTURE, question)])
    assert [(r.target, r.question) for r in locator.requests] == [("", question)]
    assert answer.memory.targets == (MemoryTarget("", (PART,)),)
    assert answer.missing == [] and answer.not_found == []
    json.dumps(answer.to_dict())


def test_not_if_the_model_is_sure_or_the_caller_wants_no_search():
    locator = ByQuestion()
    answers = stages(chat(), locator)([Question(PICTURE, SKY), Question(PICTURE, SIDE, targets=())])
    sealed = FakeAnswerModel(answers={SKY: "day"})
    answers += stages(sealed, locator)([Question(PICTURE, SKY), Question(None, SKY)])
    assert locator.requests == [] and all(a.memory.targets == () for a in answers)


def test_a_locator_of_names_is_never_asked_for_something_without_a_name():
    (answer,) = stages(chat())([Question(PICTURE, SIDE)])
    assert answer.plan.targets == () and answer.searches == []


def test_a_region_without_a_name_that_is_not_found_is_not_told_of():
    (answer,) = stages(chat(), ByQuestion(found=False), name="given")([Question(PICTURE, COLOR)])
    assert answer.memory.targets == () and answer.not_found == [] and len(answer.searches) == 1
    assert answer.text == "red"


def test_a_question_costs_what_was_done_for_it_whatever_is_asked_beside_it():
    questions = [
        Question(PICTURE, COLOR), Question(PICTURE, SKY, ("day", "night")), Question(PICTURE, SKY),
    ]  # fmt: skip
    model = chat()
    answers = stages(model)(questions)
    for key in ("calls", "options_scored", "tokens_read", "tokens_written", "images", "pixels"):
        each = [answer.cost["answer_model"][key] for answer in answers]
        assert sum(each) == getattr(model.cost, key) > 0
    # All were asked whether, one which; then one was answered with a crop, two as they were.
    assert [answer.cost["planner"]["calls"] for answer in answers] == [2, 1, 1]
    assert [answer.cost["answer_model"]["calls"] for answer in answers] == [3, 2, 2]
    assert [answer.cost["answer_model"]["images"] for answer in answers] == [4, 2, 2]
    for question, answer in zip(questions, answers, strict=True):
        (alone,) = stages(chat())([question])
        for part in ("answer_model", "planner"):
            assert alone.cost[part] == answer.cost[part]


def test_visual_tokens_are_told_where_the_answer_model_counts_them_and_only_there():
    model = chat()
    (answer,) = stages(model)([Question(PICTURE, SKY)])
    assert "visual_tokens" not in answer.cost["answer_model"] | answer.cost["planner"]
    model.counts_visual_tokens = True
    (answer,) = stages(model)([Question(PICTURE, SKY)])
    assert answer.cost["answer_model"]["visual_tokens"] == 0


def test_an_answer_tells_the_levels_of_the_prompt_it_came_from():
    model = chat()
    model.levels_of = lambda memory: (len(memory.question), *[7] * memory.num_crops)
    worded = ("Day or night?", "Is it dark?")
    model.scores_options = False  # so that letters are compared
    free, lettered, several, crop = stages(model)(
        [
            Question(PICTURE, SKY),
            Question(PICTURE, SKY, ("day", "night")),
            Question(PICTURE, SKY, final_texts=worded),
            Question(PICTURE, COLOR),
        ]
    )
    assert free.levels == (len(SKY),)
    assert lettered.levels == (len(letter_question(SKY, ("day", "night"), (0, 1))),)
    assert several.levels_each == [(len(text),) for text in worded]
    assert several.levels == several.levels_each[0]
    assert crop.levels == (len(COLOR), *[7] * crop.memory.num_crops) and crop.memory.num_crops
    assert crop.to_dict()["levels"] == list(crop.levels)


def test_a_model_without_an_account_is_shared_among_the_questions():
    class Plain:
        """Only what the protocol demands."""

        def __init__(self, model):
            self._model = model

        def __getattr__(self, name):
            if name == "account":
                raise AttributeError(name)
            return getattr(self._model, name)

    questions = [Question(PICTURE, COLOR), Question(PICTURE, SKY)]
    answers = stages(Plain(chat()))(questions)
    calls = [answer.cost["answer_model"]["calls"] for answer in answers]
    assert calls == [2.5, 2.5]


def test_what_was_spent_before_is_not_counted_again():
    questions = [Question(PICTURE, COLOR), Question(PICTURE, SKY)]
    model = chat()
    answers = stages(model)(questions)
    again = stages(model)(questions)
    assert again[0].cost["answer_model"] == answers[0].cost["answer_model"]
    json.dumps(answers[0].to_dict())


def test_a_planner_without_calls_costs_none():
    (answer,) = stages(chat(), name="noun_phrases")([Question(PICTURE, COLOR)])
    assert set(answer.cost["planner"].values()) == {0} and answer.cost["answer_model"]["calls"] == 1


def test_what_was_planned_stands_in_the_answer():
    (answer,) = stages(chat())([Question(PICTURE, COLOR)])
    stored = json.loads(json.dumps(answer.to_dict()))["plan"]
    assert stored["by"] == "ask" and stored["targets"] == ["mug"] and stored["sure"] is False
    assert stored["confidence"] == pytest.approx(0.3)
    assert [each["answered"] for each in stored["said"]] == ["No", '["mug"]']


def test_what_is_shown_leaves_room_for_every_wording_not_for_that_of_most_letters():
    class Narrow(FakeChatModel):
        def fits(self, memory, options=(), *, max_new_tokens=200):
            return memory.num_crops + len(memory.question.split()) <= 5

    model = Narrow({}, {}, {})
    locator = OracleLocator(always(MUG, PART))
    wordings = ("extraordinarily long-winded", "a b c d")
    (answer,) = ShowSearchTell(model, locator, ProtocolConfig())(
        [Question(PICTURE, COLOR, targets=("mug",), final_texts=wordings)]
    )
    assert answer.memory.num_crops == 1 and answer.left_out == 1


class Settling(ByQuestion):
    """Says of the first target alone that the whole image is enough."""

    by_question = False

    def locate(self, requests):
        results = super().locate(requests)
        for result in results[:1]:
            result.settled, result.found, result.boxes, result.scores = True, False, [], []
            result.best_box = PART
        return results


@pytest.mark.parametrize("on_not_found", ["say_so", "use_best_box"])
def test_what_the_whole_image_settles_is_neither_lacking_nor_cropped(on_not_found):
    model, locator = chat(), Settling()
    protocol = ProtocolConfig(on_not_found=on_not_found)
    (answer,) = ShowSearchTell(model, locator, protocol)([Question(PICTURE, COLOR)])
    assert answer.missing == ["mug"] and answer.not_found == []
    assert answer.memory.targets == () and answer.text == "red"
    assert answer.to_dict()["searches"][0]["settled"] is True


def test_what_is_left_out_belongs_to_the_targets_that_are_shown():
    model = FakeChatModel({SIDE: 0.1}, {SIDE: '["mug", "boat"]'})
    model.max_crops = 1

    class Several(Settling):
        def locate(self, requests):
            settled, sought = super().locate(requests)
            sought.boxes, sought.scores = [PART, MUG, PART], [0.6, 0.9, 0.7]
            return [settled, sought]

    (answer,) = ShowSearchTell(model, Several(), ProtocolConfig())([Question(PICTURE, SIDE)])
    assert [(target.name, target.boxes) for target in answer.memory.targets] == [("boat", (MUG,))]
    assert answer.left_out == 2


def test_a_locator_is_told_how_many_things_a_question_names():
    locator = ByQuestion()
    locator.by_question = False
    model = FakeChatModel({SIDE: 0.1, COLOR: 0.3}, {SIDE: '["mug", "boat"]', COLOR: '["mug"]'})
    ShowSearchTell(model, locator, ProtocolConfig())(
        [Question(PICTURE, SIDE), Question(PICTURE, COLOR)]
    )
    assert [(r.target, r.num_targets) for r in locator.requests] == [
        ("mug", 2), ("boat", 2), ("mug", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("search", ["expert_first", "zoom_eye"])
def test_a_sure_answer_model_settles_the_search(search):
    class Sure(FakeAnswerModel):
        def next_word(self, requests):
            self._count([memory for memory, _ in requests])
            return [[5.0 for _ in words] for _, words in requests]  # hardly ever Sorry

    model = Sure({COLOR: ["mug"]}, {COLOR: "red"})
    locator = build_locator(search, FakeSearchModel({"mug": [MUG]}), answer_model=model)
    (answer,) = ShowSearchTell(model, locator, ProtocolConfig())([Question(PICTURE, COLOR)])
    (result,) = answer.searches
    assert result.settled and result.calls == {"answering": 1}
    assert answer.memory.targets == ()
    assert answer.cost["calls"] == {"answering": 1} and answer.cost["visits"] == 1
