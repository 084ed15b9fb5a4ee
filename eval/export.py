"""Write a run's answers in the form of another program, or of a benchmark's server.

    seal eval/export run=runs/vstar form=vlmevalkit out=seal_VStarBench.xlsx
    seal eval/export run=runs/vstar form=lmms_eval out=samples_vstar_bench.jsonl system=guided
    seal eval/export run=runs/mmbench form=upload out=seal_mmbench.xlsx

vlmevalkit: a result table of VLMEvalKit (.xlsx or .tsv), the benchmark's columns and `prediction`,
which its own evaluation judges. lmms_eval: samples as its --log_samples writes them. upload: what
the server of mmbench, vqav2, textvqa, docvqa, gqa, aokvqa, mm_vet or seed_image takes.

Options stand as they were shown, beside the letter of the true one; where they were compared by
likelihood, the prediction is the letter of the likeliest, Z where none is. Of a run with several
systems, `system` says whose answers; of questions put in several wordings (scoring=letter_cyclic),
`wording` which one. `seal eval/score` reads the first two forms back.
"""

from __future__ import annotations

from seal.evaluation.export.run import ExportRun, run_export
from seal.schema import program


@program("eval_export", ExportRun)
def main(run: ExportRun) -> None:
    print(f"{run_export(run)} answers written: {run.out}")


if __name__ == "__main__":
    main()
