"""Many pictures in windows: the same answers, few pictures open at a time, errors of one alone."""

from __future__ import annotations

import gc
import shutil
import weakref

import numpy as np
import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import Question, Seal, locating
from seal.pipeline import pictures as pictures_module
from seal.pipeline import windows as windows_module
from seal.pipeline.windows import windows
from seal.search.oracle import OracleLocator
from seal.search.speed import SpeedConfig

MUG, COLOR = Box(500, 400, 540, 430), "What color is the mug?"
SIZE = (640, 480)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(30):
        Image.new("RGB", SIZE, (i, 0, 200)).save(folder / f"{i:02d}.png")
    return folder


@pytest.fixture
def paths(photos, tmp_path):
    return sorted(shutil.copytree(photos, tmp_path / "own").iterdir())


@pytest.fixture
def opened(monkeypatch):
    """The most pictures that were in memory at a time, and how many were opened."""
    return Opened(monkeypatch)


class Opened:
    def __init__(self, monkeypatch):
        self.alive = weakref.WeakValueDictionary()  # by number: an image has no hash
        self.most = self.count = 0
        open_image = pictures_module.open_image

        def counted(path):
            image = open_image(path)
            self.alive[self.count] = image
            self.count += 1
            self.most = max(self.most, len(self.alive))
            return image

        monkeypatch.setattr(pictures_module, "open_image", counted)


class Forgetting(FakeSearchModel):
    """Keeps what it was asked about, as a cache does, until it is told to forget."""

    def __init__(self):
        super().__init__({"mug": [MUG]})
        self.kept = {}

    def detect(self, queries):
        self.kept |= {id(query.patch.image): query.patch.image for query in queries}
        return super().detect(queries)

    def forget(self, image):
        self.kept.pop(id(image), None)


class Numbers(list):
    """Of what was asked, only how much it was: memories hold pictures."""

    def append(self, memories):
        super().append(len(memories))


def seal(model=None, concurrency=3):
    model = model or Forgetting()
    answers = FakeAnswerModel({COLOR: ["mug"]}, {COLOR: "red"})
    answers.generated = Numbers()
    speed = SpeedConfig(concurrency=concurrency)
    return Seal(answers, build_locator("guided", model, speed=speed))


def seen(result):
    return result.found, result.boxes, [node.box for node in result.path], result.image_size


def test_windows_hold_what_they_may_and_as_much_as_they_can():
    rng = np.random.default_rng(0)
    for _ in range(50):
        pixels = [int(x) for x in rng.integers(0, 30, rng.integers(0, 20))]
        parts = list(windows(pixels, 40))
        assert [place for part in parts for place in part] == list(range(len(pixels)))
        held = [sum(pixels[place] for place in part) for part in parts]
        assert all(total <= 40 for total in held)
        for part, before in zip(parts[1:], held, strict=False):
            assert before + pixels[part[0]] > 40
    assert list(windows([99, 1, 99], 40)) == [range(0, 1), range(1, 2), range(2, 3)]


def test_locate_many_opens_a_picture_when_its_turn_comes(paths, opened):
    model = Forgetting()
    results = seal(model).locate_many([(path, "mug") for path in paths])
    assert opened.count == len(paths) and opened.most <= 3 + 2  # at it, next, and the one opened
    gc.collect()
    assert not opened.alive and not model.kept
    whole = seal().locate_many([(Image.open(path), "mug") for path in paths])
    assert list(map(seen, results)) == list(map(seen, whole))
    assert all(result.found for result in results)


def test_targets_of_one_path_share_its_picture(paths, opened):
    requests = [(path, name) for path in paths[:4] for name in ("mug", "boat", "mug")]
    results = seal().locate_many(requests)
    assert opened.count == 4
    assert [result.target for result in results] == ["mug", "boat", "mug"] * 4


def test_a_locator_that_takes_all_at_once_is_given_windows(paths, opened, monkeypatch):
    monkeypatch.setattr(locating, "WINDOW", 5)
    one = Seal(None, OracleLocator(lambda image, name: [MUG]))
    results = one.locate_many([(path, "mug") for path in paths])
    assert opened.count == len(paths) and opened.most <= 5 + 2
    assert all(result.boxes == [MUG] for result in results)


def test_a_picture_that_turns_out_damaged_is_the_error_of_what_is_asked_about_it(paths):
    content = paths[4].read_bytes()
    paths[4].write_bytes(content[: len(content) // 2])  # its header is sound
    results = seal().locate_many([(path, "mug") for path in paths])
    assert [i for i, result in enumerate(results) if not result.found] == [4]
    assert "04.png: the image is damaged" in results[4].error.splitlines()[0]
    assert (results[4].target, results[4].path) == ("mug", [])
    answers = seal().ask_many([Question(path, COLOR) for path in paths[3:6]])
    assert [answer.text for answer in answers] == ["red", "", "red"]
    assert "04.png" in answers[1].error and answers[1].to_dict()["error"] == answers[1].error
    with pytest.raises(ValueError, match=r"04\.png: the image is damaged"):
        seal().locate(paths[4], "mug")


def test_what_is_no_picture_is_refused_before_anything_is_searched(paths):
    paths[4].write_bytes(b"nothing")
    model = Forgetting()
    one = seal(model)
    with pytest.raises(ValueError, match=r"04\.png: not an image"):
        one.locate_many([(path, "mug") for path in paths])
    with pytest.raises(ValueError, match=r"04\.png: not an image"):
        one.ask_many([Question(path, COLOR) for path in paths])
    assert model.batches == [] and one.answer_model.generated == []


def test_many_questions_are_answered_in_windows_as_all_at_once(paths, opened, monkeypatch):
    questions = [Question(path, COLOR) for path in paths]
    whole = seal().ask_many(questions)
    assert opened.most == len(paths)
    assert all(answer.memory.image.size == SIZE for answer in whole)
    told = [(a.text, a.missing, a.memory.targets, [seen(r) for r in a.searches]) for a in whole]
    del whole
    gc.collect()
    opened.most = 0
    monkeypatch.setattr(windows_module, "QUESTIONS_PIXELS", 4 * SIZE[0] * SIZE[1])
    given = Image.open(paths[-1]).convert("RGB")
    answers = seal().ask_many([*questions[:-1], Question(given, COLOR)])
    assert opened.most <= 4
    assert told == [
        (a.text, a.missing, a.memory.targets, [seen(r) for r in a.searches]) for a in answers
    ]
    assert [a.memory.image for a in answers] == [None] * (len(paths) - 1) + [given]
