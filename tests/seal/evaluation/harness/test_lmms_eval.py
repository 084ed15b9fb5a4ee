"""SEAL behind lmms-eval: requests become questions, answers come back in order and are told of."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import EntryPoint

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from lmms_eval_stand_in import lmms_eval_or_stand_in
from PIL import Image

from seal.evaluation.harness.arguments import HarnessArguments
from seal.evaluation.shards import Shard
from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import Seal
from seal.search.config import SearchConfig

REQUEST = "Answer with the option's letter from the given choices directly."
COLOR = f"What color is the mug?\nA. red\nB. blue\n{REQUEST}"
GREEDY = {"max_new_tokens": 16, "temperature": 0, "do_sample": False}


@pytest.fixture
def plugin(monkeypatch):
    lmms_eval_or_stand_in(monkeypatch)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    return importlib.import_module("seal.evaluation.harness.lmms_eval")


@pytest.fixture
def answers():
    return FakeAnswerModel(
        needs={"What color is the mug?": ["mug"]},
        answers={COLOR: "B. blue\nbecause", "What color is the mug?": "blue", "Why?": "So."},
    )


@pytest.fixture
def load(monkeypatch, answers):
    """`Seal` of fakes, in place of what arguments name."""

    def build(arguments: HarnessArguments, shard: Shard) -> Seal:
        search = FakeSearchModel({"mug": [Box(40, 40, 50, 50)]})
        return Seal(answers, build_locator("guided", search, SearchConfig(min_size=16)))

    monkeypatch.setattr(HarnessArguments, "load", build)


def made(plugin, cls, docs, **arguments):
    model = getattr(plugin, cls)(vqa="fake", **arguments)
    model.task_dict = {"t": {"test": docs}}
    return model


def instance(plugin, doc_id, *arguments, kind="generate_until"):
    known = {"task": "t", "doc_id": doc_id, "repeats": 1}
    return plugin.Instance(kind, (*arguments, doc_id, "t", "test"), 0, known)


def messages(doc):
    return [
        {
            "role": "user",
            "content": [
                *({"type": "image", "url": image} for image in doc["images"]),
                {"type": "text", "text": doc["text"]},
            ],
        }
    ]


def picture(color="white"):
    return Image.new("RGB", (64, 64), color)


def test_answers_come_in_the_order_of_the_requests_and_searches_serve_them(plugin, load, answers):
    docs = [
        {"images": [picture()], "text": COLOR},
        {"images": [], "text": "Why?"},
        {"images": [picture("gray")], "text": COLOR},
    ]
    model = made(plugin, "SealChat", docs, batch_size=2)
    asked = [instance(plugin, i, "ctx", messages, dict(GREEDY)) for i in (2, 1, 0)]
    said = model.generate_until(asked)
    assert [one.text for one in said] == ["B. blue\nbecause", "So.", "B. blue\nbecause"]
    assert [one.token_counts.output_tokens > 0 for one in said] == [True, True, True]
    # The first answer, which says what is missing, is given to the question without its options.
    first = {memory.question for memory in answers.generated[0]}
    assert first == {"What color is the mug?"}
    last = answers.generated[-1][-1]
    assert last.question == COLOR and last.targets[0].boxes


def test_an_answer_ends_where_the_task_says(plugin, load):
    model = made(plugin, "SealChat", [{"images": [], "text": COLOR}])
    (said,) = model.generate_until([instance(plugin, 0, "", messages, GREEDY | {"until": ["\n"]})])
    assert said.text == "B. blue"


def test_a_repeated_request_is_answered_once(plugin, load, answers):
    model = made(plugin, "SealChat", [{"images": [], "text": "Why?"}], batch_size=4)
    said = model.generate_until([instance(plugin, 0, "", messages, {}) for _ in range(3)])
    assert [one.text for one in said] == ["So."] * 3
    assert sum(map(len, answers.generated)) == 1


def test_what_cannot_be_asked_names_its_task_and_document(plugin, load, tmp_path):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8 torn")
    docs = [
        {"images": [picture(), picture()], "text": "Why?"},
        {"images": [str(tmp_path / "torn.jpg")], "text": "Why?"},
    ]
    model = made(plugin, "SealChat", docs)
    for doc_id, told in ((0, "looks at one picture"), (1, "torn.jpg")):
        with pytest.raises(ValueError, match=f"^task t, document {doc_id}: .*{told}"):
            model.generate_until([instance(plugin, doc_id, "", messages, {})])


def test_searches_and_costs_are_told_in_a_file_of_their_own(plugin, load, tmp_path):
    docs = [{"images": [picture()], "text": COLOR}]
    log = tmp_path / "runs" / "answers.jsonl"
    model = made(plugin, "SealChat", docs, log=str(log))
    model.generate_until([instance(plugin, 0, "", messages, dict(GREEDY))])
    (line,) = map(json.loads, log.read_text().splitlines())
    assert (line["task"], line["doc_id"]) == ("t", 0)
    assert line["answer"]["searches"][0]["target"] == "mug"
    assert line["answer"]["cost"]["answer_model"]["pixels"] > 0


def test_each_of_several_processes_writes_a_file_of_its_own(plugin, load, tmp_path, monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    made(plugin, "SealChat", [], log=str(tmp_path / "answers.jsonl"), device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["answers.rank1.jsonl"]


def visual(doc):
    return doc["images"]


def options(plugin, doc_id, context, *words):
    return [
        instance(plugin, doc_id, context, f" {word}", visual, kind="loglikelihood")
        for word in words
    ]


def test_options_are_one_question_and_each_gets_its_loss(plugin, load, answers):
    docs = [{"images": [picture()]}, {"images": [picture("gray")]}]
    model = made(plugin, "SealSimple", docs, batch_size=2)
    context = "What color is the mug?\nAnswer:"
    asked = [
        *options(plugin, 0, context, "red", "blue"),
        *options(plugin, 1, context, "blue", "red", "blue"),
    ]
    found = [result.text for result in model.loglikelihood(asked)]
    assert found == [(loss, False) for loss in (1.0, 0.1, 0.1, 1.0, 0.1)]
    scored = [(memory.question, words) for batch in answers.scored for memory, words in batch]
    assert scored == [
        ("What color is the mug?", ("red", "blue")),
        ("What color is the mug?", ("blue", "red")),
    ]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_refused_where_a_harness_would_choose_by_it(
    plugin, load, answers, monkeypatch, loss
):
    monkeypatch.setattr(answers, "loss", lambda memory, option: loss)
    model = made(plugin, "SealSimple", [{"images": [picture()]}])
    with pytest.raises(ValueError, match=r"document 0: losses .* are not all finite"):
        model.loglikelihood(options(plugin, 0, "What color is the mug?", "red", "blue"))


def test_a_text_alone_has_no_likelihood(plugin, load):
    model = made(plugin, "SealSimple", [{"images": []}])
    with pytest.raises(ValueError, match="document 0: there are no two options"):
        model.loglikelihood(options(plugin, 0, "Why?", "So."))
    unconditional = plugin.Instance(
        "loglikelihood", ("", "So."), 0, {"task": "t", "doc_id": 0, "repeats": 1}
    )
    with pytest.raises(ValueError, match="which of several options is likelier"):
        model.loglikelihood([unconditional])


def test_simple_requests_generate_as_well(plugin, load):
    model = made(plugin, "SealSimple", [{"images": [picture()]}])
    (said,) = model.generate_until([instance(plugin, 0, COLOR, dict(GREEDY), visual)])
    assert said.text == "B. blue\nbecause"


def test_the_entry_point_is_a_manifest_of_classes_that_are_there(plugin):
    group = "lmms_eval.models"
    found = EntryPoint("seal", "seal.evaluation.harness.manifest:manifest", group).load()()
    assert (found.model_id, found.aliases) == ("seal", ("vstar",))
    for path, simple in ((found.chat_class_path, False), (found.simple_class_path, True)):
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name).is_simple is simple
