"""Ask at each level, forced and chosen, by turns; write seconds, tokens and memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image

from seal.evaluation.environment import environment
from seal.evaluation.granularity_speed.clock import PARTS, PartClock
from seal.evaluation.granularity_speed.config import GranularitySpeedConfig
from seal.evaluation.granularity_speed.models import build_model
from seal.evaluation.speed.meter import MemoryMeter
from seal.evaluation.store import write_json
from seal.failure import FailedError
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.models.vqa import VQAModel
from seal.pages.table import Table
from seal.working_memory import VisualWorkingMemory

RESULT = "granularity_speed.json"
QUESTION = "What color is the flag on the roof of the house behind the two trees?"


@dataclass(slots=True)
class _Measured:
    """Of one level."""

    level: int
    forced: list[float] = field(default_factory=list)  # seconds of each question
    chosen: list[float] = field(default_factory=list)  # the same, the router having chosen it
    parts: list[dict[str, float]] = field(default_factory=list)  # of the chosen ones
    visual_tokens: int = 0
    tokens_read: int = 0
    prefix_bytes: int = 0


def measure(config: GranularitySpeedConfig) -> dict[str, Any]:
    """Measure, and write granularity_speed.json.

    Raises:
        ValueError: there is no such device, or no router, or a GPU's work by the CPU's clock.
    """
    from seal.inference.device import existing_device

    device = existing_device(config.device)
    if config.clock == "cpu" and device != "cpu":
        raise ValueError(f"clock=cpu tells no seconds of device={device}; take clock=wall")
    dtype = config.dtype or ("float32" if device == "cpu" else "bfloat16")
    config = replace(config, device=device, dtype=dtype)
    print(f"{config.name}: random weights in {dtype} on {device} ...", flush=True)
    model, tokenizer = build_model(config, device, getattr(torch, dtype))
    assert model.config.granularity is not None
    found = [_Measured(level) for level in model.config.granularity.levels]
    asker = _Asker(config, model, MemoryMeter(device))
    for turn in range(config.repeats + 1):  # the first warms up
        for place, measured in enumerate(found):
            forced = NetworkAnswerModel(model, tokenizer, granularity=measured.level)
            chosen = NetworkAnswerModel(model, tokenizer, granularity="auto")
            _choose(model, place)
            spent, _ = asker.ask(forced)
            routed, clock = asker.ask(chosen)
            if forced.cost.visual_tokens != chosen.cost.visual_tokens:
                raise FailedError(
                    f"the router was to choose level {measured.level}, whose question reads "
                    f"{forced.cost.visual_tokens} visual tokens, and {chosen.cost.visual_tokens} "
                    "were read"
                )
            measured.visual_tokens = int(chosen.cost.visual_tokens)
            measured.tokens_read = int(chosen.cost.tokens_read)
            measured.prefix_bytes = clock.prefix_bytes
            if turn:
                measured.forced.append(spent)
                measured.chosen.append(routed)
                measured.parts.append({part: clock.seconds[part] for part in PARTS})
    result = {
        "name": config.name,
        "weights": "random",
        "settings": asdict(config),
        "router_parameters": sum(p.numel() for p in asker.router.parameters()),
        "levels": [_summary(measured) for measured in found],
        "environment": environment(device),
    }
    write_json(Path(config.out) / RESULT, result)
    return result


class _Asker:
    """Puts one question after the other, each on a picture that nobody has seen."""

    def __init__(self, config: GranularitySpeedConfig, model: VQAModel, meter: MemoryMeter) -> None:
        assert model.router is not None
        self.config, self.model, self.router, self.meter = config, model, model.router, meter
        self._now = time.process_time if config.clock == "cpu" else time.perf_counter
        self._drawn = 0

    def ask(self, answers: NetworkAnswerModel) -> tuple[float, PartClock]:
        width, height = self.config.image_size
        rng = np.random.default_rng((self.config.seed, self._drawn))
        self._drawn += 1
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        memory = VisualWorkingMemory(QUESTION, image)
        with PartClock(self.model, self.meter, self._now) as clock:
            self.meter.wait()
            started = self._now()
            answers.generate([memory], max_new_tokens=self.config.answer_tokens)
            self.meter.wait()
            spent = self._now() - started
        written = answers.cost.tokens_written
        if written != self.config.answer_tokens:
            raise FailedError(
                f"an answer ended after {written} of {self.config.answer_tokens} tokens, so times "
                "cannot be compared; take another seed"
            )
        return spent, clock


def _choose(model: VQAModel, place: int) -> None:
    """Make the router, whose weights are random, choose a level: its work stays what it is."""
    assert model.router is not None
    with torch.no_grad():
        model.router.norm.bias.zero_()
        model.router.norm.bias[place] = 1000


def _summary(measured: _Measured) -> dict[str, Any]:
    parts = {part: median(each[part] for each in measured.parts) for part in PARTS}
    return {
        "level": measured.level,
        "visual_tokens": measured.visual_tokens,
        "tokens_read": measured.tokens_read,
        "prefix_bytes": measured.prefix_bytes,
        "seconds": {
            "forced": median(measured.forced),
            "chosen": median(measured.chosen),
            **parts,
        },
        "all": {"forced": measured.forced, "chosen": measured.chosen},
    }


def speed_table(result: Mapping[str, Any]) -> Table:
    """A line a level, coarse to fine."""
    levels, settings = result["levels"], result["settings"]
    finest = levels[-1]

    def line(level: Mapping[str, Any]) -> tuple[str, ...]:
        seconds = level["seconds"]
        return (
            str(level["level"]),
            str(level["visual_tokens"]),
            f"{100 * level['visual_tokens'] / finest['visual_tokens']:.1f}",
            f"{seconds['forced']:.3f}",
            f"{seconds['chosen']:.3f}",
            f"{finest['seconds']['forced'] / seconds['chosen']:.2f}",
            *(f"{seconds[part]:.3f}" for part in PARTS),
            f"{level['prefix_bytes'] / 1e6:.1f}",
        )

    width, height = settings["image_size"]
    title = (
        f"{result['name']}, random weights, {settings['dtype']} on "
        f"{result['environment']['device_name']} ({result['environment']['threads']} threads): a "
        f"question on {width} x {height} pixels, {settings['answer_tokens']} tokens an answer, "
        f"{settings['clock']} seconds, a router of {result['router_parameters'] / 1e6:.1f} M "
        "parameters"
    )
    head = (
        "level", "visual tokens", "% of finest", "s forced", "s chosen", "faster than finest",
        *(f"s {part}" for part in PARTS), "prefix MB",
    )  # fmt: skip
    return Table(title, head, tuple(map(line, levels)))
