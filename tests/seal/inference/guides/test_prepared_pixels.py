"""Pixels are made ahead and handed over once; what is dropped is counted; an error is one's own."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from PIL import Image

from seal.geometry import Box
from seal.inference.guides.prepared_pixels import PreparedPixels
from seal.search.protocol import Patch

WAIT = 20.0  # seconds, of what takes none


class Preparing:
    """Notes what it makes; waits while it is held, and fails where it is told to."""

    def __init__(self):
        self.made = []
        self.failing = set()
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Semaphore(0)

    def __call__(self, patch):
        self.begun.release()
        assert self.free.wait(WAIT)
        if patch.box.x0 in self.failing:
            raise ValueError(f"no pixels at {patch.box.x0}")
        self.made.append(int(patch.box.x0))
        return np.full((3, 2, 2), int(patch.box.x0), np.uint8)


@pytest.fixture
def image():
    return Image.new("RGB", (100, 10))


def patches(image, *lefts):
    return [Patch(image, Box(left, 0, left + 1, 10)) for left in lefts]


def values(pixels):
    return [int(each[0, 0, 0]) for each in pixels]


def test_each_patch_gets_its_own_pixels_whatever_was_made_ahead(image):
    prepare = Preparing()
    prepared = PreparedPixels(prepare, 3)
    prepared.ahead(patches(image, 4, 2))
    got = prepared.get(patches(image, 1, 2, 3, 2))
    assert values(got) == [1, 2, 3, 2] and got[1] is got[3]
    assert values(prepared.get(patches(image, 4))) == [4]
    assert sorted(prepare.made) == [1, 2, 3, 4] and prepared.made == 4 and prepared.wasted == 0
    prepared.close()


def test_pixels_are_handed_over_once(image):
    prepare = Preparing()
    prepared = PreparedPixels(prepare, 1)
    first, again = prepared.get(patches(image, 5)), prepared.get(patches(image, 5))
    assert prepare.made == [5, 5] and first[0] is not again[0]


def test_what_is_asked_for_does_not_wait_behind_what_was_foreseen(image):
    held = threading.Event()
    made = []

    def prepare(patch):
        if patch.box.x0 == 1:
            assert held.wait(WAIT)  # the one thread for what is foreseen is at it
        made.append(int(patch.box.x0))
        return None

    prepared = PreparedPixels(prepare, 1)
    prepared.ahead(patches(image, 1, 2))
    prepared.get(patches(image, 2, 3))
    assert made == [2, 3]
    held.set()
    prepared.get(patches(image, 1))
    assert made == [2, 3, 1] and prepared.in_time == 1
    prepared.close()


def test_what_is_never_asked_for_is_bounded_and_counted(image):
    prepare = Preparing()
    prepared = PreparedPixels(prepare, 2, most_ahead=3)
    prepare.free.clear()
    prepared.ahead(patches(image, 0))
    assert prepare.begun.acquire(timeout=WAIT)
    prepared.ahead(patches(image, 1, 2))
    prepared.ahead(patches(image, 3))  # the oldest, which was begun, is dropped
    assert prepared.wasted == 1
    prepared.ahead(patches(image, 4))  # 1 was not: nothing is lost with it
    assert prepared.wasted == 1
    prepare.free.set()
    assert values(prepared.get(patches(image, 2, 3, 4))) == [2, 3, 4]
    assert sorted(prepare.made) == [0, 2, 3, 4] and prepared.wasted == 1
    prepared.close()


def test_foreseen_again_is_made_once_and_kept_longer(image):
    prepare = Preparing()
    prepared = PreparedPixels(prepare, 2, most_ahead=2)
    for each in ([1], [2], [1], [3]):
        prepared.ahead(patches(image, *each))
    prepared.get(patches(image, 1, 3))
    prepared.close()
    assert prepare.made.count(1) == 1


def test_an_error_is_of_its_patch_alone(image):
    prepare = Preparing()
    prepare.failing = {2}
    prepared = PreparedPixels(prepare, 2)
    prepared.ahead(patches(image, 2, 3))
    with pytest.raises(ValueError, match="no pixels at 2"):
        prepared.get(patches(image, 1, 2, 3))
    assert values(prepared.get(patches(image, 1)) + prepared.get(patches(image, 3))) == [1, 3]
    assert sorted(prepare.made) == [1, 3]  # the others' were kept
    prepare.failing = set()
    assert values(prepared.get(patches(image, 2))) == [2]
    prepared.close()


def test_an_image_is_kept_until_its_patches_are_handed_over_or_forgotten():
    prepared = PreparedPixels(Preparing(), 1)
    images = [Image.new("RGB", (9, 9)) for _ in range(3)]
    seen = [weakref.ref(image) for image in images]
    for image in images:
        prepared.ahead(patches(image, 1))
    prepared.get(patches(images[0], 1))
    prepared.forget(images[1])
    prepared.get(patches(images[2], 2))  # the thread is through with the others
    del image, images
    gc.collect()
    assert seen[0]() is None and seen[1]() is None and seen[2]() is not None
    prepared.close()
    gc.collect()
    assert seen[2]() is None


@pytest.mark.parametrize(("threads", "most"), [(0, 4), (2, -1)])
def test_numbers_that_make_no_sense_are_refused(threads, most):
    with pytest.raises(ValueError, match=f"threads={threads} and most_ahead={most}"):
        PreparedPixels(Preparing(), threads, most_ahead=most)


def test_a_process_does_not_stay_for_what_was_foreseen():
    program = """
import time
from PIL import Image
from seal.geometry import Box
from seal.inference.guides.prepared_pixels import PreparedPixels
from seal.search.protocol import Patch

def prepare(patch):
    time.sleep(0.2)
    print(int(patch.box.x0), flush=True)
    return None

image = Image.new("RGB", (100, 10))
prepared = PreparedPixels(prepare, 4)
prepared.ahead([Patch(image, Box(left, 0, left + 1, 10)) for left in range(60)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == "" and len(done.stdout.split()) < 20


def test_who_interrupts_gets_the_rest_of_nothing_made(image):
    prepare = Preparing()
    prepare.free.clear()
    prepared = PreparedPixels(prepare, 1)
    main = threading.get_ident()
    threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        prepared.get(patches(image, 1, 2, 3))
    prepare.free.set()
    assert values(prepared.get(patches(image, 4))) == [4]
    assert prepare.made == [1, 4]


def test_all_workers_take_what_is_foreseen_while_one_is_slow(image):
    prepare, held = Preparing(), threading.Event()

    def slow_at_one(patch):
        assert patch.box.x0 != 1 or held.wait(WAIT)
        return prepare(patch)

    prepared = PreparedPixels(slow_at_one, 4)
    prepared.ahead(patches(image, 1))
    for left in range(2, 7):
        prepared.ahead(patches(image, left))
    until = time.monotonic() + WAIT
    while len(prepare.made) < 5 and time.monotonic() < until:
        time.sleep(0.005)
    held.set()
    assert prepare.made == [2, 3, 4, 5, 6]
    assert values(prepared.get(patches(image, *range(1, 7)))) == [1, 2, 3, 4, 5, 6]
    prepared.close()


def test_who_says_what_is_next_while_python_ends_is_not_failed_for_it(image):
    prepared = PreparedPixels(Preparing(), 1)
    prepared.close()
    prepared.ahead(patches(image, 1, 2))
    with pytest.raises(RuntimeError, match="shutdown"):
        prepared.get(patches(image, 1))
