"""Carry out a training run: from a base model and records to a trained model folder."""

from __future__ import annotations

import gc
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import record

from seal.text.tokenize import load_tokenizer
from seal.training.assemble import speed_up
from seal.training.distributed import World, distributed
from seal.training.engine import build_engine
from seal.training.export import export_model
from seal.training.flops import count_flops
from seal.training.loop import fit
from seal.training.out_of_memory import explained
from seal.training.publish import publish, require_token
from seal.training.recipe import VQARun, VSMRun
from seal.training.run_facts import describe, verify_records
from seal.training.shared_folder import require_shared
from seal.training.stop import StopRequest
from seal.training.validate import validation_of


@record  # so that torchrun's error file holds the error, and not only an exit code
def train(run: VQARun | VSMRun) -> None:
    """Train under DeepSpeed, from the newest checkpoint if there is one, and write RUN/model.

    A run that is asked to stop (`seal.training.stop`) leaves a checkpoint and no model; that is
    no error.

    Raises:
        InUseError: another training writes to the run's folder.
        OutOfMemoryError: a GPU is full; names what would help.
        ValueError: a record set is not what its `set.json` says, a process does not see the run's
            folder, or what `fit` raises.
    """
    with (
        distributed(run.seed, timeout_minutes=run.train.timeout_minutes) as world,
        world.lock(run.folder, "training"),
    ):
        require_shared(run.folder, world)
        with StopRequest(run.folder, world, max_hours=run.train.max_hours) as stop:
            world.beat("preparing the run")
            run.prepare(world)
            world.decide(lambda: _check(run))
            with explained(run, world):
                checkpoint = _fit(run, world, stop)
        world.rest()
        gc.collect()  # the engine is a knot of references; the export needs its memory
        if world.is_main:
            export_model(run, checkpoint, run.folder / "model")
            print(f"the trained model: {run.folder / 'model'}")
            publish(run.train, checkpoint, run.folder / "model")


def _check(run: VQARun | VSMRun) -> None:
    require_token(run.train)
    verify_records(run)


def _fit(run: VQARun | VSMRun, world: World, stop: StopRequest) -> Path:
    """The last checkpoint. What it takes to write it is let go of."""
    world.beat("reading the records and the base model")
    tokenizer = load_tokenizer(run.tokenizer_folder)
    balanced = run.train.dealing == "balanced"
    # The first process measures the records, or finds out that it was done; the others read it.
    data = run.build_data(tokenizer, index=balanced) if world.is_main else None
    world.barrier()
    data = data or run.build_data(tokenizer, index=balanced)
    model = run.build_model()
    flops = count_flops(model)
    faster = speed_up(model, run.train, world.device)
    if faster and world.is_main:
        print(f"with {', '.join(faster)}")
    world.beat("building the engine")
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
        stop=stop,
    )
    engine.deepspeed.destroy()
    return checkpoint
