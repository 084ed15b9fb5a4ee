"""`seal ask` and `seal locate`: one image on the command line."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.files.whole import write_whole
from seal.inference.answers.showing import read_granularity
from seal.inference.guides.config import GUIDES, GuideConfig
from seal.pipeline.planner import PLANNERS
from seal.search.budget import BudgetConfig
from seal.search.speed import SpeedConfig
from seal.search.strategies import EVERY, STRATEGIES, VICROP
from seal.text.quote import quoted

if TYPE_CHECKING:
    from seal.pipeline import Answer, Question, Seal

NOT_FOUND = 3  # exit code: nothing went wrong, the target was not found
_WORDS = {
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

RELEASED_VQA = "craigwu/seal_vqa_7b"
RELEASED_VSM = "craigwu/seal_vsm_7b"
_MODEL_HELP = "model folder or hub id (%(default)s)"


def add_ask(commands: Any) -> None:
    parser = commands.add_parser(
        "ask", help="answer a question about an image, searching if need be"
    )
    parser.add_argument("image", metavar="IMAGE", help="an image file")
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument(
        "--option", action="append", dest="options", metavar="TEXT",
        help="a possible answer (repeat); the likeliest is chosen",
    )  # fmt: skip
    parser.add_argument(
        "--target", action="append", dest="targets", metavar="TEXT",
        help="a thing to search for whatever the model says it lacks (repeat)",
    )  # fmt: skip
    parser.add_argument(
        "--vqa", default=RELEASED_VQA, metavar="NAME",
        help="SEAL's VQA LLM or any image-text model, folder or hub id, or the address of a server "
        "as http://HOST:PORT/v1#MODEL (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--granularity", metavar="auto|LEVEL",
        help="how finely a model with levels reads each picture: its router's pick, or a number of "
        "visual tokens of a tile (as it was trained)",
    )  # fmt: skip
    _add_chat(parser)
    _add_shared(parser, (*VICROP, "none"))
    parser.set_defaults(run=ask)


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


def add_locate(commands: Any) -> None:
    parser = commands.add_parser(
        "locate",
        help="search an image for a thing and box it",
        description=f"Exit codes: 0 found; {NOT_FOUND} not found; 1 failed; 2 wrong use; "
        "130 interrupted.",
    )
    parser.add_argument("image", metavar="IMAGE", help="an image file")
    parser.add_argument("target", metavar="TARGET", help='what to look for, as in "the red boat"')
    parser.add_argument(
        "--all", action="store_true",
        help=f"box and count every such thing: --search {EVERY}",
    )  # fmt: skip
    _add_shared(parser)
    parser.set_defaults(run=locate, vqa=None)


def _add_shared(parser: argparse.ArgumentParser, more: tuple[str, ...] = ()) -> None:
    searches = (*STRATEGIES, *more)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "searches:\n" + "\n".join(f"  {name:<22}{_WORDS[name]}" for name in searches)
    parser.add_argument("--vsm", default=RELEASED_VSM, help=_MODEL_HELP)
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
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--save-path", type=Path, metavar="DIR", help="write a picture and a trace of each search"
    )


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


def _open(arguments: argparse.Namespace) -> Seal:
    import torch

    from seal.pipeline import Seal
    from seal.pipeline.pictures import picture

    # What is wrong with these is told before a model is loaded.
    arguments.picture = picture(arguments.image)
    budget, speed = _budget(arguments), _speed(arguments)
    if arguments.save_path is not None:
        _require_writable(arguments.save_path)
    return Seal.from_pretrained(
        arguments.vqa,
        arguments.vsm,
        search=arguments.search,
        budget=budget,
        speed=speed,
        guide=_guide(arguments),
        quantization=arguments.quantization,
        dtype=arguments.dtype and getattr(torch, arguments.dtype),
        device=arguments.device,
        clip=arguments.clip,
        offload=int(arguments.offload) if arguments.offload.isdecimal() else arguments.offload,
        protocol=arguments.protocol,
        **_chosen_chat(arguments),
        tell=lambda line: print(line, file=sys.stderr),
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


def ask(arguments: argparse.Namespace) -> int:
    """Print the answer, what was looked for, and where it was found."""
    from seal.pipeline import Question

    options, targets = arguments.options, arguments.targets
    # Wrong ones end here, before a model is loaded.
    asked = Question(arguments.image, arguments.question, options or (), targets)
    _refuse_marks(asked, arguments.vqa)
    read_granularity(arguments.granularity)
    if targets and arguments.search == "none":
        raise ValueError("--target says what to search for and --search none never does: drop one")
    if arguments.planner == "given" and arguments.search in STRATEGIES and not targets:
        raise ValueError(
            "--planner given searches for what --target names: give --target, or drop --planner"
        )
    seal = _open(arguments)
    answer = seal.ask(arguments.picture, arguments.question, options=options, targets=targets)
    saved = _save(arguments, answer.searches)
    if arguments.json:
        print(json.dumps(answer.to_dict() | {"saved": saved}, indent=1))
        return 0
    print(answer.text)
    for result in answer.searches:
        print(f"  {_summary(result)}")
    if answer.levels:
        print(f"  {_levels(answer)}")
    if answer.left_out:
        print(f"  {answer.left_out} of these were not shown: the VQA LLM's context was full")
    _tell(saved)
    return 0


def _levels(answer: Answer) -> str:
    """How finely each picture was read for the answer, and what the question took in all."""
    image, *crops = answer.levels
    told = f"read at level {image}"
    if crops:
        told += f", {'crops' if len(crops) > 1 else 'crop'} at {', '.join(map(str, crops))}"
    return f"{told}: {answer.cost['answer_model']['visual_tokens']:,.0f} visual tokens in all"


def _refuse_marks(question: Question, vqa: str) -> None:
    """What only a model of the hub reads as letters."""
    try:
        question.refuse_marks()
    except ValueError:
        from seal.inference.model_kinds import model_kind

        if model_kind(vqa) != "hf":
            raise


def locate(arguments: argparse.Namespace) -> int:
    """Print the boxes; exit code `NOT_FOUND` if the target was not found."""
    from seal.text.targets import check_target

    check_target(arguments.target)
    if arguments.all:
        if arguments.search not in ("guided", EVERY):
            raise ValueError(
                f"--all is --search {EVERY}, and --search {arguments.search} is given: drop one"
            )
        arguments.search = EVERY
    seal = _open(arguments)
    result = seal.locate(arguments.picture, arguments.target)
    saved = _save(arguments, [result])
    if arguments.json:
        from seal.search.trace import to_dict

        count = {"count": result.count} if result.strategy == EVERY else {}
        print(json.dumps(to_dict(result) | count | {"saved": saved}, indent=1))
    else:
        print(_summary(result))
        _tell(saved)
    return 0 if result.found else NOT_FOUND


def _summary(result: Any) -> str:
    visits = f"{len(result.path)} region{'s' if len(result.path) != 1 else ''} looked at"
    if result.stopped_early is not None:
        visits += f", stopped early after {result.stopped_early}"
    name = result.target or "what the question is about"  # of ViCrop, which needs no name
    if result.settled:
        return f"{name}: not searched for, the whole image answers the question"
    if not result.found:
        return f"{name}: not found ({visits})"
    boxes = "; ".join(
        f"[{b.x0:.0f}, {b.y0:.0f}, {b.x1:.0f}, {b.y1:.0f}] ({score:.2f})"
        for b, score in zip(result.boxes, result.scores, strict=True)
    )
    if result.strategy == EVERY:
        boxes = f"{result.count} found: {boxes}"
    return f"{name}: {boxes} ({visits})"


def _save(arguments: argparse.Namespace, results: Any) -> list[str]:
    if arguments.save_path is None:
        return []
    from seal.search.draw import draw_path
    from seal.search.draw_map import map_cells
    from seal.search.trace import to_dict

    saved, number = [], 0
    for result in results:
        stem = f"{arguments.save_path / Path(arguments.image).stem}-{number}"
        while os.path.exists(f"{stem}.png") or os.path.exists(f"{stem}.json"):  # of an earlier call
            number += 1
            stem = f"{arguments.save_path / Path(arguments.image).stem}-{number}"
        stream = io.BytesIO()
        draw_path(arguments.picture, result).save(stream, "PNG")
        write_whole(f"{stem}.png", stream.getvalue())
        trace = to_dict(result, heat_cells=map_cells(result))
        write_whole(f"{stem}.json", json.dumps(trace, indent=1))
        saved += [f"{stem}.png", f"{stem}.json"]
    return saved


def _require_writable(folder: Path) -> None:
    """Make the folder that pictures go to, or say why that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--save-path {folder}: cannot be made: {error.strerror or error}; name another folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"--save-path {folder}: you may not write there; name another folder")


def _tell(saved: list[str]) -> None:
    if saved:
        print("written: " + ", ".join(saved))
