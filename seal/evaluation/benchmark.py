"""What eval/benchmark is told, and what it does with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from seal.evaluation.environment import environment, fingerprint
from seal.evaluation.failures import write_failures
from seal.evaluation.protocol import Task
from seal.evaluation.run import Benchmark, benchmark_metrics, write_metrics
from seal.evaluation.scoring import SCORINGS
from seal.evaluation.shards import Shard, shard_of_run
from seal.evaluation.store import ENVIRONMENT, settle, write_json
from seal.evaluation.systems import Systems, check_systems
from seal.evaluation.tasks.vstar_bench import VStarBenchConfig
from seal.inference.hub import model_folder
from seal.pipeline import ProtocolConfig
from seal.search.config import SearchConfig
from seal.search.strategies import STRATEGIES

TASKS = ("vstar_bench",)
DTYPES = ("float32", "bfloat16", "float16")
# Settings that change how a run is carried out, not one of its predictions.
FREE = (
    "out", "vqa", "vsm", "systems", "baseline", "limit", "batch", "max_batch", "cache_mb",
    "device", "dry_run",
)  # fmt: skip


@dataclass(kw_only=True, slots=True)
class ModelChoice:
    """How models are loaded; shared by all programs that run them."""

    quantization: str | None = None  # int8 | nf4: of the language models' layers
    dtype: str | None = None  # float32 | bfloat16 | float16; None: the files' own
    device: str | None = None  # cpu | cuda | cuda:N; None: a GPU if there is one
    max_batch: int = 16  # rows in one pass of a network
    cache_mb: int = 4096  # what the search model keeps of the crops it has seen

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r} is none of {', '.join(DTYPES)}")
        if self.max_batch < 1 or self.cache_mb < 0:
            raise ValueError(
                f"max_batch={self.max_batch} must be at least 1 and cache_mb={self.cache_mb} "
                "not negative"
            )

    def options(self, shard: Shard) -> dict[str, Any]:
        """Keyword arguments for loading."""
        import torch

        return {
            "device": shard.device(self.device),
            "dtype": None if self.dtype is None else getattr(torch, self.dtype),
            "quantization": self.quantization,
            "max_batch": self.max_batch,
        }


@dataclass(kw_only=True, slots=True)
class BenchmarkRun(ModelChoice):
    """conf/eval.yaml"""

    task: str = "vstar_bench"
    benchmark: str  # its folder (`data` is the group of training sets)
    vqa: str  # model folder or hub id of the VQA LLM
    vsm: str | None = None  # of the search model; not needed for none and oracle
    out: str  # where everything goes; the same command continues what is there
    systems: list[str] = field(default_factory=lambda: ["guided"])  # none, oracle, strategies
    baseline: str = "none"  # the system that the others are compared with, if it is among them
    protocol: str = "default"  # default | as_released: the original's quirks
    scoring: str = "likelihood"  # likelihood | letter | string: how an option is chosen
    targets: str = "model"  # model | annotated: who says what to search for
    search: dict[str, Any] = field(default_factory=dict)  # numbers that differ from the model's own
    limit: int | None = None  # questions of each split; None: all
    batch: int = 8  # questions at a time; their searches advance side by side
    seed: int = 0  # of intervals and of the order in which options are presented
    dry_run: bool = False  # say what would be run, then stop

    def __post_init__(self) -> None:
        ModelChoice.__post_init__(self)  # `super()` does not work in a class with slots
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is none of {', '.join(TASKS)}")
        if self.scoring not in SCORINGS:
            raise ValueError(f"scoring={self.scoring!r} is none of {', '.join(SCORINGS)}")
        if self.batch < 1:
            raise ValueError(f"batch={self.batch} must be at least 1")
        check_systems(self.systems)
        ProtocolConfig.named(self.protocol)
        if self.vsm is None and self.needs_search_model:
            raise ValueError(
                f"systems={self.systems} search with a model: set vsm=FOLDER, or choose from "
                "none and oracle"
            )

    @property
    def needs_search_model(self) -> bool:
        return any(name in STRATEGIES for name in self.systems)

    def build_task(self) -> Task:
        return VStarBenchConfig(folder=self.benchmark, limit=self.limit).build()


def search_config(base: SearchConfig, changes: dict[str, Any]) -> SearchConfig:
    """`base` with some numbers changed; a name that there is not is an error."""
    known = [field.name for field in fields(SearchConfig)]
    for name in changes:
        if name not in known:
            raise ValueError(f"search.{name} is none of {', '.join(known)}")
    return replace(base, **changes)


def run_benchmark(run: BenchmarkRun) -> dict[str, Any] | None:
    """Predict, judge and write; the metrics, on the first process only."""
    task = run.build_task()
    folder = Path(run.out)
    with shard_of_run() as shard:
        if shard.rank == 0:
            models = {"vqa": fingerprint(model_folder(run.vqa))}
            if run.vsm is not None:
                models["vsm"] = fingerprint(model_folder(run.vsm))
            settings = asdict(run) | {"weights": models, "task_version": task.version}
            settle(folder, settings, FREE)
            device = shard.device(run.device)
            write_json(folder / ENVIRONMENT, environment(device) | {"seed": run.seed})
        shard.wait()
        benchmark = Benchmark(
            task,
            folder,
            protocol=run.protocol,
            scoring=run.scoring,
            targets=run.targets,
            seed=run.seed,
        )
        lines = benchmark.predict(load_systems(run, shard), batch=run.batch, shard=shard)
        if shard.rank > 0:
            return None
    metrics = benchmark_metrics(task, lines, baseline=run.baseline, seed=run.seed)
    write_metrics(folder, metrics)
    write_failures(folder, task, lines)
    return metrics


def load_systems(run: BenchmarkRun, shard: Shard) -> Systems:
    """Both models, each once."""
    from seal.inference.load import load_answer_model, load_search_model

    protocol = ProtocolConfig.named(run.protocol)
    options = run.options(shard)
    answer_model = load_answer_model(
        model_folder(run.vqa),
        no_search_image=protocol.no_search_image,
        token_policy=protocol.token_policy,
        **options,
    )
    search_model, config = None, None
    if run.needs_search_model:
        assert run.vsm is not None
        search_model = load_search_model(model_folder(run.vsm), cache_mb=run.cache_mb, **options)
        config = search_config(search_model.search_config(), run.search)
    return Systems(run.systems, answer_model, search_model, protocol=protocol, search_config=config)
