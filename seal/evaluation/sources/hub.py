"""Read a data set of the hub through `datasets`: `hub:ID[@REVISION][:CONFIG[:SPLIT]]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from seal.evaluation.sources.arrow_rows import ArrowRows
from seal.text.quote import quoted

PREFIX = "hub:"
_FORM = re.compile(
    r"(?P<id>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^:\s]+))?"
    r"(?::(?P<config>[^:\s]*))?(?::(?P<split>[^:\s]+))?"
)


@dataclass(frozen=True, slots=True)
class HubSource:
    """Which data set; None: the hub's default revision, the only configuration, the only split."""

    id: str
    revision: str | None = None
    config: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> HubSource:
        """`hub:ID[@REVISION][:CONFIG[:SPLIT]]`, with or without `hub:`; CONFIG may be empty.

        Raises:
            ValueError: another form.
        """
        found = _FORM.fullmatch(text.removeprefix(PREFIX))
        if found is None:
            raise ValueError(
                f"{quoted(text)} is not of the form hub:OWNER/NAME[@REVISION][:CONFIG[:SPLIT]]"
            )
        parts = found.groupdict()
        return cls(parts["id"], parts["revision"], parts["config"] or None, parts["split"])

    def completed(self, usual: str | None) -> HubSource:
        """This source, what it leaves open taken from the usual one if that is the same data set.

        usual: of the same form, as a task names it.
        """
        other = None if usual is None else HubSource.parse(usual)
        if other is None or other.id != self.id:
            return self
        config = self.config or other.config
        return replace(
            self,
            revision=self.revision or other.revision,
            config=config,
            # The split belongs to its configuration.
            split=self.split or (other.split if config == other.config else None),
        )

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{self.revision}"
        config = "" if self.config is None and self.split is None else f":{self.config or ''}"
        split = "" if self.split is None else f":{self.split}"
        return f"{PREFIX}{self.id}{revision}{config}{split}"


def read_hub(source: HubSource) -> ArrowRows:
    """The rows of a split; pictures stay the bytes that the data set has.

    No code of a data set is run: those that consist of a script are refused by `datasets`.

    Raises:
        ValueError: the hub does not answer or has no such data set, or it has several
            configurations or splits and none is named; one line.
    """
    import datasets

    try:
        loaded = datasets.load_dataset(
            source.id, source.config, split=source.split, revision=source.revision
        )
    except Exception as error:  # of dozens of kinds, from the network's to the reader's
        raise ValueError(
            f"{source} cannot be read: {_told(error)}; name a data set that there is, or the "
            "folder of a copy of its files"
        ) from error
    if not isinstance(loaded, datasets.Dataset):
        splits = sorted(loaded)
        if len(splits) != 1:
            first = replace(source, split=splits[0])
            raise ValueError(
                f"{source} has the splits {', '.join(splits)}: name one, as in {first}"
            )
        loaded = loaded[splits[0]]
    return rows_of_dataset(loaded, str(source))


def rows_of_dataset(dataset: Any, name: str) -> ArrowRows:
    """The rows of a `datasets.Dataset`, whose table lies on the disk; nothing is decoded.

    Raises:
        ValueError: it is empty.
    """
    import datasets

    if not len(dataset):
        raise ValueError(f"{name} has no rows")
    labels = {
        column: list(feature.names)
        for column, feature in dataset.features.items()
        if isinstance(feature, datasets.ClassLabel)
    }
    table = dataset.data
    assert len(table) == len(dataset), "a selection of rows: its table holds others"

    def cell(column: str, index: int) -> Any:
        return table.column(column)[index].as_py()

    return ArrowRows(name, dataset.column_names, len(dataset), cell, labels=labels)


def _told(error: Exception) -> str:
    """The first line of an error, without the address that it may end with."""
    text = next(iter(str(error).strip().splitlines()), "")
    return (text[:200] or type(error).__name__).rstrip(".")
