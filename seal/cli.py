"""The `seal` console script: ask, locate, doctor, demo, and every program by its path.

Exit codes: 0 done; 1 the thing asked for failed; 2 wrong use or wrong configuration.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from seal.commands import demo, doctor, programs, query
from seal.version import __version__

EPILOG = """\
first steps, on any laptop:
  seal demo                                  train and evaluate the whole system in miniature
  seal ask PHOTO.jpg "What color is the mug?" --vqa runs/demo/vqa --vsm runs/demo/vsm
  seal locate PHOTO.jpg "the mug" --vsm runs/demo/vsm --save-path found/

programs (hydra overrides follow; `seal FOLDER/PROGRAM --help` tells the choices):
{programs}

several GPUs:  torchrun --nproc-per-node 8 -m seal train/vsm experiment=vsm_7b
"""


class OneLineParser(argparse.ArgumentParser):
    """Its subcommands' parsers are of the same class."""

    def error(self, message: str) -> NoReturn:
        # Like every other error: one line on stderr, without the usage, with the way out.
        self.exit(2, f"seal: {' '.join(message.split())}; see {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="seal",
        description="A multimodal LLM that knows what it cannot see, searches a high-resolution "
        "image for it, and answers from a visual working memory.",
        epilog=EPILOG.format(programs=programs.listing()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"seal {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show where an error came from (SEAL_TRACEBACK=1)"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    query.add_ask(commands)
    query.add_locate(commands)
    doctor.add_doctor(commands)
    demo.add_demo(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if "--traceback" in argv:
        argv.remove("--traceback")
        os.environ["SEAL_TRACEBACK"] = "1"
    if argv and "/" in argv[0]:
        return guarded(lambda: programs.run(argv[0], argv[1:]))
    parser = build_parser()
    if not argv:
        parser.print_help()
        return 2
    arguments = parser.parse_args(argv)
    return guarded(lambda: arguments.run(arguments))


def guarded(command: Callable[[], int]) -> int:
    """Turn what a user can cause into one line on stderr and an exit code."""
    try:
        return command()
    except KeyboardInterrupt:
        print("seal: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of a pipe went away (`seal ... | head`); nothing is wrong here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("SEAL_TRACEBACK") == "1":
            traceback.print_exc()
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"seal: {message}", file=sys.stderr)
        # A wrong value is the caller's to mend; anything else is a failure of the work asked for.
        return 2 if isinstance(error, ValueError | FileNotFoundError) else 1
