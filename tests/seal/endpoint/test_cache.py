from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from seal.endpoint.cache import AnswerCache


def test_what_is_put_is_there_in_another_run_and_the_first_answer_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep/cache.sqlite"
    with AnswerCache(path) as cache:
        assert cache.get("k") is None
        assert cache.put("k", 0, "m", "eins ä\ud800") == "eins ä?"
        assert cache.put("k", 0, "m", "two") == "eins ä?"
        cache.put("k", 1, "m", "three")
    with AnswerCache(path) as cache:
        assert (cache.get("k"), cache.get("k", 1), cache.get("k", 2)) == ("eins ä?", "three", None)


def _fill(path: Path, name: str, die: bool) -> None:
    with AnswerCache(path) as cache:
        for i in range(200):
            cache.put(f"k{i}", 0, "m", name)
        if die:
            os.kill(os.getpid(), signal.SIGKILL)


def test_two_processes_share_a_file_and_a_killed_one_leaves_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_fill, args=(path, name, name == "b")) for name in ("a", "b")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, -signal.SIGKILL]
    with AnswerCache(path) as cache:
        assert {cache.get(f"k{i}") for i in range(200)} <= {"a", "b"}


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(ValueError, match=r"cache\.sqlite: .*language\.cache="), AnswerCache(path):
        pass
