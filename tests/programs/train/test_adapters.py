"""Adapters and heads leave a run whole, load with peft, and train on, whatever the ZeRO stage."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from programs_here import ROOT, run_program
from safetensors.torch import load_file, save_file
from torch import Tensor
from warm import run_together

from seal.inference.load import load_answer_model, load_search_model
from seal.models.files.adapter import read_adapter
from seal.models.files.load import load_model, read_config
from seal.models.files.save import save_model
from seal.models.fit.lora import merge_lora
from seal.schema import from_dict
from seal.training.checkpoint import iterate_weights, read_description, read_weights
from seal.training.checkpoint_store import find_checkpoint
from seal.training.recipe import KINDS
from seal.training.smoke import write_smoke_data

EXPERIMENTS = {"vqa": "vqa_lora_smoke", "vsm": "vsm_smoke"}
# Large steps, so that little training changes much; epsilon, so that a gradient that is nothing
# but rounding moves nothing.
OPTIONS = [
    "train.learning_rate=0.02", "train.eps=0.001",
    "train.num_steps=3", "train.warmup_steps=0", "train.validation_samples=0",
]  # fmt: skip


class Bench:
    """A base model of each kind, a run of adapters over it, and what that run exported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_smoke_data(folder / "smoke")
        for name in EXPERIMENTS:
            torch.manual_seed(4)
            config = self.configuration(name)
            save_model(self.base(name), config.build(), folder / "smoke" / "tokenizer")
            assert run_program(*self.command(name, f"run_name={name}")) == 0
            export = [f"run={folder / name}", f"out={self.adapter(name)}", "form=adapter"]
            assert run_program("train/export", *export) == 0

    def configuration(self, name: str) -> Any:
        from seal.models.files.model_config import config_from_dict

        sizes = self._yaml(f"conf/model/{name}_smoke.yaml")
        kind = {"vqa": "VQAModel", "vsm": "VSM"}[name]
        return config_from_dict({"model_class": kind, **sizes}, "smoke")

    @staticmethod
    def _yaml(path: str) -> dict[str, Any]:
        from omegaconf import OmegaConf

        content = OmegaConf.to_container(OmegaConf.load(ROOT / path))
        assert isinstance(content, dict)
        return {str(key): value for key, value in content.items()}

    def base(self, name: str) -> Path:
        return self.folder / "models" / name

    def adapter(self, name: str) -> Path:
        return self.folder / "adapters" / name

    def command(self, name: str, *more: str) -> list[str]:
        return [
            f"train/{name}", f"experiment={EXPERIMENTS[name]}", f"paths.runs={self.folder}",
            f"init_from={self.base(name)}", *OPTIONS, *more,
        ]  # fmt: skip

    def checkpoint(self, run: str) -> Path:
        found = find_checkpoint(self.folder / run / "checkpoints")
        assert found is not None
        return found

    def trained(self, run: str) -> Any:
        """The model of a run with its adapters in place, as it was when training ended."""
        checkpoint = self.checkpoint(run)
        stored = read_description(checkpoint)
        model = from_dict(KINDS[stored["kind"]], stored["configuration"]).build_model()
        places = dict(model.named_parameters())
        for name, value in iterate_weights(checkpoint):
            places[name].data.copy_(value)
        return model.eval()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    torch.set_num_threads(1)
    return Bench(tmp_path_factory.mktemp("adapters"))


def logits(llm: Any, vocabulary: int = 300) -> Tensor:
    ids = torch.randint(vocabulary, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found: Tensor = llm(input_ids=ids).logits
    return found


def distance(found: Tensor, expected: Tensor) -> float:
    """Relative to the size of what is expected."""
    return float((found - expected).norm() / expected.norm())


def with_peft(bench: Bench, name: str, run: str) -> Any:
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # peft only warns of keys that are missing
        return PeftModel.from_pretrained(load_model(bench.base(name)).llm, bench.adapter(run))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_peft_loads_an_exported_adapter_directly(bench: Bench, name: str) -> None:
    with_adapters = logits(with_peft(bench, name, name).eval())
    untrained = logits(load_model(bench.base(name)).llm)
    assert (with_adapters - untrained).abs().max() > 0.1
    ours = bench.trained(name)
    torch.testing.assert_close(with_adapters, logits(ours.llm), atol=1e-6, rtol=1e-5)
    merged = load_model(bench.folder / name / "model")
    torch.testing.assert_close(with_adapters, logits(merged.llm), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_adapter_folder_holds_what_was_trained_and_nothing_else(bench: Bench, name: str) -> None:
    folder = bench.adapter(name)
    adapters = load_file(folder / "adapter_model.safetensors")
    heads = load_file(folder / "heads.safetensors")
    weights = read_weights(bench.checkpoint(name))
    key = "model.layers.1.self_attn.v_proj.lora_B"
    assert torch.equal(
        adapters[f"base_model.model.{key}.weight"], weights[f"llm.{key}.default.weight"]
    )
    for key in ("model.embed_tokens.weight", "lm_head.weight"):
        assert torch.equal(adapters[f"base_model.model.{key}"], weights[f"llm.{key}"])
    assert len(adapters) + len(heads) == len(weights)
    for key, value in heads.items():
        assert torch.equal(value, weights[key])
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["lora_dropout"]) == (2, 4, 0.05)
    assert settings["target_modules"] == ["q_proj", "v_proj"]
    assert settings["base_model_name_or_path"] == str(bench.base(name))
    facts = json.loads((folder / "training.json").read_text())
    assert (facts["steps"], facts["base"]["folder"]) == (3, str(bench.base(name)))
    assert (folder / "tokenizer.model").is_file()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_adapter_folder_loads_as_a_model_that_says_what_the_merged_one_says(
    bench: Bench, name: str
) -> None:
    adapted, merged = load_model(bench.adapter(name)), load_model(bench.folder / name / "model")
    assert adapted.config == merged.config == read_config(bench.adapter(name))
    assert not any(parameter.requires_grad for parameter in adapted.parameters())
    load = load_answer_model if name == "vqa" else load_search_model
    assert (
        load(bench.adapter(name), device="cpu", quantization="int8").model.config == merged.config
    )
    torch.testing.assert_close(logits(adapted.llm), logits(merged.llm), atol=1e-5, rtol=1e-5)
    merge_lora(adapted)
    for key, value in merged.state_dict().items():
        torch.testing.assert_close(adapted.state_dict()[key], value, atol=1e-6, rtol=1e-5)


def test_adapters_over_4_bit_weights_are_exact_and_merged_ones_are_near(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained on what the packed weights say; the whole ones they merge into say another thing."""
    assert run_program(*bench.command("vsm", "quantization=nf4", "run_name=qlora")) == 0
    told = capsys.readouterr().out
    assert "trained over nf4 weights, merged into the whole ones (fp32): answers differ" in told
    assert "seal train/export form=adapter" in told
    folder = bench.adapter("qlora")
    export = [f"run={bench.folder / 'qlora'}", f"out={folder}", "form=adapter"]
    assert run_program("train/export", *export) == 0
    in_training = logits(bench.trained("qlora").llm)
    exact = logits(load_model(folder, quantization="nf4").llm)
    torch.testing.assert_close(exact, in_training, atol=1e-6, rtol=1e-5)
    merged = load_model(bench.folder / "qlora" / "model")
    torch.testing.assert_close(
        logits(merged.llm), logits(load_model(folder).llm), atol=1e-5, rtol=1e-5
    )
    # As far off as packing is from the whole weights; the error was trained around, now it is gone.
    packing = distance(
        logits(load_model(bench.base("vsm"), quantization="nf4").llm),
        logits(load_model(bench.base("vsm")).llm),
    )
    assert 0.5 * packing < distance(logits(merged.llm), in_training) < 1.5 * packing
    # Packed again they are rounded with the adapters in them, which is not what was trained either.
    packed_again = load_model(bench.folder / "qlora" / "model", quantization="nf4")
    assert 0.01 < distance(logits(packed_again.llm), in_training) < packing


@pytest.mark.parametrize("name", ["vsm", pytest.param("vqa", marks=pytest.mark.slow)])
def test_a_second_stage_under_zero_3_on_two_processes_is_that_of_one_process(
    bench: Bench, name: str
) -> None:
    """Adapters, embeddings and heads go on from the folder; every tensor is saved whole."""
    second = bench.command(name, f"init_adapter={bench.adapter(name)}", "train.num_steps=2")
    one, two = f"{name}_one", f"{name}_two"
    assert run_program(*second, "deepspeed=zero0", f"run_name={one}") == 0
    # Or every weight, being small, stays whole.
    whole_below = "+deepspeed.zero_optimization.stage3_param_persistence_threshold=0"
    command = ("-m", "seal", *second, "deepspeed=zero3", f"run_name={two}", whole_below)
    run_together(2, *command, log=bench.folder / f"{two}.log")
    before, whole, partitioned = (read_weights(bench.checkpoint(run)) for run in (name, one, two))
    assert list(partitioned) == list(whole)
    assert any(".lora_A." in key for key in whole) and "llm.model.embed_tokens.weight" in whole
    for key, value in whole.items():
        assert partitioned[key].shape == value.shape == before[key].shape and value.numel()
        torch.testing.assert_close(partitioned[key], value, atol=1e-5, rtol=1e-5)
        assert (value - before[key]).abs().max() < 0.1  # two steps from there, not from anew
    models = [load_file(bench.folder / run / "model" / "model.safetensors") for run in (one, two)]
    for key, value in models[0].items():
        torch.testing.assert_close(models[1][key], value, atol=1e-5, rtol=1e-5)
    export = [f"run={bench.folder / two}", f"out={bench.adapter(two)}", "form=adapter"]
    assert run_program("train/export", *export) == 0
    torch.testing.assert_close(
        logits(with_peft(bench, name, two)), logits(load_model(bench.folder / two / "model").llm),
        atol=1e-5, rtol=1e-5,
    )  # fmt: skip


def test_what_a_second_stage_freezes_stays_what_the_first_trained_it_to(
    bench: Bench, tmp_path: Path
) -> None:
    """In the model that trains, in both exports, and in a third stage's start."""
    options = [f"init_adapter={bench.adapter('vqa')}", "stage=align_linear", "run_name=frozen"]
    assert run_program(*bench.command("vqa", *options, "train.num_steps=2")) == 0
    trained = read_weights(bench.checkpoint("frozen"))
    assert "llm.model.embed_tokens.weight" not in trained and "image_projector.weight" in trained
    run, out = bench.folder / "frozen", tmp_path / "adapter"
    assert run_program("train/export", f"run={run}", f"out={out}", "form=adapter") == 0
    first = read_weights(bench.checkpoint("vqa"))
    merged, adapted = load_model(run / "model").state_dict(), load_model(out).state_dict()
    assert read_adapter(out).stored.keys() == first.keys()
    for key in ("llm.model.embed_tokens.weight", "llm.lm_head.weight"):
        assert torch.equal(merged[key], first[key]) and torch.equal(adapted[key], first[key])
    for key in ("image_projector.weight", "image_projector.bias"):
        assert torch.equal(merged[key], trained[key]) and torch.equal(adapted[key], trained[key])
        assert not torch.equal(trained[key], first[key])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("lora.rank=3", r"rank 2 there, 3 here; set lora\.rank=2"),
        ("lora.alpha=8", r"alpha 4\.0 there, 8\.0 here; set lora\.alpha=4\.0"),
        ("lora.targets=[q_proj]", r"set lora\.targets=\[q_proj,v_proj\]"),
        ("init_from=null", "holds adapters alone: set init_from to its base model as well"),
        ("init_from={folder}/adapters/vqa", "holds adapters alone: set init_adapter to it"),
        ("lora=null", "holds adapters alone: set lora to its kind as well"),
        (
            "init_from={folder}/models/other",
            r"trained over .*models/vqa as .*: use that base model",
        ),
        ("init_adapter={folder}/models/vqa", "has no adapter_config.json: not an adapter folder"),
    ],
)
def test_what_an_adapter_folder_does_not_fit_is_refused_by_name(
    bench: Bench, change: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "other" in change:
        other = bench.configuration("vqa").build()
        save_model(bench.folder / "models" / "other", other, bench.folder / "smoke" / "tokenizer")
    options = [f"init_adapter={bench.adapter('vqa')}", "run_name=refused"]
    changed = change.format(folder=bench.folder)
    assert run_program(*bench.command("vqa", *options, changed)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(says, error), error


def test_an_adapter_folder_that_was_overwritten_is_refused_on_resume_and_export(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(bench.adapter("vqa"), tmp_path / "adapter")
    options = [f"init_adapter={folder}", "run_name=again", "train.num_steps=2"]
    assert run_program(*bench.command("vqa", *options, "train.stop_after=1")) == 0
    heads = load_file(folder / "heads.safetensors")
    heads["image_projector.bias"][0] += 1
    save_file(heads, folder / "heads.safetensors")
    run = bench.folder / "again"
    for form in ("merged", "adapter"):
        out = f"out={tmp_path / form}"
        assert run_program("train/export", f"run={run}", out, f"form={form}") == 2
        assert f"init_adapter={folder} is no longer the adapter that" in capsys.readouterr().err
    assert run_program(*bench.command("vqa", *options)) == 2
    assert "is no longer the adapter that" in capsys.readouterr().err


def test_a_run_without_adapters_has_none_to_export(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["experiment=vqa_align_linear_smoke", f"paths.runs={bench.folder}"]
    assert run_program("train/vqa", *options, "train.num_steps=1") == 0
    run = f"run={bench.folder / 'vqa_align_linear_smoke'}"
    assert run_program("train/export", run, f"out={tmp_path / 'x'}", "form=adapter") == 2
    assert "of a run without lora: there are no adapters" in capsys.readouterr().err
    assert run_program("train/export", run, f"out={tmp_path / 'x'}", "form=whole") == 2
    assert "form='whole' is none of merged, adapter" in capsys.readouterr().err
