"""Is the contextual cue read off the scene? Ask, repaint the home, ask again.

A kind's home is the first region it prefers among those shown. Repainting that region moves the
home; an answer looked up by the kind's name alone would stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seal.geometry import Box
from seal.metrics.intervals import proportion
from seal.metrics.metric import Metric
from seal.miniature.world import KINDS, REGIONS, Scene, home, make_scene
from seal.search.protocol import Patch, Query, SearchModel


@dataclass(frozen=True, slots=True)
class Pair:
    """One scene before and after, and the kind that is asked about."""

    kind: str
    before: Scene
    after: Scene


def repainted(seed: int, index: int) -> Pair:
    """A scene whose kind's home moves when its first home is repainted."""
    rng = np.random.default_rng((seed, index, 1))
    attempt = 0
    while True:
        scene = make_scene(seed, index * 1000 + attempt)
        attempt += 1
        kind = str(rng.choice(list(KINDS)))
        old = home(kind, scene.shown)
        rest = scene.shown - {old}
        if old is None or home(kind, rest) is None:
            continue
        # A new paint that the kind likes no better than what is left: the home must move on.
        hidden = [region for region in REGIONS if region not in scene.shown]
        free = [r for r in hidden if home(kind, rest | {r}) == home(kind, rest)]
        if free:
            return Pair(kind, scene, scene.repaint(old, str(rng.choice(free))))


def measure(model: SearchModel, *, seed: int, num_scenes: int) -> dict[str, Metric]:
    """Shares of right answers: before, after, both, and of answers that changed at all.

    `lookup` is what the best answer by name alone would reach: always the kind's first home.
    """
    pairs = [repainted(seed, index) for index in range(num_scenes)]
    said = {
        when: _ask(model, [(pair.kind, getattr(pair, when)) for pair in pairs])
        for when in ("before", "after")
    }
    right = {
        when: [
            answer == home(pair.kind, getattr(pair, when).shown)
            for pair, answer in zip(pairs, said[when], strict=True)
        ]
        for when in said
    }
    both = [b and a for b, a in zip(right["before"], right["after"], strict=True)]
    changed = [b != a for b, a in zip(said["before"], said["after"], strict=True)]
    by_name = [
        KINDS[pair.kind].homes[0] == home(pair.kind, scene.shown)
        for pair in pairs
        for scene in (pair.before, pair.after)
    ]
    invalid = sum(answer is None for answers in said.values() for answer in answers)
    shares = {
        "before": right["before"],
        "after": right["after"],
        "both": both,
        "changed": changed,
        "lookup": by_name,
    }
    return {
        name: proportion(hits, invalid=invalid if name == "both" else 0)
        for name, hits in shares.items()
    }


def _ask(model: SearchModel, asked: Sequence[tuple[str, Scene]]) -> list[str | None]:
    """The region each answer names; None if it names none."""
    answers: list[str | None] = []
    for kind, scene in asked:
        patch = Patch(scene.render(), Box(0, 0, scene.width, scene.height))
        (cue,) = model.contextual_cue([Query("contextual_cue", patch, kind)])
        words = cue.answer.rstrip(".").split()
        answers.append(next((word for word in reversed(words) if word in REGIONS), None))
    return answers
