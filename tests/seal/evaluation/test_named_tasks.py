"""Benchmarks by the names that people give them."""

from __future__ import annotations

import pytest

from seal.evaluation.named_tasks import TASK_NAMES, all_tasks, task_named


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("V*Bench", "vstar_bench"), ("V* Bench", "vstar_bench"), ("vstar-bench", "vstar_bench"),
        ("V*", "vstar_bench"), ("HR-Bench 4K", "hr_bench_4k"), ("hrbench_8k", "hr_bench_8k"),
        ("mmvet", "mm_vet"), ("SEED-Bench", "seed_image"), ("MMBench_EN", "mmbench"),
        ("LLaVA-Bench (in the wild)", "llava_bench"), ("MME-RealWorld-Lite", "mme_realworld_lite"),
    ],
)  # fmt: skip
def test_a_benchmark_is_known_however_its_name_is_written(name: str, task: str) -> None:
    assert task_named(name).name == task


def test_every_name_is_that_of_its_own_declaration() -> None:
    assert [spec.name for spec in all_tasks()] == list(TASK_NAMES)


def test_an_unknown_name_lists_all_and_says_what_is_near() -> None:
    with pytest.raises(ValueError, match=r"none of vstar_bench, .*did you mean seed_image\?$"):
        task_named("seed_benchs")
