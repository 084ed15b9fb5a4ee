"""One search with a tiny search model: the largest resident size above the loaded model.

    python tests/search_peak.py PICTURE

Prints a JSON line: bytes, and how many regions were looked at.
"""

from __future__ import annotations

import gc
import json
import sys

import torch
from resident import Watch, resident
from tiny_models import noise, tokenizer, vsm_model

from seal.inference.build_locator import build_locator
from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.pipeline import Seal
from seal.search.config import SearchConfig


def main(path: str) -> None:
    torch.set_num_threads(1)
    model = NetworkSearchModel(vsm_model(), tokenizer())
    never = SearchConfig(confidence_high=1.0, instance_threshold=1.0)  # so that it looks everywhere
    seal = Seal(None, build_locator("guided", model, never))
    seal.locate(noise(600, 500), "boat")  # what libraries take on their first use is no picture's
    gc.collect()
    before, watch = resident(), Watch()
    result = seal.locate(path, "boat")
    print(json.dumps({"peak": watch.stop() - before, "visits": len(result.path)}))


if __name__ == "__main__":
    main(sys.argv[1])
