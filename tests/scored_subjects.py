"""Small benchmarks in their official forms, and answers to them in programs' forms, for the fuzz.

Every subject has six questions: one answered rightly, one wrongly, one rightly, one with words that
say nothing, one rightly, and one not at all.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from PIL import Image

Rows = list[dict[str, Any]]
DESERVED = (1, 0, 1, 0, 1, 0)
NOTHING = "who knows"
COLOURS = ("red", "blue", "green", "white")
LETTERS = "ABCDE"


@dataclass(frozen=True)
class Asked:
    """One question as a benchmark has it."""

    id: str
    words: str
    options: tuple[str, ...] = ()
    truth: int = 0  # index of the true option
    label: str = ""  # the right words, of a question without options
    image: str = ""
    wrong: str = "zebra"  # words that are not right

    def says(self, right: bool) -> str:
        """A right answer, or a wrong one."""
        if not self.options:
            return self.label if right else self.wrong
        place = self.truth if right else (self.truth + 1) % len(self.options)
        return f"({LETTERS[place]})"


@dataclass(frozen=True)
class Bench:
    """A benchmark: files by name, each a table of rows, and what its questions are."""

    task: str
    files: dict[str, Rows]
    asked: list[Asked]
    place: str = ""  # what benchmark= names, below the folder
    wrap: Callable[[Rows], Any] = field(default=lambda rows: rows)  # of .json files


@dataclass(frozen=True)
class Subject:
    """A benchmark with answers in one form."""

    bench: Bench
    form: str
    file: str  # of the answers
    rows: Rows
    said: tuple[str, ...]  # keys that hold what was said
    wrap: Callable[[Rows], Any] = field(default=lambda rows: rows)
    place: str | None = None  # what answers= names, where the answers hold their questions

    @property
    def name(self) -> str:
        return f"{self.bench.task}-{self.form}-{self.file.rpartition('.')[2]}"


def write_table(path: Path, rows: Rows, wrap: Callable[[Rows], Any] = list) -> None:
    """Rows as JSON, JSON lines, TSV, CSV or xlsx, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(wrap(rows)), encoding="utf-8")
    elif path.suffix == ".txt":  # a table without a head, of rows of equal keys
        lines = ("\t".join(str(value) for value in row.values()) for row in rows)
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8", "surrogatepass")
    elif path.suffix == ".jsonl":
        text = "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
    else:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
        if path.suffix == ".xlsx":
            book = Workbook()
            for line in cells:
                book.active.append(line)
            book.save(path)
        else:
            tab = "\t" if path.suffix == ".tsv" else ","
            text = "".join(tab.join(map(_quoted, line)) + "\n" for line in cells)
            path.write_text(text, encoding="utf-8", errors="surrogatepass")


def _cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float) or value is None else json.dumps(value)


def _quoted(value: Any) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set('\t\n\r",') else text


def picture() -> str:
    """A picture in base64."""
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (90, 120, 60)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _mugs(ids: Sequence[str], image: str = "p{}.jpg") -> list[Asked]:
    return [
        Asked(name, f"Which colour is mug {number}?", COLOURS, number % 4, image=image.format(name))
        for number, name in enumerate(ids)
    ]


def _signs(ids: Sequence[str]) -> list[Asked]:
    return [
        Asked(name, f"What does sign {number} say?", label=f"exit {number}", image=f"p{number}.jpg")
        for number, name in enumerate(ids)
    ]


def own_bench() -> Bench:
    asked = _mugs(["k1", "k2", "k3", "4", "5", "k6"])
    rows = [
        {"id": q.id, "image": q.image, "question": q.words, "options": list(q.options),
         "answer": q.options[q.truth], "category": "colour",
         "targets": [{"name": "mug", "boxes": [[1, 2, 3, 4]]}]}
        for q in asked
    ]  # fmt: skip
    return Bench("own", {"mine.jsonl": rows}, asked, "mine.jsonl")


def own_words_bench() -> Bench:
    asked = _signs(["k1", "k2", "k3", "4", "5", "k6"])
    rows = [{"id": q.id, "question": q.words, "answers": [q.label, "x9"]} for q in asked]
    return Bench("own", {"mine.jsonl": rows}, asked, "mine.jsonl")


def vstar_bench() -> Bench:
    """Its folders: a file a question, the true option first."""
    folders = ["direct_attributes"] * 3 + ["relative_position"] * 3
    ids = [f"{folder}/sa_{number}" for number, folder in enumerate(folders)]
    asked = [Asked(q.id, q.words, q.options, 0, image=f"{q.id}.jpg") for q in _mugs(ids)]
    files = {
        f"{q.id}.json": [{"target_object": ["mug"], "bbox": [[1, 2, 3, 4]], "question": q.words,
                          "options": list(q.options)}]
        for q in asked
    }  # fmt: skip
    return Bench("vstar_bench", files, asked, wrap=lambda rows: rows[0] if rows else {})


def vstar_lines_bench() -> Bench:
    """The hub's form: options in the text, shuffled, a letter as the label."""
    asked = _mugs([str(number) for number in range(6)])
    rows = [
        {"image": q.image, "category": "direct_attributes", "label": LETTERS[q.truth],
         "question_id": q.id, "text": "\n".join([q.words, *_lines(q, "({}) "), "Answer."])}
        for q in asked
    ]  # fmt: skip
    files = {"test_questions.jsonl": rows}
    return Bench("vstar_bench", files, asked)


def hr_bench() -> Bench:
    """Two questions, three of the four orders of each, as if its table ended there."""
    rows, asked = [], []
    for number in range(6):
        turn = number % 3
        options = COLOURS[turn:] + COLOURS[:turn]
        words = f"Which colour is mug {number // 3}?"
        asked.append(Asked(str(number), words, options, (4 - turn) % 4))
        rows.append(
            {"index": number, "question": words, **dict(zip(LETTERS, options, strict=False)),
             "answer": LETTERS[asked[-1].truth], "category": "single", "cycle_category": turn,
             "image": picture()}
        )  # fmt: skip
    return Bench("hr_bench_4k", {"hr_bench_4k.tsv": rows}, asked, "hr_bench_4k.tsv")


def mme_realworld() -> Bench:
    asked = _mugs([f"perception/{number}" for number in range(6)])
    rows = [
        {"Question_id": q.id, "Image": f"{number}.png", "Text": q.words, "Question Type": "MC",
         "Answer choices": [*_lines(q, "({}) "), "(E) none of them"], "Category": "c",
         "Ground truth": LETTERS[q.truth], "Subtask": "OCR", "Task": "Perception"}
        for number, q in enumerate(asked)
    ]  # fmt: skip
    asked = [Asked(q.id, q.words, (*q.options, "none of them"), q.truth) for q in asked]
    place = "MME_RealWorld.json"
    return Bench("mme_realworld", {place: rows}, asked, place)


def tree_bench() -> Bench:
    asked = _mugs([str(number) for number in range(1, 7)])
    rows = [
        {"index": q.id, "question": q.words, **dict(zip(LETTERS, q.options, strict=False)),
         "answer": LETTERS[q.truth], "category": "Perception/Material",
         "target_instances": "[[1, 2, 30, 40]]", "image": picture()}
        for q in asked
    ]  # fmt: skip
    return Bench("tree_bench", {"TreeBench.tsv": rows}, asked, "TreeBench.tsv")


def mmbench() -> Bench:
    """Six questions of one order each."""
    asked = _mugs([str(number) for number in range(20, 26)])
    rows = [
        {"index": int(q.id), "question": q.words, "hint": None,
         **dict(zip(LETTERS, q.options, strict=False)), "answer": LETTERS[q.truth],
         "category": "colours", "l2-category": "looks", "split": "dev", "image": picture()}
        for q in asked
    ]  # fmt: skip
    return Bench("mmbench", {"mmbench_dev.tsv": rows}, asked, "mmbench_dev.tsv")


def seed_image() -> Bench:
    asked = _mugs([str(number) for number in range(100, 106)])
    rows = [
        {"question_id": q.id, "question": q.words, "data_type": "image", "data_id": q.image,
         "question_type_id": 2, "answer": LETTERS[q.truth],
         **{f"choice_{letter.lower()}": o for letter, o in zip(LETTERS, q.options, strict=False)}}
        for q in asked
    ]  # fmt: skip
    files = {"SEED-Bench.json": rows}
    wrap = lambda rows: {"questions": rows, "question_type": {}}  # noqa: E731
    return Bench("seed_image", files, asked, "SEED-Bench.json", wrap)


def _lines(asked: Asked, mark: str) -> list[str]:
    return [mark.format(letter) + o for letter, o in zip(LETTERS, asked.options, strict=False)]


def answered(bench: Bench) -> list[tuple[Asked, str]]:
    """What is said to each question but the last."""
    said = [q.says(bool(right)) for q, right in zip(bench.asked, DESERVED, strict=True)]
    said[3] = NOTHING
    return list(zip(bench.asked, said, strict=True))[:-1]


def plain(bench: Bench, suffix: str = "jsonl") -> Subject:
    rows: Rows = [{"id": q.id, "prediction": text} for q, text in answered(bench)]
    return Subject(bench, "plain", f"answers.{suffix}", rows, ("prediction",))


def with_options(bench: Bench) -> Subject:
    """The options turned round, and the letter of where the option stands then."""
    rows: Rows = []
    for q, text in answered(bench):
        shown = q.options[::-1]
        if text != NOTHING:
            text = LETTERS[shown.index(q.options[LETTERS.index(text[1])])]
        rows.append({"id": q.id, "question": q.words, "options": list(shown), "text": text})
    return Subject(bench, "options", "answers.jsonl", rows, ("text", "options"))


def by_id(bench: Bench) -> Subject:
    rows: Rows = [{"id": q.id, "text": text} for q, text in answered(bench)]
    wrap = lambda rows: {row["id"]: row["text"] for row in rows}  # noqa: E731
    return Subject(bench, "by_id", "answers.json", rows, ("text",), wrap)


def llava(bench: Bench) -> Subject:
    rows: Rows = [
        {"question_id": q.id, "prompt": "\n".join([q.words, *_lines(q, "{}. ")]), "text": text,
         "answer_id": f"a{q.id}", "model_id": "m", "metadata": {}}
        for q, text in answered(bench)
    ]  # fmt: skip
    return Subject(bench, "llava", "answers.jsonl", rows, ("text", "prompt"))


def lmms_eval(bench: Bench) -> Subject:
    places = {q.id: place for place, q in enumerate(bench.asked)}
    rows: Rows = [
        {"doc_id": places[q.id], "target": LETTERS[q.truth], "filtered_resps": text,
         "input": "\n".join([q.words, *_lines(q, "{}. "), "Answer."]), "doc_hash": "0"}
        for q, text in answered(bench)
    ]  # fmt: skip
    return Subject(bench, "lmms_eval", "answers.jsonl", rows, ("filtered_resps", "input"))


def vlmevalkit(bench: Bench, suffix: str = "tsv") -> Subject:
    rows: Rows = [
        {"index": q.id, "question": q.words, **dict(zip("ABCDE", q.options, strict=False)),
         "answer": LETTERS[q.truth], "category": "c", "prediction": text.strip("()")}
        for q, text in answered(bench)
    ]  # fmt: skip
    return Subject(bench, "vlmevalkit", f"answers.{suffix}", rows, ("prediction", *"ABCDE"))


def zoom_eye(bench: Bench) -> Subject:
    """Losses of the options and the place of the lowest; the row that says nothing has a tie."""
    rows: Rows = []
    for q, text in answered(bench):
        losses = [1.0 + place / 8 for place in range(len(q.options))]
        chosen = LETTERS.find(text[1]) if text != NOTHING else 0
        losses[chosen] = 0.25
        if text == NOTHING:
            losses[1] = 0.25
        rows.append({"input_image": q.image, "test_type": q.id.partition("/")[0],
                     "output": chosen, "per_option_losses": losses})  # fmt: skip
    return Subject(bench, "zoom_eye", "answers.jsonl", rows, ("output", "per_option_losses"))


def own_run(bench: Bench) -> Subject:
    """The lines of a run of ours that put the options in another order each time."""
    rows: Rows = []
    for number, (q, text) in enumerate([*answered(bench), (bench.asked[-1], "")]):
        order = [(place + number) % len(q.options) for place in range(len(q.options))]
        if text.startswith("("):
            text = f"({LETTERS[order.index(LETTERS.index(text[1]))]})"
        question = {
            "id": q.id, "text": q.words, "image": q.image, "options": list(q.options),
            "answer": q.truth, "split": "", "targets": [], "meta": {}, "labels": [],
        }  # fmt: skip
        answer = {"text": text, "texts": [text], "losses": []} if text else None
        rows.append(
            {"id": q.id, "system": "guided", "task": bench.task, "task_version": "1",
             "protocol": "default", "scoring": "letter", "presented": [order],
             "question": question, "prompt": None, "answer": answer,
             "error": None if text else "no picture"}
        )  # fmt: skip
    return Subject(bench, "run", "answers.jsonl", rows, ("question", "presented", "answer"))


def subjects() -> list[Subject]:
    """Every benchmark with the forms that its answers are found in."""
    mine, words, lines = own_bench(), own_words_bench(), vstar_lines_bench()
    found = [plain(mine), plain(mine, "csv"), plain(mine, "xlsx"), with_options(mine), by_id(mine)]
    found += [
        own_run(mine),
        llava(mine),
        lmms_eval(mine),
        plain(words),
        plain(words, "tsv"),
        by_id(words),
    ]
    found += [zoom_eye(vstar_bench()), with_options(vstar_bench())]
    found += [plain(lines), llava(lines), lmms_eval(lines), vlmevalkit(lines, "xlsx")]
    for bench in (hr_bench(), tree_bench(), mmbench()):
        found += [vlmevalkit(bench), vlmevalkit(bench, "xlsx"), plain(bench)]
    for bench in (mme_realworld(), seed_image()):
        found += [plain(bench), lmms_eval(bench)]
    return found
