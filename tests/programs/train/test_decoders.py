"""Every family of language models trains, goes on, is exported and answers by the programs."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tiny_decoders
import torch
from programs_here import ROOT, run_program
from tiny_models import noise

from seal.geometry import Box
from seal.inference.load import load_answer_model, load_search_model
from seal.models.files.load import load_model, read_config
from seal.models.files.save import save_model
from seal.models.parts.llm import LlmConfig
from seal.schema import compose
from seal.search.protocol import Patch, Query
from seal.training.checkpoint import iterate_weights, read_weights
from seal.training.recipe import KINDS
from seal.training.smoke import write_smoke_data
from seal.working_memory import MemoryTarget, VisualWorkingMemory

EXPERIMENTS = {"vqa": "vqa_instruct_smoke", "vsm": "vsm_smoke"}
TARGETS = {"phi3": "[qkv_proj]"}
CASES = [
    # In most runs: grouped heads of their own size, norms of queries, tied tables.
    ("qwen3", "vqa", True, 4),
    *(
        pytest.param(name, kind, adapters, 20, marks=pytest.mark.slow)
        for name in tiny_decoders.CONFIGS
        for kind in EXPERIMENTS
        for adapters in (True, False)
    ),
]


@cache
def smoke_data(root: Path) -> Path:
    write_smoke_data(root / "smoke")
    return root / "smoke"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("decoders")


def base(root: Path, name: str, kind: str) -> Path:
    """The smoke model on a tiny decoder of the family."""
    folder = root / "bases" / f"{kind}_{name}"
    if not folder.exists():
        composed: Any = compose(
            ROOT / "conf", f"train_{kind}", KINDS[kind], [f"experiment={EXPERIMENTS[kind]}"]
        )
        rows = composed.model.llm.vocab_size
        llm = replace(LlmConfig.of(tiny_decoders.folder(name)), vocab_size=rows)
        llm.max_position_embeddings = 2048
        torch.manual_seed(4)
        model = replace(composed.model, llm=llm).build()
        save_model(folder, model, smoke_data(root) / "tokenizer")
    return folder


def sizes(folder: Path) -> list[str]:
    """The language model of `folder`, in words of a command line."""

    llm = asdict(read_config(folder).llm)
    scaling = llm.pop("rope_scaling")
    return [f"model.llm.{key}={value}" for key, value in llm.items()] + [
        f"+model.llm.rope_scaling.{key}={value}" for key, value in scaling.items()
    ]


def command(root: Path, name: str, kind: str, adapters: bool, *more: str) -> list[str]:
    experiment = "vqa_lora_smoke" if kind == "vqa" and adapters else EXPERIMENTS[kind]
    lora = ["lora.targets=" + TARGETS.get(name, "[q_proj,v_proj]")] if adapters else ["lora=null"]
    return [
        f"train/{kind}", f"experiment={experiment}", f"paths.runs={root}",
        *sizes(base(root, name, kind)), f"init_from={base(root, name, kind)}",
        "deepspeed=zero2",
        "train.validation_samples=0", "tokenizer=null", "smoke_data=false",
        f"paths.records={smoke_data(root)}", *lora, *more,
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "adapters", "steps"), CASES)
def test_a_decoder_trains_goes_on_bit_for_bit_is_exported_and_answers(
    root, name, kind, adapters, steps
):
    whole, parted = (f"{kind}_{name}_{'lora' if adapters else 'full'}_{steps}_{n}" for n in "ab")
    words = command(root, name, kind, adapters, f"train.num_steps={steps}")
    words.append(f"train.save_every={steps // 2}")
    assert run_program(*words, f"run_name={whole}") == 0
    half, last = (f"checkpoints/step-{step:08d}" for step in (steps // 2, steps))
    # As if it had been stopped halfway.
    shutil.copytree(root / whole, root / parted)
    shutil.rmtree(root / parted / "model")
    shutil.rmtree(root / parted / last)
    (root / parted / "checkpoints" / "latest").write_text(f"{Path(half).name}\n")
    assert run_program(*words, f"run_name={parted}") == 0
    ends = [read_weights(root / run / last) for run in (whole, parted)]
    middle = dict(iterate_weights(root / whole / half))
    assert all(torch.equal(ends[0][key], value) for key, value in ends[1].items())
    assert any(not torch.equal(middle[key], value) for key, value in ends[0].items())

    model = load_model(root / whole / "model")
    tied = model.config.llm.tie_word_embeddings
    assert (model.llm.lm_head.weight is model.llm.get_input_embeddings().weight) == tied
    if not adapters:
        found = model.state_dict()
        assert all(torch.equal(found[key], value) for key, value in ends[0].items())
    folders = [root / whole / "model"]
    if adapters:
        folders.append(root / "adapters" / whole)
        export = [f"run={root / whole}", f"out={folders[1]}", "form=adapter"]
        assert run_program("train/export", *export) == 0
    answers = [(answered if kind == "vqa" else found_by)(folder) for folder in folders]
    for other in answers[1:]:
        for one, two in zip(answers[0], other, strict=True):
            assert one == pytest.approx(two, abs=1e-4)


def answered(folder: Path) -> list[list[float]]:
    """Losses of options, batched as alone, once answers in words are as well."""
    model = load_answer_model(folder, device="cpu")
    target = MemoryTarget("red square", (Box(10, 20, 50, 60),))
    memories = [
        VisualWorkingMemory("Which color is a clear sky?"),
        VisualWorkingMemory("What do you see?", noise()),
        VisualWorkingMemory("What?", noise(), (target,)),
    ]
    together = model.generate(memories, max_new_tokens=6)
    assert together == [model.generate([memory], max_new_tokens=6)[0] for memory in memories]
    requests = [(memory, ["red", "I see a blue disc."]) for memory in memories]
    losses = model.loglikelihood(requests)
    for request, some in zip(requests, losses, strict=True):
        assert some == pytest.approx(model.loglikelihood([request])[0], abs=1e-4)
    return losses


def found_by(folder: Path) -> list[list[float]]:
    """Scores of the best boxes, batched as alone."""
    search = load_search_model(folder, device="cpu")
    patch = Patch(noise(), Box(0, 0, 120, 90))
    names = ("red square", "mug", "blue disc")
    queries = [Query("detect", patch, name) for name in names]
    scores = [found.scores.tolist() for found in search.detect(queries)]
    for query, some in zip(queries, scores, strict=True):
        (alone,) = load_search_model(folder, device="cpu").detect([query])
        assert some == pytest.approx(alone.scores.tolist(), abs=1e-4)
    asked = [Query("contextual_cue", patch, name) for name in names]
    cues = search.contextual_cue(asked)
    assert cues == [search.contextual_cue([query])[0] for query in asked]
    return scores
