"""`seal demo`: train, search and evaluate the whole system in miniature."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="train and evaluate the whole system in miniature")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/demo"), metavar="DIR", help="(%(default)s)"
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

    run_demo(
        arguments.out,
        seed=arguments.seed,
        base=arguments.base or BASE_MODELS,
        fresh=arguments.fresh,
        settings=tuple(sorted((programs_root() / "conf").rglob("*.yaml"))),
    )
    return 0
