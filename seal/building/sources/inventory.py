"""What of the sources is on this disk, what is missing and how to come by it; fetching it."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seal.building.sources.catalog import GROUPS, NEEDED, SOURCES, Download, Hub, Item, Source
from seal.building.sources.download import PARTIAL, DownloadError, fetch_file
from seal.building.sources.unpack import is_archive, unpack

PRESENT, PARTLY, MISSING = "present", "partial", "missing"


@dataclass(kw_only=True, slots=True)
class SourcesConfig:
    """What data_builders/sources is told."""

    out: str  # the data folder: looked through, and fetched into
    # Names of sources, or of groups: vqa, vsm, alignment, weights, authors. Empty: what is needed
    # for both mixtures, the alignment and the base models.
    only: list[str] = field(default_factory=list)
    fetch: bool = False  # fetch what is missing and may be fetched
    keep_archives: bool = False  # leave archives where they are once they are unpacked
    retries: int = 6  # attempts in a row that bring nothing before a transfer is given up
    timeout: float = 60.0  # seconds without a byte

    def __post_init__(self) -> None:
        if self.retries < 0 or self.timeout <= 0:
            raise ValueError(f"retries={self.retries} must be >= 0, timeout={self.timeout:g} > 0")
        choose(self.only)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one item."""

    source: Source
    item: Item
    state: str  # PRESENT, PARTLY or MISSING
    where: str | None = None  # below the data folder
    files: int = 0  # of a folder
    note: str = ""

    @property
    def detail(self) -> str:
        """Where it lies and how much of it."""
        if self.where is None:
            return self.note
        wanted = f" of {self.item.files:,}" if self.state == PARTLY and self.item.files else ""
        count = f" ({self.files:,}{wanted} files)" if self.files or wanted else ""
        return f"{self.where}{count}{' ' + self.note if self.note else ''}"


def choose(only: Sequence[str], sources: Sequence[Source] = SOURCES) -> list[Source]:
    """The sources that are asked for, in the order of the table."""
    names = {source.name for source in sources}
    if unknown := sorted(set(only) - names - set(GROUPS)):
        raise ValueError(
            f"only={unknown} names no source; there are {', '.join(s.name for s in sources)} and "
            f"the groups {', '.join(GROUPS)}"
        )
    wanted = set(only or NEEDED)
    return [s for s in sources if s.name in wanted or wanted & set(s.groups)]


def look(root: Path, sources: Sequence[Source]) -> list[Found]:
    """What there is of every item of `sources` below `root`."""
    return [find(root, source, item) for source in sources for item in source.items]


def find(root: Path, source: Source, item: Item) -> Found:
    """The most complete of the places an item may lie in."""
    best = Found(source, item, MISSING)
    for layout in item.layouts:
        path = root / layout
        if path.is_dir():
            files = _count_files(path)
            enough = files > 0 if item.files is None else files >= item.files
            # A folder that an archive is missing from may look full where no number is known.
            if enough and item.files is None and layout == item.layouts[0]:
                enough = not _unfinished(root, item)
            found = Found(source, item, PRESENT if enough else PARTLY, layout, files)
        elif path.is_file():
            empty = path.stat().st_size == 0
            found = Found(source, item, PARTLY if empty else PRESENT, layout, note="empty" * empty)
        else:
            continue
        if found.state == PRESENT:
            return found
        if found.files >= best.files:
            best = found
    if best.state == MISSING and (arrived := _arrived(root, item)):
        return Found(source, item, PARTLY, note=f"{arrived / 1e9:.1f} GB of a transfer")
    return best


def fetch(
    root: Path,
    found: Sequence[Found],
    *,
    named: Sequence[str] = (),
    keep_archives: bool = False,
    retries: int = 6,
    timeout: float = 60.0,
) -> list[str]:
    """Fetch what `found` lacks, as far as it may be; return what went wrong, one line each.

    Args:
        named: sources that were asked for by name: only these may have terms of their own.
    """
    problems = []
    done: set[str] = set()  # archives that hold several items are fetched once
    for entry in found:
        item, source = entry.item, entry.source
        if entry.state == PRESENT or not (item.downloads or item.hub) or _held_back(source, named):
            continue
        try:
            if item.hub is not None:
                _fetch_hub(root, item.hub)
            for download in item.downloads:
                if download.url not in done:
                    _fetch_one(root, download, entry, keep_archives, retries, timeout)
                    done.add(download.url)
        except (DownloadError, ValueError) as error:
            problems.append(f"{source.name}, {item.name}: {error}")
    return problems


def table(found: Sequence[Found]) -> list[str]:
    """One line an item."""
    lines = [f"{'source':<15}{'item':<36}{'state':<9}where"]
    lines += [
        f"{entry.source.name:<15}{entry.item.name:<36}{entry.state:<9}{entry.detail}"
        for entry in found
    ]
    return lines


def what_to_do(root: Path, found: Sequence[Found], named: Sequence[str] = ()) -> list[str]:
    """What is missing, what it is, and how to come by it."""
    lines: list[str] = []
    for entry in found:
        if entry.state == PRESENT:
            continue
        source, item = entry.source, entry.item
        lines.append(f"{source.name}: {item.name} of {source.title} ({_size(item)})")
        lines.append(f"    licence   {source.license}; read by {source.builders}")
        if source.terms:
            lines.append(f"    terms     {source.terms}")
        lines += [f"    from      {address}" for address in _addresses(item)]
        lines.append(f"    expected  {root}/{item.layouts[0]}")
        if others := item.layouts[1:]:
            lines.append(f"    or        {', '.join(others)}")
        if item.instead:
            lines.append(f"    to do     {item.instead}")
        elif _held_back(source, named):
            lines.append(f"    to do     accept its terms by name: only=[{source.name}] fetch=true")
        else:
            lines.append(f"    to do     only=[{source.name}] fetch=true")
    return lines


def _held_back(source: Source, named: Sequence[str]) -> bool:
    return bool(source.terms) and source.name not in named


def _addresses(item: Item) -> list[str]:
    if item.hub is not None:
        kind = "datasets/" if item.hub.dataset else ""
        return [f"https://huggingface.co/{kind}{item.hub.repository}"]
    urls = [download.url for download in item.downloads]
    return urls if len(urls) < 4 else [urls[0], f"... {len(urls)} archives ...", urls[-1]]


def _size(item: Item) -> str:
    if item.about:
        return item.about
    sizes = [download.size for download in item.downloads]
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(sizes):
        return "size unknown"
    total = sum(known)
    return f"{total / 1e9:.1f} GB" if total >= 1e9 else f"{total / 1e6:.0f} MB"


def _count_files(folder: Path) -> int:
    """Files below a folder, those on their way not among them."""
    count = 0
    for _, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        count += sum(not (n.startswith(".") or n.endswith(PARTIAL)) for n in names)
    return count


def _archive(root: Path, download: Download) -> Path:
    name = urllib.parse.unquote(Path(urllib.parse.urlsplit(download.url).path).name)
    return root / download.folder / name


def _marker(archive: Path) -> Path:
    """Says that an archive was unpacked; it may be gone by then."""
    return archive.with_name(f".{archive.name}.unpacked")


def _unfinished(root: Path, item: Item) -> bool:
    """Whether some archive of the item was begun and not finished here."""
    archives = [_archive(root, download) for download in item.downloads]
    begun = [a for a in archives if a.exists() or a.with_name(a.name + PARTIAL).exists()]
    return any(not _marker(archive).exists() for archive in begun)


def _arrived(root: Path, item: Item) -> int:
    """Bytes of transfers that were begun."""
    archives = [_archive(root, download) for download in item.downloads]
    parts = [a.with_name(a.name + PARTIAL) for a in archives] + archives
    return sum(part.stat().st_size for part in parts if part.is_file())


def _fetch_one(
    root: Path,
    download: Download,
    entry: Found,
    keep_archive: bool,
    retries: int,
    timeout: float,
) -> None:
    archive = _archive(root, download)
    # Nothing of it is there: a note that it was once unpacked means nothing.
    if _marker(archive).exists() and entry.state == PARTLY:
        return
    if not archive.is_file():
        fetch_file(
            download.url,
            archive,
            size=download.size,
            checksum=download.checksum,
            retries=retries,
            timeout=timeout,
        )
    if not (download.unpack and is_archive(archive.name)):
        return
    count = unpack(archive, archive.parent)
    _marker(archive).write_text(f"{count} files\n", encoding="utf-8")
    if not keep_archive:
        archive.unlink()


def _fetch_hub(root: Path, hub: Hub) -> None:
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(
            hub.repository,
            repo_type="dataset" if hub.dataset else "model",
            allow_patterns=list(hub.patterns),
            local_dir=root / hub.folder,
        )
    # Its errors are of many libraries: requests, httpx, its own.
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DownloadError(
            f"https://huggingface.co/{hub.repository}: {why}; a gated repository needs `hf auth "
            "login` and its terms accepted on its page"
        ) from error
