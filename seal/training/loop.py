"""The training loop: straight-line, resumable, and unwilling to go on with bad numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from seal.batch import Batch, Sample
from seal.training import checkpoint as checkpoints
from seal.training.bad_samples import BadSamples, Substituting
from seal.training.best import BestSoFar, value_of
from seal.training.checkpoint_store import find_checkpoint, is_first_unfinished
from seal.training.checkpointer import Checkpointer
from seal.training.config import TrainConfig
from seal.training.engine import Engine
from seal.training.log import METRICS, TrainingLog, last_step, was_validated
from seal.training.plan import Plan
from seal.training.same_run import require_same_config
from seal.training.sampler import SampleSource, training_batches
from seal.training.step import optimizer_step
from seal.training.stop import StopRequest
from seal.training.window import Window

Validation = Callable[[Engine], Mapping[str, float]]


def fit(
    engine: Engine,
    samples: SampleSource,
    collate: Callable[[Sequence[Sample]], Batch],
    folder: Path,
    *,
    seed: int,
    config: Mapping[str, Any],
    validation: Validation | None = None,
    flops: Callable[[Batch], float] | None = None,
    stop: StopRequest | None = None,
) -> Path:
    """Train to the end, from the newest checkpoint in `folder` if there is one; return the last.

    The same command, started again after any kind of end, continues bit for bit (on CPUs).

    Args:
        config: the configuration of the run; a checkpoint of another one is refused.
        validation: called by interval and at the end.
        flops: operations a batch needs, for the log.
        stop: somebody may ask for the end through it; None: nobody can.

    Raises:
        StoppedError: somebody asked for the end; a checkpoint holds every step that was done.
        FloatingPointError: a loss is not finite; no weight has been updated with it.
        ValueError: a batch has no supervised token, the checkpoint does not fit, or `train.best`
            names no number of the validation.
    """
    train, world = engine.train_config, engine.world
    store = folder / "checkpoints"
    # One process looks: another one may see an older state of the storage, and would go elsewhere.
    start = world.decide(lambda: _decide_start(folder, store, train, config))
    found, first = start.checkpoint, start.step
    last = min(engine.num_steps, train.stop_after or engine.num_steps)
    if found is not None and first >= last:
        if world.is_main:
            print(f"{found} is at step {first} of {last}: nothing left to train")
        return found
    bad = BadSamples(folder, world, first=first, allowed=train.max_bad_samples)
    if train.max_bad_samples:
        samples = Substituting(samples, most=train.max_bad_samples)
    batches = training_batches(
        samples,
        collate,
        Plan.of(train, samples),
        first=first,
        num_steps=last,
        world=world,
        workers=train.workers,
        prefetch=train.prefetch,
    )
    best = None
    if train.best is not None and validation is not None:
        best = BestSoFar(store, train.best, first=first, world=world)
    log = None
    if world.is_main:
        log = TrainingLog(
            folder, first=first, num_steps=last, wandb=train.wandb,
            wandb_project=train.wandb_project, tensorboard=train.tensorboard, config=config,
        )  # fmt: skip
    # What is told by source is the same in every process: the mixture's names.
    window = Window(engine, flops, getattr(samples, "names", ()))
    saving = Checkpointer(store, engine, keep=train.keep, background=train.save_in_background)
    try:
        if validation is not None and train.validate_every and first == 0:
            before = validation(engine)  # of the untrained model, to compare with
            if log is not None:
                log.validation(0, before)
            if train.best is not None:
                value_of(train.best, before)  # a name that is not there is told now
        for step in range(first, last):
            world.beat(f"step {step + 1}: reading its samples")
            began = time.perf_counter()
            micro_batches = list(islice(batches, engine.accumulation))
            waited = time.perf_counter() - began
            world.beat(f"step {step + 1}: computing")
            if found is not None and step == first:
                # A throw-away step at rate 0 makes DeepSpeed allocate the optimizer's state.
                optimizer_step(engine, micro_batches, step, seed=seed, skip=True)
                checkpoints.load_checkpoint(found, engine)
                if start.validation_missing and validation is not None:
                    results = validation(engine)
                    if log is not None:
                        log.validation(step, results)
                    if best is not None and best.improved(results, step):
                        best.settle(found)
            losses, norm = optimizer_step(
                engine, micro_batches, step, seed=seed, sources=window.sources
            )
            window.add(losses, norm, micro_batches, time.perf_counter() - began, waited)
            done = step + 1
            world.beat(f"step {done}: done")
            number = math.fsum(len(batch.replaced) for batch in micro_batches)
            replaced, *votes = world.sum([number, *(stop.votes() if stop is not None else ())])
            if replaced:
                bad.note(done, micro_batches, log.say if log is not None else print)
            stopping = any(votes) and done < last
            if log is not None:
                log.advance()
            if done % train.log_every == 0 or done == last or stopping:
                values = window.summary(step) | saving.take_stall()
                if log is not None:
                    log.train(done, values)
            if done % train.save_every == 0 or done == last or stopping:
                saving.save(done, config)
            if stop is not None and stopping:
                written = saving.finish()
                assert written is not None
                if best is not None:
                    best.settle(written)
                stop.stop(votes, done, written)  # held-out samples can wait for the next start
            due = train.validate_every and done % train.validate_every == 0
            if validation is not None and (due or done == last):
                results = validation(engine)
                if log is not None:
                    log.validation(done, results)
                better = best is not None and best.improved(results, done)
                if better and done % train.save_every and done != last:
                    saving.save(done, config)
            saving.poll()
            if best is not None:
                best.settle(saving.last)
        found = saving.finish()
        if best is not None:
            best.settle(found)
    finally:
        saving.close()
        if log is not None:
            log.close()
    assert found is not None  # the last step is always saved
    return found


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a run goes on."""

    checkpoint: Path | None = None  # None: it begins
    step: int = 0  # steps done
    validation_missing: bool = False  # the last start ended between that step and its validation


def _decide_start(
    folder: Path, store: Path, train: TrainConfig, config: Mapping[str, Any]
) -> _Start:
    found = find_checkpoint(store)
    if found is None:
        require_unsaved(folder, train.save_every)
        return _Start()
    if note := require_same_config(found, checkpoints.read_description(found), config):
        print(note)
    step = checkpoints.read_step(found)
    due = train.validate_every > 0 and step % train.validate_every == 0
    return _Start(found, step, due and not was_validated(folder / METRICS, step))


def require_unsaved(folder: Path, save_every: int) -> None:
    """Before a run begins at step 0: refuse if its log tells that there were checkpoints.

    One that ended before its first checkpoint may begin again, and says so.
    """
    done = last_step(folder / METRICS)
    # Steps go on being logged while the first checkpoint is written.
    if done >= save_every and not is_first_unfinished(folder / "checkpoints"):
        raise ValueError(
            f"{folder / METRICS} tells of {done} steps, but {folder / 'checkpoints'} holds no "
            "checkpoint to go on from: put the checkpoints back, or choose another run_name= to "
            "start anew"
        )
    if done:
        print(f"{folder} ended at step {done}, before a checkpoint: training begins at step 0")
