"""Answer a benchmark with one pair of models and compare ways to search.

    seal eval/benchmark task=vstar_bench benchmark=FOLDER vqa=runs/vqa/model vsm=runs/vsm/model \\
        systems=[none,guided,oracle] out=runs/vstar
    torchrun --nproc-per-node 8 eval/benchmark.py ...      # questions are shared out among GPUs
    seal eval/benchmark ... protocol=as_released           # as the paper's numbers were made

`none` answers from the whole image, `oracle` is given the annotated boxes, every search strategy
looks for what the first answer lacks. Writes OUT/: predictions.jsonl (a line per question and
system; the same command continues it), metrics.json (accuracy by split with intervals, ties, and
paired tests against `baseline`), config.yaml, environment.json and failures.html.
"""

from __future__ import annotations

from seal.evaluation.benchmark import BenchmarkRun, run_benchmark
from seal.evaluation.result_tables import benchmark_table
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
        print(markdown(benchmark_table(metrics)))
        print(f"written: {run.out}")


if __name__ == "__main__":
    main()
