"""One writer at a time, and no lock outlives its holder."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seal.files import lock as locks
from seal.files.lock import LOCK_FILE, InUseError, WriterLock

HOLD = """
import sys, time
from seal.files.lock import WriterLock
with WriterLock(sys.argv[1], "build"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_the_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    first = holder(tmp_path)
    try:
        with pytest.raises(
            InUseError, match=f"another build writes there .process {first.pid} on "
        ) as e:
            WriterLock(tmp_path, "training").acquire()
        assert "\n" not in str(e.value) and str(tmp_path) in str(e.value)
    finally:
        first.kill()
        first.wait()


def test_a_killed_holder_locks_nobody_out(tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (tmp_path / LOCK_FILE).exists()
    with WriterLock(tmp_path, "build"):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()


def test_a_lock_leaves_nothing_behind_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with WriterLock(tmp_path / "new", "build"):
            pass
        assert list((tmp_path / "new").iterdir()) == []


def test_two_parts_of_one_process_do_not_share_it(tmp_path: Path) -> None:
    with WriterLock(tmp_path, "build"), pytest.raises(InUseError, match=f"process {os.getpid()}"):
        WriterLock(tmp_path / ".", "build").acquire()


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_forked_workers_do_not_hold_it(tmp_path: Path) -> None:
    held = WriterLock(tmp_path, "build")
    held.acquire()
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        held.release()
        other = holder(tmp_path)  # while the worker, which has the file open, still lives
        other.kill()
        other.wait()
    finally:
        worker.kill()
        worker.join()


@pytest.mark.parametrize(
    ("facts", "refused"),
    [
        ({"host": socket.gethostname(), "pid": os.getppid()}, True),
        ({"host": socket.gethostname(), "pid": 2**22 + 1}, False),
        ({"host": "another.machine", "pid": 2**22 + 1}, True),
        ({}, False),
    ],
)
def test_without_locks_of_the_file_system_the_file_is_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict, refused: bool
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    if locks.fcntl is not None:
        monkeypatch.setattr(locks.fcntl, "lockf", unsupported)
    (tmp_path / LOCK_FILE).write_text(json.dumps(facts))
    if refused:
        with pytest.raises(InUseError, match=r"if it does not run any more, remove .*\.lock"):
            WriterLock(tmp_path, "build").acquire()
    else:
        with WriterLock(tmp_path, "build"):
            pass


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"file/folder cannot be written to: Not a directory"):
        WriterLock(tmp_path / "file" / "folder", "build").acquire()
