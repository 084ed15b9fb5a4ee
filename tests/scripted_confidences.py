"""A search model whose confidences are written down, by region: the rest is a default."""

from __future__ import annotations

import numpy as np

from seal.search.protocol import Detections


class ScriptedConfidences:
    """sure: kind -> {region as (x0, y0, x1, y1): confidence}; boxes: region -> (box, score) lists
    that `detect` and `expert` see there, in image pixels."""

    def __init__(self, default=0.1, boxes=(), expert=(), **sure):
        self.default, self.sure = default, sure
        self.boxes, self.seen_by_expert = dict(boxes), dict(expert)
        self.asked = []  # (kind, region, text), in order
        self.batches = []  # (kind, size)

    def existing(self, queries):
        return self._confidences("existing", queries)

    def latent(self, queries):
        return self._confidences("latent", queries)

    def answering(self, queries):
        return self._confidences("answering", queries)

    def detect(self, queries):
        return self._detections("detect", self.boxes, queries)

    def expert(self, queries):
        return self._detections("expert", self.seen_by_expert, queries)

    def regions(self, kind):
        return [region for asked, region, _ in self.asked if asked == kind]

    def _confidences(self, kind, queries):
        self._note(kind, queries)
        known = self.sure.get(kind, {})
        return [known.get(_edges(query), self.default) for query in queries]

    def _detections(self, kind, known, queries):
        self._note(kind, queries)
        return [_detections(known.get(_edges(query), ()), query) for query in queries]

    def _note(self, kind, queries):
        self.batches.append((kind, len(queries)))
        self.asked += [(kind, _edges(query), query.text) for query in queries]


def _edges(query):
    return query.patch.box.as_ints()


def _detections(seen, query):
    x0, y0, _, _ = _edges(query)
    boxes = [
        [left - x0, top - y0, right - x0, bottom - y0] for (left, top, right, bottom), _ in seen
    ]
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.array([s for _, s in seen], np.float32)
    )
