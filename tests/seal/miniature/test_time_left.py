"""The time left is measured: on what has ended here, and on how far running stages say they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from seal.miniature.stage import Stage
from seal.miniature.time_left import Progress, Running, shares_told, speed_ratio, time_left, told


def stage(name, seconds, *after):
    return Stage(name, (), seconds, tuple(Path(f"stages/{other}.json") for other in after))


SCENES, TEACH, SEARCH = stage("scenes", 30), stage("teach", 300, "scenes"), stage("search", 100)
ANSWER = stage("answer", 50, "teach")
LANES = [[SCENES, ANSWER], [TEACH, SEARCH]]


def left(done=None, **running):
    return time_left(Progress(LANES, done or {}, running))


def test_before_anything_ran_the_longest_way_through_the_stages_counts():
    assert left() == 30 + 300 + 100  # what waits for the scenes is not side by side with them


def test_a_machine_that_is_twice_as_slow_needs_twice_as_long_for_the_rest():
    assert left({"scenes": 60.0}) == pytest.approx(2 * 400)
    assert left({"scenes": 15.0}) == pytest.approx(400 / 2)


def test_a_running_stage_tells_by_its_own_progress():
    # 100 s for half of it: 100 s more, and what is behind it as slow as it is.
    of = Progress(LANES, {"scenes": 30.0}, {"teach": Running(100.0, 0.5)})
    assert speed_ratio(of) == pytest.approx(130 / 180)
    assert time_left(of) == pytest.approx(100 + 100 * 130 / 180)


def test_a_stage_that_goes_on_after_a_stop_is_not_taken_for_a_fast_one():
    of = Progress(LANES, {"scenes": 30.0}, {"teach": Running(100.0, 0.75, begun=0.25)})
    assert time_left(of) == pytest.approx(50 + 100 * 130 / 180)
    assert left({"scenes": 30.0}, teach=Running(5.0, 0.5, begun=0.5)) == pytest.approx(145 + 100)


def test_the_first_steps_of_a_stage_tell_little_of_it():
    # Loading took 12 s: by itself it would say 1,200 s.
    assert left({"scenes": 30.0}, teach=Running(12.0, 0.01)) == pytest.approx(388)


def test_a_stage_that_runs_over_its_time_slows_what_is_told_of_the_rest():
    assert left(scenes=Running(60.0)) == pytest.approx(2 * 400)


def test_a_stage_never_needs_less_than_nothing():
    assert left({"scenes": 30.0, "teach": 300.0, "answer": 50.0}, search=Running(500.0, 1.0)) == 0


def test_a_lane_waits_for_what_it_reads_in_another():
    lanes = [[stage("a", 10), stage("b", 10, "c")], [stage("c", 100)]]
    assert time_left(Progress(lanes, {}, {})) == 110


def test_nothing_is_left_when_all_is_done():
    assert left(dict.fromkeys(("scenes", "teach", "search", "answer"), 9.0)) == 0


def test_shares_are_read_off_the_first_and_the_last_progress_line_of_that_bar(tmp_path):
    log = tmp_path / "a.log"
    assert shares_told(log, "vsm") is None
    log.write_text("loading\nother:  99%|x| 9/9\rvsm:   5%|x| 1/20\rvsm:  35%|x| 7/20 [00:01]")
    assert shares_told(log, "vsm") == (0.05, 0.35)
    assert shares_told(log, "vqa") is None
    log.write_text("x" * 100_000 + "\rvsm: 100%|x| 20/20\n")
    assert shares_told(log, "vsm") == (0.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "10 seconds"), (44, "40 seconds"), (89, "90 seconds"),
                           (95, "2 minutes"), (754, "13 minutes")],
)  # fmt: skip
def test_times_are_said_as_people_say_them(seconds, words):
    assert told(seconds) == words
