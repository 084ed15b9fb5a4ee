"""Measure whether the miniature's contextual cue is read off the scene.

    seal eval/cue_reading vsm=runs/demo/vsm out=runs/demo/cue_reading.json

Asks where a kind of object most likely is, repaints its home region so that the home moves, and
asks again. Writes the shares of right answers before, after and both times, of answers that
changed, and what the best lookup by name alone would reach.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from seal.inference.guides.seal_vsm import NetworkSearchModel
from seal.inference.hub import model_folder
from seal.miniature.cue_reading import measure
from seal.models.files.load import load_model
from seal.models.vsm import VSM
from seal.schema import program
from seal.text.tokenize import load_tokenizer


@dataclass(kw_only=True, slots=True)
class CueReadingRun:
    vsm: str = MISSING  # a model folder trained on the miniature
    out: str = MISSING  # the JSON file to write
    num_scenes: int = 200
    seed: int = 9100  # of the scenes; no training or benchmark set uses it

    def __post_init__(self) -> None:
        if self.num_scenes < 1:
            raise ValueError(f"num_scenes={self.num_scenes} must be at least 1")


@program("cue_reading", CueReadingRun)
def main(run: CueReadingRun) -> None:
    model = load_model(model_folder(run.vsm))
    if not isinstance(model, VSM):
        raise ValueError(f"vsm={run.vsm} holds a {type(model).__name__}, not a search model")
    found = measure(
        NetworkSearchModel(model, load_tokenizer(model_folder(run.vsm))),
        seed=run.seed,
        num_scenes=run.num_scenes,
    )
    out = Path(run.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    result = {name: metric.to_dict() for name, metric in found.items()}
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, metric in found.items():
        print(f"{name:<8} {metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}] n={metric.n}")


if __name__ == "__main__":
    main()
