"""Benchmarks of finding, not of answering: which program runs each, what it needs, where it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchTaskSpec:
    """A benchmark whose result is boxes and how soon they are found."""

    name: str
    title: str  # one sentence
    command: str  # of the program that runs it
    files: str  # what `benchmark=` must name
    origin: str  # an address
    licence: str
    metric: str
    count: str = ""  # of the whole benchmark, as far as its makers say


SEARCH_TASKS = (
    SearchTaskSpec(
        name="visual_search",
        title="How soon each strategy finds the targets of V*Bench",
        command="seal eval/search task=vstar_bench",
        files="the folders of V*Bench, pictures and annotations with boxes",
        origin="https://huggingface.co/datasets/craigwu/vstar_bench",
        licence="not stated; photographs of SA-1B (research only)",
        metric="share found, search length",
        count="245 boxes: 115 of attributes, 130 of relations",
    ),
    SearchTaskSpec(
        name="coco_search18",
        title="The same beside people's eye movements: 18 kinds of thing, target present",
        command="seal eval/search task=coco_search18",
        files="coco_search18_fixations_TP*.json; images=: photographs of COCO, or its own pictures",
        origin="https://sites.google.com/view/cocosearch",
        licence="not stated in the files; photographs of COCO, each with its own",
        metric="search length over the targets that need a search",
        count="3101 photographs, 10 people",
    ),
    SearchTaskSpec(
        name="refcoco",
        title="RefCOCO, RefCOCO+ and RefCOCOg: the object that an expression means",
        command="seal eval/grounding",
        files=(
            "a set built by data_builders/refcoco, or a copy of the hub's files; or "
            "hub:lmms-lab/RefCOCO::val, RefCOCOplus, RefCOCOg (boxes only)"
        ),
        origin="https://github.com/lichengunc/refer",
        licence="not stated; photographs of COCO, each with its own",
        metric="box accuracy at 0.5, cIoU, gIoU",
        count="RefCOCO 142210 expressions of 19994 photographs, train included",
    ),
)


def search_task_named(name: str) -> SearchTaskSpec | None:
    """The one of that name; None: there is none."""
    plain = name.lower().replace("-", "").replace("_", "")
    return next((spec for spec in SEARCH_TASKS if spec.name.replace("_", "") == plain), None)
