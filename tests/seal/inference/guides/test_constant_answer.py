"""What detections take for granted is checked once for a checkpoint, and told with every result."""

from __future__ import annotations

import json
import os

import pytest
from PIL import Image
from tiny_models import noise, tokenizer, vsm_model

from seal.geometry import Box
from seal.inference.guides.constant_answer import ConstantAnswer
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.search.driver import SearchLocator
from seal.search.guided import GuidedSearch
from seal.search.locator import LocateRequest
from seal.search.protocol import Patch, Query

QUERY = Query("detect", Patch(Image.new("1", (8, 8)), Box(0, 0, 8, 8)), "boat")
GOOD, BAD = {"constant": True, "said": None}, {"constant": False, "said": "I can not."}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "vsm"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


class Asked:
    """A model that says one thing, and how often it was asked."""

    def __init__(self, said=None):
        self.said, self.count = said, 0

    def __call__(self, query):
        assert query is QUERY
        self.count += 1
        return self.said


def test_a_checkpoint_is_asked_once(folder):
    model, told = Asked(), []
    for _ in range(3):
        check = ConstantAnswer(folder, tell=told.append)
        assert check.outcome is None
        assert check.once(model, QUERY) == check.once(model, QUERY) == check.outcome == GOOD
    assert model.count == 1
    assert told == ["checked once: the search model says 'Sure, [LOC].', as it should"]


def test_whoever_uses_a_bad_one_is_told_each_time_and_asks_no_more(folder):
    model, told = Asked("I can not."), []
    for _ in range(2):
        assert ConstantAnswer(folder, tell=told.append).once(model, QUERY) == BAD
    assert model.count == 1
    assert len(told) == 2 and all("says 'I can not.', not 'Sure, [LOC].'" in line for line in told)


def test_the_same_checkpoint_elsewhere_is_the_same_and_other_weights_are_not(folder, tmp_path):
    model = Asked()
    ConstantAnswer(folder).once(model, QUERY)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "model.safetensors").write_bytes(b"weights")
    ConstantAnswer(copy).once(model, QUERY)
    assert model.count == 1
    ConstantAnswer(copy, precision="bfloat16").once(model, QUERY)
    assert model.count == 2
    (copy / "model.safetensors").write_bytes(b"trained on")
    ConstantAnswer(copy).once(model, QUERY)
    assert model.count == 3


def test_a_checkpoint_is_read_again_only_once_it_was_touched(folder, monkeypatch):
    from seal.inference.guides import constant_answer

    read, fingerprint = [], constant_answer.fingerprint

    def reading(folder):
        read.append(folder)
        return fingerprint(folder)

    monkeypatch.setattr(constant_answer, "fingerprint", reading)
    model = Asked()
    for _ in range(3):
        ConstantAnswer(folder).once(model, QUERY)
    assert len(read) == 1
    os.utime(folder / "model.safetensors", (1, 1))
    ConstantAnswer(folder).once(model, QUERY)
    assert (len(read), model.count) == (2, 1)  # the same bytes


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"constant": true}', '{"constant": true, "said": "no"}',
     '{"constant": "yes", "said": null}', '{"constant": false, "said": 3}'],
)  # fmt: skip
def test_a_damaged_cache_is_asked_anew_and_mended(folder, tmp_path, content):
    model = Asked()
    ConstantAnswer(folder).once(model, QUERY)
    kept = list((tmp_path / "cache" / "constant_answer").iterdir())
    assert len(kept) == 2
    for path in kept:
        path.write_text(content, encoding="utf-8")
    assert ConstantAnswer(folder).once(model, QUERY) == GOOD
    assert model.count == 2
    assert ConstantAnswer(folder).once(model, QUERY) == GOOD
    assert model.count == 2
    assert all(json.loads(path.read_text(encoding="utf-8")) for path in kept)


def test_where_nothing_can_be_kept_the_search_goes_on(folder, tmp_path):
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    model = Asked()
    for _ in range(2):
        assert ConstantAnswer(folder).once(model, QUERY) == GOOD
    assert model.count == 2


def test_a_model_of_no_folder_is_asked_once_an_object(folder, tmp_path):
    model = Asked("no")
    check = ConstantAnswer()
    assert check.once(model, QUERY) == check.once(model, QUERY)
    ConstantAnswer().once(model, QUERY)
    assert model.count == 2
    assert not (tmp_path / "cache").exists()


def test_it_is_checked_at_the_first_search_and_told_with_every_result():
    told = []
    model = NetworkSearchModel(vsm_model(), tokenizer())
    model.check_answer_once(tell=told.append)
    assert told == [] and "locate_answer" not in model.settings()  # nothing was searched yet
    plain = NetworkSearchModel(vsm_model(), tokenizer())
    requests = [LocateRequest(noise(), "boat"), LocateRequest(noise(), "mug")]
    results = SearchLocator(GuidedSearch(), model).locate(requests)
    assert len(told) == 1
    assert all(not result.guide["locate_answer"]["constant"] for result in results)
    for one, other in zip(
        results, SearchLocator(GuidedSearch(), plain).locate(requests), strict=True
    ):
        assert [node.box for node in one.path] == [node.box for node in other.path]
        assert "locate_answer" not in other.guide
