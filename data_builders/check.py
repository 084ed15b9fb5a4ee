"""Check built record sets: every line, checksum, box, mask and placeholder, and the counts.

    seal data_builders/check records=data/records workers=8
    seal data_builders/check records=data/records/gqa/train images=true tokenizer=models/vqa
    seal data_builders/check records=[data/records/negative,data/records/gqa] counts=true

A table sets the number of records against the published mixtures (ok, short, over; 5% either way
is ok), and the first problems are printed with file and line. `images=true` decodes every image
and compares its size; `tokenizer=` looks at label tokens as well. Boxes that together look like
fractions, percent or corners are a problem, as are masks that are all empty; what is doubtful is a
warning. Exit code 1: something is wrong; with `counts=true` also a set that is short or over.
"""

from __future__ import annotations

from seal.building.records.check import CheckConfig, check_set, find_sets, size_table
from seal.failure import FailedError
from seal.schema import program


@program("check", CheckConfig)
def main(config: CheckConfig) -> None:
    reports = [check_set(folder, config) for folder in find_sets(config.folders())]
    print("\n".join(size_table(reports, config.tolerance)))
    for report in reports:
        if report.kinds:
            print(f"\n{report.folder}")
        for kind, count in report.kinds.most_common():
            print(f"  {count:>8,} {kind}")
        for problem in report.first:
            print(f"  {problem.where}: {problem.kind}: {problem.message}")
        for warning in report.warnings:
            print(f"WARNING: {warning}")
    wrong = [report for report in reports if report.kinds]
    sizes = [r for r in reports if config.counts and r.size(config.tolerance) in ("short", "over")]
    if wrong:
        problem = wrong[0].first[0] if wrong[0].first else None
        first = f"; the first: {problem.where}: {problem.message}" if problem else ""
        total = sum(sum(report.kinds.values()) for report in wrong)
        raise FailedError(f"{total} problems in {len(wrong)} of {len(reports)} sets{first}")
    if sizes:
        names = ", ".join(f"{r.name} is {r.size(config.tolerance)}" for r in sizes)
        raise FailedError(f"counts differ from the published ones: {names}")


if __name__ == "__main__":
    main()
