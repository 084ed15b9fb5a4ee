"""What a run would do, before it does anything: parameters, memory, steps, and one batch to see."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from seal.data.sample_page import add_samples
from seal.models.files.load import parameter_table
from seal.models.fit.memory import GIB
from seal.models.vlm import VLM
from seal.models.vqa import LEVEL_STAGES, VQAModel
from seal.models.vsm import VSM
from seal.pages.page import Page
from seal.text.tokenize import load_tokenizer
from seal.training.activations import Load
from seal.training.config import TrainConfig
from seal.training.devices import DEVICES
from seal.training.flops import arithmetic
from seal.training.memory import Need, Setting, step_need
from seal.training.optimizer import peak_rates, require_trained
from seal.training.recipe import Run, VQARun, VSMRun
from seal.training.workload import PAPER, Workload, workload_of

PROCESSES = (1, 8)
# Of the device's peak in large products; see seal.training.devices.
ASSUMED_SHARE = 0.45


def preview(run: VQARun | VSMRun) -> None:
    """Print the parameters by part, memory, steps; write a page with the first micro-batch."""
    run.prepare()
    with torch.device("meta"):
        model = run.build_model(weights=False)
    # A rate of what is not trained is told here as well.
    peak_rates(list(require_trained(model)), run.train.own_rates, run.train.learning_rate)
    print(f"{run.run_name}\n")
    print("\n".join(parameter_lines(model)), "\n")
    try:
        tokenizer = load_tokenizer(run.tokenizer_folder)
        data = run.build_data(tokenizer)
    except ValueError as error:
        _print_tables(model, run, _published(model, run))
        print(f"\nno batch is shown, for the data cannot be opened: {error}")
        return
    _print_tables(model, run, workload_of(data.train, data.collate, run.train.micro_batch_size))
    samples = [data.train[index] for index in range(run.train.micro_batch_size)]
    batch = data.collate(samples)
    padding = 1.0 - float(batch.attention_mask.float().mean())
    print(
        f"\n{batch.input_ids.numel():,} positions in the first micro-batch, {padding:.0%} padding"
    )
    page = Page(run.run_name, "The first micro-batch, as training reads it.")
    add_samples(page, samples, tokenizer)
    print(f"the first micro-batch: {page.write(run.folder / 'preview.html')}")


def _published(model: VQAModel | VSM, run: VQARun | VSMRun) -> Workload:
    """Of the published mixture, as this model and stage read it."""
    num_tokens = model.config.vision.num_tokens
    if not (isinstance(run, VQARun) and isinstance(model, VQAModel)):
        return PAPER["vsm"].with_tokens(num_tokens, 0)
    granularity = model.config.granularity
    if run.stage in LEVEL_STAGES and model.config.tiles is None and granularity is not None:
        return PAPER["instruct"].at_levels(  # SEAL's own records
            granularity.levels,
            router=run.stage == "router",
            kept=run.data.chat.kept_policy is not None,
        )
    return PAPER[run.stage].with_tokens(num_tokens, model.config.visual_sizes.short)


def _print_tables(model: VQAModel | VSM, run: Run, work: Workload) -> None:
    for lines in (
        step_lines(run.train, work),
        memory_lines(model, run, work),
        device_lines(model, run, work),
    ):
        print("\n".join(lines), "\n")


def parameter_lines(model: VLM) -> list[str]:
    """A table: part, parameters, trained ones."""
    rows = parameter_table(model)
    rows.append(("total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    return [f"{'part':<18}{'parameters':>16}{'trained':>16}"] + [
        f"{name:<18}{count:>16,}{trained:>16,}" for name, count, trained in rows
    ]


def memory_lines(
    model: VQAModel | VSM, run: Run, work: Workload, processes: Sequence[int] = PROCESSES
) -> list[str]:
    """A table: GiB per GPU for each ZeRO stage and number of GPUs."""
    train = run.train
    load = work.micro_batch(train.micro_batch_size)
    lines = [
        f"GiB per GPU at the worst moment of a step; micro-batches of {train.micro_batch_size}, "
        f"{load.positions:,.0f} positions at most",
        " " * 10 + "".join(f"{f'ZeRO {stage}':>10}" for stage in stages(train)),
    ]
    for count in processes:
        needs = [need_of(model, run, load, count, stage) for stage in stages(train)]
        cells = ["-" if need is None else f"{need.peak / GIB:.1f}" for need in needs]
        lines.append(f"{f'{count} GPU':<10}" + "".join(f"{cell:>10}" for cell in cells))
    count = next((n for n in reversed(processes) if _divides(train, n)), 1)
    stage = int(run.deepspeed.get("zero_optimization", {}).get("stage", 0))
    if (need := need_of(model, run, load, count, stage)) is not None:
        states, acts = need.states, need.activations
        lines.append(
            f"of ZeRO {stage} on {count}: weights {states.weights / GIB:.1f}, gradients "
            f"{states.gradients / GIB:.1f}, optimizer {states.optimizer / GIB:.1f}, activations "
            f"{acts.kept / GIB:.1f} and {acts.block / GIB:.1f} for a block; worst: {need.moment}"
        )
    return lines


def device_lines(
    model: VQAModel | VSM, run: Run, work: Workload, processes: Sequence[int] = PROCESSES
) -> list[str]:
    """A table: GPU, with which ZeRO stages the run fits, and how long it takes."""
    train = run.train
    load = work.micro_batch(train.micro_batch_size)
    hours = _device_hours(model, train, work)
    lines = [
        f"{'':<14}{'usable':>8}" + "".join(f"{f'{n} GPU: ZeRO':>16}{'hours':>8}" for n in processes)
    ]
    for device in DEVICES:
        cells = ""
        for count in processes:
            needs = [(s, need_of(model, run, load, count, s)) for s in stages(train)]
            fits = [
                str(stage) for stage, need in needs
                if need is not None and need.peak <= device.usable_gib * GIB
            ]  # fmt: skip
            time = "-"
            if fits and hours is not None:
                time = f"{hours / (device.peak_tflops * count):.1f}"
            cells += f"{' '.join(fits) or '-':>16}{time:>8}"
        lines.append(f"{device.name:<14}{device.usable_gib:>8.1f}{cells}")
    lines.append(
        f"hours: at {ASSUMED_SHARE:.0%} of what the GPU sustains in large products, recomputation "
        "not counted"
    )
    return lines


def step_lines(train: TrainConfig, work: Workload) -> list[str]:
    """Steps, and what they are of."""
    steps = work.steps(train)
    if steps is None:
        return [f"of {work.source}"]
    return [
        f"{work.source}; {steps:,} steps of {train.global_batch_size}; "
        f"warm-up {train.warmup(steps)}"
    ]


def need_of(model: VQAModel | VSM, run: Run, load: Load, processes: int, stage: int) -> Need | None:
    """What a GPU needs; None: the batch cannot be divided among so many."""
    train = run.train
    if not _divides(train, processes):
        return None
    setting = Setting.of(train, run.deepspeed, processes, stage=stage)
    return step_need(model, load, setting, train, run.quantization)


def stages(train: TrainConfig) -> range:
    """The ZeRO stages a run may use."""
    return range(1 if train.bf16 or train.optimizer == "adamw_8bit" else 0, 4)


def _divides(train: TrainConfig, processes: int) -> bool:
    return train.global_batch_size % (train.micro_batch_size * processes) == 0


def _device_hours(model: VQAModel | VSM, train: TrainConfig, work: Workload) -> float | None:
    """Hours of one device that sustains 1 TFLOP/s."""
    steps = work.steps(train)
    if steps is None:
        return None
    mean = work.mean
    sample = arithmetic(model)(
        positions=mean.positions, squares=work.squares, supervised=mean.supervised,
        images=mean.images, detections=mean.detections, routed=mean.routed,
    )  # fmt: skip
    return sample * train.global_batch_size * steps / ASSUMED_SHARE / 1e12 / 3600
