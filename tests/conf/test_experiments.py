"""Every experiment composes into its dataclass; the big ones build without memory."""

from __future__ import annotations

import copy
import functools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from programs_here import ROOT

from seal.evaluation.benchmark import BenchmarkRun
from seal.evaluation.search import SearchRun
from seal.models.fit.memory import GIB
from seal.models.presets import vqa_preset, vsm_preset
from seal.pipeline import ProtocolConfig
from seal.schema import compose
from seal.training.devices import DEVICES
from seal.training.memory import Setting, step_need
from seal.training.recipe import VQARun, VSMRun
from seal.training.workload import PAPER

CONF = ROOT / "conf"
STAGES = ("vqa_align_linear", "vqa_align_resampler", "vqa_instruct", "vsm")
SIZES = ("7b", "13b", "miniature", "smoke")
NEWER = ("qwen3_4b", "llama3_8b")
# Parameters of the published networks, less what is not stored in their checkpoints.
LLAMA = {"7b": 6_738_415_616, "13b": 13_015_864_320}


@functools.cache  # a tenth of a second each; several tests ask for most
def _composed(name: str, *overrides: str) -> VQARun | VSMRun:
    kind, schema = ("vsm", VSMRun) if name.startswith("vsm") else ("vqa", VQARun)
    return compose(CONF, f"train_{kind}", schema, [f"experiment={name}", *overrides])


def composed(name: str, *overrides: str) -> VQARun | VSMRun:
    return copy.deepcopy(_composed(name, *overrides))


@pytest.mark.parametrize("size", (*SIZES, *NEWER))
@pytest.mark.parametrize("stage", STAGES)
def test_an_experiment_composes_and_names_its_run(stage, size):
    run = composed(f"{stage}_{size}")
    assert run.run_name == run.experiment == f"{stage}_{size}"
    assert run.deepspeed["train_batch_size"] == run.train.global_batch_size
    if isinstance(run, VQARun):
        assert f"vqa_{run.stage}" == stage


@pytest.mark.parametrize(
    ("size", "stage"),
    [
        *((size, stage) for size in LLAMA for stage in STAGES),
        *((size, stage) for size in NEWER for stage in ("vqa_instruct", "vsm")),
    ],
)
def test_a_big_experiment_builds_on_the_meta_device_and_trains_what_the_paper_trains(stage, size):
    run = composed(f"{stage}_{size}")
    with torch.device("meta"):
        model = run.build_model(weights=False)
    assert all(p.is_meta for p in model.parameters())
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert (
        trained
        == {
            "vqa_align_linear": {"image_projector"},
            "vqa_align_resampler": {"object_projector"},
            "vqa_instruct": {"llm", "image_projector", "object_projector"},
            "vsm": {"llm", "detector", "detection_query", "mask_query", "mask_head"},
        }[stage]
    )
    if size not in LLAMA:  # its preset counts them
        preset = vsm_preset(size) if stage == "vsm" else vqa_preset(size)
        assert run.model == preset
        return
    llm = sum(p.numel() for name, p in model.llm.named_parameters() if ".lora_" not in name)
    added = model.llm.config.vocab_size - 32000  # rows of embedding and head
    assert llm == LLAMA[size] + 2 * added * model.llm.config.hidden_size


@pytest.mark.parametrize(
    ("typed", "meant"), [("true", "true"), ("False", "false"), ("auto", "auto")]
)
def test_whether_kernels_are_used_may_be_typed_as_a_truth_value(typed, meant):
    assert composed("vqa_instruct_smoke", f"train.liger={typed}").train.liger == meant


def test_compiled_blocks_do_not_go_with_zero_3():
    assert composed("vsm_smoke", "train.compile=true", "deepspeed=zero2").train.compile
    with pytest.raises(Exception, match="does not work under ZeRO-3"):
        composed("vsm_smoke", "train.compile=true", "deepspeed=zero3")


def test_the_published_recipes_are_the_papers():
    instruct = composed("vqa_instruct_7b")
    train = instruct.train
    assert (train.num_epochs, train.global_batch_size, train.learning_rate) == (2, 128, 2e-5)
    assert (train.schedule, train.warmup_ratio, train.beta2) == ("cosine", 0.03, 0.999)
    assert instruct.data.train.sources["spatial"].repeat == 2
    assert composed("vqa_align_linear_7b").train.learning_rate == 2e-3
    resampler = composed("vqa_align_resampler_7b")
    assert (resampler.train.num_epochs, resampler.train.learning_rate) == (5, 2e-4)
    search = composed("vsm_7b")
    train = search.train
    assert (train.num_steps, train.global_batch_size, train.learning_rate) == (100_000, 64, 1e-4)
    assert (train.schedule, train.warmup_steps, train.beta2) == ("linear", 100, 0.95)
    assert search.data.train.groups == {"detection": 15, "referring": 4, "grounding": 4, "chat": 15}
    assert (search.lora.rank, search.lora.alpha, search.lora.dropout) == (8, 16, 0.05)
    assert search.lora.targets == ["q_proj", "v_proj"]


def test_one_word_sets_every_quirk_of_the_released_training_whatever_the_experiment():
    for size in SIZES:
        run = composed(f"vsm_{size}", "protocol=as_released")
        assert run.protocol == run.loss.giou_reduction == "as_released"
        assert run.loss.focal_reduction == "as_released"
        assert run.data.grounding.chat_loc_slot == "as_released"
        assert not run.train_box_head
        for stage in ("align_linear", "align_resampler", "instruct"):
            vqa = composed(f"vqa_{stage}_{size}", "protocol=as_released")
            assert vqa.protocol == "as_released"
            chat = vqa.data.chat
            assert (chat.object_slots, chat.token_policy) == ("padded", "paper_training")
    assert not composed("vsm_coco_miniature", "protocol=as_released").train_box_head


AVG_STAGES = ("granularity", "router")


@pytest.mark.parametrize("size", ["7b", "13b", "smoke"])
@pytest.mark.parametrize("stage", AVG_STAGES)
def test_an_experiment_of_avg_llava_composes_and_has_its_own_released_quirks(stage, size):
    name = f"avg_{stage}_{size}"
    run = composed(name)
    assert isinstance(run, VQARun)
    assert run.run_name == run.experiment == name
    assert (run.stage, run.data.chat.token_policy) == (stage, "router")
    assert run.train_vision_tower == (stage == "granularity")
    assert set(run.train.own_rates) == ({"vision_tower"} if stage == "granularity" else set())
    config = run.model_config()
    assert (config.router is not None) == (stage == "router")
    if config.router is not None:
        assert config.router.attends == "tokens"
    assert config.tiles.unpad == "tile"
    released = composed(name, "protocol=as_released")
    assert not released.train_vision_tower and not released.train.own_rates
    assert released.train.averaging == "micro_batch"
    assert released.data.chat.token_policy == "router"
    assert released.train.best is None and not released.data.train.held_out
    config = released.model_config()
    assert config.tiles.unpad == "as_released"
    if config.router is not None:
        assert config.router.attends == "tiles"


@pytest.mark.parametrize("size", ["7b", "13b"])
def test_avg_llavas_recipes_are_the_papers_and_their_models_the_presets(size):
    runs = {stage: composed(f"avg_{stage}_{size}") for stage in AVG_STAGES}
    model = runs["router"].model_config()
    assert model == vqa_preset(f"avg_{size}")
    assert runs["granularity"].model_config() == replace(model, router=None)
    for run in runs.values():
        train = run.train
        assert (train.num_epochs, train.global_batch_size, train.warmup_ratio) == (1, 128, 0.03)
        assert (train.schedule, train.bf16) == ("cosine", True)
        assert run.deepspeed["zero_optimization"]["stage"] == 3
        assert run.data.chat.max_positions == 4096
    train = runs["granularity"].train
    assert (train.learning_rate, train.rates) == (1e-5, {"vision_tower": 2e-5})
    assert (train.micro_batch_size, runs["router"].train.micro_batch_size) == (4, 8)
    assert runs["router"].train.learning_rate == 1e-3
    with torch.device("meta"):
        model = runs["router"].build_model(weights=False)
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"router"}


@pytest.mark.parametrize("stage", AVG_STAGES)
@pytest.mark.parametrize("size", ["7b", "miniature"])
def test_seals_own_model_takes_levels_and_a_router_and_keeps_its_rule(size, stage):
    run = composed(f"seal_{stage}_{size}")
    assert run.run_name == run.experiment == f"seal_{stage}_{size}"
    assert (run.stage, run.data.chat.token_policy) == (stage, "router")
    rule = {"7b": "paper_inference", "miniature": "consistent"}[size]
    assert run.data.chat.kept_policy == (rule if stage == "granularity" else None)
    assert not run.train_vision_tower and not run.train.own_rates
    if size == "miniature":
        run.init_from, run.model = None, vqa_preset("miniature")
    with torch.device("meta"):
        model = run.build_model(weights=False)
    side = model.config.vision.grid_size
    assert model.config.granularity.levels == [side**2 // pooled for pooled in (16, 8, 4, 2, 1)]
    assert model.config.token_policy == "router" and model.config.resampler is not None
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    everything = {"llm", "image_projector", "object_projector"}
    assert trained == ({"router"} if stage == "router" else everything)


def test_without_the_word_only_the_weight_of_the_focal_loss_is_as_released():
    for word in ([], ["protocol=default"]):
        run = composed("vsm_7b", *word)
        assert (run.protocol, run.loss.giou_reduction) == ("default", "matched")
        assert run.loss.focal_reduction == "as_released"
        assert run.data.grounding.chat_loc_slot == "none"
        assert composed("vqa_instruct_7b", *word).data.chat.object_slots == "none"


def test_one_value_of_the_bundle_can_be_set_back_and_an_unknown_bundle_names_the_known():
    run = composed("vsm_7b", "protocol=as_released", "loss.giou_reduction=matched")
    assert (run.loss.giou_reduction, run.data.grounding.chat_loc_slot) == ("matched", "as_released")
    with pytest.raises(ValueError, match=r"protocol=released: .*as_released, default"):
        composed("vsm_7b", "protocol=released")


def experiment_of_a_user(folder: Path, defaults: list[str], body: str = "") -> Path:
    """A copy of conf/ with one more experiment."""
    conf = folder / "conf"
    shutil.copytree(CONF, conf)
    lines = ["# @package _global_", "defaults:", *(f"  - {entry}" for entry in defaults), body]
    (conf / "experiment" / "mine.yaml").write_text("\n".join(lines) + "\n")
    return conf


def test_an_experiment_that_overrides_the_protocol_gets_the_bundle(tmp_path):
    conf = experiment_of_a_user(tmp_path, ["vsm_smoke", "override /protocol: as_released"])
    run = compose(conf, "train_vsm", VSMRun, ["experiment=mine"])
    assert (run.protocol, run.loss.giou_reduction) == ("as_released", "as_released")
    assert run.data.grounding.chat_loc_slot == "as_released"


@pytest.mark.parametrize(
    ("program", "schema", "base"),
    [
        ("train_vsm", VSMRun, "vsm_smoke"),
        ("train_vqa", VQARun, "vqa_instruct_smoke"),
        ("eval", BenchmarkRun, "seal_vstar_bench"),
    ],
)
def test_a_protocol_that_is_only_a_value_is_refused_with_the_way_to_choose_it(
    program, schema, base, tmp_path
):
    conf = experiment_of_a_user(tmp_path, [base], "protocol: as_released")
    with pytest.raises(ValueError, match=r"sets none of its options; .*override /protocol: as_rel"):
        compose(conf, program, schema, ["experiment=mine"])


# Every `option` row of the oddities: what the released code does, and what we do unasked.
# kind -> path in its configuration -> (row, as released, default)
OPTION_ROWS = {
    "vqa": {
        "data.chat.object_slots": (2, "padded", "none"),
        "data.chat.token_policy": (3, "paper_training", "paper_training"),
    },
    "vsm": {
        "loss.giou_reduction": (11, "as_released", "matched"),
        "loss.focal_reduction": (12, "as_released", "as_released"),
        "train_box_head": (13, False, False),
        "data.grounding.chat_loc_slot": (27, "as_released", "none"),
    },
    "inference": {
        "token_policy": (3, "paper_inference", None),  # None: what the model was trained with
        "on_not_found": (21, "use_best_box", "say_so"),
        "no_search_image": (22, "as_released", "padded"),
        "nms_iou": (23, None, None),
    },
}


def values_of(kind: str, protocol: str) -> list[tuple[object, str]]:
    """The configurations of that kind, each with its name, under `protocol`."""
    if kind == "inference":
        named = [(ProtocolConfig.named(protocol), "seal ask")]
        for program, schema, name in (
            ("eval", BenchmarkRun, "seal_vstar_bench"),
            ("eval_search", SearchRun, "vsm_vstar_search"),
        ):
            run = compose(CONF, program, schema, [f"experiment={name}", f"protocol={protocol}"])
            assert run.protocol == protocol
            named.append((ProtocolConfig.named(run.protocol), name))
        return named
    names = [f"{stage}_{size}" for stage in STAGES for size in SIZES if stage.startswith(kind)]
    return [(composed(name, f"protocol={protocol}"), name) for name in names]


@pytest.mark.parametrize("kind", OPTION_ROWS)
def test_one_word_sets_every_option_row_of_the_oddities(kind):
    for position, protocol in enumerate(("as_released", "default")):
        for config, name in values_of(kind, protocol):
            for path, (row, *wanted) in OPTION_ROWS[kind].items():
                if protocol == "default" and "miniature" in name and path.endswith("token_policy"):
                    continue  # it uses `consistent`
                value = functools.reduce(getattr, path.split("."), config)
                assert value == wanted[position], (row, path, name)


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("offload", ["", "_offload"])
def test_a_zero_stage_is_a_word(stage, offload):
    if stage == 0 and offload:
        return
    run = composed("vsm_smoke", f"deepspeed=zero{stage}{offload}", "train.gradient_clipping=0.5")
    assert run.deepspeed["zero_optimization"]["stage"] == stage
    assert run.deepspeed["gradient_clipping"] == 0.5
    assert ("offload_optimizer" in run.deepspeed["zero_optimization"]) == bool(offload)


def test_an_unknown_key_of_a_real_experiment_names_its_neighbors():
    with pytest.raises(ValueError, match=r"data\.chat\.token_polcy; nearest: token_policy"):
        composed("vqa_instruct_7b", "data.chat.token_polcy=consistent")


def test_of_many_experiments_the_near_ones_are_named():
    with pytest.raises(ValueError, match=r"^experiment=vsm_7: no such choice; nearest: vsm_7b"):
        composed("vsm_7")


def test_an_experiment_of_another_program_is_told_with_those_that_fit():
    with pytest.raises(ValueError, match=r"^experiment=vqa_instruct_7b does not fit") as error:
        compose(CONF, "train_vsm", VSMRun, ["experiment=vqa_instruct_7b"])
    offered = str(error.value).partition("with one of: ")[2].split(", ")
    assert "vsm_7b" in offered and not any(name.startswith("vqa") for name in offered)


def test_without_an_experiment_those_that_can_be_run_are_named():
    with pytest.raises(ValueError, match=r"^experiment is not chosen; write exp") as error:
        compose(CONF, "train_vqa", VQARun, [])
    assert "vqa_instruct_smoke" in str(error.value) and "vsm" not in str(error.value)


# Experiment -> the GPUs it is named after.
FOR_GPUS = {
    "vqa_instruct_7b_qlora_24gb": ("RTX 4090 24", 1),
    "vqa_instruct_7b_lora_80gb": ("A100 80", 1),
    "vqa_instruct_7b_8x80gb": ("A100 80", 8),
    "vsm_7b_24gb": ("RTX 4090 24", 1),
}


@pytest.mark.parametrize("name", FOR_GPUS)
def test_a_preset_fits_the_gpus_it_is_named_after(name):
    run = composed(name)
    assert run.run_name == run.experiment == name
    kind, processes = FOR_GPUS[name]
    [device] = [device for device in DEVICES if device.name == kind]
    with torch.device("meta"):
        model = run.build_model(weights=False)
    load = PAPER["vsm" if name.startswith("vsm") else run.stage].micro_batch(
        run.train.micro_batch_size
    )
    setting = Setting.of(run.train, run.deepspeed, processes)
    need = step_need(model, load, setting, run.train, run.quantization)
    assert need.peak <= device.usable_gib * GIB
    # Nor is most of the card left empty.
    assert need.peak >= 0.4 * device.usable_gib * GIB
