"""How many regions a search looks at until it has the target, compared fairly."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seal.metrics.intervals import mean
from seal.metrics.metric import Metric
from seal.metrics.paired import paired_difference


@dataclass(frozen=True, slots=True)
class SearchLengths:
    """Mean search lengths by strategy.

    A strategy that only finds the easy targets looks short over its own hits; `common` is the
    fair comparison, `own` what papers print.
    """

    own: dict[str, Metric]  # over the targets that the strategy itself found
    common: dict[str, Metric]  # over the targets that every strategy found
    difference: dict[str, Metric]  # strategy minus the reference, over the common targets

    def to_dict(self) -> dict[str, Any]:
        """What result files hold."""
        return {
            name: {strategy: metric.to_dict() for strategy, metric in table.items()}
            for name, table in (
                ("own", self.own),
                ("common", self.common),
                ("difference", self.difference),
            )
        }


def search_lengths(
    lengths: Mapping[str, Sequence[float | None]],
    reference: str,
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> SearchLengths:
    """Lengths by strategy, one a target in the same order; None: the target was not hit.

    `invalid` of every number is how many targets it leaves out. clusters: the image of each target,
    say: those of one image are resampled together; None: each is its own.
    """
    if reference not in lengths:
        raise ValueError(f"no lengths of {reference!r}; there are {', '.join(lengths)}")
    counts = {len(values) for values in lengths.values()}
    if len(counts) != 1:
        raise ValueError(f"strategies were run on different targets: {sorted(counts)} lengths")
    total = counts.pop()
    belongs = list(range(total)) if clusters is None else list(clusters)
    if len(belongs) != total:
        raise ValueError(f"{len(belongs)} clusters of {total} targets: every target has one")
    hits = {name: [i for i in range(total) if of[i] is not None] for name, of in lengths.items()}
    shared = [i for i in range(total) if all(of[i] is not None for of in lengths.values())]
    fair = {name: [float(of[i] or 0) for i in shared] for name, of in lengths.items()}
    missing, images = total - len(shared), [belongs[i] for i in shared]
    return SearchLengths(
        own={
            name: mean(
                [float(lengths[name][i] or 0) for i in hit],
                invalid=total - len(hit), clusters=[belongs[i] for i in hit], seed=seed,
            )
            for name, hit in hits.items()
        },
        common={
            name: mean(values, invalid=missing, clusters=images, seed=seed)
            for name, values in fair.items()
        },
        difference={
            name: paired_difference(
                values, fair[reference], invalid=missing, clusters=images, seed=seed
            )
            for name, values in fair.items()
            if name != reference
        },
    )  # fmt: skip
