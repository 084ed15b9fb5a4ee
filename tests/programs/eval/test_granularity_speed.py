"""eval/granularity_speed as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from programs_here import ROOT, run_program

from seal.evaluation.granularity_speed.clock import PARTS
from seal.evaluation.granularity_speed.config import GranularitySpeedConfig
from seal.evaluation.granularity_speed.models import granular
from seal.models.presets import vqa_preset
from seal.schema import compose


def test_the_programs_defaults_are_those_of_its_dataclass() -> None:
    config = compose(ROOT / "conf", "eval_granularity_speed", GranularitySpeedConfig, [])
    assert config == GranularitySpeedConfig()


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_each_level_is_measured_forced_and_chosen(
    clock: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = [
        "size=avg_miniature", "device=cpu", "image_size=[120,90]", "answer_tokens=3", "repeats=1",
        f"clock={clock}", f"out={tmp_path}",
    ]  # fmt: skip
    assert run_program("eval/granularity_speed", *overrides) == 0
    told = capsys.readouterr().out
    assert "avg_miniature, random weights, float32 on cpu" in told and f"{clock} seconds" in told
    assert f"written: {tmp_path}" in told
    written = json.loads((tmp_path / "granularity_speed.json").read_text())
    sizes = vqa_preset("avg_miniature")
    assert sizes.tiles is not None and sizes.granularity is not None
    vision, llm = sizes.vision, sizes.llm
    side = vision.image_size // vision.patch_size
    tiling = sizes.tiles.tiling(120, 90, vision.image_size, side)
    assert [level["level"] for level in written["levels"]] == sizes.granularity.levels
    for level in written["levels"]:
        assert level["visual_tokens"] == tiling.count(level["level"])
        keys = llm.num_hidden_layers * level["tokens_read"] * llm.hidden_size * 4  # as many values
        assert level["prefix_bytes"] == 2 * keys
        seconds = level["seconds"]
        assert all(seconds[part] > 0 for part in PARTS)
        assert sum(seconds[part] for part in PARTS) < seconds["chosen"]
        assert len(level["all"]["forced"]) == len(level["all"]["chosen"]) == 1
    assert f"| {written['levels'][-1]['level']}" in told


def test_a_preset_without_levels_gets_the_published_numbers_of_tokens() -> None:
    sizes = granular(vqa_preset("small"))
    assert sizes.vision.num_tokens == 576
    assert sizes.llm.hidden_size == vqa_preset("small").llm.hidden_size
    assert sizes.llm.max_position_embeddings == 4096
    assert sizes.granularity is not None and sizes.tiles is not None
    assert sizes.granularity.levels == [36, 72, 144, 288, 576]
    assert sizes.tiles.tiling(672, 672, 336, 24).num_tiles == 5
    assert granular(vqa_preset("avg_7b")) == vqa_preset("avg_7b")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("size=8b", "size='8b'; known: 7b"),
        ("repeats=0", "repeats=0 must be at least 1"),
        ("dtype=int4", "dtype='int4' is none of float32"),
        ("clock=sun", "clock='sun' is none of wall, cpu"),
        ("image_size=[0,5]", r"image_size=[0, 5] is not [width,height] in pixels"),
    ],
)
def test_a_wrong_value_is_one_line_and_exit_code_2(
    override: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("eval/granularity_speed", override) == 2
    assert said in capsys.readouterr().err
