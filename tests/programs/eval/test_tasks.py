"""seal eval/tasks: the list, and a copy that is whole or not."""

from __future__ import annotations

from programs_here import run_program
from vstar_folder import write_bench


def test_the_list_and_a_copy_that_lacks_questions(tmp_path, capsys):
    assert run_program("eval/tasks") == 0
    assert "vstar_bench: V*Bench" in capsys.readouterr().out
    copy = write_bench(tmp_path)
    assert run_program("eval/tasks", "task=vstar_bench", f"benchmark={copy}") == 1
    told = capsys.readouterr()
    assert "4 of 191 overall" in told.out and "all of it" not in told.out
    assert told.err.strip().endswith(f"1 problem with {copy}")
    assert run_program("eval/tasks", f"benchmark={copy}") == 2
    assert "set task=" in capsys.readouterr().err
