"""ZoomBench: fine details, asked of the whole picture and of the crop that shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark_images import BenchmarkImages, FolderImages
from seal.evaluation.judged import OVERALL, Judged, accuracy, by_split, judge_choice
from seal.evaluation.judges.graded import number_of, score_graded
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.scorings.zoom_bench import extracted
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.read import read_rows as rows_of_file
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.intervals import mean
from seal.text.letters import LETTERS

WHOLE, CROP = "whole", "crop"
COLUMNS = ("query", "response", "image", "crop_image")
_IMAGE = "<image>"  # stands before questions in the files
_OPTION = re.compile(r"\s*\(?([A-Z])[).:]\s*(\S.*?)\s*")
# As extract_mcq_option of judge_qwenlm.py tells a letter from a word.
_LETTER = re.compile(r"[ (\[]*([A-F])(?:$|[.)\]]|[:-]\s)")


def read(path: Path) -> Read:
    """zoombench.json as the benchmark's utils/convert_benchmark.py writes it, or its folder."""
    file = only_file(path, "zoombench.json", "*.json")
    rows = rows_of_file(file)
    rows.need("query", "response", "images", "crop_images")
    whole: dict[int, str] = {}
    crops: dict[int, str] = {}
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        for key, names in (("images", whole), ("crop_images", crops)):
            told = entry.texts(key)
            if len(told) > 1 or not (told or names is crops):
                raise entry.wrong(key, told, "one picture")
            if told:
                names[i] = _below(file.parent, told[0])
    return _questions(rows, whole, crops), FolderImages(file.parent)


def read_rows(rows: Rows) -> Read:
    """Rows of the hub."""
    rows.need(*COLUMNS)
    names = {i: f"{i}" for i in range(len(rows))}
    crops = {i: f"{i}/{CROP}" for i in names if rows[i]["crop_image"] is not None}
    cells = {names[i]: (i, "image") for i in names} | {crops[i]: (i, "crop_image") for i in crops}
    images: BenchmarkImages = row_images(rows, cells)
    return _questions(rows, names, crops), images


def _below(folder: Path, name: str) -> str:
    """Relative to the folder of the file, whatever folder the script was run from."""
    return name if (folder / name).is_file() else f"images/{Path(name).name}"


def _questions(rows: Rows, whole: dict[int, str], crops: dict[int, str]) -> list[TaskQuestion]:
    """Each question of the whole picture, then each of its crop, if there is one."""
    ids = Ids()
    found: dict[str, list[TaskQuestion]] = {WHOLE: [], CROP: []}
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        name = ids.new(entry, "id", entry.told("id") or str(i))
        query = entry.text("query").replace(_IMAGE, "").strip()
        if not query:
            raise entry.wrong("query", entry.content["query"], "a question")
        truth = entry.text("response")
        text, options = _split_options(query)
        letter = _LETTER.match(truth)
        if letter is None or not options or letter[1] not in LETTERS[: len(options)]:
            text, options = query, ()  # an open one; or its options are not to be found
        kind = entry.told("question_type") or ("mcq" if options else "open")
        for view, pictures in ((WHOLE, whole), (CROP, crops)):
            if i not in pictures:
                continue
            found[view].append(
                TaskQuestion(
                    id=name if view == WHOLE else f"{name}/{CROP}",
                    text=text,
                    image=pictures[i],
                    options=options,
                    answer=LETTERS.index(letter[1]) if letter is not None and options else None,
                    split=view,
                    labels=(truth,),
                    meta={"query": query, "pair": name, "type": kind.lower(), SHUFFLED: True},
                )
            )
    return [*found[WHOLE], *found[CROP]]


def _split_options(query: str) -> tuple[str, tuple[str, ...]]:
    """The question before lines A., B., ... and these; no options if there are no such lines."""
    lines = query.split("\n")
    found = [_OPTION.fullmatch(line) for line in lines]
    first = next((at for at, line in enumerate(found) if line and line[1] == "A"), None)
    if first is None or first == 0:
        return query, ()
    options: list[str] = []
    for line in found[first:]:
        if line is None or line[1] != LETTERS[len(options) : len(options) + 1]:
            break
        options.append(line[2])
    if len(options) < 2:
        return query, ()
    return "\n".join(lines[:first]).strip(), tuple(options)


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The choice; of an open question whether the words are the same, else the judge's grade."""
    if question.options:
        return judge_choice(question, line)
    said = extracted((line["answer"] or {}).get("text") or "")
    if said and _plain(said) == _plain(question.labels[0]):
        return {"credit": 1.0, "correct": True, "tie": False, "invalid": False, "chosen": said}
    return score_graded(line, number_of)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[\w.%-]+", text.casefold())).rstrip(".")


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    """Its view; overall is the whole picture's, the benchmark's number."""
    return (question.split, OVERALL) if question.split == WHOLE else (question.split,)


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy of both views; overall is the whole picture's, with the zooming gap: what the crop
    gains over it, on the questions of which both were judged.
    """
    splits = by_split(judged, splits_of)
    found = {split: accuracy(of, seed) for split, of in splits.items()}
    by_pair: dict[str, dict[str, Judged]] = {}
    for one in judged:
        if one.score["credit"] is not None:
            by_pair.setdefault(one.question.meta["pair"], {})[one.question.split] = one
    both = [pair for pair in by_pair.values() if len(pair) == 2]
    if both and OVERALL in found:
        gaps = [float(p[CROP].score["credit"]) - float(p[WHOLE].score["credit"]) for p in both]
        clusters = [pair[WHOLE].question.cluster for pair in both]
        found[OVERALL]["zooming_gap"] = mean(gaps, clusters=clusters, seed=seed).to_dict()
    return found


SPEC = TaskSpec(
    name="zoom_bench",
    title="ZoomBench: fine details, in the whole picture and in the crop that shows them",
    files="the folder of data/test.parquet of the hub's data set, or zoombench.json and images/ as "
    "the benchmark's utils/convert_benchmark.py writes them",
    hub="inclusionAI/ZoomBench",
    origin="https://huggingface.co/datasets/inclusionAI/ZoomBench",
    licence="Apache-2.0",
    counts={WHOLE: 845, OVERALL: 845},
    scorings=("as_asked_zoom_bench",),
    read=read,
    read_rows=read_rows,
    judge=judge,
    metrics=metrics,
    splits_of=splits_of,
)
