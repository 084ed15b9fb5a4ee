"""`seal completion`: what a shell needs to complete commands, options, programs and their keys."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seal.commands.programs import names, program_path, programs_root

PLACES = {
    "bash": "~/.local/share/bash-completion/completions/seal",
    "zsh": "a folder of $fpath, as _seal",
    "fish": "~/.config/fish/completions/seal.fish",
}

# Of a command: each option, or key with its `=`, and the values it takes; [] for any.
Words = dict[str, list[str]]


def add_completion(commands: Any) -> None:
    parser = commands.add_parser(
        "completion",
        help="print what bash, zsh or fish need to complete seal's words",
        description="Write it to a file that the shell reads: "
        + "; ".join(f"{shell}: {place}" for shell, place in PLACES.items()),
    )
    parser.add_argument("shell", choices=PLACES)
    parser.set_defaults(run=completion, commands=commands)


def completion(arguments: argparse.Namespace) -> int:
    """Print the script."""
    scripts: dict[str, Callable[[Mapping[str, Words]], str]] = {
        "bash": bash, "zsh": zsh, "fish": fish
    }  # fmt: skip
    print(scripts[arguments.shell](all_words(arguments.commands.choices)))
    return 0


def all_words(parsers: Mapping[str, argparse.ArgumentParser]) -> dict[str, Words]:
    """Of every command and program, in that order."""
    from seal.schema.manual import words

    found = {name: _options(parser) for name, parser in parsers.items()}
    for name in names():
        keys = words(program_path(name), programs_root() / "conf")
        found[name] = {f"{key}=": values for key, values in keys.items()} | {"--help": []}
    return found | {"help": {name: [] for name in found}}


def _options(parser: argparse.ArgumentParser) -> Words:
    found: Words = {}
    for action in parser._actions:
        values = [str(choice) for choice in action.choices or ()]
        if action.option_strings:
            found |= {word: values for word in action.option_strings if word.startswith("--")}
        else:
            found |= {value: [] for value in values}  # what stands alone, as a shell's name
    return found


def _plain(words: Words) -> list[str]:
    """What can come next, keys with their values."""
    plain = []
    for word, values in words.items():
        plain += [f"{word}{value}" for value in values] if word.endswith("=") and values else [word]
    return plain


def bash(commands: Mapping[str, Words]) -> str:
    cases = []
    for command, words in commands.items():
        after = "".join(
            f"\n        {word}) found={_quoted(values)} ;;"
            for word, values in words.items()
            if values and not word.endswith("=")
        )
        inner = f"\n      case $previous in{after}\n      esac" if after else ""
        cases.append(f"    {command})\n      found={_quoted(_plain(words))}{inner} ;;")
    return _BASH % {"commands": _quoted([*commands, "--help"]), "cases": "\n".join(cases)}


_BASH = """\
# bash completion of seal
_seal() {
  local line=${COMP_LINE:0:COMP_POINT} found= command= current previous
  current=${line##*[[:space:]]}
  local -a said=($line)
  ((${#current})) || said+=("")
  previous=${said[${#said[@]}-2]}
  ((${#said[@]} > 2)) && command=${said[1]}
  case $command in
    '') found=%(commands)s ;;
%(cases)s
  esac
  COMPREPLY=($(compgen -W "$found" -- "$current"))
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  # What stands before an equals sign is a word of its own to readline.
  if [[ $current == *=* && $COMP_WORDBREAKS == *=* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${current%%=*}="}")
  fi
}
complete -o default -F _seal seal"""


def zsh(commands: Mapping[str, Words]) -> str:
    cases = []
    for command, words in commands.items():
        after = "".join(
            f"\n        {word}) found=({' '.join(values)}) ;;"
            for word, values in words.items()
            if values and not word.endswith("=")
        )
        inner = f"\n      case $words[CURRENT-1] in{after}\n      esac" if after else ""
        cases.append(f"    {command})\n      found=({' '.join(_plain(words))}){inner} ;;")
    return _ZSH % {"commands": " ".join([*commands, "--help"]), "cases": "\n".join(cases)}


_ZSH = """\
#compdef seal
_seal() {
  local -a found
  if ((CURRENT == 2)); then
    found=(%(commands)s)
  else
    case $words[2] in
%(cases)s
    esac
  fi
  local -a whole=(${found:#*=}) begun=(${(M)found:#*=})
  compadd -- $whole
  compadd -S '' -- $begun
  _files
}
_seal "$@\""""


def fish(commands: Mapping[str, Words]) -> str:
    lines = ["# fish completion of seal", "complete -c seal -n __fish_use_subcommand -f"]
    for command, words in commands.items():
        lines.append(f"complete -c seal -n __fish_use_subcommand -f -a {command}")
        here = f"complete -c seal -n '__fish_seen_subcommand_from {command}'"
        for word, values in words.items():
            if word.startswith("--"):
                taken = f" -x -a '{' '.join(values)}'" if values else ""
                lines.append(f"{here} -l {word[2:]}{taken}")
        others = [word for word in _plain(words) if not word.startswith("--")]
        if others:
            lines.append(f"{here} -a '{' '.join(others)}'")
    return "\n".join(lines)


def _quoted(words: Sequence[str]) -> str:
    """As one word of a shell's; none of ours has a quote in it."""
    text = " ".join(words)
    assert "'" not in text, json.dumps(text)
    return f"'{text}'"
