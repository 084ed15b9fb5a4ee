"""Show, search and tell on fakes: what is asked, what is searched for, what is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import ProtocolConfig, Question, Seal
from seal.search.budget import BudgetConfig
from seal.search.config import SearchConfig
from seal.search.oracle import OracleLocator, always
from seal.search.protocol import Detections
from seal.search.speed import SpeedConfig
from seal.search.strategies import STRATEGIES
from seal.working_memory import MemoryTarget

MUG, BOAT = Box(40, 60, 60, 76), Box(300, 210, 324, 230)
COLOR, SIDE, SKY = "What color is the mug?", "Is the mug left of the boat?", "Is it day?"
NEEDS = {COLOR: ["mug"], SIDE: ["mug", "boat"]}
ANSWERS = {COLOR: "red", SIDE: "yes", SKY: "Yes."}


def picture():
    return Image.new("RGB", (640, 480), (90, 120, 60))


def seal(search="guided", boxes=None, protocol="default", **model):
    answers = FakeAnswerModel(NEEDS, ANSWERS, **model)
    finder = FakeSearchModel({"mug": [MUG], "boat": [BOAT]} if boxes is None else boxes)
    config = ProtocolConfig.named(protocol)
    return Seal(answers, build_locator(search, finder, known=always(MUG)), protocol=config)


def test_a_question_that_needs_no_search_is_answered_at_once():
    one = seal()
    answer = one.ask(picture(), SKY)
    assert (answer.text, answer.missing, answer.searches) == ("Yes.", [], [])
    assert len(one.answer_model.generated[0]) == 1
    assert len(one.answer_model.generated) == 1  # not asked again


def test_what_the_first_answer_lacks_is_searched_for_and_shown():
    one = seal()
    answer = one.ask(picture(), SIDE)
    assert answer.missing == ["mug", "boat"]
    assert answer.text == "yes" and answer.first_text.startswith("Sorry")
    assert [target.name for target in answer.memory.targets] == ["mug", "boat"]
    assert answer.memory.targets[0].boxes[0].iou(MUG) > 0.9
    assert answer.cost["visits"] == sum(len(result.path) for result in answer.searches)
    assert answer.cost["calls"]["detect"] >= 2


def test_options_are_scored_with_what_was_found_and_the_order_does_not_matter():
    for options in (["blue", "red", "green"], ["red", "green", "blue"]):
        answer = seal().ask(picture(), COLOR, options)
        assert (answer.text, answer.option) == ("red", options.index("red"))


def test_a_tie_is_told_and_not_resolved_by_position():
    answer = seal(boxes={}).ask(picture(), COLOR, ["red", "blue"])
    assert answer.option is None and answer.text == "undecided: red | blue"
    assert answer.losses == [1.0, 1.0]


def test_a_target_that_is_not_there_is_said_not_to_be():
    one = seal(boxes={"mug": [MUG]})
    answer = one.ask(picture(), SIDE)
    assert answer.not_found == ["boat"]
    assert answer.memory.targets[1] == MemoryTarget("boat", ())


class Several(FakeSearchModel):
    """Sees three mugs, the second most surely."""

    def detect(self, queries):
        places = np.array([[9, 9, 20, 20], [40, 60, 60, 76], [80, 9, 90, 20]], np.float32)
        scores = np.array([0.6, 0.9, 0.7], np.float32)
        return [Detections(places, scores, d.heat) for d in super().detect(queries)]


def test_the_surest_instances_are_shown_if_not_all_fit_and_the_answer_says_how_many_do_not():
    for room, left in [(3, [9, 40, 80]), (2, [40, 80]), (1, [40]), (0, [40])]:
        one = Seal(
            FakeAnswerModel(NEEDS, ANSWERS, max_crops=room),
            build_locator("guided", Several({"mug": [MUG]})),
        )
        answer = one.ask(picture(), COLOR)
        assert [box.x0 for box in answer.memory.targets[0].boxes] == left
        assert answer.left_out == 3 - len(left) == answer.to_dict()["left_out"]
        assert len(answer.searches[0].boxes) == 3


class Doubtful(FakeSearchModel):
    """Sees the target, but never surely enough."""

    def detect(self, queries):
        return [Detections(d.boxes, d.scores * 0.2, d.heat) for d in super().detect(queries)]


@pytest.mark.parametrize(("protocol", "crops"), [("default", 0), ("as_released", 1)])
def test_the_protocol_decides_what_becomes_of_a_failed_search(protocol, crops):
    one = Seal(
        FakeAnswerModel(NEEDS, ANSWERS),
        build_locator("guided", Doubtful({"mug": [MUG]})),
        protocol=ProtocolConfig.named(protocol),
    )
    answer = one.ask(picture(), COLOR)
    assert answer.not_found == ["mug"]  # said either way
    assert answer.memory.num_crops == crops


def test_without_a_search_options_are_scored_on_the_whole_image_alone():
    one = seal("none")
    answer = one.ask(picture(), COLOR, ["red", "blue"])
    assert one.answer_model.generated == [[]]  # nobody would use a first answer
    assert answer.memory.targets == () and answer.searches == []
    assert one.ask(picture(), COLOR).missing == ["mug"]  # free text: the refusal is the answer


def test_named_targets_are_searched_for_without_asking_the_vqa_model():
    one = seal("oracle")
    answer = one.ask(picture(), COLOR, ["red", "blue"], targets=["mug", "mug"])
    assert answer.missing == ["mug"] and answer.first_text == ""
    assert answer.memory.targets == (MemoryTarget("mug", (MUG,)),)
    assert answer.option == 0


def test_many_questions_get_what_each_gets_alone_in_few_passes():
    questions = [
        Question(picture(), SIDE),
        Question(picture(), COLOR, ("blue", "red")),
        Question(None, SKY),
        Question(picture(), COLOR, targets=()),
    ]
    together = seal()
    answers = together.ask_many(questions)
    for question, answer in zip(questions, answers, strict=True):
        (alone,) = seal().ask_many([question])
        assert (answer.text, answer.option, answer.missing) == (
            alone.text, alone.option, alone.missing,
        )  # fmt: skip
        assert [len(r.path) for r in answer.searches] == [len(r.path) for r in alone.searches]
    assert len(together.answer_model.generated) == 2
    assert len(together.answer_model.scored) == 1


def test_a_final_wording_is_used_for_the_answer_but_not_for_what_is_missing():
    one = seal()
    (answer,) = one.ask_many([Question(picture(), COLOR, final_texts=[f"{COLOR}\n(A) red"])])
    assert answer.missing == ["mug"]
    assert answer.memory.question == f"{COLOR}\n(A) red" and answer.memory.num_crops == 1


def test_text_alone_is_never_searched():
    one = seal()
    answer = one.ask(None, COLOR)
    assert answer.missing == ["mug"] and answer.searches == []
    assert answer.text == answer.first_text


def test_a_box_at_the_very_border_still_gives_a_crop():
    edge = Box(639.8, 100, 640.4, 101)
    one = seal("oracle")
    one.locator.known = always(edge)
    answer = one.ask(picture(), COLOR)
    (box,) = answer.memory.targets[0].boxes
    assert box.x0 <= 639 and box.x1 <= 640 and box.width >= 1


def test_locate_finds_one_target():
    result = seal().locate(picture(), "boat")
    assert result.found and result.boxes[0].iou(BOAT) > 0.9


def test_what_a_budget_left_unseen_is_not_said_to_be_absent():
    config = SearchConfig(budget=BudgetConfig(nodes=1))
    finder = FakeSearchModel({"mug": [MUG]})  # seen from closer than the whole image
    answers = FakeAnswerModel(NEEDS, ANSWERS)
    answer = Seal(answers, build_locator("guided", finder, config)).ask(picture(), SIDE)
    assert [result.stopped_early for result in answer.searches] == ["1 node", "1 node"]
    assert answer.not_found == ["mug", "boat"]
    assert answer.memory.targets == ()
    protocol = ProtocolConfig.named("as_released")  # a failed search hands over its best guess
    released = Seal(answers, build_locator("guided", finder, config), protocol=protocol)
    shown = released.ask(picture(), SIDE)
    best = [result for result in shown.searches if result.best_box is not None]
    assert [target.name for target in shown.memory.targets] == [result.target for result in best]


def test_several_targets_are_found_on_one_walk():
    one = seal()
    results = one.locate_all(picture(), ["boat", "mug"])
    assert [result.target for result in results] == ["boat", "mug"]
    assert all(result.found for result in results)
    assert results[0].boxes[0].iou(BOAT) > 0.9 and results[1].boxes[0].iou(MUG) > 0.9
    # The targets of a question too, where the search is told to.
    finder = FakeSearchModel({"mug": [MUG], "boat": [BOAT]})
    config = SearchConfig(shared_tree=True)
    shared = Seal(FakeAnswerModel(NEEDS, ANSWERS), build_locator("guided", finder, config))
    for alone, together in zip(results[::-1], shared.ask(picture(), SIDE).searches, strict=True):
        assert [node.box for node in together.path] == [node.box for node in alone.path]
    with pytest.raises(ValueError, match="search=random_dfs: targets share a walk"):
        build_locator("random_dfs", finder, config)


@pytest.mark.parametrize(
    ("search", "targets", "says"),
    [
        ("guided", "boat", "locate_all takes a list of targets"),
        ("guided", [], "locate_all takes a list of targets"),
        ("guided", ["boat", " "], "the target is empty"),
        ("random_bfs", ["boat"], "search=random_bfs: targets share a walk of guided"),
        ("oracle", ["boat"], "load with search=guided"),
        ("none", ["boat"], "does not search"),
    ],
)
def test_what_cannot_share_a_walk_is_told(search, targets, says):
    with pytest.raises(ValueError, match=says):
        seal(search).locate_all(picture(), targets)


def test_targets_of_one_walk_may_be_any_iterable():
    found = seal().locate_all(picture(), (name for name in ("mug", "boat")))
    assert [result.target for result in found] == ["mug", "boat"]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"budget": {"nodes": 3}}, "budget= takes a BudgetConfig .from seal.search.budget."),
        ({"speed": {"lookahead": 3}}, "speed= takes a SpeedConfig"),
        ({"search_config": {"min_size": 3}}, "search_config= takes a SearchConfig"),
        ({"budget": BudgetConfig(nodes=3), "search": "none"}, "search=none makes none: drop one"),
    ],
)
def test_what_is_no_config_is_told_before_anything_is_loaded(told, says):
    with pytest.raises(ValueError, match=says):
        Seal.from_pretrained("nowhere/vqa", "nowhere/vsm", **told)


def test_an_answer_is_json():
    answer = seal().ask(picture(), SIDE, ["yes", "no"])
    stored = json.loads(json.dumps(answer.to_dict(heat_cells=4)))
    assert stored["option"] == 0 and stored["searches"][0]["target"] == "mug"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: s.ask(picture(), " "), "the question is empty"),
        (lambda s: s.ask(picture(), "a?", ["x", "x"]), "an option appears twice"),
        (lambda s: s.ask(picture(), "a?", ["x", ""]), "an option is empty"),
        (lambda s: s.ask(None, "a?", targets=["mug"]), "no image to search for mug"),
        (lambda s: s.ask(picture(), "a?", "abc"), "give options as a list of texts"),
        (lambda s: s.ask(picture(), "a?", {"red", "blue"}), "give options as a list of texts"),
        (lambda s: s.ask(picture(), "a?", [1, 2]), "give options as a list of texts"),
        (lambda s: s.ask(picture(), "a?", targets=["the"]), "names no thing"),
        (lambda s: s.ask(picture(), "a?", targets=["x" * 501]), "501 bytes"),
        (lambda s: s.ask(picture(), 5), "the question is text, not int"),
        (lambda s: s.ask(picture(), "<image> what?"), "the question contains <image>"),
        (lambda s: s.ask(picture(), "a?", ["x</s>", "y"]), "an option contains </s>"),
        (lambda s: s.ask_many([("a.jpg", "a?")]), "ask_many takes Questions"),
        (lambda s: s.ask_many([{"text": "a?"}]), "ask_many takes Questions"),
        (lambda s: s.locate_many([{"image": "a"}]), "pairs"),
        (lambda s: s.locate_many(("a.jpg", "boat")), "pairs"),
        (lambda s: s.locate(picture(), "..."), "names no thing"),
        (lambda s: s.locate("http://a.b/c.jpg", "mug"), "is an address"),
        (lambda s: s.ask("nowhere.jpg", "a?"), "nowhere.jpg: does not exist"),
        (lambda s: s.ask(Image.new("RGB", (0, 5)), "a?"), "the image: it is empty"),
        (lambda s: s.locate(picture(), ""), "the target is empty"),
        (lambda s: Seal(s.answer_model, None).locate(picture(), "mug"), "does not search"),
        (lambda s: Seal(None, s.locator).ask(picture(), "a?"), "no VQA LLM"),
    ],
)
def test_wrong_use_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call(seal())


def test_a_single_target_is_one_target():
    assert seal().ask(picture(), COLOR, targets="mug").missing == ["mug"]


def test_a_question_takes_whatever_is_an_image(tmp_path):
    path = tmp_path / "photo.png"
    picture().save(path)
    forms = [path, str(path), path.read_bytes(), np.asarray(picture())]
    answers = seal().ask_many([Question(form, SIDE, ["yes", "no"]) for form in forms])
    assert [answer.text for answer in answers] == ["yes"] * 4
    results = seal().locate_many([(form, "boat") for form in forms])
    assert all(result.boxes[0].iou(BOAT) > 0.9 for result in results)


def test_what_the_model_names_is_searched_for_only_if_it_names_a_thing():
    one = Seal(
        FakeAnswerModel({COLOR: ["...", "mug", "the", "x" * 600]}, ANSWERS),
        build_locator("guided", FakeSearchModel({"mug": [MUG]})),
    )
    answer = one.ask(picture(), COLOR)
    assert answer.missing == ["mug"] and len(answer.searches) == 1
    assert answer.unsearchable == ["...", "the", "x" * 600] == answer.to_dict()["unsearchable"]


def test_a_damaged_image_is_named(tmp_path):
    path = tmp_path / "half.jpg"
    picture().save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"half\.jpg: the image is damaged"):
        seal().ask(path, SKY)
    with Image.open(path) as lazy, pytest.raises(ValueError, match="the image is damaged"):
        seal().ask(lazy, SKY)


def test_an_unknown_search_or_protocol_lists_the_known_ones_before_anything_is_loaded():
    with pytest.raises(ValueError) as error:
        Seal.from_pretrained("nowhere", "nowhere", search="gided")
    assert all(name in str(error.value) for name in (*STRATEGIES, "none", "oracle"))
    with pytest.raises(ValueError, match="known: default, as_released"):
        Seal.from_pretrained("nowhere", "nowhere", protocol="released")
    with pytest.raises(ValueError, match="nowhere: no such model folder"):
        Seal.from_pretrained("nowhere", "nowhere")
    with pytest.raises(ValueError, match="search=guided needs a search model: give vsm"):
        Seal.from_pretrained("nowhere", None)
    with pytest.raises(ValueError, match="search=oracle needs known="):
        Seal.from_pretrained("nowhere", None, search="oracle")


def test_grayscale_and_transparent_pictures_are_shown_as_rgb():
    one = seal()
    for mode in ("L", "RGBA", "P"):
        answer = one.ask(picture().convert(mode), COLOR)
        assert answer.memory.image.mode == "RGB"


def test_several_final_wordings_are_answered_behind_one_search():
    one = seal()
    texts = [f"{COLOR}\n(A) red", f"{COLOR}\n(A) blue"]
    (answer,) = one.ask_many([Question(picture(), COLOR, final_texts=texts)])
    assert len(answer.texts) == 2 and answer.text == answer.texts[0]
    assert len(answer.searches) == 1
    asked = [m.question for batch in one.answer_model.generated for m in batch if m.targets]
    assert asked == texts
    with pytest.raises(ValueError, match="not both"):
        Question(picture(), COLOR, options=["a", "b"], final_texts=texts)


class Breaking(FakeSearchModel):
    """Raises for every query about the boat."""

    def detect(self, queries):
        if any(query.text == "boat" for query in queries):
            raise RuntimeError("out of order")
        return super().detect(queries)


def test_a_question_whose_search_fails_has_no_answer_and_the_others_have_theirs():
    answers = FakeAnswerModel(NEEDS, ANSWERS)
    one = Seal(answers, build_locator("guided", Breaking({"mug": [MUG]})))
    color, side = one.ask_many([Question(picture(), COLOR), Question(picture(), SIDE)])
    assert color.text == "red" and color.error is None
    assert (side.text, side.texts, side.option) == ("", [], None)
    assert side.error.startswith("RuntimeError: out of order\n")
    assert side.not_found == []  # nobody knows
    assert json.loads(json.dumps(side.to_dict()))["error"] == side.error
    assert "error" not in color.to_dict()
    with pytest.raises(RuntimeError, match="out of order"):
        one.ask(picture(), SIDE)
    mug, boat = one.locate_many([(picture(), "mug"), (picture(), "boat")])
    assert mug.found and mug.error is None
    assert not boat.found and boat.error == boat.error.strip()
    with pytest.raises(RuntimeError, match="out of order"):
        one.locate(picture(), "boat")


def test_the_original_decodes_all_of_a_cue_and_ours_begins_with_the_name():
    assert ProtocolConfig.named("as_released").cue_prefix == "free"
    assert ProtocolConfig.named("default").cue_prefix == "forced"
    # What folders of before do not say is not said where it is as it was.
    assert ProtocolConfig().settings() == {}
    assert ProtocolConfig.named("as_released").settings() == {"protocol_cue_prefix": "free"}
    with pytest.raises(ValueError, match="cue_prefix='loose' is none of forced, free"):
        ProtocolConfig(cue_prefix="loose")


def test_a_stream_of_requests_opens_images_when_their_turn_comes_and_forgets_them(tmp_path):
    for number in range(12):
        picture().save(tmp_path / f"{number}.png")
    opened = []

    def requests():
        for number in range(12):
            opened.append(number)
            yield tmp_path / f"{number}.png", "mug" if number % 3 else "boat"

    class Remembering(FakeSearchModel):
        forgotten = 0

        def forget(self, image):
            self.forgotten += 1

    model = Remembering({"mug": [MUG], "boat": [BOAT]})
    one = Seal(None, build_locator("guided", model, speed=SpeedConfig(concurrency=2)))
    seen = []
    for number, result in one.locate_stream(requests()):
        seen.append(number)
        assert result.target == ("mug" if number % 3 else "boat") and result.found
        assert len(opened) <= len(seen) + 2
    assert sorted(seen) == list(range(12))
    assert model.forgotten == 12
    alone = [one.locate(tmp_path / f"{n}.png", "mug" if n % 3 else "boat") for n in range(12)]
    many = one.locate_many([(tmp_path / f"{n}.png", "mug" if n % 3 else "boat") for n in range(12)])
    assert [result.boxes for result in many] == [result.boxes for result in alone]


def test_an_image_that_cannot_be_read_is_an_error_of_its_own_wherever_it_stands(tmp_path):
    whole, broken = tmp_path / "a.jpg", tmp_path / "b.jpg"
    picture().save(whole)
    broken.write_bytes(whole.read_bytes()[:700])  # its header is sound
    for asked in ("abaab", "b", "bab", "aabb"):
        requests = [(tmp_path / f"{name}.jpg", "mug") for name in asked]
        for locator in (seal().locator, OracleLocator(always(MUG))):
            results = Seal(None, locator).locate_many(requests)
            assert "".join("a" if result.found else "b" for result in results) == asked
            for name, result in zip(asked, results, strict=True):
                assert (result.error is None) == (name == "a")
    with pytest.raises(ValueError, match=r"b\.jpg"):
        seal().locate(broken, "mug")


def test_a_locator_that_takes_no_stream_is_given_windows(tmp_path):
    class Windows(OracleLocator):
        sizes = ()

        def locate(self, requests):
            self.sizes = (*self.sizes, len(requests))
            return super().locate(requests)

    locator, one, other = Windows(always(MUG)), picture(), picture()
    asked = [(one, "mug")] * 15 + [(other, "mug")] * 5 + [(one, "boat")]
    found = list(Seal(None, locator).locate_stream(asked))
    assert [number for number, _ in found] == list(range(21))
    assert [result.target for _, result in found][-2:] == ["mug", "boat"]
    assert locator.sizes == (20, 1)


def test_what_is_plainly_no_request_is_refused_before_anything_is_searched(tmp_path):
    one = seal()
    for requests, told in (
        ([(picture(), "mug"), picture()], "take pairs"),
        ([(picture(), "mug"), (tmp_path / "none.png", "mug")], "none.png"),
        ([(picture(), "mug"), (picture(), " ")], "target"),
    ):
        with pytest.raises(ValueError, match=told):
            one.locate_many(requests)
    assert one.locator.model.batches == []
