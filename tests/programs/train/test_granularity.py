"""Both stages of AVG-LLaVA from the command line, the second on the first one's model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from programs_here import run_program
from safetensors.torch import load_file

from seal.models.files.load import load_model
from seal.training.log import read_metrics

STEPS = ["train.num_steps=2", "train.validate_every=2", "train.validation_samples=4"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    to = f"paths.runs={folder}"
    assert run_program("train/vqa", "experiment=avg_granularity_smoke", *STEPS, to) == 0
    base = f"init_from={folder}/avg_granularity_smoke/model"
    assert run_program("train/vqa", "experiment=avg_router_smoke", *STEPS, to, base) == 0
    return folder


def test_the_router_is_added_to_the_first_stages_model_and_changes_nothing_else(runs):
    first, second = (
        load_file(runs / name / "model" / "model.safetensors")
        for name in ("avg_granularity_smoke", "avg_router_smoke")
    )
    new = second.keys() - first.keys()
    assert new and all(name.startswith("router.") for name in new)
    assert all(torch.equal(second[name], value) for name, value in first.items())
    model = load_model(runs / "avg_router_smoke" / "model")
    assert model.router is not None and model.config.token_policy == "router"
    assert torch.equal(model.router.voter, second["router.voter"])


def test_held_out_numbers_tell_the_loss_at_each_level_and_what_choices_are_worth(runs):
    def held_out(name: str) -> dict[str, float]:
        lines = read_metrics(runs / name / "metrics.jsonl")
        return {
            key.removeprefix("validation/"): value
            for key, value in lines[-1].items()
            if key.startswith("validation/")
        }

    first = read_metrics(runs / "avg_granularity_smoke" / "metrics.jsonl")[1]
    assert first["lr/vision_tower"] == 2 * first["lr"] > 0
    levels = held_out("avg_granularity_smoke")
    at = [levels[f"loss/at_{level}"] for level in (1, 2, 4, 8, 16)]
    assert levels["loss"] == pytest.approx(sum(at) / 5)
    router = held_out("avg_router_smoke")
    assert router["loss/best"] <= min(router["loss/chosen"], router["loss/finest"])
    # All tokens are read where, and only where, the finest level is always chosen.
    always_finest = router["loss/chosen"] == router["loss/finest"]
    assert (router["visual_tokens_share"] == 1) == always_finest
    always_best = router["loss/chosen"] == router["loss/best"]
    assert (router["router_agreement"] == 1) == always_best
    assert (
        runs / "avg_router_smoke" / "checkpoints" / "best"
    ).exists()  # by validation/loss/chosen


def test_a_dry_run_tells_the_routers_part_and_shows_every_level(runs, capsys):
    to = f"paths.runs={runs}"
    assert run_program("train/vqa", "experiment=avg_router_smoke", "dry_run=true", to) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    table = {words[0]: words[1:] for words in lines if len(words) == 3}
    assert table["router"][0] == table["router"][1] == table["total"][1]
    page = (runs / "avg_router_smoke" / "preview.html").read_text()
    assert all(f" at level {level}, " in page for level in (1, 2, 4, 8, 16))
