"""Pieces: measured one by one, kept after a stop, measured anew with other settings."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seal.evaluation.speed.__main__ import parse
from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.meter import AnonymousPeak
from seal.evaluation.speed.piece import MODELS, piece_path, run_piece
from seal.evaluation.speed.report import most_memory, speed_table
from seal.evaluation.speed.run import measure
from seal.pages.table import markdown


class Launches:
    """Runs pieces in this process, and stops at the one it is told."""

    def __init__(self, stop: str | None = None, fail: str | None = None) -> None:
        self.stop, self.fail = stop, fail
        self.made: list[str] = []

    def __call__(self, config: SpeedConfig, piece: str, settings: dict[str, Any]) -> None:
        if piece == self.stop:
            raise KeyboardInterrupt
        if piece == self.fail:
            raise RuntimeError("out of memory")
        self.made.append(piece)
        run_piece(config, piece, settings)


def _config(out: Path, **values: Any) -> SpeedConfig:
    values = {
        "size": "miniature", "device": "cpu", "precisions": ["fp32", "bf16"], "questions": 2,
        "warmup": 0, "image_size": [640, 480], "ways": [], "out": str(out), **values,
    }  # fmt: skip
    return SpeedConfig(**values)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[SpeedConfig, dict[str, Any]]:
    config = _config(tmp_path_factory.mktemp("speed"))
    first = Launches(stop="bf16")
    with pytest.raises(KeyboardInterrupt):
        measure(config, first)
    assert first.made == [MODELS, "fp32"]
    before = piece_path(config, "fp32").read_bytes()
    assert not piece_path(config, "bf16").exists()
    again = Launches()
    result = measure(config, again)
    assert again.made == ["bf16"]  # the models are there
    assert piece_path(config, "fp32").read_bytes() == before
    return config, result


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(measured) -> None:
    config, result = measured
    assert list(result["pieces"]) == ["fp32", "bf16"]
    third = Launches()
    assert measure(config, third) == result
    assert third.made == []


def test_without_questions_loading_alone_is_measured(tmp_path) -> None:
    alone = _config(tmp_path, questions=0, precisions=["nf4"])
    result = measure(alone, Launches())
    (piece,) = result["pieces"].values()
    assert piece["questions"] == [] and piece["load_seconds"]["vqa"] > 0
    assert piece["memory"]["expected_weights"] < piece["memory"]["expected"]
    table = markdown(speed_table(result))
    assert "host GB to load" in table and "search s" not in table
    assert speed_table(result).rows[0][-1] == ""  # a CPU does not show what fits a card
    for reserved, fits in ((23 * 10**9, "yes"), (25 * 10**9, "no")):
        piece["memory"]["reserved"] = reserved
        assert speed_table(result).rows[0][-1] == fits


def test_the_anonymous_peak_counts_what_is_allocated_and_not_what_is_mapped(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64 << 20))
    with AnonymousPeak() as peak:
        if peak._before is None:
            pytest.skip("this system does not tell anonymous memory")
        assert np.memmap(path, np.uint8, "r").max() == 0
    assert peak.grown is not None and peak.grown < 32 << 20
    with AnonymousPeak() as peak:
        held = torch.ones(64 << 20, dtype=torch.uint8)
        time.sleep(0.05)
        del held
    assert peak.grown is not None and peak.grown > 48 << 20


def test_a_piece_tells_loading_memory_and_every_part_of_a_question(measured) -> None:
    config, result = measured
    assert json.loads((Path(config.out) / "speed.json").read_text("utf-8")) == result
    assert "<table" in (Path(config.out) / "speed.html").read_text("utf-8")
    assert (Path(config.out) / "speed.png").read_bytes().startswith(b"\x89PNG")
    for piece in result["pieces"].values():
        memory, seconds = piece["memory"], piece["seconds"]
        # A small model may fit into memory that the process freed before, or is freeing still.
        assert 0 < 0.95 * memory["before_loading"] < memory["peak"]
        assert memory["expected"] > 0
        assert memory["peak_loading"] <= memory["peak"] == most_memory(piece)
        assert min(piece["load_seconds"].values()) > 0
        parts = [seconds[part] for part in ("first_answer", "search", "final_answer")]
        assert all(0 < part["low"] <= part["median"] <= part["high"] for part in parts)
        assert seconds["question"]["n"] == config.questions
        for question in piece["questions"]:
            own = question["seconds"]
            split = own["first_answer"] + own["search"] + own["final_answer"]
            assert split == pytest.approx(own["question"], rel=0.1)
            assert question["visits"] == sum(question["lengths"])
            cues = question["calls"]["contextual_cue"]
            assert question["work"]["vsm_tokens_generated"] == cues * config.cue_tokens
    table = markdown(speed_table(result))
    assert "| fp32" in table and "| bf16" in table


def test_both_precisions_do_the_same_work(measured) -> None:
    pieces = measured[1]["pieces"]
    assert [q["work"] for q in pieces["fp32"]["questions"]] == [
        q["work"] for q in pieces["bf16"]["questions"]
    ]


def test_other_settings_are_measured_anew_and_told(measured, capsys) -> None:
    config, _ = measured
    other = _config(Path(config.out), questions=1, precisions=["fp32"])
    kept = piece_path(config, "fp32").read_bytes()
    launches = Launches()
    measure(other, launches)
    assert launches.made == ["fp32"]
    assert "was measured with questions=2, not 1: it is measured again" in capsys.readouterr().out
    piece_path(config, "fp32").write_bytes(kept)


def test_a_piece_that_fails_leaves_the_others(measured) -> None:
    config, _ = measured
    more = _config(Path(config.out), precisions=["nf4", "fp32", "bf16"])
    with pytest.raises(RuntimeError, match="not measured: nf4: out of memory"):
        measure(more, Launches(fail="nf4"))
    result = json.loads((Path(config.out) / "speed.json").read_text("utf-8"))
    assert list(result["pieces"]) == ["fp32", "bf16"]
    assert result["failed"] == {"nf4": "out of memory"}


def test_an_image_with_too_few_regions_is_refused(measured) -> None:
    config, _ = measured
    small = _config(Path(config.out), precisions=["fp32"], image_size=[100, 100])
    with pytest.raises(ValueError, match="too few regions; raise image_size="):
        measure(small, Launches())


def test_models_of_another_seed_are_refused(measured) -> None:
    config, _ = measured
    other = _config(Path(config.out), seed=3, precisions=["fp32"])
    with pytest.raises(ValueError, match=r"training\.json has seed=0, not 3"):
        measure(other, Launches())


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"size": "70b"}, "size='70b'"),
        ({"precisions": ["fp8"]}, "no 'fp8'"),
        ({"precisions": ["fp32", "fp32"]}, "each once"),
        ({"precisions": [], "ways": []}, "leave nothing to measure"),
        ({"dtype": "int8"}, "dtype='int8' is none of float32"),
        ({"batches": [4, 0]}, "batches="),
        ({"repeats": 0}, "repeats=0"),
        ({"threads": 0}, "threads=0"),
        ({"limit": 0}, "limit=0"),
        ({"sizes": ["hidden_513"]}, "sizes='hidden_513'; known: .*hidden_512"),
        ({"vsm": "runs/vsm"}, "real verdicts need both"),
        ({"vsm": "a", "benchmark": "b", "sizes": ["7b"]}, "leave them out"),
        ({"searched_image_size": [0, 5]}, "searched_image_size"),
        ({"image_size": [100]}, "image_size"),
        ({"cue_tokens": 0}, "cue_tokens=0"),
        ({"questions": -1}, "questions=-1"),
        ({"num_hidden_layers": 0}, "num_hidden_layers=0"),
        ({"memory_limit_gb": 0.0}, "memory_limit_gb"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SpeedConfig(**values)


def test_a_gpu_that_is_not_there_and_a_limit_without_one_are_refused(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="there is no GPU here"):
            measure(_config(tmp_path, device="cuda"), Launches())
    with pytest.raises(ValueError, match="limits a GPU"):
        measure(_config(tmp_path, memory_limit_gb=24.0), Launches())


def test_the_command_line_without_hydra_takes_the_same_keys() -> None:
    config = parse(["size=miniature", "precisions=[fp32,nf4]", "image_size=[640,480]"])
    assert config == SpeedConfig(
        size="miniature", precisions=["fp32", "nf4"], image_size=[640, 480]
    )
    with pytest.raises(ValueError, match="nearest keys: precisions"):
        parse(["precision=[fp32]"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_tells_its_own_memory(tmp_path: Path) -> None:
    config = _config(tmp_path, device="cuda", precisions=["bf16"], memory_limit_gb=4.0)
    memory = measure(config, Launches())["pieces"]["bf16"]["memory"]
    assert 0 < memory["both_loaded"] <= memory["peak"] <= memory["reserved"] < 4e9
    assert memory["reserved"] <= memory["device_in_use"]
