"""A search model that replays a golden scenario and checks that it is asked the recorded things."""

from __future__ import annotations

import numpy as np
from golden_files import golden_json
from PIL import Image

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.heatmap import NumpyHeat
from seal.search.protocol import Cue, Detections

# golden name -> ours
PARAMETERS = {
    "confidence_high": "confidence_high",
    "confidence_low": "confidence_low",
    "smallest_size": "min_size",
    "target_cue_threshold": "cue_threshold",
    "target_cue_threshold_decay": "cue_threshold_decay",
    "target_cue_threshold_minimum": "cue_threshold_min",
}


def search_config(params, **more):
    """The config of a scenario; its smallest size is absolute."""
    params = golden_json("search")["meta"]["default_params"] | params
    ours = {PARAMETERS[name]: value for name, value in params.items()}
    return SearchConfig(**ours, min_size_scale=1e9, **more)


def xywh(box: Box):
    return [box.x0, box.y0, box.width, box.height]


def closed_form_heat(scenario, heat, bbox):
    """(h, w) float32, as the golden's `heat_formula` says."""
    x0, y0, width, height = bbox
    x = x0 + np.arange(width)[None, :] + 0.5
    y = y0 + np.arange(height)[:, None] + 0.5
    total = np.zeros((height, width))
    for cx, cy, sx, sy, a in scenario[heat["g"]]:
        total = total + a * np.exp(-((x - cx) ** 2 / (2 * sx**2) + (y - cy) ** 2 / (2 * sy**2)))
    return np.maximum(0, heat["s"] * total + heat["b"]).astype(np.float32)


def patch_boxes(boxes_cxcywh, width, height):
    """(N, 4) cxcywh in [0, 1] -> xyxy pixels, in float32 as the original scaled them."""
    scaled = np.array(boxes_cxcywh, np.float32).reshape(-1, 4)
    scaled = scaled * np.array([width, height, width, height], np.float32)
    center, size = scaled[:, :2], scaled[:, 2:]
    low = center - np.float32(0.5) * size
    return np.concatenate([low, low + size], 1)


class ScriptedModel:
    """Answers one query at a time, in the recorded order."""

    def __init__(self, scenario, extract=None):
        self.scenario = scenario
        self.calls = iter(scenario["calls"])
        self.num_answers = 0
        self.extract = extract  # (answer, target, chunker) -> phrase

    def _next(self, kind, queries):
        (query,) = queries
        call = next(self.calls)
        self.num_answers += 1
        assert call["m"] == kind
        assert xywh(query.patch.box) == call["bbox"]
        return query, call

    def detect(self, queries):
        query, call = self._next("det", queries)
        assert query.text == self.scenario["target"]
        heat = closed_form_heat(self.scenario, call["heat"], call["bbox"])
        boxes = patch_boxes(call["boxes"], *call["bbox"][2:])
        return [Detections(boxes, np.array(call["scores"], np.float32), NumpyHeat(heat))]

    def contextual_cue(self, queries):
        query, call = self._next("vqa", queries)
        phrase = self.extract(call["text"], query.text)
        return [Cue(call["text"], phrase, "golden")]

    def cue_heatmap(self, queries):
        query, call = self._next("seg", queries)
        assert call["question"] == f"Please locate the {query.text} in this image."
        return [NumpyHeat(closed_form_heat(self.scenario, call["heat"], call["bbox"]))]


def blank(wh):
    return Image.new("1", tuple(wh))  # one bit a pixel: nobody looks at it
