"""From pieces to rows and ratios."""

from __future__ import annotations

from typing import Any

import pytest

from seal.evaluation.speed.search_figures import ratios, row


def _piece(seconds: float, **values: Any) -> dict[str, Any]:
    return {
        "seconds": seconds, "cpu_seconds": seconds, "questions": 2, "visits": 10,
        "question_seconds": [seconds / 4, 3 * seconds / 4],
        "calls": {"detect": 10, "contextual_cue": 4, "cue_heatmap": 4},
        "call_seconds": {"detect": 0.5, "contextual_cue": 0.4, "cue_heatmap": 0.08, "search": 0.1},
        "evaluated_ahead": 0, "tokens_generated": 60, "bytes_copied": 2_000, "peak_bytes": None,
        "work": {"llm_tokens": 4000},
        "roofline": {"seconds": 0.1, "visits": 5, "flops": 5e9},
        **values,
    }  # fmt: skip


def test_a_row_tells_nodes_apart_by_what_they_take() -> None:
    made = row([_piece(2.0)])
    assert made["node_ms"] == pytest.approx(200) and made["nodes_per_second"] == pytest.approx(5)
    assert made["detection_node_ms"] == pytest.approx(50)
    assert made["full_node_ms"] == pytest.approx(50 + 100 + 20)
    assert made["question_ms"] == pytest.approx(1000)
    assert made["question_ms_range"] == pytest.approx([500, 1500])
    assert made["llm_tokens_per_question"] == 2000
    assert made["gflop_per_node"] == pytest.approx(1)
    assert made["floor_node_ms"] == pytest.approx(20)
    assert made["roofline_share"] == pytest.approx(0.1)


def test_of_several_repeats_the_median_counts_and_the_range_is_told() -> None:
    made = row([_piece(2.0), _piece(5.0), _piece(3.0)])
    assert made["node_ms"] == pytest.approx(300)
    assert made["node_ms_range"] == pytest.approx([200, 500])


def test_ratios_take_the_fastest_batch() -> None:
    rows = {
        name: {"question_ms": ms, "llm_tokens_per_question": tokens}
        for name, ms, tokens in (
            ("original", 600, 900),
            ("plain", 200, 400),
            ("all_1", 100, 100),
            ("all_4", 40, 100),
            ("all_16", 50, 100),
        )
    }
    assert ratios(rows, [1, 4, 16], "question_ms") == {
        "original_over_one": 6, "plain_over_one": 2, "original_over_batched": 15,
        "plain_over_batched": 5, "tokens_original_over_ours": 9,
    }  # fmt: skip


def test_what_was_not_measured_has_no_ratio() -> None:
    rows = {"all_1": {"question_ms": 100, "llm_tokens_per_question": 100}}
    assert set(ratios(rows, [1, 4], "question_ms").values()) == {None}
