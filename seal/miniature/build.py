"""Everything the miniature is trained and judged on, in one folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seal.miniature.benchmark import FOLDERS, build_benchmark
from seal.miniature.granularity_scenes import (
    GRANULARITY_BENCHMARK,
    GRANULARITY_SETS,
    build_granularity_benchmark,
    build_granularity_set,
)
from seal.miniature.scenes import ON_REQUEST, SETS, build_scene_set

BENCHMARKS = ("benchmark", "benchmark_shuffled")
# Built where `only` names them.
ALL_ON_REQUEST = (*ON_REQUEST, *GRANULARITY_SETS)
# Another world: no scene of it is trained on.
VALIDATION_SEED = 1000


@dataclass(kw_only=True, slots=True)
class ScenesConfig:
    """What data_builders/scenes is told. Numbers are scenes; each gives several records."""

    out: str  # the folder that everything goes below
    only: list[str] = field(default_factory=lambda: [*SETS, *BENCHMARKS])  # what to build
    vqa_align: int = 300
    vqa_instruct: int = 1000
    vqa_no_crops: int = 400
    vsm: int = 1100
    # Built where `only` names them.
    vqa_attributes: int = 1000
    granularity_align: int = 1200
    granularity: int = 3000
    granularity_router: int = 1500
    granularity_benchmark: int = 1440  # questions
    validation: int = 16  # scenes of each validation set
    # Questions of the benchmark, and of the control with shuffled homes.
    direct_attributes: int = 100
    relative_position: int = 100
    absent_targets: int = 30
    shuffled: int = 50  # attribute questions
    seed: int = 0
    workers: int = 0  # processes; 0: this one

    def __post_init__(self) -> None:
        for name in self.only:
            if name not in (
                all_names := (*SETS, *ALL_ON_REQUEST, *BENCHMARKS, GRANULARITY_BENCHMARK)
            ):
                known = ", ".join(all_names)
                raise ValueError(f"only={name!r}; known: {known}")
        numbers = (*SETS, *ALL_ON_REQUEST, GRANULARITY_BENCHMARK, *FOLDERS)
        for name in (*numbers, "validation", "shuffled", "workers", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} must not be negative")


def build_scenes(config: ScenesConfig) -> dict[str, int]:
    """Build what `config.only` names; how many records or questions each set has."""
    out = Path(config.out)
    counts: dict[str, int] = {}
    for name in (*SETS, *ALL_ON_REQUEST):
        if name not in config.only:
            continue
        build = build_granularity_set if name in GRANULARITY_SETS else build_scene_set
        for folder, number, seed in (
            (out / name, getattr(config, name), config.seed),
            (out / "validation" / name, config.validation, config.seed + VALIDATION_SEED),
        ):
            if number:
                records = build(name, folder, num_scenes=number, seed=seed, workers=config.workers)
                counts[str(folder.relative_to(out))] = len(records)
    questions = {name: getattr(config, name) for name in FOLDERS}
    if "benchmark" in config.only:
        counts["benchmark"] = build_benchmark(out / "benchmark", counts=questions, seed=config.seed)
    if "benchmark_shuffled" in config.only:
        counts["benchmark_shuffled"] = build_benchmark(
            out / "benchmark_shuffled",
            counts={"direct_attributes": config.shuffled},
            seed=config.seed,
            homes="shuffled",
        )
    if GRANULARITY_BENCHMARK in config.only:
        counts[GRANULARITY_BENCHMARK] = build_granularity_benchmark(
            out / GRANULARITY_BENCHMARK, questions=config.granularity_benchmark, seed=config.seed
        )
    return counts
