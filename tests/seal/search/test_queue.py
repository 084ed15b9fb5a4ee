"""Continuous batching: whatever comes when, each search is what it would be alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import CancelledError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from programs_here import ROOT
from random_search import RandomModel, visits

from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.locator import LocateRequest
from seal.search.lockstep import MAX_WAIT
from seal.search.queue import QueueFullError, SearchQueue
from seal.search.speed import SpeedConfig
from seal.search.strategies import build_strategy

CONFIG = SearchConfig(min_size=80, min_size_scale=16)
SIZES = [(640, 480), (300, 220), (500, 200), (96, 320), (40, 40), (641, 479)]
images = [Image.new("RGB", size) for size in SIZES]
GUIDED = build_strategy("guided", CONFIG)
SEED, CONFIDENCE = 3, 0.45


class Remembering(RandomModel):
    """Keeps the images it was asked about until they are forgotten."""

    def __init__(self, seed=SEED, confidence=CONFIDENCE):
        super().__init__(seed, confidence)
        self.known, self.forgotten = set(), []

    def detect(self, queries):
        self.known |= {id(query.patch.image) for query in queries}
        return super().detect(queries)

    def forget(self, image):
        self.known.discard(id(image))
        self.forgotten.append(id(image))


class Gated(Remembering):
    """Answers its first batch once it is let."""

    def __init__(self, **options):
        super().__init__(**options)
        self.reached, self.let = threading.Event(), threading.Event()

    def detect(self, queries):
        self.reached.set()
        assert self.let.wait(20)
        return super().detect(queries)


def request(number, target="mug"):
    return LocateRequest(images[number], target)


def stepped(model=None, **options):
    speed = SpeedConfig(concurrency=options.pop("concurrency", 2), lookahead=2)
    return SearchQueue(GUIDED, model or Remembering(), speed=speed, start=False, **options)


@pytest.fixture(scope="module")
def alone():
    model = RandomModel(SEED, CONFIDENCE)
    return [visits(run_searches([GUIDED.explore(i, "mug")], model)[0]) for i in images]


@given(data=st.data(), concurrency=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_any_interleaving_gives_what_each_search_gives_alone(alone, data, concurrency):
    model = Remembering()
    queue = stepped(model, concurrency=concurrency)
    tickets, cancelled = [], set()
    for action in data.draw(st.lists(st.sampled_from(["submit", "step", "cancel"]), max_size=24)):
        if action == "submit":
            number = data.draw(st.integers(0, 5))
            tickets.append((number, queue.submit(request(number), data.draw(st.integers(0, 2)))))
        elif action == "step":
            queue.step()
        elif tickets:
            _, ticket = tickets[data.draw(st.integers(0, len(tickets) - 1))]
            if ticket.cancel():
                cancelled.add(ticket.number)
        assert queue.num_searching <= concurrency + len(cancelled)
    queue.close()
    for number, ticket in tickets:
        if ticket.number in cancelled:
            with pytest.raises(CancelledError):
                ticket.result(0)
        else:
            assert visits(ticket.result(0)) == alone[number]
    assert not model.known  # every image was forgotten with its last search


def test_a_higher_priority_goes_first_and_within_one_the_older():
    done = []
    queue = stepped(concurrency=1)
    asked = [(0, 0), (1, 1), (2, 0), (3, 2), (4, 1)]
    tickets = [queue.submit(request(number), priority) for number, priority in asked]
    while len(done) < len(tickets):
        queue.step()
        done += [t.number for t in tickets if t.done and t.number not in done]
    assert done == [3, 1, 4, 0, 2]


def test_a_slow_search_holds_up_no_batch():
    model = RandomModel(SEED, 0.2)
    queue = stepped(model, concurrency=3)
    slow = queue.submit(request(0))
    for _ in range(4):
        queue.step()
    quick = queue.submit(request(4))  # one region
    steps = 0
    while not quick.done:
        queue.step()
        steps += 1
    assert steps <= MAX_WAIT + 1  # it asks once
    assert not slow.done


def test_a_cancelled_search_frees_its_place_and_its_image():
    model = Remembering(confidence=0.2)
    queue = stepped(model, concurrency=1)
    first, second, third = (queue.submit(request(number)) for number in (0, 1, 2))
    queue.step()
    assert (first.state, second.state) == ("searching", "waiting")
    assert first.cancel() and not first.cancel() and first.done
    assert third.cancel() and third.state == "cancelled"
    queue.step()
    assert second.state == "searching"
    assert id(images[0]) in model.forgotten
    with pytest.raises(CancelledError, match="mug"):
        first.result(0)


def test_an_image_is_kept_while_another_search_needs_it():
    model = Remembering(confidence=0.2)
    queue = stepped(model, concurrency=2)
    mug, cat = queue.submit(request(0)), queue.submit(request(0, "cat"))
    queue.step()
    mug.cancel()
    queue.step()
    assert not model.forgotten
    queue.close()
    assert model.forgotten == [id(images[0])]
    assert cat.result(0).target == "cat"


def test_visits_are_told_in_order_while_the_search_goes_on():
    told = {}
    queue = stepped(
        on_visit=lambda ticket, node: told.setdefault(ticket.number, []).append((node, ticket.done))
    )
    tickets = [queue.submit(request(number)) for number in range(3)]
    queue.close()
    for ticket in tickets:
        nodes = [node for node, _ in told[ticket.number]]
        assert nodes == ticket.result(0).path
        assert not any(done for _, done in told[ticket.number])


def test_what_watches_a_search_and_raises_fails_that_search_alone(alone):
    def watch(ticket, node):
        if ticket.number == 1:
            raise RuntimeError("the page is gone")

    queue = stepped(on_visit=watch)
    tickets = [queue.submit(request(number)) for number in range(3)]
    queue.close()
    assert tickets[1].result(0).error.startswith("RuntimeError: the page is gone\n")
    assert [visits(tickets[i].result(0)) for i in (0, 2)] == [alone[0], alone[2]]


class Picky:
    """Refuses some targets before it begins."""

    name, needs = "picky", GUIDED.needs

    def explore(self, image, target, question="", num_targets=1):
        if target == "nothing":
            raise ValueError("nothing is no target")
        return GUIDED.explore(image, target)


@pytest.mark.parametrize("start", [False, True])
def test_what_a_strategy_refuses_fails_alone_and_nobody_waits_for_it(alone, start):
    with SearchQueue(Picky(), Remembering(), start=start) as queue:
        tickets = [queue.submit(request(0, target)) for target in ("mug", "nothing", "mug")]
        queue.close()
        refused = tickets[1].result(5)
        assert refused.error.startswith("ValueError: nothing is no target\n")
        assert (refused.target, refused.strategy) == ("nothing", "picky")
        assert [visits(tickets[i].result(5)) for i in (0, 2)] == [alone[0]] * 2


def test_more_than_may_wait_are_refused_in_one_line():
    queue = stepped(max_waiting=2)
    for number in (0, 1):
        queue.submit(request(number))
    with pytest.raises(QueueFullError, match=r"2 searches wait already \(max_waiting=2\)"):
        queue.submit(request(2))
    queue.step()
    queue.submit(request(2))  # places were taken, so there is room to wait
    with pytest.raises(ValueError, match="max_waiting=0"):
        stepped(max_waiting=0)


def test_threads_submit_to_one_queue_and_each_gets_its_own(alone):
    got = {}
    with SearchQueue(GUIDED, Remembering(), speed=SpeedConfig(concurrency=3)) as queue:

        def ask(thread):
            for number in range(6):
                result = queue.submit(request((number + thread) % 6)).result(20)
                got[thread, (number + thread) % 6] = visits(result)

        threads = [threading.Thread(target=ask, args=(thread,)) for thread in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert got == {(thread, number): alone[number] for thread in range(3) for number in range(6)}
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(request(0))


def test_searches_that_come_during_a_batch_join_the_next():
    model = Gated(confidence=0.2)
    with SearchQueue(GUIDED, model, speed=SpeedConfig(concurrency=4)) as queue:
        queue.submit(request(0))
        assert model.reached.wait(20)
        others = [queue.submit(request(number)) for number in (1, 2, 5)]
        with pytest.raises(TimeoutError, match="is not done after"):
            others[0].result(0.01)
        model.let.set()
        for ticket in others:
            ticket.result(20)
    assert ("detect", 3) in model.batches or ("detect", 4) in model.batches


def test_closing_without_draining_gives_up_what_is_open():
    model = Gated()
    queue = SearchQueue(GUIDED, model, speed=SpeedConfig(concurrency=1))
    running, waiting = queue.submit(request(0)), queue.submit(request(1))
    assert model.reached.wait(20)
    closing = threading.Thread(target=lambda: queue.close(drain=False))
    closing.start()
    for ticket in (running, waiting):
        with pytest.raises(CancelledError):
            ticket.result(20)
    model.let.set()
    closing.join(20)
    assert not closing.is_alive() and not model.known
    assert len(model.batches) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_queue_that_breaks_down_leaves_nobody_waiting():
    class Leaving(RandomModel):
        def detect(self, queries):
            raise SystemExit(3)

    queue = SearchQueue(GUIDED, Leaving())
    ticket = queue.submit(request(0))
    with pytest.raises(RuntimeError, match="broke down"):
        ticket.result(20)
    with pytest.raises(RuntimeError, match="closed"):
        queue.submit(request(0))
    queue.close()


@pytest.mark.parametrize(
    ("asked", "priority", "told"),
    [
        ((images[0], "mug"), 0, r"takes LocateRequest\(image, target\)"),
        (LocateRequest("a.jpg", "mug"), 0, r"seal.pipeline.pictures.picture\(path\) opens one"),
        (LocateRequest(images[0].convert("RGBA"), "mug"), 0, r"this one \(RGBA\) is not: seal.pip"),
        (request(0, ""), 0, "the target is empty"),
        (request(0, None), 0, "a target is text"),
        (request(0), "high", "priority='high' is no number"),
        (request(0), float("nan"), "priority=nan is no number"),
    ],
)
def test_what_is_no_request_is_refused_to_who_asks_and_nobody_else_is_harmed(asked, priority, told):
    queue = SearchQueue(GUIDED, Remembering(), start=False)
    before = queue.submit(request(0))
    with pytest.raises(ValueError, match=told):
        queue.submit(asked, priority=priority)
    after = queue.submit(request(1), priority=0.5)
    while queue.step():
        pass
    assert before.done and after.done and queue.model.known == set()


def test_a_file_that_was_opened_and_not_read_is_read_before_threads_cut_it(tmp_path):
    images[0].save(tmp_path / "one.jpg")
    opened = Image.open(tmp_path / "one.jpg")
    queue = SearchQueue(GUIDED, Remembering(), start=False)
    queue.submit(LocateRequest(opened, "mug"))
    assert opened.fp is None and opened.size == images[0].size
    content = (tmp_path / "one.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="the image is damaged"):
        queue.submit(LocateRequest(Image.open(tmp_path / "half.jpg"), "mug"))


LEFT_OPEN = """
import sys, threading, time
sys.path.insert(0, "tests")
from PIL import Image
from random_search import RandomModel
from seal.search.locator import LocateRequest
from seal.search.queue import SearchQueue
from seal.search.strategies import build_strategy

class Slow(RandomModel):
    def detect(self, queries):
        reached.set()
        time.sleep(0.3)
        print("computed", flush=True)
        return super().detect(queries)

reached = threading.Event()
queue = SearchQueue(build_strategy("sequential_bfs"), Slow(0, 0.1))
ticket = queue.submit(LocateRequest(Image.new("RGB", (2000, 2000)), "mug"))
reached.wait()
"""


def test_python_ends_when_what_is_being_computed_is_done_and_not_before():
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "computed\n", "")
