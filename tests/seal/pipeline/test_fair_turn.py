"""The lock of several queues over the same networks goes to whoever has waited longest."""

from __future__ import annotations

import threading
import time

from seal.pipeline.fair_turn import FairTurn


def test_turns_are_taken_in_the_order_of_asking_and_never_by_two() -> None:
    turn, order, inside = FairTurn(), [], 0

    def work(number: int) -> None:
        nonlocal inside
        with turn:
            inside += 1
            assert inside == 1
            order.append(number)
            inside -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    with turn:
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(turn._waiting) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_what_is_raised_inside_gives_the_turn_back() -> None:
    turn = FairTurn()
    for _ in range(2):
        try:
            with turn:
                raise ValueError
        except ValueError:
            continue
    with turn:
        assert turn._taken
