"""Benchmarks answered in words, and those whose own tools write answers down, for the fuzz."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scored_subjects import COLOURS, DESERVED, NOTHING, Asked, Bench, Rows, Subject, answered, plain

# Unlike each other, so that one is no part of another by any rule.
WORDS = ("exit", "quay north", "bakery", "lullaby", "12 tons", "monday")
SIGNS = [
    Asked(str(10 + number), f"What does sign {number} say?", label=words)
    for number, words in enumerate(WORDS)
]


def gqa() -> Bench:
    rows: Rows = [
        {"id": q.id, "question": q.words, "imageId": f"n{q.id}", "answer": q.label,
         "isBalanced": True, "types": {"structural": "query"}}
        for q in SIGNS
    ]  # fmt: skip
    name = "testdev_balanced_questions.json"
    return Bench("gqa", {name: rows}, SIGNS, name, by_id)


def textvqa() -> Bench:
    rows: Rows = [
        {"question_id": int(q.id), "question": q.words, "image_id": f"a{q.id}",
         "answers": [q.label] * 10}
        for q in SIGNS
    ]  # fmt: skip
    name = "TextVQA_0.5.1_val.json"
    return Bench("textvqa", {name: rows}, SIGNS, name, lambda rows: {"data": rows})


def docvqa() -> Bench:
    rows: Rows = [
        {"questionId": int(q.id), "question": q.words, "image": f"documents/{q.id}.png",
         "answers": [q.label]}
        for q in SIGNS
    ]  # fmt: skip
    name = "val_v1.0.json"
    return Bench("docvqa", {name: rows}, SIGNS, name, lambda rows: {"data": rows})


def vqav2() -> Bench:
    asked: Rows = [
        {"question_id": int(q.id), "image_id": int(q.id), "question": q.words} for q in SIGNS
    ]
    told: Rows = [
        {"question_id": int(q.id), "image_id": int(q.id), "answer_type": "other",
         "answers": [{"answer": q.label}] * 10}
        for q in SIGNS
    ]  # fmt: skip
    files = {
        "v2_OpenEnded_mscoco_val2014_questions.json": asked,
        "v2_mscoco_val2014_annotations.json": told,
    }

    def wrap(rows: Rows) -> Any:
        return {"annotations" if any("answers" in row for row in rows) else "questions": rows}

    return Bench("vqav2", files, SIGNS, wrap=wrap)


def aokvqa() -> Bench:
    rows: Rows = [
        {"question_id": q.id, "image_id": int(q.id), "question": q.words, "choices": COLOURS,
         "correct_choice_idx": 0, "direct_answers": [q.label] * 10,
         "difficult_direct_answer": False}
        for q in SIGNS
    ]  # fmt: skip
    name = "aokvqa_v1p0_val.json"
    return Bench("aokvqa", {name: rows}, SIGNS, name)


def pope() -> Bench:
    asked = [
        # What says neither counts as yes there.
        Asked(f"random/{number}", f"Is there a mug {number} in the image?", label="no", wrong="yes")
        for number in range(1, 7)
    ]
    rows: Rows = [
        {"question_id": number, "image": f"{number}.jpg", "text": q.words, "label": "no"}
        for number, q in enumerate(asked, start=1)
    ]
    return Bench("pope", {"coco_pope_random.jsonl": rows}, asked)


def pope_tsv() -> Subject:
    rows: Rows = [
        {"question_id": q.id.partition("/")[2], "category": "random", "prediction": text}
        for q, text in answered(pope())
    ]
    return Subject(pope(), "table", "answers.tsv", rows, ("prediction",))


def zoom_bench() -> Bench:
    """Three questions, of the whole picture and then of the crop."""
    rows: Rows = []
    asked = []
    for number in range(3):
        words = f"Which colour is mug {number}?"
        lines = [f"{letter}. {o}" for letter, o in zip("ABCD", COLOURS, strict=True)]
        rows.append({
            "id": str(number), "query": "\n".join([f"<image>{words}", *lines]),
            "response": "ABCD"[number], "images": [f"images/{number}.png"],
            "crop_images": [f"images/{number}c.png"], "question_type": "mcq",
        })  # fmt: skip
        asked.append(Asked(str(number), words, COLOURS, number))
    asked += [replace(q, id=f"{q.id}/crop") for q in asked]
    return Bench("zoom_bench", {"zoombench.json": rows}, asked, "zoombench.json")


def mme() -> Subject:
    """A folder of results, which holds its questions itself."""
    rows: Rows = []
    asked = []
    for number, right in enumerate(DESERVED):
        image, truth = f"{number // 2}.jpg", "No" if number % 2 else "Yes"
        words = f"Is mug {number // 2} {'blue' if number % 2 else 'red'}?"
        said = truth if right else {"Yes": "No", "No": "Yes"}[truth]
        rows.append({
            "image": image, "question": f"{words} Please answer yes or no.", "truth": truth,
            "said": NOTHING if number == 3 else said,
        })  # fmt: skip
        asked.append(Asked(f"color/{image}#{number % 2 + 1}", words, label=truth, image=image))
    bench = Bench("mme", {}, asked)
    return Subject(bench, "texts", "results/color.txt", rows, ("said",), place="results")


def mm_vet() -> Subject:
    """Grades as the official evaluator writes them."""
    asked = [replace(q, id=f"v1_{number}") for number, q in enumerate(SIGNS)]
    rows: Rows = [
        {"id": q.id, "imagename": f"{q.id}.png", "question": q.words, "answer": q.label,
         "capability": ["ocr"]}
        for q in asked
    ]  # fmt: skip
    bench = Bench("mm_vet", {"mm-vet.json": rows}, asked, "mm-vet.json", by_id)
    grades: Rows = [
        {"id": q.id, "model": ["gpt-4"], "content": [f"{right}.0"], "score": [float(right)]}
        for q, right in zip(asked[:-1], DESERVED, strict=False)
    ]
    name = "m_gpt-4-grade-1runs.json"
    return Subject(bench, "grades", name, grades, ("score",), by_id)


def mmbench_alone() -> Subject:
    """A table of answers that says itself what is right; a question in its rotations."""
    rows: Rows = []
    asked = []
    for number in range(6):
        question, turn = divmod(number, 3)
        options = COLOURS[:3][turn:] + COLOURS[:3][:turn]
        truth = (3 - turn) % 3
        index = question + 7 + turn * 1_000_000
        asked.append(Asked(str(index), f"Which colour is mug {question}?", options, truth))
        said = "ABC"[truth if DESERVED[number] else (truth + 1) % 3]
        rows.append(
            {"index": index, "question": asked[-1].words, "A": options[0], "B": options[1],
             "C": options[2], "answer": "ABC"[truth], "category": "colours",
             "prediction": NOTHING if number == 3 else said}
        )  # fmt: skip
    bench = Bench("mmbench", {}, asked)
    said = ("prediction", "answer", *"ABC")
    return Subject(bench, "table", "answers.tsv", rows, said, place="answers.tsv")


def by_id(rows: Rows) -> Any:
    return {str(row.get("id")): {k: v for k, v in row.items() if k != "id"} for row in rows}


def word_subjects() -> list[Subject]:
    """Each with the forms of its own."""
    found = [plain(bench(), "json") for bench in (gqa, textvqa, docvqa, vqav2, aokvqa)]
    found += [plain(textvqa(), "tsv"), plain(zoom_bench()), plain(pope()), pope_tsv()]
    return [*found, mme(), mm_vet(), mmbench_alone()]
