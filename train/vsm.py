"""Train the visual search model: one query that finds the target, or where to look next.

    torchrun --nproc-per-node 8 train/vsm.py experiment=vsm_7b
    seal train/vsm experiment=vsm_smoke               # minutes on a laptop, no data needed
    seal train/vsm experiment=vsm_7b dry_run=true     # parameters, memory, one batch

100 K steps of 64 images; LoRA on the LLM, the query heads, the cue decoder and the detector's
class head are trained. The mixture of conf/data/vsm.yaml is built by data_builders/.
Writes runs/RUN_NAME/: checkpoints/ (the same command continues from the newest), metrics.jsonl
with cIoU, gIoU and box accuracy on held-out records, and, at the end, model/, adapters merged.
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
from seal.training.recipe import VSMRun, describe
from seal.training.validate import validation_of


@program("train_vsm", VSMRun)
def main(run: VSMRun) -> None:
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
