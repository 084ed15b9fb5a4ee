"""Compare search strategies on the annotated targets of a benchmark.

    seal eval/search benchmark=FOLDER vsm=runs/vsm/model out=runs/search
    seal eval/search ... strategies=[guided,no_target_cue,sequential_bfs] limit=20 traces=12
    seal eval/search ... strategies=[guided,zoom_eye] search=by_sight  # no question: ends when seen
    seal eval/search ... guide=grounding_dino guide.models.grounding_dino=FOLDER    # without vsm=

`benchmark` is a folder in V*Bench's form. Every question that any strategy puts to the model is
answered once and replayed for the others. Writes OUT/: predictions.jsonl (a line per target and
strategy; the same command continues it), metrics.json (found share, share of found boxes that are
right, by depth and group; search lengths over own hits and over targets that all found, paired
differences), config.yaml, environment.json, and traces/ with pictures of the first searches.
"""

from __future__ import annotations

from seal.evaluation.result_tables import search_table
from seal.evaluation.search import SearchRun, run_search
from seal.pages.table import markdown
from seal.schema import program


@program("eval_search", SearchRun)
def main(run: SearchRun) -> None:
    if run.dry_run:
        targets = run.build_task().targets()
        print(f"{len(targets)} targets of {run.benchmark} by {', '.join(run.strategies)}")
        return
    metrics = run_search(run)
    if metrics is not None:
        print(markdown(search_table(metrics)))
        print(f"written: {run.out}")


if __name__ == "__main__":
    main()
