"""What eval/export is told, and the file it writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from seal.evaluation.export.answers import exported_answers
from seal.evaluation.export.lmms_eval import lmms_eval_samples
from seal.evaluation.export.upload import write_upload
from seal.evaluation.export.vlmevalkit import vlmevalkit_table
from seal.evaluation.sources.delimited import delimited_line
from seal.evaluation.sources.workbook import write_workbook
from seal.evaluation.store import CONFIG
from seal.files.whole import write_whole

FORMS = ("vlmevalkit", "lmms_eval", "upload")
_SUFFIXES = {"vlmevalkit": (".xlsx", ".tsv"), "lmms_eval": (".jsonl",)}


@dataclass(kw_only=True, slots=True)
class ExportRun:
    """conf/eval_export.yaml"""

    run: str  # the folder of a run of eval/benchmark
    form: str  # vlmevalkit | lmms_eval | upload: what the benchmark's server takes
    out: str  # the file to write
    system: str | None = None  # whose answers; null: the only system's
    wording: int | None = None  # of questions put in several (letter_cyclic): which one, from 0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"form={self.form!r} is none of {', '.join(FORMS)}")
        suffixes = _SUFFIXES.get(self.form)
        if suffixes and Path(self.out).suffix.lower() not in suffixes:
            raise ValueError(f"out={self.out}: form={self.form} is a file {' or '.join(suffixes)}")


def run_export(run: ExportRun) -> int:
    """Write the file; the number of answers in it."""
    folder, out = Path(run.run), Path(run.out)
    answers = exported_answers(folder, run.system, run.wording)
    out.parent.mkdir(parents=True, exist_ok=True)
    if run.form == "upload":
        write_upload(answers, out)
    elif run.form == "lmms_eval":
        samples = lmms_eval_samples(answers, _seed(folder))
        write_whole(out, "".join(json.dumps(s, ensure_ascii=False) + "\n" for s in samples))
    else:
        columns, rows = vlmevalkit_table(answers)
        if out.suffix.lower() == ".xlsx":
            write_workbook(out, columns, rows)
        else:
            write_whole(out, "".join(map(delimited_line, [columns, *rows])))
    return len(answers)


def _seed(folder: Path) -> int:
    """Of the run, for its wordings; answers of other programs have none."""
    path = folder / CONFIG
    settings = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return int(settings.get("seed", 0))
