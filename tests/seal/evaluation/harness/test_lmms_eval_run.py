"""lmms-eval itself, through the plug-in, gets the answers that our own runner gets.

It has many dependencies and lives in an environment of its own, which SEAL_LMMS_EVAL names by its
Python: `python -m venv e; e/bin/pip install lmms-eval "filelock<4" .; SEAL_LMMS_EVAL=e/bin/python`.
"""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from programs_here import ROOT, run_program
from tiny_models import tokenizer, vqa_model, vsm_model
from vstar_folder import write_bench

from seal.evaluation.named_tasks import task_named
from seal.evaluation.scorings.lmms_eval import LmmsEval
from seal.models.files.save import save_model
from seal.text.letters import LETTERS, letter_question

PYTHON = os.environ.get("SEAL_LMMS_EVAL", "")
REQUEST = "Answer with the option's letter from the given choices directly."
TASK = """
task: tiny_vstar
dataset_path: json
dataset_kwargs:
  data_files: {test: DATA}
test_split: test
output_type: generate_until
doc_to_visual: !function utils.picture
doc_to_text: !function utils.vstar_doc_to_text
doc_to_target: label
generation_kwargs: {max_new_tokens: 16, temperature: 0, do_sample: false}
process_results: !function utils.vstar_process_results
lmms_eval_specific_kwargs:
  default: {pre_prompt: "", post_prompt: "\\nAnswer with the option's letter from the given choices directly."}
metric_list:
  - {metric: vstar_overall_acc, aggregation: !function utils.vstar_aggregate_results, higher_is_better: true}
"""  # noqa: E501
UTILS = """
from PIL import Image
from lmms_eval.tasks.vstar_bench.utils import *

def picture(doc):
    return [Image.open(doc["picture"]).convert("RGB")]
"""


def write_task(folder, bench):
    """The benchmark in the form of the hub, its options in the order of our seed 0."""
    folder.mkdir()
    docs = []
    for question in task_named("vstar_bench").task(str(bench)).questions():
        (wording,) = LmmsEval().wordings(question, seed=0)
        listed = letter_question(question.text, question.options, wording.order)
        docs.append(
            {
                "text": "\n".join([*listed.split("\n")[:-1], REQUEST]),
                "picture": str(bench / question.image),
                "label": LETTERS[wording.order.index(question.answer)],
                "category": question.split,
                "question_id": question.id,
            }
        )
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    (folder / "tiny_vstar.yaml").write_text(TASK.replace("DATA", str(folder / "docs.jsonl")))
    (folder / "utils.py").write_text(UTILS)


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON, reason="SEAL_LMMS_EVAL names no Python with lmms-eval")
def test_lmms_eval_gets_the_answers_of_our_own_runner(tmp_path):
    bench = write_bench(tmp_path / "bench")
    save_model(tmp_path / "vqa", vqa_model(), tokenizer().folder)
    save_model(tmp_path / "vsm", vsm_model(), tokenizer().folder)
    models = [f"vqa={tmp_path / 'vqa'}", f"vsm={tmp_path / 'vsm'}", "device=cpu"]
    own = tmp_path / "own"
    put = ["systems=[guided]", "scoring=letter_lmms_eval", f"benchmark={bench}", f"out={own}"]
    assert run_program("eval/benchmark", *models, *put) == 0
    write_task(tmp_path / "tasks", bench)
    subprocess.run(
        [
            PYTHON, "-m", "lmms_eval", "--model", "seal", "--model_args", ",".join(models),
            "--tasks", "tiny_vstar", "--include_path", str(tmp_path / "tasks"), "--batch_size", "3",
            "--log_samples", "--output_path", str(tmp_path / "theirs"),
        ],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "HF_DATASETS_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    (samples,) = (tmp_path / "theirs").rglob("*samples*.jsonl")
    told = {
        sample["vstar_overall_acc"]["question_id"]: sample["vstar_overall_acc"] | sample
        for sample in map(json.loads, samples.read_text().splitlines())
    }
    lines = [json.loads(line) for line in (own / "predictions.jsonl").read_text().splitlines()]
    assert len(told) == len(lines) == 4
    task = task_named("vstar_bench").task(str(bench))
    for line, question in zip(lines, task.questions(), strict=True):
        sample = told[line["id"]]
        assert sample["filtered_resps"] == line["answer"]["texts"][0].strip()
        assert sample["score"] == task.score(question, line)["credit"]
