"""The training programs from the command line, on data they make themselves."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from programs_here import ROOT, run_program
from safetensors.torch import load_file, save_file
from warm import run, start

from seal.geometry import Box
from seal.inference.load import load_answer_model
from seal.models.files.load import load_model
from seal.training import run as training
from seal.training.checkpoint import read_weights
from seal.training.engine import build_engine
from seal.training.log import read_metrics
from seal.working_memory import MemoryTarget, VisualWorkingMemory


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A folder with a finished smoke run of each model."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    for name in ("vqa_instruct", "vsm"):
        program = f"train/{name[:3]}"
        options = [f"experiment={name}_smoke", f"paths.runs={folder}", "train.peak_tflops=0.5"]
        assert run_program(program, *options) == 0
    return folder


def curve(run: Path) -> list[dict[str, float]]:
    """What was logged, less what a clock says."""
    lines = read_metrics(run / "metrics.jsonl") if (run / "metrics.jsonl").exists() else []
    kept = ("step", "loss", "lr", "grad_norm", "validation/")
    return [{key: v for key, v in line.items() if key.startswith(kept)} for line in lines]


@pytest.mark.parametrize("name", ["vqa_instruct_smoke", "vsm_smoke"])
def test_a_run_leaves_losses_checkpoints_and_a_model_that_loads(runs, name):
    lines = read_metrics(runs / name / "metrics.jsonl")
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 20 and losses[-1] < losses[0]
    trained = [line for line in lines if "loss" in line]
    assert all(line["mfu"] == line["tflops"] / 0.5 > 0 for line in trained)
    held_out = [line for line in lines if "validation/loss" in line]
    assert [line["step"] for line in held_out] == [0, 10, 20]
    if name.startswith("vsm"):
        assert {f"validation/{metric}" for metric in ("cIoU", "gIoU", "box_accuracy")} <= set(
            held_out[0]
        )
    model = load_model(runs / name / "model")
    weights = read_weights(runs / name / "checkpoints" / "step-00000020")
    plain = [key for key in weights if ".lora_" not in key]
    assert plain
    for key in plain:
        assert torch.equal(model.state_dict()[key], weights[key])


def test_torchrun_on_two_processes_logs_once_and_what_one_process_logs(runs, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    options = ["experiment=vsm_smoke", "deepspeed=zero2", "train.stop_after=4"]
    log, run = tmp_path / "log", tmp_path / "vsm_smoke"
    command = [*launch, "-m", "seal", "train/vsm", *options, f"paths.runs={tmp_path}"]
    with log.open("wb") as written:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=written,
            stderr=written, timeout=200,
        )  # fmt: skip
    said = log.read_text()
    assert done.returncode == 0, said[-3000:]
    assert said.count("the trained model: ") == 1
    assert said.count("step 4: validation: ") == 1
    two = curve(run)
    assert [line["step"] for line in two] == [0, 1, 2, 3, 4, 4]
    # Not the held-out lines: two processes read 8 samples, 6 being no multiple of 2 x 2.
    for line, other in zip(two[1:5], curve(runs / "vsm_smoke")[1:5], strict=True):
        assert line == pytest.approx(other, abs=1e-4)
    facts = json.loads((run / "model" / "training.json").read_text())
    assert facts["steps"] == 4
    assert load_model(run / "model").config == load_model(runs / "vsm_smoke" / "model").config


def test_a_killed_run_of_the_search_model_goes_on_bit_for_bit(runs, tmp_path):
    """The real thing: adapters with dropout, heads, all losses. The process gets no notice."""
    kill_after = int(np.random.default_rng(7).integers(4, 14))  # between checkpoints or at one
    options = ["experiment=vsm_smoke", f"paths.runs={tmp_path}", "train.save_every=3"]
    log, folder = tmp_path / "log", tmp_path / "vsm_smoke"
    killed = start("-m", "seal", "train/vsm", *options, log=log)
    while killed.poll() is None and max((x["step"] for x in curve(folder)), default=0) < kill_after:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait(10) == -signal.SIGKILL, log.read_text()[-3000:]
    steps = [line["step"] for line in curve(folder)]
    assert kill_after <= max(steps) < 20
    code, said = run("-m", "seal", "train/vsm", *options, log=log)
    assert code == 0, said
    assert curve(folder) == curve(runs / "vsm_smoke")


def test_training_json_says_what_was_trained_on_what(runs):
    facts = json.loads((runs / "vsm_smoke" / "model" / "training.json").read_text())
    assert (facts["experiment"], facts["steps"], facts["samples"]) == ("vsm_smoke", 20, 80)
    assert facts["records"]["smoke"]["records"] == 24
    assert facts["configuration"]["lora"]["rank"] == 2


def test_training_json_names_the_experiment_whatever_the_run_is_called(runs):
    options = [f"paths.runs={runs}", "run_name=other", "train.num_steps=1", "protocol=as_released"]
    options.append("train.validation_samples=0")
    assert run_program("train/vqa", "experiment=vqa_align_linear_smoke", *options) == 0
    facts = json.loads((runs / "other" / "model" / "training.json").read_text())
    assert facts["experiment"] == "vqa_align_linear_smoke"
    assert facts["configuration"]["run_name"] == "other"
    assert facts["configuration"]["protocol"] == "as_released"


def test_the_same_command_again_trains_nothing_and_changes_nothing(runs, capsys):
    model = runs / "vqa_instruct_smoke" / "model" / "model.safetensors"
    before = model.read_bytes()
    options = ["experiment=vqa_instruct_smoke", f"paths.runs={runs}"]
    assert run_program("train/vqa", *options) == 0
    assert "nothing left to train" in capsys.readouterr().out
    assert model.read_bytes() == before


def test_other_records_under_the_same_name_are_refused(runs, capsys):
    options = ["experiment=vqa_instruct_smoke", f"paths.runs={runs}", "train.num_steps=40"]
    assert run_program("train/vqa", *options) == 2
    error = capsys.readouterr().err
    assert "configuration.train.num_steps: 20 there, 40 here" in error
    options = ["experiment=vqa_instruct_smoke", f"paths.runs={runs}", "train.stop_after=30"]
    options.append("data.train.sources.smoke.folder=instruct/validation")
    assert run_program("train/vqa", *options) == 2
    assert "configuration.data.train.sources.smoke.folder" in capsys.readouterr().err


def test_a_stage_starts_from_the_model_of_the_one_before(runs, capsys):
    options = [f"paths.runs={runs}", "train.num_steps=2", "train.validation_samples=0"]
    first = ["experiment=vqa_align_linear_smoke", *options]
    assert run_program("train/vqa", *first) == 0
    model = runs / "vqa_align_linear_smoke" / "model"
    second = ["experiment=vqa_align_resampler_smoke", f"init_from={model}", "tokenizer=null"]
    assert run_program("train/vqa", *second, *options) == 0
    old, new = (
        load_model(runs / f"vqa_align_{stage}_smoke" / "model").state_dict()
        for stage in ("linear", "resampler")
    )
    changed = {key.split(".")[0] for key in old if not torch.equal(old[key], new[key])}
    assert changed == {"object_projector"}
    other = ["model.llm.hidden_size=64", f"init_from={model}"]
    assert run_program("train/vqa", "experiment=vqa_instruct_smoke", *other, *options) == 2
    assert "llm.hidden_size: 32 there, 64 in the configuration" in capsys.readouterr().err


def test_a_trained_model_takes_levels_then_a_router_and_keeps_its_own_rule(runs):
    """SEAL's VQA LLM, with a resampler: what `@consistent` and `@router` compare."""
    given = ["experiment=vqa_instruct_smoke", f"paths.runs={runs}", "data.chat.token_policy=router"]
    given += ["train.num_steps=2", "train.validation_samples=4", "train.validate_every=1"]
    levels = ["stage=granularity", "data.chat.kept_policy=paper_training", "run_name=levels"]
    first = f"init_from={runs / 'vqa_instruct_smoke' / 'model'}"
    assert run_program("train/vqa", *given, *levels, first) == 0
    lines = read_metrics(runs / "levels" / "metrics.jsonl")
    assert "validation/loss/at_policy" in lines[0] and "loss/ce_policy" in lines[1]
    router = ["stage=router", "run_name=router"]
    second = f"init_from={runs / 'levels' / 'model'}"
    assert run_program("train/vqa", *given, *router, second) == 0
    old, new = (load_model(runs / name / "model") for name in ("levels", "router"))
    assert old.router is None and new.config.granularity == old.config.granularity
    trained = new.state_dict()
    assert all(torch.equal(trained[key], value) for key, value in old.state_dict().items())
    model = load_answer_model(runs / "router" / "model", device="cpu")
    image = Image.new("RGB", (60, 40), "red")
    crops = (MemoryTarget("mug", (Box(4, 5, 20, 15),)),)
    memory = VisualWorkingMemory("What is it?", image, crops)
    asked = [(memory, ["red", "blue"])]
    (chosen,) = model.shown_as("router").loglikelihood(asked)
    by_rule = model.shown_as("consistent")
    (kept,) = by_rule.loglikelihood(asked)
    assert len(model.levels_of(memory)) == 2 and by_rule.levels_of(memory) == ()
    assert chosen != kept


def test_a_base_model_that_was_overwritten_is_refused_by_name(runs, tmp_path, capsys):
    """A checkpoint holds what is trained: going on would mix two models."""
    base = tmp_path / "base"
    shutil.copytree(runs / "vqa_instruct_smoke" / "model", base)
    options = ["experiment=vqa_align_linear_smoke", f"init_from={base}", "tokenizer=null"]
    options += [f"paths.runs={tmp_path}", "train.num_steps=2", "train.validation_samples=0"]
    assert run_program("train/vqa", *options, "train.stop_after=1") == 0
    weights = load_file(base / "model.safetensors")
    weights["llm.lm_head.weight"][0, 0] += 1
    save_file(weights, base / "model.safetensors")
    run = tmp_path / "vqa_align_linear_smoke"
    export = ("train/export", f"run={run}", f"out={tmp_path / 'out'}")
    for command in (("train/vqa", *options), export):
        capsys.readouterr()
        assert run_program(*command) == 2
        error = capsys.readouterr().err
        assert f"init_from={base} is no longer the model that {run}" in error
        assert "put that model back" in error


def test_low_rank_adapters_on_a_4_bit_model_learn_also_after_a_validation(runs):
    """On CPUs one forward pass in evaluation mode could cut their gradient."""
    options = [f"init_from={runs / 'vsm_smoke' / 'model'}", f"paths.runs={runs}", "run_name=qlora"]
    options += ["experiment=vsm_smoke", "quantization=nf4", "deepspeed=zero1", "train.bf16=true"]
    options += ["train.num_steps=4", "train.validate_every=1", "train.save_every=2"]
    assert run_program("train/vsm", *options) == 0
    before, after = (
        read_weights(runs / "qlora" / "checkpoints" / f"step-0000000{step}") for step in (2, 4)
    )
    adapters = [key for key in after if ".lora_B" in key]
    assert adapters
    assert all((after[key] != before[key]).any() for key in adapters)


def test_what_trained_is_let_go_of_before_the_export_builds_a_model(tmp_path, monkeypatch):
    trained, left = [], []

    def build(model, *arguments, **options):
        trained.append(weakref.ref(model))
        return build_engine(model, *arguments, **options)

    monkeypatch.setattr(training, "build_engine", build)
    monkeypatch.setattr(
        training, "export_model", lambda *_: left.extend(model() for model in trained)
    )
    options = [f"paths.runs={tmp_path}", "train.num_steps=1", "train.validation_samples=0"]
    assert run_program("train/vsm", "experiment=vsm_smoke", *options) == 0
    assert left == [None]


def test_export_writes_the_same_folder_and_earlier_ones(runs, tmp_path, capsys):
    run = f"run={runs / 'vsm_smoke'}"
    assert run_program("train/export", run, f"out={tmp_path / 'last'}") == 0
    name = "model.safetensors"
    exported = (tmp_path / "last" / name).read_bytes()
    assert exported == (runs / "vsm_smoke" / "model" / name).read_bytes()
    options = [run, f"out={tmp_path / 'half'}", "checkpoint=step-00000010", "dtype=bf16"]
    assert run_program("train/export", *options) == 0
    half = load_model(tmp_path / "half", dtype=torch.bfloat16)
    weights = read_weights(runs / "vsm_smoke" / "checkpoints" / "step-00000010")
    key = "mask_query.0.weight"
    assert torch.equal(half.state_dict()[key], weights[key].bfloat16())
    assert run_program("train/export", f"run={tmp_path}", f"out={tmp_path / 'x'}") == 2
    assert "holds no checkpoint" in capsys.readouterr().err


def test_a_dry_run_tells_parameters_memory_and_steps_and_shows_a_batch(tmp_path, capsys):
    options = ["experiment=vsm_smoke", f"paths.runs={tmp_path}", "dry_run=true"]
    assert run_program("train/vsm", *options) == 0
    out = capsys.readouterr().out
    assert "150,578          45,938" in out
    assert "ZeRO 3" in out
    assert "20 steps of 4; warm-up 2" in out
    page = (tmp_path / "vsm_smoke" / "preview.html").read_text()
    assert re.search(r"\[LOC\] *\.&lt;/s&gt;</mark>", page)
    assert "<code>16 visual tokens</code>" in page
    assert page.count("data:image/png") == 3  # one of two images has expressions
    assert not (tmp_path / "vsm_smoke" / "checkpoints").exists()


def test_a_dry_run_needs_no_weights_and_no_data(tmp_path, capsys):
    options = ["experiment=vqa_instruct_7b", f"paths.models={tmp_path}", f"paths.runs={tmp_path}"]
    assert run_program("train/vqa", *options, "dry_run=true") == 0
    out = capsys.readouterr().out
    assert "6,738,415,616" in out
    assert "the paper's 387 K records, spatial ones twice; 6,766 steps of 128" in out
    assert "no batch is shown, for the data cannot be opened" in out
    devices = out[out.index("usable") :].splitlines()[1:9]
    assert [line.split()[0] for line in devices if line.startswith("RTX 4090")] == ["RTX"]
    [h200] = [line for line in devices if line.startswith("H200")]
    assert "1 2 3" in h200
    assert len(out.splitlines()) < 40


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.lerning_rate=1", "unknown configuration key train.lerning_rate; nearest: learning"),
        (
            "train.global_batch_size=5",
            "global_batch_size=5 is not a multiple of micro_batch_size=2",
        ),
        ("stage=align", "stage='align' is none of align_linear"),
        ("init_from=miniature://nothing", "miniature://nothing is not shipped"),
        ("quantization=nf4", "packs weights that are read: set init_from"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_code_2(tmp_path, capsys, override, says):
    options = ["experiment=vqa_instruct_smoke", f"paths.runs={tmp_path}", override]
    assert run_program("train/vqa", *options) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"vqa: {says}") or says in error
    assert error.count("\n") == 1
