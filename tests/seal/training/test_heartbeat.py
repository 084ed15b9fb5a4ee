"""A process that hangs or fails ends the whole run, which says which one and where."""

from __future__ import annotations

from two_processes import PROGRAM, run_two
from warm import start_together

from seal.training.heartbeat import Judge, State, describe


def test_only_the_furthest_behind_are_late_and_only_when_nobody_moves():
    now = [0.0]
    judge = Judge(timeout=60.0, clock=lambda: now[0])
    states = {rank: State(3, "step 2: computing", f"node-{rank}") for rank in range(3)}
    assert judge.late(states) == []
    now[0], states[0].count, states[2].count = 59.0, 4, 4  # two go on
    assert judge.late(states) == []
    now[0] = 118.0
    assert judge.late(states) == []  # a minute since the last step of anybody
    now[0] = 119.0
    assert judge.late(states) == [1]
    states[1].done = True  # it has left; the others may still be at work
    assert judge.late(states) == []
    now[0] = 200.0
    assert judge.late(states) == [0, 2]
    assert Judge(timeout=0.0).late({0: State(done=True)}) == []


def test_the_message_names_ranks_machines_place_and_setting():
    states = {rank: State(5, "step 9: computing", f"node-{rank}") for rank in range(4)}
    states[2].place = "step 9: reading its samples"
    text = describe(states, [2], 1800)
    assert text.startswith(
        "rank 2 on node-2 (3 others wait): no further than `step 9: reading its samples` within "
        "30 minutes, so the run ends"
    )
    assert "train.timeout_minutes" in text
    assert "rank 7 on h and 8 more (all that are left)" in describe(
        {rank: State(host="h") for rank in range(16)}, list(range(16)), 60
    )


def test_a_process_that_hangs_ends_the_run_and_is_named_with_where_it_is(tmp_path):
    """On gloo, whose collective calls would wait for half an hour."""
    # Sample 23 is one of the third step's, and the second process reads it.
    options = ["num_steps=8", "hang_at=23", "timeout_minutes=0.1"]
    code, said = run_two(tmp_path / "run", *options, log=tmp_path / "log")
    assert code == 1
    assert "rank 1 on " in said and "(1 others wait): no further than `step 3: reading" in said
    assert "in stuck_here" in said
    # In torchrun's own summary as well, which is what a cluster's log ends with.
    assert "TimeoutError: rank 1 on " in said.split("Root Cause")[1]


def test_a_bug_in_one_process_ends_the_others_and_stands_in_torchruns_summary(tmp_path):
    code, said = run_two(tmp_path / "run", "bug_at=2", "rank=1", log=tmp_path / "log")
    assert code == 1
    assert "KeyError: 'a bug of the test'" in said.split("Root Cause")[1]
    assert said.index("in step\n") < said.index("Root Cause")


def test_a_folder_that_one_process_does_not_see_is_an_error_that_one_process_tells(tmp_path):
    log = tmp_path / "log"
    processes = start_together(2, PROGRAM, tmp_path / "run", "unshared=1", log=log)
    assert all(process.wait(60) for process in processes)
    said = log.read_text()
    told = "[rank0]: ValueError: the run's folder "
    assert said.count(told) == 1 and "is not seen by rank 1 on " in said
    assert "[rank1]: " not in said
    assert list((tmp_path / "run").rglob(".shared-*")) == []
