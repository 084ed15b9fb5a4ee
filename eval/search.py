"""Compare search strategies on the annotated targets of a benchmark (paper, tables 3 and 4).

    seal eval/search benchmark=FOLDER vsm=runs/vsm/model out=runs/search
    seal eval/search ... strategies=[guided,no_target_cue,sequential_bfs] limit=20 traces=12
    seal eval/search ... strategies=[guided,zoom_eye] search=by_sight  # no question: ends when seen
    seal eval/search ... batch=32 concurrency=32 lookahead=2  # faster; what is visited stays
    seal eval/search ... guide=grounding_dino guide.models.grounding_dino=FOLDER    # without vsm=
    seal eval/search task=coco_search18 benchmark=FIXATIONS images=FOLDER vsm=... out=runs/humans
    seal eval/search task=coco_search18 benchmark=FIXATIONS guide=annotated out=runs/humans_alone

`benchmark` is a folder in V*Bench's form, or of COCO-Search18 the official fixations (a file or
their folder, target present; https://sites.google.com/view/cocosearch). There `human_prior_0.9` and
`human_prior_0.8` visit regions by where people looked: a Gaussian at each fixation, the i-th
weighted gamma**i, over everybody who found the target; the cross that every trial began with is no
fixation. `images` are COCO's photographs or the data set's own pictures. `guide=annotated` is a
perfect detector of limited sight (guide.annotated.min_share of a region): it needs neither model
nor picture, and a blank display stands for what is not at hand.

Every question that any strategy puts to the model is answered once and replayed for the others.
Writes OUT/: predictions.jsonl (a line per target and strategy; the same command continues it),
metrics.json (found share, share of found boxes that are right, by depth and group; search lengths
over own hits and over targets that all found, paired differences; `need_search`, the same over the
targets for which the reference looked further than at the whole image), config.yaml,
environment.json, results.html (all of that, with pictures of what is found against what it took),
and traces/ with pictures of the first searches.
"""

from __future__ import annotations

from seal.evaluation.results.result_tables import need_search_table, search_table
from seal.evaluation.search import SearchRun, run_search
from seal.pages.table import markdown
from seal.schema import program


@program("eval_search", SearchRun)
def main(run: SearchRun) -> None:
    if run.dry_run:
        targets = run.build_task().targets()
        print(f"{len(targets)} targets of {run.benchmark} by {', '.join(run.chosen)}")
        return
    metrics = run_search(run)
    if metrics is not None:
        print(markdown(search_table(metrics)))
        print(markdown(need_search_table(metrics)))
        print(f"written: {run.out}")


if __name__ == "__main__":
    main()
