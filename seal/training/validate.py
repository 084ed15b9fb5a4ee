"""Held-out numbers while it trains: mean losses, and what the search model finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seal.batch import Batch, Sample, VQAOutput, VSMOutput
from seal.losses.granularity import level_losses
from seal.losses.vqa import LABEL_LOSSES
from seal.metrics.boxes import HIT_IOU
from seal.metrics.masks import overlap
from seal.ops.boxes import box_cxcywh_to_xyxy, box_iou
from seal.ops.maps import resized_map
from seal.training.assemble import TrainingData
from seal.training.config import TrainConfig
from seal.training.engine import Engine
from seal.training.held_out_batches import HeldOutBatches
from seal.training.loop import Validation
from seal.training.router_numbers import SUMS as ROUTER_SUMS
from seal.training.router_numbers import router_metrics, router_sums
from seal.training.sampler import SampleSource
from seal.training.source_losses import SourceLosses

# Named sums of one batch; a number that is reported is the ratio of two of them.
Sums = dict[str, float]


def validation_of(data: TrainingData, train: TrainConfig) -> Validation | None:
    """What `fit` calls by interval; None if nothing is held out.

    Raises:
        ValueError: nothing is, but `train.best` needs it.
    """
    if data.validation is None or train.validation_samples == 0:
        if train.best is not None:
            raise ValueError(
                f"train.best={train.best} chooses among validations, but the data holds nothing "
                "out: set data.validation.sources, or data.train.held_out to a number of records"
            )
        return None
    return held_out(
        data.validation, data.collate, count=train.validation_samples, seed=train.validation_seed
    )


def held_out(
    samples: SampleSource,
    collate: Callable[[Sequence[Sample]], Batch],
    *,
    count: int,
    seed: int = 0,
) -> Validation:
    """Losses of `count` samples drawn by seed, the same each time and on any number of processes.

    Masks and boxes too if the model predicts them, what a router's choices are worth, the loss at
    each level, and the cross-entropy of each source of a mixture of several.
    """
    names = [name for name in getattr(samples, "names", ()) if name]
    opened: list[HeldOutBatches] = []  # at the first validation, and kept with its workers

    def validate(engine: Engine) -> dict[str, float]:
        world = engine.world
        if not opened:
            opened.append(
                HeldOutBatches(
                    samples,
                    collate,
                    count=count,
                    seed=seed,
                    micro_batch_size=engine.train_config.micro_batch_size,
                    world=world,
                    workers=engine.train_config.workers,
                )
            )
        sources = SourceLosses(names if len(names) > 1 else ())  # of one it is the loss itself
        losses: Sums = {}
        weights: Sums = {}
        found: Sums = dict.fromkeys(SUMS, 0.0)
        routed: Sums = dict.fromkeys(ROUTER_SUMS, 0.0)
        for batch, counted in opened[0]:
            weight = engine.weights(batch)
            label_rows = batch.label_rows  # on the host
            batch = batch.to(world.device)
            parts, output = engine.evaluate(batch)
            losses |= {name: 0.0 for name in weight if name not in losses}
            weights |= {name: 0.0 for name in weight if name not in weights}
            if not counted:
                continue
            for name in weight:
                losses[name] += float(parts[name])
                weights[name] += weight[name]
            if LABEL_LOSSES in parts:
                sources.add(parts[LABEL_LOSSES], label_rows, batch.sources)
            if isinstance(output, VSMOutput):
                for name, value in search_sums(batch, output).items():
                    found[name] += value
            elif isinstance(output, VQAOutput):
                for name, value in router_sums(batch, output).items():
                    routed[name] += value
        sums = world.mean([*losses.values(), *weights.values()])
        means = [
            value / max(weight, 1e-9)  # what has no weight has no sum
            for value, weight in zip(sums[: len(losses)], sums[len(losses) :], strict=True)
        ]
        parts_by_name = dict(zip(losses, means, strict=True))
        totals = dict(zip(found, world.mean(list(found.values())), strict=True))
        routed = dict(zip(routed, world.mean(list(routed.values())), strict=True))
        return {
            "loss": sum(means),
            **{f"loss/{name}": value for name, value in parts_by_name.items()},
            **level_losses(parts_by_name),
            **search_metrics(totals),
            **router_metrics(routed),
            **sources.summary(world),
        }

    return validate


SUMS = ("intersection", "union", "iou", "masks", "hits", "boxes")


def search_sums(batch: Batch, output: VSMOutput) -> Sums:
    """Mask pixels and box hits of the expressions that have them annotated and present.

    A box is hit if the best-scored candidate is on one of the expression's boxes. Masks are
    compared at the mask's own resolution.
    """
    sums: Sums = dict.fromkeys(SUMS, 0.0)
    for index, target in enumerate(batch.targets):
        if target.mask is not None and target.mask.area:
            mask = target.mask.unpack()
            predicted = predicted_mask(output.pred_masks[index], mask, target.extent)
            intersection, union = overlap(predicted.cpu().numpy(), mask.cpu().numpy())
            sums["intersection"] += intersection
            sums["union"] += union
            sums["iou"] += intersection / union
            sums["masks"] += 1
        if target.boxes is not None and len(target.boxes):
            scores, boxes = output.pred_logits[index], output.pred_boxes[index]
            padding = (boxes[:, :2] > boxes.new_tensor(target.extent)).any(-1)
            best = boxes[scores.masked_fill(padding, -torch.inf).argmax()].float()
            ious = box_iou(box_cxcywh_to_xyxy(best[None]), box_cxcywh_to_xyxy(target.boxes.float()))
            sums["hits"] += float(ious.max() > HIT_IOU)
            sums["boxes"] += 1
    return sums


def predicted_mask(
    logits: Tensor, mask: Tensor, extent: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """(h, w) logits -> (H, W) bool, of the size of `mask`; `extent` as of a `Target`."""
    return resized_map(logits.float(), mask.shape[-2], mask.shape[-1], extent) > 0


def search_metrics(sums: Sums) -> dict[str, float]:
    """cIoU over all pixels, gIoU as the mean over masks, and the share of boxes that were hit."""
    metrics = {}
    if sums["masks"]:
        metrics["cIoU"] = sums["intersection"] / sums["union"]
        metrics["gIoU"] = sums["iou"] / sums["masks"]
    if sums["boxes"]:
        metrics["box_accuracy"] = sums["hits"] / sums["boxes"]
    return metrics
