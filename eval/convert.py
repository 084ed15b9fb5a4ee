"""Convert models between the authors' layout, ours, and the public parts training begins from.

    seal eval/convert model=vqa_7b source=seal_vqa_7b out=models/vqa
    seal eval/convert model=vsm_7b source=seal_vsm_7b clip=clip-vit-large-patch14 out=models/vsm
    seal eval/convert source=runs/vsm_7b/model out=for_their_code to=authors
    seal eval/convert model=vqa_7b llm=vicuna-7b-v1.3 clip=clip-vit-large-patch14 \\
        tokenizer=vicuna-7b-v1.3 out=models/vqa_base_7b
    seal eval/convert model=vsm_7b check=keys.json

The released search model holds no CLIP tower: `clip` names it. The fourth line makes what training
begins from (a search model needs `detector` too, and a tokenizer with the added tokens). `check`
compares a JSON object of tensor names and shapes, and loads nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.models.convert import compare_keys, from_authors, from_parts, write_authors
from seal.models.load import load_model, save_model
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.schema import from_dict, program


@dataclass(kw_only=True, slots=True)
class ConvertRun:
    model: Any = None  # of conf/model: the sizes `source` or the parts have, e.g. vqa_7b
    source: str | None = None  # the authors' folder, or ours if to=authors
    llm: str | None = None  # parts, instead of a source: LLaMA, Vicuna or LLaVA
    clip: str | None = None
    detector: str | None = None  # OWL-ViT
    tokenizer: str | None = None  # whose files go along; None: the source's
    out: str | None = None
    to: str = "ours"  # ours | authors
    check: str | None = None  # a JSON file of tensor names and shapes
    seed: int = 0  # of what parts do not hold

    def __post_init__(self) -> None:
        if self.to not in ("ours", "authors"):
            raise ValueError(f"to={self.to!r}; known: ours, authors")
        if self.model is None and (self.to == "ours" or self.check is not None):
            raise ValueError("model= names the sizes that are meant, e.g. model=vqa_7b")
        if self.check is None and (self.out is None or (self.source is None) == (self.llm is None)):
            raise ValueError("set out= and either source= or llm= (with the other parts)")

    def sizes(self) -> VQAModelConfig | VSMModelConfig:
        kind = VSMModelConfig if "detector" in self.model else VQAModelConfig
        return from_dict(kind, self.model)


@program("convert", ConvertRun)
def main(run: ConvertRun) -> None:
    if run.check is not None:
        return check(run.sizes(), Path(run.check))
    tokenizer = run.tokenizer or run.source or run.llm
    assert run.out is not None and tokenizer is not None
    if run.to == "authors":
        if run.source is None:
            raise ValueError("to=authors needs source=, a model folder of ours")
        write_authors(run.out, load_model(run.source, keep_dtype=True), tokenizer)
    elif run.source is not None:
        save_model(run.out, from_authors(run.source, run.sizes(), clip=run.clip), tokenizer)
    elif run.llm is not None and run.clip is not None:
        parts = {"llm": run.llm, "clip": run.clip, "detector": run.detector}
        save_model(run.out, from_parts(run.sizes(), **parts, seed=run.seed), tokenizer)
    else:
        raise ValueError("clip= names the folder of the CLIP tower, which parts need")
    print(f"{run.source or run.llm} -> {run.out}")


def check(config: VQAModelConfig | VSMModelConfig, path: Path) -> None:
    problems = compare_keys(config, json.loads(path.read_text(encoding="utf-8")))
    if problems:
        raise RuntimeError(f"{path}: {len(problems)} differences: {'; '.join(problems[:5])}")
    print(f"{path}: every tensor of the model, and no other")


if __name__ == "__main__":
    main()
