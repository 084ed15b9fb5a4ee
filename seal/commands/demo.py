"""`seal demo`: train, search and evaluate the whole system in miniature."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="train and evaluate the whole system in miniature")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="(runs/demo, or runs/granularity with --granularity)",
    )
    parser.add_argument(
        "--granularity",
        action="store_true",
        help="AVG-LLaVA instead: a model that chooses how many visual tokens it reads",
    )
    parser.add_argument("--seed", type=int, default=0, help="of training (%(default)s)")
    parser.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help="what train/base_models wrote (default: those in the package)",
    )
    parser.add_argument("--fresh", action="store_true", help="repeat stages that are finished")
    parser.set_defaults(run=demo)


def demo(arguments: argparse.Namespace) -> int:
    """Run every stage that is not finished yet and say where the results are."""
    from seal.commands.programs import programs_root
    from seal.miniature.demo import BASE_MODELS, run_demo
    from seal.miniature.granularity_demo import run_granularity_demo

    run = run_granularity_demo if arguments.granularity else run_demo
    run(
        arguments.out or Path("runs/granularity" if arguments.granularity else "runs/demo"),
        seed=arguments.seed,
        base=arguments.base or BASE_MODELS,
        fresh=arguments.fresh,
        settings=tuple(sorted((programs_root() / "conf").rglob("*.yaml"))),
    )
    return 0
