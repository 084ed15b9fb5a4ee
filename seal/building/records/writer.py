"""Turn source items into a record set: workers, progress bar, counts, resume and report."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seal.building.formats.image_lookup import CORRUPT, Unusable
from seal.building.language.unwritten_records import Draft, Keep, TextWriter
from seal.building.records.report import write_report
from seal.building.records.worker_lifetime import end_with_parent
from seal.data.record_set import Record, RecordSet, RecordWriter, record_contents, record_line

_CHECKPOINT_EVERY = 2_000  # items; fewer than that are lost when a build is stopped
_WINDOW = 256  # items whose drafts are written, and whose records are judged, together
_CHUNK = 32  # items a worker is given at once
_EXAMPLES = 3  # of each fault, for messages
_AHEAD = 8  # chunks for each worker that may wait to be written


@dataclass(kw_only=True, slots=True)
class BuildConfig:
    """What every builder is told."""

    annotations: str  # file of the source
    images: str  # folder of its images; the image root of the set
    out: str  # folder of the set
    limit: int | None = None  # source items to read; None: all
    max_records: int | None = None  # the set is whole when it has so many; None: all there are
    seed: int = 0  # of whatever is drawn
    workers: int = 0  # processes; the set does not depend on it; 0: in this one
    max_corrupt: float = 0.01  # share of images that may not decode before the build fails
    # Share of items that may be lost to faults of the source (images that are missing, damaged, of
    # another size, not annotated) before the build fails; those that hold nothing to use are none.
    max_dropped: float = 0.2
    check_boxes: bool = True  # False: boxes that look like another unit or order are believed
    records_per_shard: int = 10_000
    report_samples: int = 24  # records shown in report.html

    def __post_init__(self) -> None:
        for name in ("images", "out"):
            require_name(name, getattr(self, name))
        if Path(self.out).exists() and not Path(self.out).is_dir():
            raise ValueError(f"out={self.out} is a file; name a folder for the set")
        for name, least in (
            ("limit", 1),
            ("max_records", 1),
            ("seed", 0),
            ("workers", 0),
            ("max_corrupt", 0),
            ("max_dropped", 0),
            ("records_per_shard", 1),
            ("report_samples", 0),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name}={value} must be at least {least}")


def require_name(key: str, path: str) -> None:
    """Fail if `key` names nothing: an empty path would be the working directory."""
    if not str(path).strip():
        raise ValueError(f"{key}= is empty; is a variable of the shell not set?")


@dataclass(slots=True)
class Outcome:
    """What became of one source item."""

    records: list[Record] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # drops by reason, and the like
    drafts: list[Draft] = field(default_factory=list)  # records that wait for a language model


Make = Callable[[int], Outcome]


@dataclass(slots=True)
class _Line:
    """A record as it is written: encoded by whoever made it, and cheap to send."""

    id: str
    line: bytes
    contents: dict[str, int]


@dataclass(slots=True)
class _Encoded:
    """An outcome whose records nobody looks at any more."""

    lines: list[_Line]
    counts: dict[str, int]


def build_set(
    config: BuildConfig,
    make: Make,
    num_items: int,
    *,
    builder: str,
    settings: dict[str, Any],
    counts: dict[str, int] | None = None,
    write: TextWriter | None = None,
    keep: Keep | None = None,
) -> RecordSet:
    """Write `make(0)`, `make(1)`, ... in order. A build that was stopped goes on where it was.

    Args:
        make: depends on its item and the seed alone; is sent to every worker once.
        settings: what makes the set what it is, for `set.json`.
        counts: what the source index already dropped.
        write: turns the drafts of many items into records, in this process.
        keep: a last judgement on records, in this process, the erasure filter for example.
    """
    num_items = num_items if config.limit is None else min(num_items, config.limit)
    out = Path(config.out)
    source = config.annotations or config.images  # for messages
    most = config.max_records
    if most is not None:
        settings = {**settings, "max_records": most}
    with (
        RecordWriter(
            out,
            builder=builder,
            seed=config.seed,
            image_root=Path(config.images).resolve(),
            records_per_shard=config.records_per_shard,
            settings=settings,
            resume=True,
        ) as writer,
        ExitStack() as ends,
    ):
        if writer.progress == 0:
            writer.counts.update({"items read": 0} | (counts or {}))
        first = writer.progress
        # Records that something else looks at travel as they are.
        work: Make | _Encoder = make if write is not None or keep is not None else _Encoder(make)
        # Closed whatever happens, an interruption too: that ends the workers.
        outcomes = ends.enter_context(
            closing(_outcomes(work, range(first, num_items), config.workers))
        )
        bar = iter(tqdm(outcomes, builder, total=num_items, initial=first, unit="item"))
        done = saved = first
        while len(writer) != most and (window := list(islice(bar, _WINDOW))):
            found: Counter[str] = Counter()
            _keep_examples(window, writer.examples)
            for line in _lines(window, found, write, keep):
                if len(writer) == most:
                    found["records beyond max_records"] += 1
                    continue
                try:
                    writer.write_line(line.id, line.line, line.contents)
                except ValueError as error:
                    raise ValueError(f"{source}: {error}") from error
            done += len(window)
            writer.counts["items read"] = done
            for reason, count in found.items():
                writer.counts[reason] = writer.counts.get(reason, 0) + count
            _check_drops(writer, num_items, config)
            if done - saved >= _CHECKPOINT_EVERY or write is not None or keep is not None:
                writer.checkpoint(done)
                saved = done
        outcomes.close()  # ends workers that are ahead
        _check_drops(writer, done, config)  # of what was read, if that was not all
        writer.counts["records written"] = len(writer)
        if len(writer) == 0:
            writer.discard()
            raise ValueError(f"{source}: {num_items} items gave no record: {_told(writer)}")
    print_drops(builder, writer)
    records = RecordSet.open(out)
    write_report(records, samples=config.report_samples, seed=config.seed)
    return records


def _lines(
    window: list[Outcome | _Encoded],
    counts: Counter[str],
    write: TextWriter | None,
    keep: Keep | None,
) -> Iterator[_Line]:
    """The records of some items, those that a language model writes behind the others."""
    outcomes = []
    for outcome in window:
        counts.update(outcome.counts)
        if isinstance(outcome, Outcome):
            outcomes.append(outcome)
        else:
            yield from outcome.lines
    yield from map(_encoded, _finished(outcomes, counts, write, keep))


def _finished(
    window: list[Outcome], counts: Counter[str], write: TextWriter | None, keep: Keep | None
) -> list[Record]:
    records = [record for outcome in window for record in outcome.records]
    drafts = [draft for outcome in window for draft in outcome.drafts]
    if drafts:
        if write is None:
            raise TypeError("there are drafts, but nothing that writes them")
        records += write(drafts, counts)
    if keep is None or not records:
        return records
    reasons = keep(records)
    counts.update(reason for reason in reasons if reason is not None)
    return [record for record, reason in zip(records, reasons, strict=True) if reason is None]


def _keep_examples(window: list[Outcome | _Encoded], examples: dict[str, list[str]]) -> None:
    for outcome in window:
        for reason in outcome.counts:
            if isinstance(reason, Unusable):
                kept = examples.setdefault(str(reason), [])
                if len(kept) < _EXAMPLES:
                    kept.append(reason.where)


def print_drops(builder: str, writer: RecordWriter) -> None:
    """What was counted besides records: on the terminal, a line a reason, the commonest first."""
    read = writer.counts.get("items read", 0)
    print(f"{builder}: {read} items read, {len(writer)} records", file=sys.stderr)
    counts = sorted(writer.counts.items(), key=lambda item: -item[1])
    for reason, count in counts:
        if count and reason not in ("items read", "records written"):
            shown = writer.examples.get(reason, [])
            more = "; ..." if count > len(shown) else ""
            places = f" ({'; '.join(shown)}{more})" if shown else ""
            print(f"  {count:>8} {reason}{places}", file=sys.stderr)


def _told(writer: RecordWriter) -> str:
    """The counts in one line, and an example of each fault."""
    examples = "; ".join(places[0] for places in writer.examples.values())
    return f"{writer.counts}" + (f"; for example {examples}" if examples else "")


def _check_drops(writer: RecordWriter, num_items: int, config: BuildConfig) -> None:
    corrupt = writer.counts.get(CORRUPT, 0)
    if corrupt > config.max_corrupt * num_items:
        writer.discard()
        raise ValueError(
            f"{corrupt} of {num_items} images in {config.images} do not decode, more than "
            f"max_corrupt={config.max_corrupt:g} allows; download them again or raise it: "
            f"{'; '.join(writer.examples[CORRUPT])}"
        )
    dropped = {reason: writer.counts.get(reason, 0) for reason in writer.examples}
    lost = sum(dropped.values())
    if lost > config.max_dropped * num_items:
        worst = max(dropped, key=dropped.__getitem__)
        writer.discard()
        raise ValueError(
            f"{config.annotations or config.images}: {lost} of {num_items} items are lost, more "
            f"than max_dropped={config.max_dropped:g} allows; {dropped[worst]} for: {worst} "
            f"({'; '.join(writer.examples[worst])}); correct images={config.images} or the "
            "annotations, or raise max_dropped"
        )


class _Encoder:
    """Makes outcomes whose records are encoded; in a worker that is where it costs nothing."""

    def __init__(self, make: Make) -> None:
        self.make = make

    def __call__(self, item: int) -> _Encoded | Outcome:
        outcome = self.make(item)
        if outcome.drafts:
            return outcome
        return _Encoded([_encoded(record) for record in outcome.records], outcome.counts)


def _encoded(record: Record) -> _Line:
    return _Line(record.id, record_line(record), record_contents(record))


def _outcomes(
    make: Make | _Encoder, items: range, workers: int
) -> Generator[Outcome | _Encoded, None, None]:
    """The outcomes in the order of the items, whoever makes them."""
    if workers == 0:
        yield from map(make, items)
        return
    # Forked where that exists: the index of a large source is then shared, not copied.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else None)
    waiting: deque[Future[list[Outcome | _Encoded]]] = deque()
    pool = ProcessPoolExecutor(workers, context, _start_worker, (make,))
    try:
        for begin in range(0, len(items), _CHUNK):
            # Workers that are faster than what is done with their records wait for it.
            if len(waiting) == _AHEAD * workers:
                yield from waiting.popleft().result()
            waiting.append(pool.submit(_work, items[begin : begin + _CHUNK]))
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(make: Make | _Encoder) -> None:
    global _make
    _make = make
    # Ctrl-C reaches all processes of a terminal; the one that started the workers ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


def _work(items: range) -> list[Outcome | _Encoded]:
    return list(map(_make, items))


_make: Make | _Encoder  # of a worker process
