"""Pieces: measured one by one, kept after a stop, measured anew with other settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seal.failure import FailedError
from seal.training.config import TrainConfig
from seal.training.distributed import World
from seal.training.throughput.config import ThroughputConfig
from seal.training.throughput.piece import measure_piece
from seal.training.throughput.report import ratio_lines, throughput_table
from seal.training.throughput.run import measure


class Launches:
    """Measures in this process, and stops or fails where it is told."""

    def __init__(self, stop: str | None = None, fail: str | None = None) -> None:
        self.stop, self.fail = stop, fail
        self.made: list[str] = []

    def __call__(self, config: ThroughputConfig, recipe: str) -> dict[str, Any]:
        if recipe == self.stop:
            raise KeyboardInterrupt
        if recipe == self.fail:
            raise FailedError("out of memory")
        self.made.append(recipe)
        return measure_piece(config, recipe)


def case(out: Path, **values: Any) -> ThroughputConfig:
    train = TrainConfig(
        num_steps=10, global_batch_size=2, micro_batch_size=1, bf16=False, workers=0,
        gradient_checkpointing=True,
    )  # fmt: skip
    values = {
        "program": "vqa", "train": train, "size": "miniature", "original_micro_batch_size": 2,
        "deepspeed": {"zero_optimization": {"stage": 0}}, "warmup": 1, "steps": 1, **values,
    }  # fmt: skip
    return ThroughputConfig(**values, out=str(out))


@pytest.fixture(scope="module")
def measured(
    tmp_path_factory: pytest.TempPathFactory, world: World
) -> tuple[ThroughputConfig, dict[str, Any]]:
    config = case(tmp_path_factory.mktemp("throughput"))
    with pytest.raises(KeyboardInterrupt):
        measure(config, Launches(stop="original"))
    again = Launches()
    result = measure(config, again)
    assert again.made == ["original"]
    return config, result


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(measured) -> None:
    config, result = measured
    third = Launches()
    assert measure(config, third) == result and third.made == []
    assert [piece["name"] for piece in result["pieces"]] == ["original", "ours"]
    assert json.loads((Path(config.out) / "throughput.json").read_text("utf-8")) == result
    assert (Path(config.out) / "throughput.png").read_bytes().startswith(b"\x89PNG")


def test_a_piece_tells_speed_memory_and_waiting(measured) -> None:
    _, result = measured
    original, ours = result["pieces"]
    assert ours["padding"] < 0.03 < original["padding"]  # to a multiple of 8, to the longest
    # What is trained on is the same: so is the work, up to the rounding of padding.
    assert ours["tokens_per_sample"] == original["tokens_per_sample"]
    for piece in result["pieces"]:
        assert piece["seconds"]["low"] <= piece["seconds"]["median"] <= piece["seconds"]["high"]
        assert 0 < piece["mfu"] < piece["utilization_with_recomputation"]
        assert 0 <= piece["data_wait"] < 1
        memory = piece["memory"]
        # A small model may fit into memory that the process freed before, or is freeing still.
        assert 0 < 0.95 * memory["before"] < memory["peak"]
        assert memory["before"] < memory["predicted"]
        assert piece["save"]["stall"] > 0 and piece["save"]["bytes"] > 0
        assert 0 < piece["parameters"]["trained"] < piece["parameters"]["total"]
    lines = [row[:2] for row in throughput_table(result["pieces"]).rows]
    assert lines == [("vqa_miniature_full", "ours"), ("vqa_miniature_full", "original")]
    (line,) = ratio_lines(result["pieces"])
    assert line.startswith("vqa_miniature_full: ours is ")


def test_the_checkpoint_that_was_timed_is_removed(measured) -> None:
    config, _ = measured
    assert sorted(path.name for path in Path(config.out).iterdir()) == [
        "pieces", "throughput.html", "throughput.json", "throughput.png",
    ]  # fmt: skip


def test_other_settings_are_measured_anew_and_told(measured, capsys) -> None:
    config, _ = measured
    other = case(Path(config.out), seed=1, recipes=["ours"])
    path = Path(config.out) / "pieces" / "vqa_miniature_full-ours.json"
    kept = path.read_bytes()
    launches = Launches(fail="ours")
    with pytest.raises(RuntimeError, match="not measured: ours: out of memory"):
        measure(other, launches)
    assert "was measured with seed=0, not 1: it is measured again" in capsys.readouterr().out
    assert path.read_bytes() == kept  # a piece that fails leaves what there was


def test_the_search_model_is_measured_the_same_way(tmp_path: Path, world: World) -> None:
    config = case(tmp_path, program="vsm", save=False, warmup=0, mixture="three_expressions")
    config.recipes = ["ours", "separate_rows"]
    rows, ours = sorted(
        measure(config, Launches())["pieces"], key=lambda piece: -piece["tokens_per_sample"]
    )
    assert (rows["name"], ours["name"]) == ("separate_rows", "ours")
    assert rows["tokens_per_sample"] > 1.5 * ours["tokens_per_sample"]
    assert ours["save"] is None


def test_places_where_a_host_waits_are_asked_of_a_gpu_alone(tmp_path: Path, world: World) -> None:
    if world.device.type == "cpu":
        with pytest.raises(ValueError, match="sync_debug=true asks a GPU"):
            measure(case(tmp_path, sync_debug=True), Launches())


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"program": "llm"}, "program='llm'"),
        ({"stage": "all"}, "stage='all'"),
        ({"size": "70b"}, "no size '70b'"),
        ({"recipes": ["theirs"]}, "no 'theirs'; known: ours, original, separate_rows"),
        ({"recipes": []}, "each once"),
        ({"steps": 0}, "steps=0"),
        ({"layers": 0}, "layers=0"),
        ({"mixture": "coco"}, "mixture='coco'"),
        ({"mixture": "three_expressions"}, "set case=vsm"),
        ({"quantization": "nf4"}, "set case=vqa_qlora"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        case(tmp_path, **values)
