"""Read a built set again and say everything that is wrong with it, by kind, file and line."""

from __future__ import annotations

import json
import multiprocessing
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from seal.batch import Visual
from seal.building.formats.plausible_boxes import judge_boxes
from seal.building.records.shard_chunks import Chunk, Shard
from seal.building.records.worker_lifetime import end_with_parent
from seal.data.chat import expanded_turns
from seal.data.masks import rle_runs
from seal.data.record import SCHEMA, Record
from seal.data.record_set_writer import SET_FILE
from seal.images import open_image
from seal.text.chat_template import choose_template
from seal.text.conversation import conversation_row
from seal.text.prompts import LOCATE_ANSWER, locate_question
from seal.text.template import require_prompt_style
from seal.text.tokenize import Tokenizer, load_tokenizer
from seal.text.tokens import IMAGE_PLACEHOLDER, LOC_TOKEN

# Records of the published mixtures, by the last two parts of a set's folder.
EXPECTED = {
    "negative/train": 100_000,
    "gqa/train": 70_000,
    "vaw/train": 51_000,
    "spatial/train": 46_000,
    "llava/train": 80_000,
    "focus/train": 40_000,
    "possible_locations/train": 86_000,
    "captions/train": 558_000,
}
_BOXES = 20_000  # of a set that are judged together
# What a rule of records that is broken is called; the first that fits its message.
_KINDS = (
    ("lies outside", "box outside its image"),
    ("box without area|box that is not finite|four corners|corners are out of order", "broken box"),
    ("<object> in the questions", "placeholders and targets differ"),
    ("<image> in the questions", "placeholders and image differ"),
    ("an answer contains", "placeholder in an answer"),
    ("is empty|has no name", "empty text"),
    ("the mask of", "mask of another size"),
    ("speakers must alternate|has no question|nothing to learn", "broken conversation"),
)


@dataclass(kw_only=True, slots=True)
class CheckConfig:
    """What data_builders/check is told."""

    records: Any  # a set, a folder of sets, or a list of them
    images: bool = False  # read every image: it decodes and has the stated size
    tokenizer: str | None = None  # a model folder: label tokens are looked at with its tokenizer
    prompt_style: str = "vicuna"  # of that model: vicuna | chat
    max_text_tokens: int = 2048  # where rows are cut for that
    counts: bool = False  # a set that is shorter or longer than the published one is a failure
    tolerance: float = 0.05  # share by which a count may differ
    shown: int = 10  # problems printed of each set
    workers: int = 0  # processes; 0: in this one

    def __post_init__(self) -> None:
        for name, least in (
            ("max_text_tokens", 1), ("tolerance", 0), ("shown", 0), ("workers", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}")
        require_prompt_style(self.prompt_style)
        self.folders()

    def folders(self) -> list[Path]:
        """The folders that were named."""
        named = self.records if isinstance(self.records, list) else [self.records]
        if not named or not all(isinstance(name, str) for name in named):
            raise ValueError(f"records={self.records!r} is no folder and no list of folders")
        return [Path(name) for name in named]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    kind: str
    where: str  # file:line, or the file
    message: str


@dataclass(slots=True)
class Report:
    """What was found in one set."""

    folder: Path
    records: int = 0  # lines read
    kinds: Counter[str] = field(default_factory=Counter)
    first: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # what is doubtful

    @property
    def name(self) -> str:
        """The last two parts of the folder, by which mixtures know a set."""
        return "/".join(self.folder.resolve().parts[-2:])

    @property
    def expected(self) -> int | None:
        """Records of the published set; None: not one of those."""
        return EXPECTED.get(self.name)

    def size(self, tolerance: float) -> str:
        """ok | short | over | - by the published count."""
        if self.expected is None:
            return "-"
        share = self.records / self.expected - 1
        return "ok" if abs(share) <= tolerance else "short" if share < 0 else "over"

    def add(self, kind: str, where: str, message: str, shown: int) -> None:
        """Count a problem, and keep it if it is among the first."""
        self.kinds[kind] += 1
        if len(self.first) < shown:
            self.first.append(Problem(kind, where, message))


def find_sets(folders: Sequence[Path]) -> list[Path]:
    """Every set in or below `folders`."""
    sets: list[Path] = []
    for folder in folders:
        found = sorted(path.parent for path in folder.rglob(SET_FILE))
        if not found:
            raise ValueError(f"records={folder}: no record set (a folder with {SET_FILE}) there")
        sets += found
    return list(dict.fromkeys(sets))


def check_set(folder: Path, config: CheckConfig) -> Report:
    """Read everything of the set in `folder`. Problems are reported, none is raised."""
    report = Report(folder)
    path = folder / SET_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if description["schema"] != SCHEMA:
            raise ValueError(f"schema {description['schema']!r}; this version reads {SCHEMA}")
        shards = [Shard(folder, facts) for facts in description["shards"]]
        root = folder / description["image_root"]
        total = int(description["records"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        report.add("broken set.json", str(path), f"{type(error).__name__}: {error}", config.shown)
        return report
    if config.images and not root.is_dir():
        report.add("images missing", str(path), f"image root {root} is no folder", config.shown)
    reader = _Reader(root, config)
    seen: set[str] = set()
    boxes: _Boxes = []
    masks: Counter[bool] = Counter()  # whether there is a pixel in it
    with tqdm(desc=report.name, total=total, unit="record") as bar:
        for chunk, lines in _read(shards, reader, config.workers):
            report.records += len(lines)
            for number, (id_, problems, found, full) in enumerate(lines, chunk.line):
                boxes += found[: max(0, _BOXES - len(boxes))]
                masks.update(full)
                where = f"{chunk.shard}:{number}"
                if id_ is not None and id_ in seen:
                    report.add("id occurs twice", where, f"record {id_!r}", config.shown)
                seen.add(id_ or "")
                for kind, message in problems:
                    report.add(kind, where, message, config.shown)
            bar.update(len(lines))
    for shard in shards:
        for kind, message in shard.problems:
            report.add(kind, str(shard.path), message, config.shown)
    table = np.array(boxes, dtype=np.float64).reshape(-1, 6)
    for doubt in judge_boxes(table[:, :4], table[:, 4:]):
        if doubt.certain:
            report.add("implausible boxes", str(folder), doubt.message, config.shown)
        else:
            report.warnings.append(f"{folder}: {doubt.message}")
    if masks[False] and not masks[True]:
        message = (
            f"all {masks[False]} masks are empty: what is there is taught without a mask, what is "
            "absent with one, so that the heat of everything falls; build it again"
        )
        report.add("masks of absent objects alone", str(folder), message, config.shown)
    if report.records != total and not report.kinds:
        message = f"{report.records} records, {SET_FILE} says {total}"
        report.add("broken set.json", str(path), message, config.shown)
    return report


_Boxes = list[tuple[float, ...]]  # x, y, width, height, and those of the image
# Id, problems and boxes of a line, and whether each of its masks has a pixel.
_Line = tuple[str | None, list[tuple[str, str]], _Boxes, list[bool]]


class _Reader:
    """Reads the lines of a chunk; is sent to every worker."""

    def __init__(self, root: Path, config: CheckConfig) -> None:
        self.root = root
        self.config = config
        self._size_of = lru_cache(maxsize=256)(_image_size)  # many records share an image
        self._tokenizer: Tokenizer | None = None

    def __getstate__(self) -> tuple[Path, CheckConfig]:
        return self.root, self.config

    def __setstate__(self, state: tuple[Path, CheckConfig]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __call__(self, chunk: Chunk) -> tuple[Chunk, list[_Line]]:
        with chunk.shard.open("rb") as file:
            file.seek(chunk.start)
            content = file.read(chunk.stop - chunk.start)
        # Not splitlines: JSON may hold other line ends that it knows.
        return chunk, [self._line(raw) for raw in content.removesuffix(b"\n").split(b"\n")]

    def _line(self, raw: bytes) -> _Line:
        try:
            content = json.loads(raw)
        except ValueError as error:
            return None, [("not JSON", str(error))], [], []
        try:
            record = Record.from_json(content)
        except ValueError as error:
            name = content.get("id") if isinstance(content, dict) else None
            return (
                name if isinstance(name, str) else None,
                [(_kind(str(error)), str(error))],
                [],
                [],
            )
        full: list[bool] = []
        problems = [*self._masks(record, full), *self._image(record), *self._labels(record)]
        return record.id, problems, _boxes(record), full

    def _masks(self, record: Record, full: list[bool]) -> Iterator[tuple[str, str]]:
        for expression in record.expressions:
            if expression.mask is None:
                continue
            name = f"record {record.id!r}: the mask of {expression.text!r}"
            try:
                runs = rle_runs(expression.mask)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                yield "mask does not decode", f"{name}: {error}"
                continue
            full.append(bool(runs[1::2].sum()))
            if expression.boxes == () and full[-1]:
                yield "mask of an absent object", f"{name} is not empty, but it has no box"

    def _image(self, record: Record) -> Iterator[tuple[str, str]]:
        if not self.config.images or record.image is None:
            return
        path = self.root / record.image
        found = self._size_of(path)
        if isinstance(found, str):
            yield ("image does not decode" if path.is_file() else "image missing"), found
        elif found != (record.width, record.height):
            yield (
                "image of another size",
                f"record {record.id!r}: {path} is {found[0]} x {found[1]} pixels, the record says "
                f"{record.width} x {record.height}",
            )

    def _labels(self, record: Record) -> Iterator[tuple[str, str]]:
        if self.config.tokenizer is None:
            return
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.config.tokenizer)
        has_loc = LOC_TOKEN in self._tokenizer
        turns = [
            [(f"{IMAGE_PLACEHOLDER}\n{locate_question(expression.text)}", LOCATE_ANSWER)]
            for expression in record.expressions
        ]
        if turns and not has_loc:
            message = f"{self.config.tokenizer} has no {LOC_TOKEN}"
            yield "label tokens", f"record {record.id!r}: {message}: a search model's is needed"
            return
        if record.conversations:
            turns.append(expanded_turns(record))
        shown = Visual(0, long=True) if record.image is not None else None
        crops = [Visual(1 + place, long=False) for place in range(len(record.targets))]
        model = "vsm" if has_loc and not record.targets else "vqa"
        template = choose_template(self._tokenizer, model, self.config.prompt_style)
        for conversation in turns:
            try:
                conversation_row(
                    self._tokenizer,
                    template,
                    conversation,
                    image=shown,
                    objects=crops,
                    max_text_tokens=self.config.max_text_tokens,
                    limit="max_text_tokens",
                    record=repr(record.id),
                )
            except ValueError as error:
                yield "label tokens", str(error)


def _read(
    shards: Sequence[Shard], reader: _Reader, workers: int
) -> Iterator[tuple[Chunk, list[_Line]]]:
    """Every chunk in order, whoever reads it."""
    chunks = (chunk for shard in shards for chunk in shard.chunks())
    if workers == 0:
        yield from map(reader, chunks)
        return
    with multiprocessing.get_context().Pool(workers, _start_worker, (reader,)) as pool:
        yield from pool.imap(_work, chunks, chunksize=4)


def _start_worker(reader: _Reader) -> None:
    global _reader
    _reader = reader
    end_with_parent()


def _work(chunk: Chunk) -> tuple[Chunk, list[_Line]]:
    return _reader(chunk)


_reader: _Reader  # of a worker process


def _boxes(record: Record) -> _Boxes:
    boxes = [target.box for target in record.targets]
    boxes += [box for expression in record.expressions for box in expression.boxes or ()]
    size = record.width, record.height
    return [(box.x0, box.y0, box.width, box.height, *size) for box in boxes]


def _kind(message: str) -> str:
    for pattern, kind in _KINDS:
        if re.search(pattern, message):
            return kind
    return "not a record"


def _image_size(path: Path) -> tuple[int, int] | str:
    """Pixels of the upright image, or what is wrong with it."""
    try:
        return open_image(path).size
    except ValueError as error:
        return str(error)


def size_table(reports: Sequence[Report], tolerance: float) -> list[str]:
    """One line a set: records, the published number, problems."""
    lines = [f"{'set':<28}{'records':>10}{'published':>11}  {'size':<7}problems"]
    for report in reports:
        published = "-" if report.expected is None else f"{report.expected:,}"
        lines.append(
            f"{report.name:<28}{report.records:>10,}{published:>11}  "
            f"{report.size(tolerance):<7}{sum(report.kinds.values())}"
        )
    return lines
