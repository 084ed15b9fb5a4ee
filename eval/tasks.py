"""List the benchmarks: what each needs, where it comes from, how it is put; or check a copy of one.

    seal eval/tasks                                        # all of them
    seal eval/tasks task=hr_bench_4k
    seal eval/tasks task=vstar_bench benchmark=FOLDER      # is all of it there?
    seal eval/tasks task=vstar_bench benchmark=FOLDER open_images=true     # and can it be opened?

A copy is read as eval/benchmark reads it: its questions are counted by split against the whole
benchmark, and pictures that are missing (or, with open_images, damaged) are named, with what to do.
Exit code 1 if something is wrong with the copy.
"""

from __future__ import annotations

from seal.evaluation.named_tasks import task_named
from seal.evaluation.task_check import check_copy
from seal.evaluation.task_list import TasksRun, list_tasks
from seal.failure import FailedError
from seal.pages.table import markdown
from seal.schema import program


@program("tasks", TasksRun)
def main(run: TasksRun) -> None:
    if run.task is None or run.benchmark is None:
        print(list_tasks(run))
        return
    checked = check_copy(task_named(run.task), run.benchmark, open_images=run.open_images)
    print(markdown(checked.table))
    for note in checked.notes:
        print(f"note: {note}")
    for problem in checked.problems:
        print(f"problem: {problem}")
    if checked.problems:
        count = len(checked.problems)
        raise FailedError(f"{count} {'problem' if count == 1 else 'problems'} with {run.benchmark}")
    print("all of it is there")


if __name__ == "__main__":
    main()
