"""A builder that is killed in the middle of its requests, as a real process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chat_server import ChatServer
from coco_files import annotation, write_coco

from seal.data.record_set import RecordSet

ROOT = Path(__file__).resolve().parents[4]
KEY = "sk-secret-0123456789abcdef"
IMAGES, BEFORE = 60, 25  # requests that are answered before the server falls silent


def question(text: str) -> str:
    """What a model might make of a prompt of the builder."""
    line = next(line for line in text.splitlines() if line.startswith("It does not show: "))
    return f"What color is the {' and the '.join(line[18:].removesuffix('.').split(', '))}?"


def command(path: Path, out: Path, server: ChatServer) -> list[str]:
    return [
        *(sys.executable, "-m", "seal", "data_builders/negative"),
        *(f"annotations={path}", f"images={path.parent}", f"out={out}"),
        *("language.kind=openai", "language.model=tiny", f"language.base_url={server.url}"),
        *("language.concurrency=4", "language.backoff=0.01"),
        *("language.price_in=1", "language.price_out=2"),
    ]


def answers(cache: Path) -> int:
    if not cache.exists():
        return 0
    try:
        with sqlite3.connect(cache) as connection:
            return int(connection.execute("select count(*) from answers").fetchone()[0])
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_build_goes_on_without_asking_for_any_answer_again(tmp_path: Path) -> None:
    names = [[c for c in range(5) if i >> c & 1] for i in range(IMAGES)]
    boxes = [annotation(i, 1 + c, [0, 0, 30, 30]) for i, own in enumerate(names) for c in own]
    path = write_coco(tmp_path / "source", boxes, IMAGES)
    cache = tmp_path / "cache"
    environment = os.environ | {"SEAL_CACHE": str(cache), "OPENAI_API_KEY": KEY}
    silent = True

    def fault(text: str, times: int) -> str | None:
        return "hang" if silent and sum(server.answered.values()) >= BEFORE else None

    with ChatServer(question, fault) as server:
        out = tmp_path / "out"
        process = subprocess.Popen(
            command(path, out, server),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        end = time.monotonic() + 60
        # Every answer that was sent is in the cache: nothing is lost on the way.
        while answers(cache / "language.sqlite") < BEFORE:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        told = b"".join(process.communicate())
        before = server.answered.copy()
        assert not (out / "set.json").exists() and sum(before.values()) >= BEFORE
        silent = False
        done = subprocess.run(
            command(path, out, server), cwd=ROOT, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert set(server.answered.values()) == {1}
        asked = f"requests {len(server.answered) - len(before)}, repeated 0, "
        assert asked.encode() in done.stderr
        assert b"cost " in done.stderr
        # The same set comes out of a build that nobody stopped, and out of the cache alone.
        number = len(server.asked)
        again = subprocess.run(
            command(path, tmp_path / "again", server), cwd=ROOT, env=environment, check=False
        )
        assert again.returncode == 0 and len(server.asked) == number
    for name in ("records-00000-of-00001.jsonl", "set.json"):
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert len(RecordSet.open(out)) == IMAGES - 1  # one shows every class
    told += done.stdout + done.stderr
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert KEY.encode() not in told
    assert all(KEY.encode() not in file.read_bytes() for file in files)
