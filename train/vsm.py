"""Train the visual search model: one query that finds the target, or where to look next.

    torchrun --nproc-per-node 8 train/vsm.py experiment=vsm_7b
    seal train/vsm experiment=vsm_smoke               # minutes on a laptop, no data needed
    seal train/vsm experiment=vsm_7b dry_run=true     # parameters, memory, one batch
    seal train/vsm ... protocol=as_released          # the quirks of the released training

100 K steps of 64 images; LoRA on the LLM, the query heads, the cue decoder and the detector's
class head are trained. The mixture of conf/data/vsm.yaml is built by data_builders/.
Writes runs/RUN_NAME/: checkpoints/ (the same command continues from the newest), metrics.jsonl
with cIoU, gIoU and box accuracy on held-out records, and, at the end, model/, adapters merged.
"""

from __future__ import annotations

from seal.schema import program
from seal.training.dry_run import preview
from seal.training.recipe import VSMRun
from seal.training.run import train


@program("train_vsm", VSMRun)
def main(run: VSMRun) -> None:
    if run.dry_run:
        preview(run)
    else:
        train(run)


if __name__ == "__main__":
    main()
