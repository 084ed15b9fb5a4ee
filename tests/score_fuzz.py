"""Damage a benchmark or a file of answers, and see that nothing is scored wrongly.

A case ends in a ValueError of one line that names the file, or in scores. Then questions whose own
rows are as they were earn what they deserve, whatever was done to others; and a damaged row earns
nothing that its answer, as it stands now, does not say. What is right is counted here anew, from
what plain parsers find in the files.
"""

from __future__ import annotations

import copy
import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_mutations import json_text, mutate_bytes, mutate_value
from openpyxl import load_workbook
from scored_subjects import DESERVED, LETTERS, Asked, Rows, Subject, write_table

from seal.evaluation.named_tasks import task_named
from seal.evaluation.recorded.own_lines import own_lines
from seal.evaluation.run import line_key
from seal.evaluation.score import ScoreRun, run_score
from seal.evaluation.store import latest
from seal.evaluation.task import TaskQuestion

LONGEST = 2000  # characters of a message
_CELLS: list[Any] = [
    None, "", " ", "nan", "NaN", "a", "-1", "1e999", "9" * 400, "\u202e", "\ufffd", "x" * 5000,
    '"', "0", "[]", "=1+1", 3.5, 10**12, "Z", "(Z)", "A B",
]  # fmt: skip
_LETTER = re.compile(r"\s*\(?([A-E])[).]?\s*")


class Clean:
    """An undamaged subject, and what its files hold."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.bench = subject, subject.bench
        # Of a run, or of answers that hold their questions, nothing else can be damaged.
        self.alone = subject.form == "run" or subject.place is not None
        self.deserved = dict(zip((q.id for q in self.bench.asked), DESERVED, strict=True))

    def write(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for name, rows in self.bench.files.items():
            write_table(folder / "bench" / name, rows, self.bench.wrap)
        write_table(folder / self.subject.file, self.subject.rows, self.subject.wrap)

    def credits(self, folder: Path) -> dict[str, float]:
        """What each question earns, judged line by line; 0 where it is not judged."""
        subject, bench = self.subject, str(folder / "bench" / self.bench.place)
        run_score(
            ScoreRun(
                task=self.bench.task,
                answers=str(folder / (subject.place or subject.file)),
                annotations=None if self.alone else bench,
                out=str(folder / "out"),
            )
        )
        task = task_named(self.bench.task).task()
        kept = folder / "out" / "predictions.jsonl"
        if not kept.exists():  # answers of a run of ours are not kept again
            kept = folder / self.subject.file
        found = {}
        for line in latest(own_lines(kept, task.name), line_key).values():
            score = task.score(TaskQuestion.from_dict(line["question"]), line)
            credit = score["credit"] or 0.0
            assert 0 <= credit <= 1 and not (score["invalid"] and credit), f"{line}: {score}"
            found[line["id"]] = credit
        return found


def run_case(subject: Subject, folder: Path, seed: Sequence[int]) -> str:
    """Damage, score, judge: how it ended. AssertionError: not as it should, and what was done."""
    clean, rng = Clean(subject), np.random.default_rng(list(seed))
    clean.write(folder)
    names = list(clean.bench.files)
    in_answers = clean.alone or rng.random() < 0.6
    name = subject.file if in_answers else str(rng.choice(np.array(names)))
    rows = subject.rows if in_answers else clean.bench.files[name]
    wrap = subject.wrap if in_answers else clean.bench.wrap
    path = folder / name if in_answers else folder / "bench" / name
    what = damage(path, rows, wrap, rng)
    what = f"{subject.name}: {name}: {what}"
    try:
        credits = clean.credits(folder)
    except ValueError as error:
        _check_message(str(error), folder, what)
        return "error"
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    return _judge(clean, folder, name, in_answers, credits, what)


def damage(path: Path, rows: Rows, wrap: Any, rng: np.random.Generator) -> str:
    """Damage a file in place; what was done to it."""
    if rng.random() < 0.25:
        what, data = mutate_bytes(path.read_bytes(), rng, text=path.suffix != ".xlsx")
        path.write_bytes(data)
        return what
    rows = copy.deepcopy(rows)
    place = int(rng.integers(len(rows)))
    kinds = ["value"] * 5 + ["cell"] * 3 + ["swap", "copied", "copied", "twice", "twice", "gone"]
    kind = str(rng.choice(np.array(kinds)))
    tree = path.suffix in (".json", ".jsonl")
    if kind == "value" and tree:
        what, row = mutate_value(rows[place], rng)
        text = json_text(row).decode("utf-8", "surrogatepass")
        lines = [json.dumps(each) for each in rows]
        lines[place] = text
        if path.suffix == ".json":
            _write_json(path, rows, place, text, wrap)
        else:
            data = "".join(line + "\n" for line in lines)
            path.write_text(data, encoding="utf-8", errors="surrogatepass")
        return f"row {place}: {what}"
    key = str(rng.choice(np.array(list(rows[place]))))
    other = int(rng.integers(len(rows)))
    if kind in ("value", "cell"):
        rows[place][key] = _CELLS[int(rng.integers(len(_CELLS)))]
        what = f"row {place}: {key}={str(rows[place][key])[:40]!r}"
    elif kind == "swap":
        other_key = str(rng.choice(np.array(list(rows[place]))))
        if rng.random() < 0.5:  # columns
            for row in rows:
                if key in row and other_key in row:
                    row[key], row[other_key] = row[other_key], row[key]
            what = f"columns {key} and {other_key} change places"
        elif key in rows[other]:
            rows[place][key], rows[other][key] = rows[other][key], rows[place][key]
            what = f"{key} of rows {place} and {other} change places"
        else:
            what = "nothing"
    elif kind == "copied":
        rows[place][key] = copy.deepcopy(rows[other].get(key))
        what = f"{key} of row {place} is that of row {other}"
    elif kind == "twice":
        again = copy.deepcopy(rows[place])
        if rng.random() < 0.5:
            again[key] = copy.deepcopy(rows[other].get(key))
        rows.insert(int(rng.integers(len(rows) + 1)), again)
        what = f"row {place} twice, {key}={str(again[key])[:40]!r}"
    else:
        del rows[place]
        what = f"row {place} is gone"
    write_table(path, rows, wrap)
    return what


def _write_json(path: Path, rows: Rows, place: int, text: str, wrap: Any) -> None:
    """The row's own JSON where its stand-in stands, since not all of it is a value of Python's."""
    stand_in = dict.fromkeys(rows[place], "")
    rows = [*rows[:place], stand_in, *rows[place + 1 :]]
    whole = json.dumps(wrap(rows))
    mark = json.dumps(stand_in)
    if mark in whole:
        path.write_text(whole.replace(mark, text), encoding="utf-8", errors="surrogatepass")
    else:  # an object by id: the row is not there as such
        content = json.loads(json.dumps(wrap(rows)))
        content.pop("", None)
        whole = json.dumps(content)
        path.write_text(whole[:-1] + f', "damaged": {text}}}', encoding="utf-8",
                        errors="surrogatepass")  # fmt: skip


def _check_message(message: str, folder: Path, what: str) -> None:
    assert str(folder) in message, f"{what}: names no file: {message[:400]}"
    assert "\n" not in message and len(message) <= LONGEST, f"{what}: no line: {message[:400]!r}"


def _judge(
    clean: Clean, folder: Path, name: str, in_answers: bool, credits: dict[str, float], what: str
) -> str:
    subject, asked = clean.subject, clean.bench.asked
    path = folder / name if in_answers else folder / "bench" / name
    before = subject.rows if in_answers else clean.bench.files[name]
    after = plain_rows(path)
    assert after is not None, f"{what}: scores of {path.read_bytes()[-300:]!r}"
    same = _unchanged(before, after, path.suffix)
    if in_answers and not clean.alone:
        assert list(credits) == [q.id for q in asked], f"{what}: counted {list(credits)}"
    ended = "unchanged"
    for number, question in enumerate(asked):
        # A row may be of two questions, which follow one another in halves (ZoomBench).
        place = number if in_answers else number % len(before)
        if question.id not in credits:
            lost = (not in_answers and len(before) == 1) or not same[place]
            assert lost, f"{what}: {question.id} is lost"
            continue
        earned, deserved = credits[question.id], clean.deserved[question.id]
        untouched = place >= len(same) or same[place]
        if not in_answers and len(before) == 1:  # a file of its own
            untouched = name != f"{question.id}.json" or same[0]
        if (subject.form == "run" and "twice" in what) or (
            subject.form == "texts" and "image of rows" in what
        ):
            continue  # a run may ask again, the last line counting; a pair is known by its image
        if untouched:
            assert earned == deserved, f"{what}: {question.id} earned {earned}, not {deserved}"
            continue
        ended = "scored"
        if earned == 0 or earned == deserved:
            continue
        # Values of other rows in a benchmark make another one of it, which nobody can tell; so
        # they do of answers that hold their questions.
        if (clean.alone or not in_answers) and re.search("change places| is that of row ", what):
            continue
        said = _said_of(subject, question, after) if in_answers else None
        told = said is not None and any(_may_say(question, text) for text in said)
        assert told, f"{what}: {question.id} earned {earned}, of {said}"
    return ended


def _unchanged(before: Rows, after: Rows, suffix: str) -> list[bool]:
    """Whether each row is still there as it was, and alone: nothing else names its question."""
    texts = [_canonical(row, suffix) for row in after]
    return [_canonical(row, suffix) in texts for row in before]


def _canonical(row: Any, suffix: str) -> str:
    if suffix in (".json", ".jsonl") or not isinstance(row, dict):
        return json.dumps(row, sort_keys=True)
    return json.dumps({k: "" if v is None else str(v) for k, v in row.items()}, sort_keys=True)


def plain_rows(path: Path) -> Rows | None:
    """What a plain parser reads; None: it cannot."""
    try:
        if path.suffix == ".xlsx":
            lines = [list(line) for line in load_workbook(path).active.iter_rows(values_only=True)]
            return [dict(zip(map(str, lines[0]), line, strict=False)) for line in lines[1:]]
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        if path.suffix == ".json":
            content = json.loads(text)
            for key in ("questions", "annotations", "data"):
                if isinstance(content, dict) and key in content:
                    content = content[key]
            if isinstance(content, dict) and "question" not in content:  # by id
                content = [
                    {"id": key, **value} if isinstance(value, dict) else {"id": key, "text": value}
                    for key, value in content.items()
                ]
            return content if isinstance(content, list) else [content]
        if path.suffix == ".txt":
            keys = ("image", "question", "truth", "said")
            cells = [line.split("\t") for line in text.split("\n") if line.strip()]
            return [dict(zip(keys, line, strict=False)) for line in cells]
        tab = "\t" if path.suffix == ".tsv" else ","
        lines = list(csv.reader(text.splitlines(keepends=True), delimiter=tab))
        return [dict(zip(lines[0], line, strict=False)) for line in lines[1:] if line]
    except Exception:
        return None


def _said_of(subject: Subject, question: Asked, after: Rows) -> list[Any]:
    """All that rows of this question's names now say, whatever else they hold."""
    names = {question.id, question.id.rpartition("/")[2], question.image, question.words}
    found = []
    for row in after:
        told = {str(value) for value in row.values()} if isinstance(row, dict) else set()
        if names & told or any(question.words in text for text in told):
            found += [row.get(key) for key in subject.said]
    return found


def _may_say(question: Asked, said: Any) -> bool:
    """Whether a text, read with good will, is the right answer."""
    if isinstance(said, list | dict | int | float):
        return True  # losses, places and whole questions, which the damage may have made right
    if not isinstance(said, str):
        return False
    if not question.options:
        return re.sub(r"\W", "", question.label.lower()) in re.sub(r"\W", "", said.lower())
    return LETTERS[question.truth] in said or question.options[question.truth] in said


def run_cases(
    folder: Path, cases: int, seed: int, subjects: Sequence[Subject]
) -> tuple[Counter[str], list[str]]:
    """How many cases ended how, and those that did not end as they should."""
    ends: Counter[str] = Counter()
    failures = []
    for case in range(cases):
        number = case % len(subjects)
        try:
            ends[run_case(subjects[number], folder / "case", (seed, number, case))] += 1
        except AssertionError as error:
            failures.append(f"{subjects[number].name}, case {(seed, number, case)}: {error}")
    return ends, failures
