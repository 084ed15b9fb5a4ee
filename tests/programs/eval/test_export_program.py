"""eval/export as a program: the file it writes, and what it refuses."""

from __future__ import annotations

import json

from programs_here import run_program
from vstar_folder import write_bench

from seal.evaluation.named_tasks import task_named


def test_a_run_is_exported_and_judged_again_alike(tmp_path, capsys):
    bench = write_bench(tmp_path / "bench")
    questions = task_named("vstar_bench").task(str(bench)).questions()
    run, out = tmp_path / "run", tmp_path / "exported" / "samples.jsonl"
    run.mkdir()
    losses = ([0.1, 0.5, 0.9], [0.7, 0.2], [0.4, 0.6], [0.3, 0.1])
    with (run / "predictions.jsonl").open("w") as file:
        for question, of in zip(questions, losses, strict=True):
            line = {
                "id": question.id, "system": "guided", "task": "vstar_bench", "task_version": "2",
                "protocol": "default", "scoring": "likelihood", "presented": None, "prompt": None,
                "question": question.to_dict(), "answer": {"text": "", "losses": of}, "error": None,
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
    assert run_program("eval/export", f"run={run}", "form=lmms_eval", f"out={out}") == 0
    assert f"4 answers written: {out}" in capsys.readouterr().out
    scored = [f"answers={out}", f"annotations={bench}", f"out={tmp_path / 'scored'}"]
    assert run_program("eval/score", *scored) == 0
    metrics = json.loads((tmp_path / "scored" / "metrics.json").read_text())
    assert metrics["systems"]["answers"]["overall"]["accuracy"]["value"] == 0.5
    capsys.readouterr()
    assert run_program("eval/export", f"run={bench}", "form=lmms_eval", f"out={out}") == 2
    assert "no run of eval/benchmark" in capsys.readouterr().err
