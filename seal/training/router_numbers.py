"""What a router's choices are worth, of held-out pictures: loss and tokens at the chosen level."""

from __future__ import annotations

from collections.abc import Mapping

from seal.batch import Batch, VQAOutput
from seal.losses.granularity import picture_losses
from seal.losses.ranking import best_levels

SUMS = ("pictures", "agreed", "tokens", "all_tokens", "chosen", "finest", "best")


def router_sums(batch: Batch, output: VQAOutput) -> dict[str, float]:
    """Sums over the pictures of a batch: how often the best level was chosen, visual tokens read
    and those of the finest level, and the language model's loss at three levels."""
    routes, scores = batch.routes, output.router_scores
    if routes is None or scores is None:
        return dict.fromkeys(SUMS, 0.0)
    losses = picture_losses(batch, routes, output)  # (P, levels)
    best, chosen = best_levels(losses)[:, None], scores.argmax(-1, keepdim=True)
    return {
        "pictures": float(len(losses)),
        "agreed": float((best == chosen).sum()),
        "tokens": float(routes.tokens.gather(1, chosen).sum()),
        "all_tokens": float(routes.tokens[:, -1].sum()),
        "chosen": float(losses.gather(1, chosen).sum()),
        "finest": float(losses[:, -1].sum()),
        "best": float(losses.gather(1, best).sum()),
    }


def router_metrics(sums: Mapping[str, float]) -> dict[str, float]:
    """Means over the pictures; nothing where there are none.

    `loss/chosen`, `loss/finest` and `loss/best`: the language model's loss of an answer at the
    level the router chooses, at all tokens, and at the level that is best for it.
    """
    count = sums["pictures"]
    if not count:
        return {}
    return {
        **{f"loss/{name}": sums[name] / count for name in ("chosen", "finest", "best")},
        "router_agreement": sums["agreed"] / count,
        "visual_tokens": sums["tokens"] / count,
        "visual_tokens_share": sums["tokens"] / sums["all_tokens"],
    }
