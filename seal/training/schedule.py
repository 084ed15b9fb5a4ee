"""The learning rate of each step, as a share of the configured one."""

from __future__ import annotations

import math

from seal.training.config import SCHEDULES


def learning_rate_share(step: int, *, schedule: str, num_steps: int, warmup: int) -> float:
    """Share of the peak rate that optimizer step `step` (0-based) uses.

    The warm-up rises linearly and reaches the peak at step `warmup`; the first step uses
    1 / (warmup + 1), not 0, so that no step is wasted. `linear` and `cosine` then fall from 1
    and would reach 0 one step after the last.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule {schedule!r} is none of {', '.join(SCHEDULES)}")
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min(1.0, (step - warmup) / max(1, num_steps - warmup))
    if schedule == "linear":
        return 1.0 - done
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    return 1.0
