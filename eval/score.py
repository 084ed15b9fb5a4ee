"""Judge answers that exist already, without any model.

    seal eval/score task=vstar_bench answers=runs/vstar out=runs/vstar_again
    seal eval/score task=vstar_bench answers=other.jsonl annotations=vstar_bench out=runs/other

`answers` is a run folder of ours, or JSONL of another program: each line names its question (id,
question_id or input_image) and holds the losses of its options (losses, per_option_losses) or what
was said (text, output). Writes OUT/metrics.json as eval/benchmark does.
"""

from __future__ import annotations

from seal.evaluation.result_tables import benchmark_table
from seal.evaluation.score import ScoreRun, run_score
from seal.pages.table import markdown
from seal.schema import program


@program("eval_score", ScoreRun)
def main(run: ScoreRun) -> None:
    print(markdown(benchmark_table(run_score(run))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()
