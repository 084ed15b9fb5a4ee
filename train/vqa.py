"""Train the VQA LLM: align a projector with captions, or follow instructions.

    torchrun --nproc-per-node 8 train/vqa.py experiment=vqa_instruct_7b
    seal train/vqa experiment=vqa_instruct_smoke              # minutes on a laptop, no data needed
    seal train/vqa experiment=vqa_instruct_7b dry_run=true    # parameters, memory, one batch

The three stages of the paper are the experiments vqa_align_linear_*, vqa_align_resampler_* and
vqa_instruct_*; each starts from the model folder of the one before: init_from=runs/NAME/model.
Writes runs/RUN_NAME/: checkpoints/ (the same command continues from the newest), metrics.jsonl,
and, at the end, model/, which `load_model` and every evaluation read.
"""

from __future__ import annotations

from seal.schema import program
from seal.text.tokenize import load_tokenizer
from seal.training.distributed import distributed
from seal.training.engine import build_engine
from seal.training.export import export_model
from seal.training.flops import count_flops
from seal.training.loop import fit
from seal.training.preview import preview
from seal.training.recipe import VQARun, describe
from seal.training.validate import validation_of


@program("train_vqa", VQARun)
def main(run: VQARun) -> None:
    if run.dry_run:
        run.prepare()
        preview(run)
        return
    with distributed(run.seed) as world:
        run.prepare(world)
        tokenizer = load_tokenizer(run.tokenizer_folder)
        data = run.build_data(tokenizer)
        model = run.build_model()
        flops = count_flops(model)
        engine = build_engine(
            model,
            run.criterion(),
            run.train,
            run.deepspeed,
            num_steps=run.train.steps(len(data.train)),
            world=world,
        )
        checkpoint = fit(
            engine,
            data.train,
            data.collate,
            run.folder,
            seed=run.seed,
            config=describe(run),
            validation=validation_of(data, run.train),
            flops=flops,
        )
        if world.is_main:
            export_model(run, checkpoint, run.folder / "model")
            print(f"the trained model: {run.folder / 'model'}")


if __name__ == "__main__":
    main()
