"""Judge answers that exist already, without any model.

    seal eval/score task=vstar_bench answers=runs/vstar out=runs/vstar_again
    seal eval/score task=vstar_bench answers=other.jsonl annotations=vstar_bench out=runs/other
    seal eval/score task=vicrop_textvqa answers=llava-textvqa-rel_att.json out=runs/textvqa

`task` is any of `seal eval/tasks`. `answers` is a run folder of ours (or its predictions.jsonl), or
what another program recorded, in the benchmark's own form (MME's text files, MM-Vet's grades,
MMBench's tables) or in one of these, which are recognized by their keys (form= names one):

    llava       JSONL of question_id, prompt, text
    zoom_eye    JSONL of input_image, output (the option's place, 0 the true one), per_option_losses
    lmms_eval   the samples of --log_samples, of any edition
    vlmevalkit  MODEL_DATASET.xlsx, tsv or json: index, question, A, B, ..., answer, prediction
    vicrop      a JSON list with original_answer and crop_answer: two systems
    plain       JSONL, JSON (a list, or an object by id), TSV, CSV or xlsx of id (question_id,
                index, image) and prediction (text, output, response, answer) or losses; system,
                options as they were shown, or their order, where they are known

Another program's answers need `annotations`, the benchmark as eval/benchmark takes it, unless the
file holds its questions. What cannot be judged for certain is an error that names the row: an
unknown question, one answered twice, options or a right answer that are not the benchmark's, as
many losses as there are no options, a letter where the benchmark lists the right option first and
the row tells no other order. A question without an answer counts, as invalid. `scoring` says how
answers are read; else losses are compared, a harness's texts are read as it reads them, and other
texts in the task's own way; of a run of ours it reads the same texts in another way.

Writes OUT/metrics.json and results.html as eval/benchmark does, of our own runs the same bytes, and
another program's answers as predictions.jsonl. OUT may be a run's own folder only to restore its
metrics.json when that is gone.

vicrop_textvqa, vicrop_vqav2, vicrop_aokvqa, vicrop_gqa, vicrop_docvqa, vicrop_pope and vicrop_vstar
judge free answers twice: `released` as ViCrop's published numbers were counted, `standard` by the
benchmark's own rule (VQA accuracy, exact match, ANLS, yes or no, the letter). `answers` is a result
file of ViCrop (a JSON list with original_answer, crop_answer, labels) or JSONL with text and
labels; `annotations` is a file of the same form for labels and questions that the answers lack.
vicrop_vstar also takes a run of eval/benchmark with written answers (scoring=letter or string).
"""

from __future__ import annotations

from seal.evaluation.results.granularity_report import granularity_tables, granularity_verdicts
from seal.evaluation.score import ScoreRun, run_score, score_notes, score_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval_score", ScoreRun)
def main(run: ScoreRun) -> None:
    metrics = run_score(run)
    print(markdown(score_table(metrics)))
    for table in granularity_tables(metrics):
        print("", markdown(table), "", sep="\n")
    for note in (*granularity_verdicts(metrics), *score_notes(metrics)):
        print(note)
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()
