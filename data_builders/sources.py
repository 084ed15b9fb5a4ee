"""Say what of the public sources is on this disk and what is missing; fetch what may be fetched.

    seal data_builders/sources out=DATA                          # everything both mixtures need
    seal data_builders/sources out=DATA only=[coco,vaw]          # some of it
    seal data_builders/sources out=DATA only=[vqa] fetch=true    # sources of one mixture, fetched

`only` takes names of sources and the groups vqa, vsm, alignment, weights and authors (what the
authors published: their mixture and models). Files that are there already are found in the
customary layouts (`coco/train2017`, `train2017`, LISA's `refer_seg/refcoco`, LLaVA's
`playground/data/...`); for what is missing every accepted place is printed, and how to come by it.

Transfers go on where they stopped, are verified where a size or checksum is known, and appear
under their names when they are whole. Sources with terms of their own are fetched only where
`only` names them. Exit code 1: something that was asked for is missing.
"""

from __future__ import annotations

from pathlib import Path

from seal.building.sources.inventory import (
    MISSING,
    PRESENT,
    SourcesConfig,
    choose,
    fetch,
    look,
    table,
    what_to_do,
)
from seal.failure import FailedError
from seal.schema import program


@program("sources", SourcesConfig)
def main(config: SourcesConfig) -> None:
    root, sources = Path(config.out), choose(config.only)
    found = look(root, sources)
    problems: list[str] = []
    if config.fetch:
        problems = fetch(
            root,
            found,
            named=config.only,
            keep_archives=config.keep_archives,
            retries=config.retries,
            timeout=config.timeout,
        )
        found = look(root, sources)
    print("\n".join(table(found)))
    if lines := what_to_do(root, found, config.only):
        print("\n" + "\n".join(lines))
    for problem in problems:
        print(f"failed: {problem}")
    if lacking := [entry for entry in found if entry.state != PRESENT]:
        missing = sum(entry.state == MISSING for entry in lacking)
        raise FailedError(
            f"{missing} of {len(found)} items are missing below {root}, "
            f"{len(lacking) - missing} incomplete; see above"
        )


if __name__ == "__main__":
    main()
