"""Judge answers that exist already, without any model.

    seal eval/score task=vstar_bench answers=runs/vstar out=runs/vstar_again
    seal eval/score task=vstar_bench answers=other.jsonl annotations=vstar_bench out=runs/other
    seal eval/score task=vicrop_textvqa answers=llava-textvqa-rel_att.json out=runs/textvqa

`answers` is a run folder of ours, or JSONL of another program: each line names its question (id,
question_id or input_image) and holds the losses of its options (losses, per_option_losses) or what
was said (text, output). Writes OUT/metrics.json as eval/benchmark does.

vicrop_textvqa, vicrop_vqav2, vicrop_aokvqa, vicrop_gqa, vicrop_docvqa, vicrop_pope and vicrop_vstar
judge free answers twice: `released` as ViCrop's published numbers were counted, `standard` by the
benchmark's own rule (VQA accuracy, exact match, ANLS, yes or no, the letter). `answers` is a result
file of ViCrop (a JSON list with original_answer, crop_answer, labels) or JSONL with text and
labels; `annotations` is a file of the same form for labels and questions that the answers lack.
vicrop_vstar also takes a run of eval/benchmark with written answers (scoring=letter or string).
"""

from __future__ import annotations

from seal.evaluation.score import ScoreRun, run_score, score_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval_score", ScoreRun)
def main(run: ScoreRun) -> None:
    print(markdown(score_table(run_score(run))))
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()
