"""The `seal` console script: ask, locate, doctor, demo, and every program by its path.

Exit codes: 0 done; 1 the thing asked for failed; 2 wrong use or wrong configuration; 3 `locate`
found nothing; 130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from seal.commands import app, ask, completion, demo, doctor, locate, mcp, programs, serve
from seal.version import __version__

EPILOG = """\
first steps, on any laptop:
  seal doctor                                what this machine has, and what to do next
  seal ask PHOTO.jpg "What color is the mug?"           with a GPU: the released 7B pair
  seal locate PHOTO.jpg "the mug" --save-path found/    without: small models of drawn scenes
  seal ask PHOTOS/ "What color is the mug?" --out answers.jsonl
  seal demo                                  train and evaluate the whole system in miniature

programs (hydra overrides follow; `seal help FOLDER/PROGRAM` tells the keys and choices):
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
    ask.add_ask(commands)
    locate.add_locate(commands)
    app.add_app(commands)
    doctor.add_doctor(commands)
    demo.add_demo(commands)
    serve.add_serve(commands)
    mcp.add_mcp(commands)
    completion.add_completion(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if "--traceback" in argv:
        argv.remove("--traceback")
        os.environ["SEAL_TRACEBACK"] = "1"
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    if argv and "/" in argv[0]:
        return guarded(lambda: programs.run(argv[0], argv[1:]))
    parser = build_parser()
    if not argv:
        parser.print_help()
        return 2
    commands = subparsers(parser)
    if argv[0] not in commands and argv[0] not in parser._option_string_actions:
        parser.error(_no_command(argv, list(commands)))
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        own = commands[arguments.command]
        own.error(f"unrecognized arguments: {' '.join(unknown)}{_meant_option(unknown[0], own)}")
    return guarded(lambda: arguments.run(arguments))


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands, each with its own parser."""
    (action,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(action.choices)


def _no_command(argv: Sequence[str], commands: list[str]) -> str:
    """Say which command or program the first words may mean."""
    word = argv[0]
    if word.startswith("-") or "=" in word:
        key, _, value = word.lstrip("-").partition("=")
        value = value or (argv[1] if len(argv) > 1 else "NAME")
        return (
            f"{word} comes before any command; settings follow a program, e.g. "
            f"seal train/vsm {key}={value}"
        )
    near = difflib.get_close_matches(word, commands, n=1, cutoff=0.65)
    meant = f"seal {near[0]}" if near else programs.meant(argv)
    choices = f"choose from {', '.join(commands)}, or a program such as train/vsm"
    return f"invalid choice: {word!r}; {f'did you mean: {meant}' if meant else choices}"


def _meant_option(word: str, parser: argparse.ArgumentParser) -> str:
    name, equals, value = word.partition("=")
    options = [option for option in parser._option_string_actions if option.startswith("--")]
    near = difflib.get_close_matches(f"--{name.lstrip('-')}", options, n=1)
    if not near:
        return ""
    return f"; did you mean {near[0]}{f' {value}' if equals else ''}?"


def guarded(command: Callable[[], int]) -> int:
    """Turn what a user can cause into one line on stderr and an exit code."""
    try:
        return command()
    except KeyboardInterrupt:
        print("seal: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
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
