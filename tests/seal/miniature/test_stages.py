"""Stages run once, side by side, and a failure names the stage and the end of its log."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from seal.miniature.stage import Stage
from seal.miniature.stages import StageError, StageRunner


def write(path, text="x", name="write"):
    code = f"open({str(path)!r}, 'a').write({text!r})"
    return Stage(name, ("timeit", "-n", "1", "-r", "1", code), 1.0)


def test_a_finished_stage_is_kept_and_a_changed_one_runs_again(tmp_path):
    out = tmp_path / "out"
    for text in ("a", "a", "b"):
        runner = StageRunner(tmp_path)
        runner.run([[write(out, text)]])
        assert runner.seconds["write"] > 0
    assert out.read_text() == "ab"


def test_a_stage_runs_again_when_one_it_reads_did(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    runner = StageRunner(tmp_path)

    def lane(text):
        reader = write(second, "r", "reader")
        return [
            write(first, text, "source"),
            Stage(reader.name, reader.command, 1.0, (runner.stamp("source"),)),
        ]

    runner.run([lane("a")])
    runner.run([lane("b")])
    assert second.read_text() == "rr"


def test_changed_settings_renew_every_stage(tmp_path):
    out, settings = tmp_path / "out", tmp_path / "settings.yaml"
    for text in ("steps: 1", "steps: 1", "steps: 2"):
        settings.write_text(text)
        StageRunner(tmp_path, settings=(settings,)).run([[write(out)]])
    assert out.read_text() == "xx"


def test_a_stage_waits_for_what_another_lane_makes(tmp_path):
    made = tmp_path / "made"
    slow = f"import time\ntime.sleep(1)\nopen({str(made)!r}, 'w').close()"
    runner = StageRunner(tmp_path)
    reader = Stage(
        "reader",
        ("timeit", "-n", "1", "-r", "1", f"open({str(made)!r}).close()"),
        1.0,
        (runner.stamp("maker"),),
    )
    runner.run([[Stage("maker", ("timeit", "-n", "1", "-r", "1", slow), 1.0)], [reader]])
    assert set(runner.seconds) == {"maker", "reader"}


def test_lanes_run_side_by_side(tmp_path):
    # Each waits for the other's file: in sequence they would never end.
    def meet(mine, other):
        code = (
            f"import os, time\nopen({str(mine)!r}, 'w').close()\nt = time.time()\n"
            f"while not os.path.exists({str(other)!r}):\n"
            f"    time.sleep(0.05)\n    assert time.time() - t < 30"
        )
        return Stage(mine.name, ("timeit", "-n", "1", "-r", "1", code), 1.0)

    a, b = tmp_path / "a", tmp_path / "b"
    StageRunner(tmp_path).run([[meet(a, b)], [meet(b, a)]])
    assert a.exists() and b.exists()


def test_a_failure_names_the_stage_and_shows_the_end_of_its_log(tmp_path):
    bad = Stage("bad", ("timeit", "-n", "1", "-r", "1", "raise OSError('disk on fire')"), 1.0)
    never = tmp_path / "never"
    with pytest.raises(StageError, match=r"(?s)stage bad failed.*disk on fire"):
        StageRunner(tmp_path).run([[bad, write(never)]])
    assert not never.exists()


def test_the_peak_of_kept_stages_counts(tmp_path):
    greedy = (
        "timeit",
        "-n",
        "1",
        "-r",
        "1",
        "import time\nb = bytearray(150 << 20)\ntime.sleep(2)",
    )
    peaks = []
    for _ in range(2):
        runner = StageRunner(tmp_path)
        runner.run([[Stage("greedy", greedy, 1.0)]])
        peaks.append(runner.peak_memory_mb)
    assert peaks[0] > 150
    assert peaks[1] == pytest.approx(peaks[0], abs=1.0)


SCENES = ("seal", "data_builders/scenes", "only=[vsm]", "validation=1")


def scenes(folder, number):
    return Stage("scenes", (*SCENES, f"vsm={number}", f"out={folder}"), 1.0, output=folder)


def test_a_stage_that_changed_starts_without_what_it_left(tmp_path):
    data = tmp_path / "data"
    for number in (1, 2):
        StageRunner(tmp_path).run([[scenes(data, number)]])
    description = json.loads((data / "vsm" / "set.json").read_text())
    assert description["settings"]["scenes"] == 2


def test_a_stage_that_was_killed_goes_on_where_it_was(tmp_path):
    data = tmp_path / "data"
    runner = StageRunner(tmp_path)
    kept = data / "validation" / "vqa_align" / "set.json"
    stage = Stage(
        "scenes",
        ("seal", "data_builders/scenes", "only=[vqa_align,vsm]", "validation=1", "vqa_align=1",
         "vsm=60", f"out={data}"),
        1.0,
        output=data,
    )  # fmt: skip

    def kill():
        while not kept.exists():
            time.sleep(0.02)
        runner._running["scenes"][2].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(StageError, match="exit code -9"):
        runner.run([[stage]])
    killer.join()
    assert not (data / "vsm" / "set.json").exists()
    made = kept.stat().st_mtime_ns
    StageRunner(tmp_path).run([[stage]])
    assert (data / "vsm" / "set.json").exists()
    assert kept.stat().st_mtime_ns == made


DEMO = """
import sys
from pathlib import Path
from seal.miniature.demo import _ended_by_signals
from seal.miniature.stage import Stage
from seal.miniature.stages import StageRunner
sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
child = f"import subprocess, sys; subprocess.run({sleep})"
stages = [[Stage(name, ("timeit", "-n", "1", child), 1.0)] for name in ("one", "two")]
with _ended_by_signals():
    StageRunner(Path(sys.argv[1])).run(stages)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_demo_that_is_told_to_end_leaves_no_process(tmp_path, number):
    demo = subprocess.Popen(
        [sys.executable, "-c", DEMO, str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = psutil.Process(demo.pid)
    deadline = time.monotonic() + 30
    while len(started.children(recursive=True)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    children = started.children(recursive=True)
    assert len(children) == 4  # two stages, and what each started
    demo.send_signal(number)
    code = demo.wait(30)
    assert code == (1 if number == signal.SIGINT else 128 + number) or code == -number
    _, alive = psutil.wait_procs(children, 5)
    assert not alive
