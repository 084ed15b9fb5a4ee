"""Questions of many askers: answered as alone, in shared batches, each failing alone."""

from __future__ import annotations

import io
import random
import threading
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace

import pytest
from fakes import FakeAnswerModel, FakeSearchModel
from PIL import Image

from seal.geometry import Box
from seal.inference.build_locator import build_locator
from seal.pipeline import Question, Seal
from seal.pipeline.ask_queue import QueueFullError
from seal.pipeline.events import Planned, Searched, Visited
from seal.search.config import SearchConfig
from seal.search.oracle import always

MUG, BOAT = Box(40, 60, 60, 76), Box(300, 210, 324, 230)
COLOR, SIDE, SKY = "What color is the mug?", "Is the mug left of the boat?", "Is it day?"
NEEDS = {COLOR: ["mug"], SIDE: ["mug", "boat"]}
ANSWERS = {COLOR: "red", SIDE: "yes", SKY: "Yes."}


class Answers(FakeAnswerModel):
    """Waits at its first batch until it is let go, and refuses what it is told to."""

    def __init__(self, held=False, refused=()):
        super().__init__(NEEDS, ANSWERS)
        self.at_it, self.go, self.refused = threading.Event(), threading.Event(), refused
        if not held:
            self.go.set()

    def generate(self, requests, *, max_new_tokens=200):
        self.at_it.set()
        assert self.go.wait(20)
        for memory in requests:
            if memory.question in self.refused:
                raise ValueError(f"not this one: {memory.question}")
        return super().generate(requests, max_new_tokens=max_new_tokens)


def seal(search="guided", held=False, refused=(), **numbers):
    answers = Answers(held, refused)
    finder = FakeSearchModel({"mug": [MUG], "boat": [BOAT]})
    locator = build_locator(search, finder, SearchConfig(**numbers), known=always(MUG))
    return Seal(answers, locator)


def picture():
    return Image.new("RGB", (640, 480), (90, 120, 60))


def told(answer):
    trace = answer.to_dict()
    del trace["cost"]["seconds"]
    for search in trace["searches"]:
        search.pop("seconds", None)
    return trace


@pytest.mark.parametrize("search", ["guided", "oracle", "none", "sequential_bfs", "shared"])
def test_each_answer_is_what_it_is_alone_with_its_cost(search):
    numbers = {"shared_tree": True} if search == "shared" else {}
    search = "guided" if search == "shared" else search
    asked = [Question(picture(), text) for text in (COLOR, SIDE, SKY, SIDE, COLOR) * 8]
    asked += [Question(picture(), COLOR, ["red", "blue"]), Question(None, SKY)]
    alone = [seal(search, **numbers).ask_many([question])[0] for question in asked]
    one = seal(search, held=True, **numbers)
    with one.queue() as queue:
        tickets = [queue.submit(question) for question in asked]
        # All are there, with their pictures, before the first batch is answered.
        while len(queue._opened) + len(queue._rounds.jobs) < len(asked):
            time.sleep(0.005)
        one.answer_model.go.set()
        assert [told(ticket.result(20)) for ticket in tickets] == list(map(told, alone))
    assert len(one.answer_model.generated) < len(asked) / 4  # in shared batches
    assert (queue.num_waiting, queue.num_running) == (0, 0)


def test_searches_alone_share_the_queue():
    one = seal(held=True)
    with one.queue() as queue:
        asked = queue.submit(Question(picture(), COLOR))
        assert one.answer_model.at_it.wait(20)
        tickets = [queue.locate(picture(), name) for name in ("mug", "boat", "mug")]
        one.answer_model.go.set()
        found = [ticket.result(20) for ticket in tickets]
        assert asked.result(20).text == "red"
    assert found[1].boxes == seal().locate(picture(), "boat").boxes
    assert max(size for _, size in one.locator.model.batches) >= 3


def test_events_are_those_of_asking_alone():
    def plain(event):
        match event:
            case Planned(plan):
                return "planned", plan.targets
            case Visited(target, place, number, node):
                return target, place, number, node.box
            case Searched(place, result):
                return place, result.boxes

    alone, together, other = [], [], []
    seal().ask(picture(), SIDE, on_event=lambda e: alone.append(plain(e)))
    with seal().queue() as queue:
        first = queue.submit(
            Question(picture(), SIDE), on_event=lambda e: together.append(plain(e))
        )
        queue.submit(Question(picture(), COLOR), on_event=lambda e: other.append(plain(e)))
        first.result(20)
    assert together == alone and other[0] == ("planned", ("mug",))


def test_a_question_that_fails_fails_alone():
    one = seal(held=True, refused={SKY})
    with one.queue() as queue:
        tickets = [queue.submit(Question(picture(), text)) for text in (COLOR, SKY, SIDE, SKY)]
        damaged = queue.submit(Question(_half_a_png(), COLOR))
        one.answer_model.go.set()
        assert [tickets[i].result(20).text for i in (0, 2)] == ["red", "yes"]
        for i in (1, 3):
            with pytest.raises(ValueError, match="not this one"):
                tickets[i].result(20)
        with pytest.raises(ValueError, match="damaged"):
            damaged.result(20)


def test_what_an_event_raises_fails_its_question_alone():
    def stop(event):
        if isinstance(event, Visited):
            raise InterruptedError("enough")

    with seal().queue() as queue:
        stopped = queue.submit(Question(picture(), SIDE), on_event=stop)
        other = queue.submit(Question(picture(), SIDE))
        with pytest.raises(InterruptedError, match="enough"):
            stopped.result(20)
        assert other.result(20).text == "yes"


def test_what_is_called_at_the_end_breaks_nothing(capsys):
    def broken(ticket):
        raise ZeroDivisionError(ticket.what)

    with seal().queue() as queue:
        tickets = [queue.submit(Question(picture(), COLOR)) for _ in range(3)]
        for ticket in tickets:
            ticket.when_done(broken)
        assert [ticket.result(20).text for ticket in tickets] == ["red"] * 3
        assert queue.submit(Question(picture(), SIDE)).result(20).text == "yes"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_who_cancels_while_the_picture_is_opened_takes_it_from_nobody_else(monkeypatch):
    image, opened, go = picture(), threading.Event(), threading.Event()
    one = seal(held=True)
    with one.queue() as queue:
        first = queue.submit(Question(image, COLOR))
        assert one.answer_model.at_it.wait(20)

        def slowly(question, **changes):
            opened.set()
            assert go.wait(20)
            return replace(question, **changes)

        monkeypatch.setattr("seal.pipeline.ask_queue.replace", slowly)
        second = queue.submit(Question(image, COLOR))
        assert opened.wait(20) and second.cancel()
        one.answer_model.go.set()
        assert first.result(20).text == "red"
        go.set()
        assert queue.submit(Question(image, COLOR)).result(20).text == "red"
    assert not queue.broken and image not in queue._images


def test_nothing_hangs_however_questions_are_cancelled():
    chance, images = random.Random(16), [picture() for _ in range(4)]
    with seal().queue(concurrency=5) as queue:
        tickets = []
        for number in range(300):
            question = Question(chance.choice(images), chance.choice((COLOR, SIDE, SKY)))
            tickets.append(queue.submit(question, priority=chance.randrange(3)))
            if number % 2:
                chance.choice(tickets).cancel()
        for ticket in tickets:
            with suppress(CancelledError):
                assert ticket.result(20).text in ANSWERS.values()
    assert not queue.broken and not queue._images.num_pixels


def test_the_highest_priority_goes_first_and_of_one_the_oldest():
    one, order = seal(held=True), []
    with one.queue(concurrency=1) as queue:
        queue.submit(Question(picture(), SKY))
        assert one.answer_model.at_it.wait(20)
        for name, priority in (("low", -1), ("first", 0), ("second", 0), ("high", 2.5)):
            ticket = queue.submit(Question(picture(), SKY), priority)
            ticket.when_done(lambda _, name=name: order.append(name))
        assert (queue.num_waiting, queue.num_running) == (4, 1)
        one.answer_model.go.set()
    assert order == ["high", "first", "second", "low"]


def test_a_full_queue_refuses_and_a_cancelled_question_frees_its_place():
    one = seal(held=True)
    with one.queue(max_waiting=1, concurrency=1) as queue:
        running = queue.submit(Question(picture(), COLOR))
        assert one.answer_model.at_it.wait(20)
        waiting = queue.submit(Question(picture(), SKY))
        with pytest.raises(QueueFullError, match="max_waiting=1"):
            queue.submit(Question(picture(), SKY))
        assert waiting.cancel() and not waiting.cancel()
        after = queue.submit(Question(picture(), SKY))
        assert running.cancel()
        for ticket in (waiting, running):
            with pytest.raises(CancelledError, match="was cancelled"):
                ticket.result(20)
        with pytest.raises(TimeoutError, match="wait longer"):
            after.result(0.01)
        one.answer_model.go.set()
        assert after.result(20).text == "Yes."
    assert one.locator.model.batches == []  # nobody searched for what was given up


def test_a_closed_queue_finishes_what_it_has_or_cancels_it():
    one = seal(held=True)
    queue = one.queue()
    ticket = queue.submit(Question(picture(), SIDE))
    assert one.answer_model.at_it.wait(20)
    threading.Timer(0.05, one.answer_model.go.set).start()
    queue.close()
    assert ticket.done and ticket.result().text == "yes"
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(Question(picture(), SIDE))
    one = seal(held=True)
    queue = one.queue()
    ticket = queue.submit(Question(picture(), SIDE))
    threading.Timer(0.05, one.answer_model.go.set).start()
    queue.close(drain=False)
    with pytest.raises(CancelledError):
        ticket.result(0)


def test_what_breaks_the_thread_is_told_to_everyone():
    class Broken(BaseException):
        pass

    def breaks(requests, **_):
        raise Broken("no more")

    one = seal()
    one.answer_model.generate = breaks
    queue = one.queue()
    excepthook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        ticket = queue.submit(Question(picture(), SIDE))
        with pytest.raises(RuntimeError, match="broke down"):
            ticket.result(20)
    finally:
        queue._thread.join(20)
        threading.excepthook = excepthook
    assert queue.broken
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(Question(picture(), SIDE))


@pytest.mark.parametrize(
    ("submit", "told"),
    [
        (lambda q: q.submit("what?"), "takes Questions"),
        (lambda q: q.submit(Question("no/such.png", SKY)), "does not exist"),
        (lambda q: q.submit(Question(None, "<image> what?")), "a mark"),
        (lambda q: q.submit(Question(None, SKY), priority=float("nan")), "no number"),
        (lambda q: q.locate(picture(), ""), "empty"),
    ],
)
def test_what_is_wrong_is_told_to_who_submits(submit, told):
    with seal().queue() as queue, pytest.raises(ValueError, match=told):
        submit(queue)


def test_pictures_are_forgotten_when_nobody_asks_about_them_any_more():
    one, forgotten = seal(), []
    one.answer_model.forget = forgotten.append
    shown = picture()
    with one.queue() as queue:
        for ticket in [queue.submit(Question(shown, text)) for text in (COLOR, SKY, SIDE)]:
            ticket.result(20)
    assert forgotten and all(image is shown for image in forgotten)


def _half_a_png():
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return file.getvalue()[: len(file.getvalue()) // 2]
