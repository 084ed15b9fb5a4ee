"""The demo: build scenes, train every model, search, answer, and write one page about it.

Each stage is a command that a user could type; two lanes run side by side, one thread each.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seal.evaluation.controls import CONTROLS
from seal.evaluation.strategy_metrics import NOT_SEARCHES
from seal.files.lock import LOCK_FILE, WriterLock
from seal.inference.hub import MINIATURE_VSM
from seal.miniature.closing import closing_lines, shown_path
from seal.miniature.growing_report import FIRST_LOOK, GrowingReport
from seal.miniature.report import TITLE, WAYS
from seal.miniature.stage import Stage
from seal.miniature.stages import StageRunner
from seal.miniature.summary import summarize
from seal.miniature.time_left import Progress, time_left, told
from seal.search.strategies import BY_TARGET

# Looking once at the whole image is no search to compare lengths with.
SEARCHES = tuple(name for name in BY_TARGET if name not in NOT_SEARCHES)
# What a demo writes to its folder; nothing else there is touched.
OWN = (
    "stages", "logs", "data", "runs", "results", "vqa", "vsm", "avg", "metrics.json", "report.html"
)  # fmt: skip
BASE_MODELS = Path(__file__).parent / "assets"  # what train/base_models writes
# Two trainings run side by side, so each gets one thread; the evaluation likewise.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "WANDB_MODE": "disabled",
}


ABOUT = (
    "Scenes are drawn, a VQA LLM and a search model are trained on them, and both are tried on "
    "scenes they never saw."
)
WORDS = {
    "scenes": "drawing the scenes",
    FIRST_LOOK: "a first look, by the models that ship with the package",
    "vqa_align_linear": "aligning the VQA LLM's linear projector",
    "vqa_align_resampler": "aligning its resampler",
    "vqa_instruct": "training the VQA LLM to answer, to refuse, and to read crops",
    "vqa_no_crops": "training the same model to answer without crops, for comparison",
    "vsm": "training the search model",
    "benchmark": "answering held-out questions, with and without a search",
    "benchmark_no_crops": "answering them with the model trained without crops",
    "search": "searching held-out scenes with every strategy",
    "cue_reading": "asking where things would be, in repainted scenes",
    "search_shuffled": "searching scenes where things stand anywhere",
}


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    base: Path = BASE_MODELS,
    fresh: bool = False,
    settings: tuple[Path, ...] = (),
) -> Path:
    """Run what is not finished yet; returns the report's path.

    Args:
        base: the folder of vqa_base and vsm_base.
        fresh: repeat everything; what a demo wrote to `out` is deleted.
        settings: files of the configuration; when one of them changes everything is repeated.

    Raises:
        ValueError: `out` holds something that no demo wrote.
        InUseError: another demo writes there.
    """

    def run(out: Path, base: Path, weights: Sequence[Path]) -> Path:
        return _run(out, seed, base, (*settings, *weights))

    return in_own_folder(out, base, ("vqa_base", "vsm_base"), "scenes", run, fresh=fresh)


def in_own_folder(
    out: Path,
    base: Path,
    names: Sequence[str],
    first: str,
    run: Callable[[Path, Path, Sequence[Path]], Path],
    *,
    fresh: bool,
) -> Path:
    """What `run` returns of (out, base, files of weights), alone in `out`, ended by signals.

    Args:
        names: of the base models, folders of `base`.
        first: the demo's first stage, by which a folder is known to be of this demo.

    Raises:
        FileNotFoundError: a base model is missing.
        ValueError, InUseError: as `run_demo`.
    """
    out, base = out.resolve(), base.resolve()
    weights = [base / name / "model.safetensors" for name in names]
    missing = [str(path) for path in weights if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"there is no {' and no '.join(missing)}: run train/base_models")
    with WriterLock(out, "demo"), _ended_by_signals():
        _require_own(out, first)
        if fresh:
            _remove_own(out)
        return run(out, base, weights)


def _run(out: Path, seed: int, base: Path, settings: tuple[Path, ...]) -> Path:
    runner = StageRunner(out, ENVIRONMENT, settings)
    demo = Demo(out, seed, runner, base)
    lanes = [
        [demo.scenes(), *demo.train_vqa(), *demo.answer(), demo.search_shuffled()],
        [demo.first_look(), *demo.train_vsm(), *demo.search()],
    ]
    growing = GrowingReport(out, TITLE, ABOUT, WORDS)
    runner.watch = told_once(growing.write)
    started = time.monotonic()
    first = runner.progress(lanes)
    print(f"SEAL in miniature, in {shown_path(out)}: about {told(time_left(first))} on 2 cores")
    print(f"  a page that grows: {shown_path(growing.write(first))}", flush=True)
    runner.run(lanes)
    for name in ("vqa", "vsm"):
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(demo.model(demo.final[name]), out / name)
    report = summarize(
        out, seconds=runner.seconds, peak_memory_mb=runner.peak_memory_mb, runs=demo.runs
    )
    for line in closing_lines(out, time.monotonic() - started):
        print(line)
    return report


def told_once(write: Callable[[Progress], object]) -> Callable[[Progress], None]:
    """`write`, of which a failure is told and ends no run: stages are worth more than a page."""
    failed = False

    def watch(progress: Progress) -> None:
        nonlocal failed
        try:
            write(progress)
        except (OSError, ValueError) as error:
            if not failed:
                print(f"  the growing page could not be written: {error}", file=sys.stderr)
            failed = True

    return watch


def _require_own(out: Path, first: str) -> None:
    """Refuse to mix a demo into a folder of something else, another demo's included."""
    if (out / "stages" / f"{first}.begun").is_file():
        return
    others = sorted(path.name for path in out.iterdir() if path.name not in (*OWN, LOCK_FILE))
    begun = sorted(path.stem for path in (out / "stages").glob("*.begun"))
    if others or begun:
        held = ", ".join((others or [f"stage {name}" for name in begun])[:3])
        raise ValueError(
            f"{out} holds something else than this demo ({held}): choose another --out"
        )


def _remove_own(out: Path) -> None:
    for name in OWN:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink(missing_ok=True)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Being told to end, or losing the terminal, stops the stages as Ctrl-C does.

    The exit code is the shell's for a process that a signal ended.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Trained:
    """What demos share: where a demo reads and writes, and a training as one of its stages."""

    processes = 1  # of a training

    def __init__(self, out: Path, seed: int, runner: StageRunner, base: Path = BASE_MODELS) -> None:
        self.out, self.seed, self.runner, self.base = out, seed, runner, base
        self.data, self.runs = out / "data", out / "runs"

    def model(self, run: str) -> Path:
        """The model folder that a training run leaves."""
        return self.runs / run / "model"

    def train_stage(
        self, program: str, run: str, seconds: float, after: str, init_from: Path
    ) -> Stage:
        """The experiment RUN_miniature, behind the stage `after`."""
        command = (
            "torch.distributed.run", "--standalone", "--nproc-per-node", str(self.processes),
            "-m", "seal", program, f"experiment={run}_miniature", f"run_name={run}",
            f"seed={self.seed}", f"paths.runs={self.runs}", f"paths.records={self.data}",
            f"init_from={init_from}",
        )  # fmt: skip
        return Stage(run, command, seconds, (self.runner.stamp(after),), self.runs / run, bar=run)


class Demo(Trained):
    """The stages and where they read and write."""

    final = {"vqa": "vqa_instruct", "vsm": "vsm"}  # noqa: RUF012  # never changed

    def scenes(self) -> Stage:
        command = ("seal", "data_builders/scenes", f"out={self.data}", "workers=2")
        return Stage("scenes", command, 30, output=self.data)

    def first_look(self) -> Stage:
        """A few searches by the models that ship with the package, for the first picture."""
        results = self.out / "results" / FIRST_LOOK
        command = (
            "seal", "eval/search", f"benchmark={self.data / 'benchmark'}", f"vsm={MINIATURE_VSM}",
            "strategies=[guided]", "traces=3", "limit=1", f"out={results}",
        )  # fmt: skip
        return Stage(FIRST_LOOK, command, 15, (self.runner.stamp("scenes"),), results)

    def train_vqa(self) -> list[Stage]:
        """Align both projectors and instruct; then the same model, to answer without crops."""
        linear, resampler = "vqa_align_linear", "vqa_align_resampler"
        aligned = self.model(resampler)
        return [
            self.train_stage("train/vqa", linear, 35, "scenes", self.base / "vqa_base"),
            self.train_stage("train/vqa", resampler, 30, linear, self.model(linear)),
            self.train_stage("train/vqa", "vqa_instruct", 310, resampler, aligned),
            self.train_stage("train/vqa", "vqa_no_crops", 50, resampler, aligned),
        ]

    def train_vsm(self) -> list[Stage]:
        """The search model."""
        return [self.train_stage("train/vsm", "vsm", 375, "scenes", self.base / "vsm_base")]

    def answer(self) -> list[Stage]:
        vqa, vsm = self.model("vqa_instruct"), self.model("vsm")
        return [
            self._evaluate(
                "eval/benchmark", "benchmark", 180, ("vqa_instruct", "vsm"),
                f"benchmark={self.data / 'benchmark'}", f"vqa={vqa}", f"vsm={vsm}",
                f"systems=[none,{','.join(WAYS)},vicrop_rel_att,{','.join(CONTROLS)},oracle]",
                "search=by_sight",
            ),
            self._evaluate(
                "eval/benchmark", "benchmark_no_crops", 15, ("vqa_no_crops",),
                f"benchmark={self.data / 'benchmark'}", f"vqa={self.model('vqa_no_crops')}",
                "systems=[none]",
            ),
        ]  # fmt: skip

    def search(self) -> list[Stage]:
        vsm = f"vsm={self.model('vsm')}"
        reading = self.out / "results" / "cue_reading.json"
        return [
            self._search("search", 240, "benchmark", "traces=15", "limit=80"),
            Stage(
                "cue_reading",
                ("seal", "eval/cue_reading", vsm, f"out={reading}"),
                15,
                (self.runner.stamp("vsm"),),
                reading,
            ),
        ]  # fmt: skip

    def search_shuffled(self) -> Stage:
        """The control; in the lane that has time for it."""
        return self._search("search_shuffled", 65, "benchmark_shuffled", "traces=0")

    def _search(self, name: str, seconds: float, benchmark: str, *overrides: str) -> Stage:
        return self._evaluate(
            "eval/search", name, seconds, ("vsm",),
            f"benchmark={self.data / benchmark}", f"vsm={self.model('vsm')}",
            f"strategies=[{','.join(SEARCHES)}]", *overrides,
        )  # fmt: skip

    def _evaluate(
        self, program: str, name: str, seconds: float, reads: tuple[str, ...], *overrides: str
    ) -> Stage:
        results = self.out / "results" / name
        command = ("seal", program, *overrides, f"out={results}")
        bar = "visual_search" if program == "eval/search" else "vstar_bench"  # its task
        return Stage(name, command, seconds, tuple(map(self.runner.stamp, reads)), results, bar)
