"""Answer a benchmark with one pair of models and compare ways to search.

    seal eval/benchmark task=vstar_bench benchmark=FOLDER vqa=runs/vqa/model vsm=runs/vsm/model \\
        systems=[none,guided,oracle] out=runs/vstar
    torchrun --nproc-per-node 8 eval/benchmark.py ...      # questions are shared out among GPUs
    seal eval/benchmark ... systems=[none,guided,expert_first,zoom_eye] search.zoom_eye.max_depth=3
    seal eval/benchmark ... protocol=as_released           # as the paper's numbers were made
    seal eval/benchmark ... vqa=Qwen/Qwen3-VL-8B-Instruct systems=[none,guided,vicrop_rel_att] \\
        chat.max_pixels=1003520                            # any image-text model answers
    seal eval/benchmark ... guide=owlv2 guide.models.owlv2=google/owlv2-base-patch16-ensemble
    seal eval/benchmark ... guide=owlv2 guide.cue=seal guide.heat=seal   # part by part
    seal eval/benchmark ... vqa=http://127.0.0.1:8000/v1#NAME scoring=letter    # or a server
    seal eval/benchmark ... systems=[none,guided,random_crop,crop_black,oracle_crop]  # controls
    seal eval/benchmark task=hr_bench_4k ... share_search=true   # one search for a question's rows
    seal eval/benchmark ... vqa=runs/avg/model systems=[none@auto,none@36,none@576,guided@auto]

`none` answers from the whole image, `oracle` is given the annotated boxes, every search strategy
looks for what `planner` says is missing (seal, ask, noun_phrases or given), and `vicrop_rel_att`,
`vicrop_grad_att` and `vicrop_pure_grad` crop where the answer model itself looks. Controls make the
search of the first system that searches (or of control_of=), and show as many crops that say less:
`random_crop` from elsewhere, `crop_black` neither pixels nor places, `crop_black_placed` the places
alone; a gain that survives the first two does not come from looking. Behind `@` stands how the
answer model is shown pictures: `auto` (a router picks the level of each), a level, or a token
policy as `consistent`; searches ask about regions as the run shows them (`granularity=`), for all
systems alike, and a first answer is each system's own. Writes OUT/:
predictions.jsonl (a line per question and system; the same command continues it), metrics.json
(the task's numbers by split with intervals, ties, paired tests against `baseline`, controls, which
levels of visual tokens were chosen and what the choice is worth, and what a question costs),
results.html (all of that, and pictures of accuracy against cost), failures.html (what was wrong),
config.yaml and environment.json.
"""

from __future__ import annotations

from seal.evaluation.benchmark import BenchmarkRun, run_benchmark
from seal.evaluation.results.control_report import control_table, control_verdicts
from seal.evaluation.results.costs import SHARED, cost_table
from seal.evaluation.results.granularity_report import granularity_tables, granularity_verdicts
from seal.evaluation.results.result_tables import benchmark_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval", BenchmarkRun)
def main(run: BenchmarkRun) -> None:
    if run.dry_run:
        questions = run.build_task().questions()
        print(
            f"{len(questions)} questions of {run.benchmark} to {', '.join(run.systems)}: {run.out}"
        )
        return
    metrics = run_benchmark(run)
    if metrics is not None:
        print(markdown(benchmark_table(metrics)), end="\n\n")
        print(markdown(cost_table(metrics["costs"])), end="\n\n")
        print(SHARED, end="\n\n")
        if "controls" in metrics:
            print(markdown(control_table(metrics)), end="\n\n")
            print("\n".join(control_verdicts(metrics)), end="\n\n")
        for table in granularity_tables(metrics):
            print(markdown(table), end="\n\n")
        if verdicts := granularity_verdicts(metrics):
            print("\n".join(verdicts), end="\n\n")
        for error in metrics["errors"]:
            print(f"error: {error}")
        print(f"written: {run.out}")


if __name__ == "__main__":
    main()
