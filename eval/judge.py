"""Have a run's answers graded by a language model behind an OpenAI-compatible endpoint.

    seal eval/judge task=mm_vet answers=runs/mm_vet judge=http://127.0.0.1:8000/v1#NAME \\
        out=runs/mm_vet_graded
    seal eval/judge ... judge=https://api.openai.com/v1#gpt-4.1      # key: OPENAI_API_KEY
    seal eval/judge ... judge_api_key_env=MY_KEY                     # or another variable
    seal eval/judge ... judging.temperature=null judging.max_tokens=2000    # for models that think
    seal eval/benchmark ... task=mm_vet judge=...                    # right behind the answers

For mm_vet, llava_bench, visual_probe and the open questions of zoom_bench. `answers` is a run of
eval/benchmark, or what eval/score made of another program's answers. Writes OUT/: predictions.jsonl
(each answer with its `grade`: score, model, prompt, temperature, what was said), metrics.json,
which names the judge, results.html, config.yaml and environment.json (what was sent). The same
command continues what is there; replies are kept in SEAL_CACHE/judge.sqlite, so that none is paid
for twice.

A reply that holds no grade is asked for once more; then the question is ungraded: counted, and in
no number. The prompts are this project's own, with a version in every result: grades are
comparable with each other, not with those of a benchmark's official prompt. Grades that were
recorded with that one (MM-Vet's *-grade-*.json, LLaVA-Bench's reviews) are read by
`seal eval/score`, with the figures that the official programs print as `official`.
"""

from __future__ import annotations

from seal.evaluation.grading import JudgeRun, run_judge
from seal.evaluation.results.result_tables import benchmark_table
from seal.pages.table import markdown
from seal.schema import program


@program("eval_judge", JudgeRun)
def main(run: JudgeRun) -> None:
    metrics = run_judge(run)
    print(markdown(benchmark_table(metrics)))
    judge = metrics.get("judge", {"model": "none", "graded": 0, "ungraded": 0})
    print(f"graded by {judge['model']}: {judge['graded']}, ungraded: {judge['ungraded']}")
    print(f"written: {run.out}")


if __name__ == "__main__":
    main()
