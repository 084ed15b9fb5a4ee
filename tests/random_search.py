"""A search model whose answers are random but depend on the question alone."""

from __future__ import annotations

import hashlib

import numpy as np

from seal.search.heatmap import GridHeat
from seal.search.protocol import Cue, Detections


class RandomModel:
    """`confidence`: the highest score it gives (below 0.3: nothing is ever found)."""

    def __init__(self, seed=0, confidence=0.55):
        self.seed, self.confidence = seed, confidence
        self.batches = []  # (kind, size) of each call

    def _generator(self, query):
        key = f"{self.seed}{query.kind}{query.patch.image.size}{query.patch.box!r}{query.text}"
        digest = hashlib.sha256(key.encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little"))

    def _heat(self, rng, query, peak):
        return GridHeat(
            rng.random((6, 6)) ** 4, query.patch.box.width, query.patch.box.height, peak
        )

    def detect(self, queries):
        self.batches.append(("detect", len(queries)))
        return [self._detect(query) for query in queries]

    def _detect(self, query):
        rng = self._generator(query)
        count = int(rng.integers(0, 4))
        low = rng.random((count, 2)) * 0.5
        box = query.patch.box
        boxes = np.concatenate([low, low + 0.4], 1) * ([box.width, box.height] * 2)
        return Detections(
            boxes.astype(np.float32),
            (rng.random(count) * self.confidence).astype(np.float32),
            self._heat(rng, query, float(rng.random() * 9)),
        )

    def contextual_cue(self, queries):
        self.batches.append(("contextual_cue", len(queries)))
        return [
            Cue(f"near {query.patch.box.x0}", f"place {query.patch.box.x0}", "random")
            for query in queries
        ]

    def cue_heatmap(self, queries):
        self.batches.append(("cue_heatmap", len(queries)))
        return [self._heat(self._generator(query), query, 5.0) for query in queries]

    def existing(self, queries):
        return self._confidences("existing", queries)

    def latent(self, queries):
        return self._confidences("latent", queries)

    def answering(self, queries):
        return self._confidences("answering", queries)

    def _confidences(self, kind, queries):
        self.batches.append((kind, len(queries)))
        return [float(self._generator(query).random() * self.confidence) for query in queries]


def visits(result):
    """What must be the same however a search is driven."""
    return (
        [
            (n.box, n.depth, n.score, n.confidence, n.cue_kind, n.child_shares, n.confidences)
            for n in result.path
        ],
        result.found,
        result.boxes,
        result.scores,
        result.best_box,
        result.num_steps,
        result.calls,
    )
