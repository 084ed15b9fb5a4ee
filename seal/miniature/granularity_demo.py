"""The demo of adaptive granularity: AVG-LLaVA in miniature, trained, asked, and one page about it.

Each stage is a command that a user could type. Trainings depend on one another, so they run one
after the other, each in two processes of one thread.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from seal.miniature.closing import shown_path
from seal.miniature.demo import BASE_MODELS, ENVIRONMENT, Trained, in_own_folder, told_once
from seal.miniature.granularity_scenes import GRANULARITY_BENCHMARK, GRANULARITY_SETS
from seal.miniature.granularity_summary import TITLE, summarize_granularity
from seal.miniature.growing_report import GrowingReport
from seal.miniature.stage import Stage
from seal.miniature.stages import StageRunner
from seal.miniature.time_left import time_left, told
from seal.models.presets import vqa_preset

FIRST = "near_and_far"  # the stage by which a folder is known to be of this demo
AUTO = "none@auto"  # the system that chooses its level
PROCESSES = 2
ABOUT = (
    "Scenes are drawn from near, midway and afar; a model is trained to answer at five numbers of "
    "visual tokens, then to choose one."
)
WORDS = {
    FIRST: "drawing the scenes",
    "avg_align": "aligning the projector",
    "avg_granularity": "training to answer at every level",
    "avg_router": "training to choose a level",
    "benchmark": "answering held-out questions at chosen and at fixed levels",
}


def levels() -> list[int]:
    """Of the miniature, coarse to fine."""
    granularity = vqa_preset("avg_miniature").granularity
    assert granularity is not None
    return granularity.levels


def run_granularity_demo(
    out: Path,
    *,
    seed: int = 0,
    base: Path = BASE_MODELS,
    fresh: bool = False,
    settings: tuple[Path, ...] = (),
) -> Path:
    """Run what is not finished yet; returns the report's path. Arguments and errors as `run_demo`;
    of the base models avg_base is needed."""

    def run(out: Path, base: Path, weights: Sequence[Path]) -> Path:
        return _run(out, seed, base, (*settings, *weights))

    return in_own_folder(out, base, ("avg_base",), FIRST, run, fresh=fresh)


def _run(out: Path, seed: int, base: Path, settings: tuple[Path, ...]) -> Path:
    runner = StageRunner(out, ENVIRONMENT, settings)
    demo = GranularityDemo(out, seed, runner, base)
    stages = [demo.scenes(), *demo.train(), demo.answer()]
    growing = GrowingReport(out, TITLE, ABOUT, WORDS)
    runner.watch = told_once(growing.write)
    started = time.monotonic()
    first = runner.progress([stages])
    print(f"{TITLE}, in {shown_path(out)}: about {told(time_left(first))} on 2 cores")
    print(f"  a page that grows: {shown_path(growing.write(first))}", flush=True)
    runner.run([stages])
    shutil.rmtree(out / "avg", ignore_errors=True)
    shutil.copytree(demo.model("avg_router"), out / "avg")
    report = summarize_granularity(
        out, system=AUTO, seconds=runner.seconds, peak_memory_mb=runner.peak_memory_mb,
        runs=demo.runs,
    )  # fmt: skip
    print(
        f"Done in {told(time.monotonic() - started)}. The report: {shown_path(report)}", flush=True
    )
    return report


class GranularityDemo(Trained):
    """The stages and where they read and write."""

    processes = PROCESSES

    def scenes(self) -> Stage:
        names = ",".join((*GRANULARITY_SETS, GRANULARITY_BENCHMARK))
        command = (
            "seal", "data_builders/scenes", f"out={self.data}", f"only=[{names}]",
            f"workers={PROCESSES}",
        )  # fmt: skip
        return Stage(FIRST, command, 45, output=self.data)

    def train(self) -> list[Stage]:
        """Align the projector; learn to answer at every level; then to choose one."""
        align, granularity, router = "avg_align", "avg_granularity", "avg_router"
        return [
            self.train_stage("train/vqa", align, 70, FIRST, self.base / "avg_base"),
            self.train_stage("train/vqa", granularity, 130, align, self.model(align)),
            self.train_stage("train/vqa", router, 115, granularity, self.model(granularity)),
        ]

    def answer(self) -> Stage:
        """The same questions at the levels that are chosen, and at each one."""
        results = self.out / "results" / "benchmark"
        systems = ",".join([AUTO, *(f"none@{level}" for level in levels())])
        command = (
            "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES),
            "-m", "seal", "eval/benchmark", "task=own",
            f"benchmark={self.data / GRANULARITY_BENCHMARK}", f"vqa={self.model('avg_router')}",
            f"systems=[{systems}]", "scoring=likelihood", f"out={results}",
        )  # fmt: skip
        return Stage(
            "benchmark", command, 60, (self.runner.stamp("avg_router"),), results, bar="own"
        )
