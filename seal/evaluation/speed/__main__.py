"""`python -m seal.evaluation.speed KEY=VALUE ...`: eval/speed where there is no Hydra."""

from __future__ import annotations

import difflib
import sys
from dataclasses import fields
from typing import Any

import yaml

from seal.evaluation.speed.config import SpeedConfig
from seal.evaluation.speed.report import tables
from seal.evaluation.speed.run import measure
from seal.pages.table import markdown


def parse(arguments: list[str]) -> SpeedConfig:
    """The overrides that the program takes, as far as they are KEY=VALUE."""
    known = [field.name for field in fields(SpeedConfig)]
    values: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in known:
            near = difflib.get_close_matches(key, known) or known
            raise ValueError(f"{argument!r} is no KEY=VALUE; nearest keys: {', '.join(near)}")
        values[key] = yaml.safe_load(value)
    return SpeedConfig(**values)


def main(arguments: list[str]) -> int:
    try:
        print("\n\n".join(map(markdown, tables(measure(parse(arguments))))))
    except (ValueError, RuntimeError, OSError) as error:
        print(f"speed: {' '.join(str(error).split())}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
