"""The benchmarks by name; each is imported when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Sequence

from seal.evaluation.tasks.spec import TaskSpec

# Task -> the module that declares it, as SPEC, or in SPECS where it declares several.
_MODULES = {
    "vstar_bench": "vstar_bench",
    "pope": "pope",
    "mme": "mme",
    "gqa": "gqa",
    "textvqa": "textvqa",
    "docvqa": "docvqa",
    "vqav2": "vqav2",
    "aokvqa": "aokvqa",
    "aokvqa_mc": "aokvqa",
    "mm_vet": "mm_vet",
    "llava_bench": "llava_bench",
    "visual_probe": "visual_probe",
    "own": "own",
    "hr_bench_4k": "hr_bench",
    "hr_bench_8k": "hr_bench",
    "mme_realworld": "mme_realworld",
    "mme_realworld_lite": "mme_realworld",
    "mme_realworld_cn": "mme_realworld",
    "tree_bench": "tree_bench",
    "zoom_bench": "zoom_bench",
    "mmbench": "mmbench",
    "mmbench_cn": "mmbench",
    "seed_image": "seed_image",
    "ai2d": "ai2d",
    "chartqa": "chartqa",
    "scienceqa": "scienceqa",
    "vizwiz": "vizwiz",
    "mmmu": "mmmu",
}
TASK_NAMES = tuple(_MODULES)
# What papers and harnesses call them too, without what makes no difference.
_ALSO = {
    "vstar": "vstar_bench",
    "mmbenchen": "mmbench",
    "seed": "seed_image",
    "seedbench": "seed_image",
    "seedbenchimg": "seed_image",
    "llavabenchinthewild": "llava_bench",
    "llavaw": "llava_bench",
    "scienceqaimg": "scienceqa",
    "sqa": "scienceqa",
    "vizwizvqa": "vizwiz",
    "mmmuval": "mmmu",
}


def task_named(name: str, also: Sequence[str] = ()) -> TaskSpec:
    """The benchmark of a name; case, blanks, dashes and underscores make no difference.

    A star may be written out: V*Bench, vstar_bench.

    also: what else the caller would have taken, for the message.

    Raises:
        ValueError: there is none.
    """
    known = {_plain(task): task for task in TASK_NAMES} | _ALSO
    if _plain(name) not in known:
        near = difflib.get_close_matches(_plain(name), known, n=2)
        told = dict.fromkeys(known[one] for one in near)
        hint = f"; did you mean {' or '.join(told)}?" if told else ""
        raise ValueError(f"task={name!r} is none of {', '.join([*TASK_NAMES, *also])}{hint}")
    task = known[_plain(name)]
    module = importlib.import_module(f"seal.evaluation.tasks.{_MODULES[task]}")
    declared = [module.SPEC] if hasattr(module, "SPEC") else module.SPECS
    return next(spec for spec in declared if spec.name == task)


def all_tasks() -> Iterator[TaskSpec]:
    """Every benchmark, in the order of `TASK_NAMES`."""
    return map(task_named, TASK_NAMES)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower().replace("*", "star"))
