"""Train the VQA LLM: align a projector, follow instructions, read at levels, choose among them.

    torchrun --nproc-per-node 8 train/vqa.py experiment=vqa_instruct_7b
    seal train/vqa experiment=vqa_instruct_smoke              # minutes on a laptop, no data needed
    seal train/vqa experiment=vqa_instruct_7b dry_run=true    # parameters, memory, one batch
    seal train/vqa ... protocol=as_released                  # the quirks of the released training

The three stages of the paper are the experiments vqa_align_linear_*, vqa_align_resampler_* and
vqa_instruct_*; each starts from the model folder of the one before: init_from=runs/NAME/model.
AVG-LLaVA's are avg_granularity_*, which reads every picture at every level, and avg_router_*, which
trains the router alone on what the first one's model says at each; seal_granularity_* and
seal_router_* do so with SEAL's own model.
Writes runs/RUN_NAME/: checkpoints/ (the same command continues from the newest), metrics.jsonl,
and, at the end, model/, which `load_model` and every evaluation read.
"""

from __future__ import annotations

from seal.schema import program
from seal.training.dry_run import preview
from seal.training.recipe import VQARun
from seal.training.run import train


@program("train_vqa", VQARun)
def main(run: VQARun) -> None:
    if run.dry_run:
        preview(run)
    else:
        train(run)


if __name__ == "__main__":
    main()
