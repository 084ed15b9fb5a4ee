"""Which models, guide and search a command uses: its options, and the `Seal` they make."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from seal.inference.guides.config import GUIDES, GuideConfig
from seal.inference.hub import MINIATURE_VQA, MINIATURE_VSM
from seal.pipeline.planner import PLANNERS
from seal.search.budget import BudgetConfig
from seal.search.speed import SpeedConfig
from seal.search.strategies import STRATEGIES, VICROP
from seal.text.quote import quoted

if TYPE_CHECKING:
    from seal.pipeline import Seal

RELEASED_VQA = "craigwu/seal_vqa_7b"
RELEASED_VSM = "craigwu/seal_vsm_7b"
_DEFAULT = "(with a GPU %s; without one %s, which ships with seal)"
SEARCH_WORDS = {
    "guided": "best first, by the heat of the target and by where the model expects it",
    "no_target_cue": "guided without the heat of the target",
    "no_contextual_cue": "guided without where the model expects it",
    "sequential_bfs": "all regions of one size, then the smaller ones",
    "sequential_dfs": "each region down to its smallest part",
    "random_bfs": "as sequential_bfs, each size in any order",
    "random_dfs": "as sequential_dfs, parts in any order",
    "whole_image_detector": "one look at the whole image",
    "every_instance": "every region, for all things of that name",
    "expert_first": "nothing if the answer is sure, else one look, else guided",
    "zoom_eye": "best first, by how sure it is to see, to find or to answer",
    "vicrop_rel_att": "one crop, where the answer model attends more than for a general question",
    "vicrop_grad_att": "one crop, where its attention would change its first word most",
    "vicrop_pure_grad": "one crop, where the pixels would",
    "none": "no search: answer from the whole image",
}


def add_models(parser: argparse.ArgumentParser, *, answers: bool = True) -> None:
    """All options of the models, the guide and the search; without `answers`, of a search alone."""
    if answers:
        _add_answers(parser)
        _add_chat(parser)
        _add_search(parser, (*VICROP, "none"))
    else:
        parser.set_defaults(vqa=None)
        _add_search(parser)
    parser.set_defaults(answers=answers)


def _add_answers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vqa", metavar="NAME",
        help="SEAL's VQA LLM or any image-text model, folder or hub id, or the address of a server "
        f"as http://HOST:PORT/v1#MODEL {_DEFAULT % (RELEASED_VQA, MINIATURE_VQA)}",
    )  # fmt: skip
    parser.add_argument(
        "--granularity", metavar="auto|LEVEL",
        help="how finely a model with levels reads each picture: its router's pick, or a number of "
        "visual tokens of a tile (as it was trained)",
    )  # fmt: skip


def _add_chat(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("answer models that are not SEAL's own")
    group.add_argument(
        "--planner", choices=PLANNERS, metavar="NAME",
        help=f"who says what to look for: {', '.join(PLANNERS)} (what suits the model)",
    )  # fmt: skip
    group.add_argument("--layout", default="interleaved", help="how crops are shown (%(default)s)")
    group.add_argument("--min-pixels", type=int, metavar="N", help="of each image shown")
    group.add_argument("--max-pixels", type=int, metavar="N", help="the budget of each image shown")
    group.add_argument("--device-map", metavar="auto", help="spread the model over several GPUs")
    group.add_argument("--revision", help="branch, tag or commit on the hub")
    group.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with the model"
    )


def _add_search(parser: argparse.ArgumentParser, more: tuple[str, ...] = ()) -> None:
    searches = (*STRATEGIES, *more)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "searches:\n" + "\n".join(
        f"  {name:<22}{SEARCH_WORDS[name]}" for name in searches
    )
    parser.add_argument(
        "--miniature", action="store_true",
        help="the small models that ship with seal, which know nothing but drawn shapes",
    )  # fmt: skip
    parser.add_argument(
        "--vsm", metavar="NAME",
        help="SEAL's search model, folder or hub id " + _DEFAULT % (RELEASED_VSM, MINIATURE_VSM),
    )  # fmt: skip
    parser.add_argument("--clip", help="CLIP for a search model that holds no tower (folder or id)")
    parser.add_argument(
        "--guide", default="seal", metavar="NAME",
        help=f"what a search asks: one of {', '.join(GUIDES)}, or part by part as in "
        "detect=owlv2,cue=seal,heat=seal (%(default)s: the search model of --vsm)",
    )  # fmt: skip
    parser.add_argument(
        "--guide-model", action="append", default=[], metavar="NAME=MODEL",
        help="the model of a guide, folder or hub id, as in owlv2=google/owlv2-base-patch16 "
        "(repeat; those that ask a language model ask --vqa otherwise)",
    )  # fmt: skip
    parser.add_argument(
        "--search", default="guided", choices=searches, metavar="NAME",
        help="how to search; see below (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--budget", action="append", default=[], metavar="KIND=N",
        help="end a search after so many nodes=, calls= or seconds=, with the best it has seen "
        "(repeat)",
    )  # fmt: skip
    parser.add_argument("--quantization", choices=["int8", "nf4"], help="by bitsandbytes")
    parser.add_argument(
        "--dtype", choices=["float32", "bfloat16", "float16"],
        help="of what is not quantized (the files' own; float32 on a CPU)",
    )  # fmt: skip
    parser.add_argument(
        "--offload", default="0", metavar="N|auto",
        help="blocks of each language model kept in host memory (slow; the last resort)",
    )  # fmt: skip
    _add_speed(parser)
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (the first GPU if there is one)")
    parser.add_argument("--protocol", default="default", help="default or as_released")


def _add_speed(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("speed; none of it changes what is visited")
    for name, told in (
        (
            "lookahead",
            "detections run before their turn, per search and batch (what costs no time)",
        ),
        ("concurrency", "searches side by side (what the memory holds)"),
        ("max-batch", "queries, or rows, in one pass of a network (what fits)"),
        ("cache-mb", "what is kept of the crops that were seen (a share of the memory)"),
    ):
        group.add_argument(f"--{name}", type=int, metavar="N", help=told)
    group.add_argument(
        "--no-prepare", dest="prepare", action="store_const", const=False,
        help="cut and resize no crop before it is asked about",
    )  # fmt: skip
    group.add_argument(
        "--graphs", action="store_const", const=True,
        help="record passes over few crops as CUDA graphs (of SEAL's search model, on a GPU)",
    )  # fmt: skip


def _speed(arguments: argparse.Namespace) -> SpeedConfig:
    names = ("lookahead", "concurrency", "max_batch", "cache_mb", "prepare", "graphs")
    return SpeedConfig(**{name: getattr(arguments, name) for name in names})


def choose_models(arguments: argparse.Namespace, tell: Callable[[str], None]) -> None:
    """Set `vqa` and `vsm` where they were left open, and say what was chosen.

    Raises:
        ValueError: --miniature beside a named model.
    """
    wanted = ["vqa", "vsm"] if arguments.answers else ["vsm"]
    left_open = [name for name in wanted if getattr(arguments, name) is None]
    if arguments.miniature:
        if left_open != wanted:
            named = next(name for name in wanted if name not in left_open)
            raise ValueError(
                f"--miniature names the models, and --{named} {getattr(arguments, named)} another: "
                "drop one"
            )
    elif not left_open or (left_open == ["vsm"] and not _needs_vsm(arguments)):
        return
    import torch

    small = arguments.miniature or not torch.cuda.is_available()
    models = (MINIATURE_VQA, MINIATURE_VSM) if small else (RELEASED_VQA, RELEASED_VSM)
    for name, model in zip(("vqa", "vsm"), models, strict=True):
        if name in left_open:
            setattr(arguments, name, model)
    if small and not arguments.miniature:
        given = " ".join(f"--{name} {getattr(arguments, name)}" for name in left_open)
        tell(f"no GPU: {given}, made for drawn shapes alone; name other models for photos")
    arguments.miniature = False  # said


def _needs_vsm(arguments: argparse.Namespace) -> bool:
    """Whether a search by SEAL's search model is what is asked for."""
    return arguments.search in STRATEGIES and "seal" in _guide(arguments).names


def tell_stderr(line: str) -> None:
    """Messages go to stderr: stdout holds results."""
    print(line, file=sys.stderr)


def open_seal(arguments: argparse.Namespace, *, tell: Callable[[str], None] = tell_stderr) -> Seal:
    """Load what `add_models` was told; `tell` is told what is chosen and what it takes."""
    import torch

    from seal.pipeline import Seal

    # What is wrong with these is told before a model is loaded.
    budget, speed, guide = _budget(arguments), _speed(arguments), _guide(arguments)
    choose_models(arguments, tell)
    return Seal.from_pretrained(
        arguments.vqa,
        arguments.vsm,
        search=arguments.search,
        budget=budget,
        speed=speed,
        guide=guide,
        quantization=arguments.quantization,
        dtype=arguments.dtype and getattr(torch, arguments.dtype),
        device=arguments.device,
        clip=arguments.clip,
        offload=int(arguments.offload) if arguments.offload.isdecimal() else arguments.offload,
        protocol=arguments.protocol,
        **_chosen_chat(arguments),
        tell=tell,
    )


def _budget(arguments: argparse.Namespace) -> BudgetConfig | None:
    kinds = {"nodes": int, "calls": int, "seconds": float}
    limits: dict[str, Any] = {}
    for given in arguments.budget:
        kind, _, number = given.partition("=")
        try:
            limits[kind] = kinds[kind](number)
        except (KeyError, ValueError):
            raise ValueError(
                f"--budget {quoted(given)} is not KIND=N, as in nodes=12; kinds: {', '.join(kinds)}"
            ) from None
    if limits and arguments.search not in STRATEGIES:
        raise ValueError(
            f"--budget ends a search, and --search {arguments.search} makes none: drop one"
        )
    return BudgetConfig(**limits) if limits else None


def _guide(arguments: argparse.Namespace) -> GuideConfig:
    models: dict[str, str] = {}
    for given in arguments.guide_model:
        name, equals, model = given.partition("=")
        if not equals or not model:
            raise ValueError(
                f"--guide-model {quoted(given)} is not NAME=MODEL, as in "
                "owlv2=google/owlv2-base-patch16"
            )
        models[name] = model
    guide = GuideConfig.read(arguments.guide, models)
    for name in models:
        if name not in guide.names:
            raise ValueError(
                f"--guide-model {name}=: --guide {arguments.guide} does not ask {name}; name it in "
                "--guide too"
            )
    return guide


def _chosen_chat(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.vqa is None:
        return {}
    from seal.inference.answers.chat_options import ChatOptions

    chat = ChatOptions(
        layout=arguments.layout,
        min_pixels=arguments.min_pixels,
        max_pixels=arguments.max_pixels,
        device_map=arguments.device_map,
        revision=arguments.revision,
        trust_remote_code=arguments.trust_remote_code,
    )
    return {"chat": chat, "planner": arguments.planner, "granularity": arguments.granularity}
