"""Searches asked in several ways, in one run: kept path by path, compared, told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.models import make_search_model, search_model_folder
from seal.evaluation.speed.piece import run_piece
from seal.evaluation.speed.report import tables
from seal.evaluation.speed.run import measure
from seal.evaluation.speed.search_plan import Leg, search_piece_path
from seal.failure import FailedError
from seal.pages.table import markdown

pytestmark = pytest.mark.xdist_group("search_run")  # its runs are made once

PATHS = ["original", "plain", "all"]
Launched = tuple[SpeedConfig, dict[str, Any]]


def _config(out: Path, **values: Any) -> SpeedConfig:
    values = {
        "size": "miniature", "device": "cpu", "precisions": [], "questions": 1, "cue_tokens": 3,
        "searched_image_size": [300, 260], "ways": PATHS, "batches": [1, 2],
        "num_hidden_layers": 1, "out": str(out), **values,
    }  # fmt: skip
    return SpeedConfig(**values)


def _benchmark(folder: Path, count: int) -> str:
    """Of V*Bench's form, with nothing to be found."""
    split = folder / "bench" / "direct_attributes"
    split.mkdir(parents=True)
    for number in range(count):
        Image.new("RGB", (300, 260), (number * 60, 90, 30)).save(split / f"{number}.jpg")
        entry = {
            "target_object": ["mug"], "bbox": [[1, 2, 30, 40]], "question": "What colour?",
            "options": ["red", "blue"],
        }  # fmt: skip
        (split / f"{number}.json").write_text(json.dumps(entry), "utf-8")
    return str(split.parent)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    config = _config(tmp_path_factory.mktemp("speed"))
    return config, measure(config, run_piece)


def test_every_path_has_its_figures_and_its_ratios(measured: Launched) -> None:
    config, result = measured
    assert json.loads((Path(config.out) / "speed.json").read_text("utf-8")) == result
    assert (Path(config.out) / "search.png").read_bytes().startswith(b"\x89PNG")
    figures = result["searches"][config.search_name]
    rows = figures["rows"]
    assert list(rows) == [
        "original", "plain", "bare", "forced_cue", "all_1", "all_2"
    ]  # fmt: skip
    assert all(
        row["visits"] == 9 * row["questions"] and row["node_ms"] > 0 for row in rows.values()
    )
    assert all(row["full_node_ms"] > row["detection_node_ms"] > 0 for row in rows.values())
    assert all(0 < row["floor_node_ms"] < row["node_ms"] for row in rows.values())
    ratios = result["ratios"]
    assert ratios == figures["ratios"] and min(ratios.values()) > 0
    tokens = {name: row["llm_tokens_per_question"] for name, row in rows.items()}
    assert tokens["original"] > tokens["plain"] > tokens["bare"] > tokens["all_1"]
    assert ratios["tokens_original_over_ours"] == tokens["original"] / tokens["all_1"]


def test_scripted_searches_do_the_same_on_every_path(measured: Launched) -> None:
    config, result = measured
    figures = result["searches"][config.search_name]
    rows = figures["rows"].values()
    assert len({row["tokens_generated_per_question"] for row in rows}) == 1
    assert [each["path"] for each in figures["equality"]] == ["original", "plain", "all_1", "all_2"]
    for held in figures["equality"]:
        assert held["searches"] == held["same_visits"] == held["same_boxes"] == 2, held
        assert held["max_box_px"] < 0.01


def test_tables_tell_paths_and_ratios(measured: Launched) -> None:
    told = "\n".join(map(markdown, tables(measured[1])))
    assert "| original" in told and "original_over_one" in told and "GFLOP/s" in told
    assert "scripted outcomes" in told


def test_a_path_that_takes_too_long_is_left_out_until_more_time_is_given(
    measured: Launched, tmp_path: Path
) -> None:
    config, _ = measured
    vsm, patient = str(search_model_folder(config)), {"num_hidden_layers": None, "batches": [1]}
    benchmark = _benchmark(tmp_path, 1)
    told = {"vsm": vsm, "benchmark": benchmark, "ways": ["plain", "original"], **patient}
    # Between what the bare engine and what the others take at least.
    times: dict[str, float] = {}

    def launch(config: SpeedConfig, piece: str, settings: dict[str, Any]) -> None:
        run_piece(config, piece, settings)

    impatient = _config(tmp_path / "out", most_minutes=1e-12, **told)
    with pytest.raises(FailedError, match=r"nothing was measured: .*raise most_minutes="):
        measure(impatient, launch)
    for name in ("bare", "plain", "original"):
        path = search_piece_path(impatient, "float32", Leg(name, None, 0))
        times[name] = json.loads(path.read_text("utf-8"))["least_minutes"]
    assert 0 < times["bare"] < times["plain"] < times["original"]
    between = _config(
        tmp_path / "out", most_minutes=(times["plain"] + times["original"]) / 2, **told
    )
    result = measure(between, launch)
    (figures,) = result["searches"].values()
    assert list(figures["rows"]) == ["plain", "bare"] and list(figures["skipped"]) == ["original"]
    assert result["ratios"]["original_over_one"] is None
    assert "original was not measured: 1 questions" in markdown(tables(result)[0])


def test_a_run_that_was_stopped_measures_what_is_missing(
    measured: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, result = measured
    gone = search_piece_path(config, "float32", Leg("plain", None, 0))
    gone.unlink()
    launched: list[str] = []

    def launch(config: SpeedConfig, piece: str, settings: dict[str, Any]) -> None:
        launched.append(piece)
        run_piece(config, piece, settings)

    again = measure(config, launch)
    assert launched == ["searches-float32"] and gone.exists()
    rows, before = (
        each["searches"][config.search_name]["rows"] for each in (again, result)
    )  # fmt: skip
    assert rows["original"] == before["original"] and rows["plain"] != before["plain"]
    launched.clear()
    measure(config, launch)
    assert launched == []


def test_other_answers_than_the_reference_fail_the_run(measured: Launched) -> None:
    config, _ = measured
    path = search_piece_path(config, "float32", Leg("all_1", None, 0))
    kept = path.read_bytes()
    piece = json.loads(kept)
    piece["outcomes"][0]["boxes"][0][0] += 2
    path.write_text(json.dumps(piece), "utf-8")
    with pytest.raises(FailedError, match="all_1 give other answers"):
        measure(config, run_piece)
    path.write_bytes(kept)


def test_a_benchmark_is_searched_with_real_verdicts(measured: Launched, tmp_path: Path) -> None:
    config, _ = measured
    make_search_model(config, "cpu")
    benchmark = _benchmark(tmp_path, 3)
    told = _config(
        tmp_path / "out", vsm=str(search_model_folder(config)), benchmark=benchmark,
        ways=["plain", "all"], batches=[1, 2], limit=2, num_hidden_layers=None,
    )  # fmt: skip
    result = measure(told, run_piece)
    (figures,) = result["searches"].values()
    # Each picture is seen anew, whatever was searched to warm up.
    seen = {
        figures["rows"][name]["detector_pictures_per_question"] for name in ("forced_cue", "all_2")
    }
    assert len(seen) == 1 and min(seen) >= 1
    assert figures["questions"] == 2 and not figures["scripted"]
    told = {(each["path"], each["reference"]): each["same_visits"] for each in figures["equality"]}
    assert told == {
        ("plain", "bare"): 2, ("plain", "forced_cue"): 2,
        ("all_1", "forced_cue"): 2, ("all_2", "forced_cue"): 2,
    }  # fmt: skip
    assert result["ratios"]["original_over_one"] is None


@pytest.mark.slow
def test_two_sizes_have_ratios_each_and_the_first_ones_stand_above(tmp_path: Path) -> None:
    told = _config(
        tmp_path, sizes=["hidden_512", "miniature"], ways=["plain", "all_1"], batches=[1]
    )
    result = measure(told, run_piece)
    assert list(result["searches"]) == ["hidden_512_1layers", "miniature_1layers"]
    assert result["ratios"] == result["searches"]["hidden_512_1layers"]["ratios"]
