"""A full GPU: the error names the settings that would help this run, and a resume accepts them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from programs_here import ROOT

from seal.models.fit.lora import LoraConfig
from seal.schema import compose
from seal.training import run as training
from seal.training.distributed import World
from seal.training.out_of_memory import OutOfMemoryError, explained, remedies
from seal.training.recipe import VQARun

ALONE = World(0, 1, 0, torch.device("cpu"))


def a_run(folder: Path, *words: str) -> VQARun:
    options = ["experiment=vqa_instruct_smoke", f"paths.runs={folder}", *words]
    return compose(ROOT / "conf", "train_vqa", VQARun, options)


def test_what_is_used_already_is_not_advised(tmp_path):
    run = a_run(tmp_path, "train.micro_batch_size=4")
    resumable, others = remedies(run)
    assert "train.gradient_checkpointing=true" in resumable
    assert "train.micro_batch_size=2" in resumable + others
    assert {"deepspeed=zero3", "deepspeed=zero2_offload"} <= set(resumable)
    used = a_run(
        tmp_path, "train.micro_batch_size=1", "train.gradient_checkpointing=true",
        "deepspeed=zero3_offload",
    )  # fmt: skip
    used.lora = LoraConfig(rank=2)
    assert remedies(used) == ([], ["quantization=nf4 (QLoRA)"])


def test_of_a_router_alone_nothing_is_advised_that_is_of_the_language_models_training(tmp_path):
    run = a_run(tmp_path, "experiment=avg_router_smoke", "deepspeed=zero1")
    assert remedies(run) == (
        ["train.micro_batch_size=1", "deepspeed=zero2", "deepspeed=zero3"], []
    )  # fmt: skip


def test_other_errors_pass(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"), explained(a_run(tmp_path), ALONE):
        raise RuntimeError("shapes")


def test_a_full_gpu_is_told_with_rank_place_and_settings_and_one_can_go_on(
    world, tmp_path, monkeypatch
):
    words = ["train.num_steps=3", "train.save_every=1", "train.validation_samples=0"]
    words += ["train.workers=0"]
    run = a_run(tmp_path, *words)
    build = VQARun.criterion

    class Full:
        """Runs out of memory in the third step."""

        def __init__(self) -> None:
            self.inner = build(run)

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def __call__(self, batch, output):
            if batch.step == 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
            return self.inner(batch, output)

    with monkeypatch.context() as patch:
        patch.setattr(VQARun, "criterion", lambda _: Full())
        with pytest.raises(OutOfMemoryError) as error:
            training.train(run)
    message = str(error.value)
    assert message.startswith("rank 0 on ") and "is out of GPU memory; the same command" in message
    assert "train.gradient_checkpointing=true, " in message
    assert message.endswith("(torch: CUDA out of memory. Tried to allocate 20.00 MiB)")
    assert not (run.folder / "model").exists()
    training.train(a_run(tmp_path, *words, "train.gradient_checkpointing=true", "deepspeed=zero3"))
    assert (run.folder / "model").is_dir()
