"""Work beside other work is done when the block ends, and what goes wrong in it is told."""

from __future__ import annotations

import signal
import threading

import pytest
import torch

from seal.inference.beside import Beside

CPU = torch.device("cpu")


@pytest.mark.parametrize("on", [True, False])
def test_the_work_is_done_when_the_block_ends(on):
    done: list[bool] = []
    cores = torch.get_num_threads()
    with Beside(CPU, on)(lambda: done.append(torch.is_inference_mode_enabled())):
        pass
    assert len(done) == 1 and torch.get_num_threads() == cores
    assert done[0] or not on  # a thread has modes of its own


def test_both_go_on_at_the_same_time():
    meet = threading.Barrier(2, timeout=20)
    with Beside(CPU, True)(meet.wait):
        meet.wait()


def test_what_the_work_raises_comes_out_and_the_block_comes_first():
    def fail() -> None:
        raise KeyError("beside")

    cores = torch.get_num_threads()
    with pytest.raises(KeyError, match="beside"), Beside(CPU, True)(fail):
        pass
    with pytest.raises(ValueError, match="block"), Beside(CPU, True)(fail):
        raise ValueError("block")
    assert torch.get_num_threads() == cores


def test_who_interrupts_the_wait_has_all_cores_again():
    cores, main = torch.get_num_threads(), threading.get_ident()
    torch.set_num_threads(2)
    over, beside = threading.Event(), Beside(CPU, True)
    try:
        with pytest.raises(KeyboardInterrupt), beside(lambda: over.wait(20) and None):
            threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
        assert torch.get_num_threads() == 2
    finally:
        over.set()
        torch.set_num_threads(cores)


def test_a_gpu_is_given_work_by_one_thread():
    with pytest.raises(ValueError, match="side_by_side=True is for a CPU"):
        Beside(torch.device("cuda"), True)
