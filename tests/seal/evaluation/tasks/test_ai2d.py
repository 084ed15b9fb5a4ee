"""AI2D: official folders with their letters drawn, the hub's rows, and what is wrong in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from option_lines import lines_of, picture, right, wrong
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.sources.rows import ListedRows
from seal.images.files import UnreadableImageError

SPEC = task_named("ai2d")
BOXES = {"T0": [[4, 6], [44, 26]], "T1": [[60, 50], [110, 90]]}


def question(number: int, *, letters: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "questionId": f"7.png-{number}", "abcLabel": letters, "correctAnswer": number % 4,
        "answerTexts": list("ABCD") if letters else ["leaf", "root", "stem", "leaf"], **more,
    }  # fmt: skip


def folder(path: Path, asked: dict[str, Any] | None = None, ids: str = "7\n8\n") -> Path:
    """Diagrams 7, of the test part, and 9, of another; nobody asked anything about 8."""
    for part in ("images", "questions", "annotations"):
        (path / part).mkdir(parents=True, exist_ok=True)
    asked = asked or {
        "Which part drinks?": question(1),
        "Which letter is the root?": question(2, letters=True),
    }
    texts = {
        name: {"rectangle": box, "replacementText": letter, "value": "root"}
        for (name, box), letter in zip(BOXES.items(), "AB", strict=True)
    }
    for name in ("7", "9"):
        Image.new("RGB", (120, 100), "green").save(path / "images" / f"{name}.png")
        told = {"imageName": f"{name}.png", "questions": asked}
        (path / "questions" / f"{name}.png.json").write_text(json.dumps(told))
        (path / "annotations" / f"{name}.png.json").write_text(json.dumps({"text": texts}))
    (path / "ai2d_test_ids.csv").write_text(ids)
    return path


def test_the_test_part_is_asked_by_the_words_or_by_letters(tmp_path):
    task = SPEC.task(str(folder(tmp_path)))
    first, second = task.questions()
    assert (first.id, first.text, first.split) == ("7.png-1", "Which part drinks?", "labels")
    assert first.options == ("leaf", "root", "stem", "leaf") and first.answer == 1
    assert (second.split, second.options[second.answer or 0]) == ("letters", "C")
    assert first.cluster == second.cluster == "7.png"  # one diagram, however it is shown
    plain, drawn = (np.asarray(task.images.open(q.image or "")) for q in (first, second))
    assert (plain == (0, 128, 0)).all()
    for (x0, y0), (x1, y1) in BOXES.values():
        box = drawn[y0:y1, x0:x1].astype(int).sum(-1)
        assert (box[0] == 765).all() and (box[:, 0] == 765).all()  # white to the edges
        assert (box < 100).sum() > 20  # with something black in it
    outside = drawn.copy()
    for (x0, y0), (x1, y1) in BOXES.values():
        outside[y0 : y1 + 1, x0 : x1 + 1] = (0, 128, 0)
    assert (outside == plain).all()
    assert task.images.digest(first.image or "") != task.images.digest(second.image or "")


def test_the_list_of_the_test_part_may_stand_beside_the_folder(tmp_path):
    (folder(tmp_path / "ai2d") / "ai2d_test_ids.csv").rename(tmp_path / "ai2d_test_ids.csv")
    assert len(SPEC.task(str(tmp_path / "ai2d")).questions()) == 2


def test_the_hubs_rows_are_asked_and_judged_by_letter():
    rows = ListedRows(
        "hub:lmms-lab/ai2d",
        [
            {"question": f"What is {i}?", "options": list("wxyz"), "answer": str(i),
             "image": picture(size=(3 + i, 2))}
            for i in range(4)
        ],
        [f", row {i}" for i in range(4)],
    )  # fmt: skip
    assert SPEC.read_rows is not None
    questions, images = SPEC.read_rows(rows)
    assert [q.answer for q in questions] == [0, 1, 2, 3]
    assert [images.open(q.image or "").width for q in questions] == [3, 4, 5, 6]
    lines = [*lines_of(questions[:3], right, "letter_llava")]
    lines += lines_of(questions[3:], wrong, "letter_llava")
    assert SPEC.task("").metrics(lines)["overall"]["accuracy"]["value"] == 0.75


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"correctAnswer": 4}, "correctAnswer=4: expected the place of an option, 0 to 3"),
        ({"correctAnswer": True}, "correctAnswer=true"),
        ({"answerTexts": ["leaf"]}, "answerTexts=.*2 to 26 options"),
        ({"abcLabel": "no"}, 'abcLabel="no": expected true or false'),
        ({"questionId": ""}, 'questionId=""'),
    ],
)
def test_a_question_that_is_wrong_is_named(tmp_path, change, says):
    asked = {"Which part drinks?": question(1) | change}
    with pytest.raises(ValueError, match=rf"7\.png\.json: .*Which part drinks.*{says}"):
        SPEC.task(str(folder(tmp_path, asked))).questions()


def test_what_is_missing_is_told(tmp_path):
    where = folder(tmp_path)
    (where / "images" / "7.png").unlink()
    with pytest.raises(ValueError, match="2 of 2 questions have no image"):
        SPEC.task(str(where)).questions()
    (where / "ai2d_test_ids.csv").write_text("123")
    with pytest.raises(ValueError, match="has no question about a diagram"):
        SPEC.task(str(where)).questions()
    (where / "ai2d_test_ids.csv").unlink()
    with pytest.raises(ValueError, match=r"ai2d_test_ids\.csv"):
        SPEC.task(str(where)).questions()


@pytest.mark.parametrize(
    "text", [None, {"T0": {"rectangle": [[1, 2]], "replacementText": "A"}}, {"T0": {}}, {"T0": 3}]
)
def test_letters_that_cannot_be_placed_name_the_annotation(tmp_path, text):
    where = folder(tmp_path)
    task = SPEC.task(str(where))
    image = task.questions()[1].image
    (where / "annotations" / "7.png.json").write_text(json.dumps({"text": text}))
    with pytest.raises(ValueError, match=r"annotations/7\.png\.json"):
        task.images.open(image or "")
    (where / "annotations" / "7.png.json").unlink()
    with pytest.raises(ValueError, match=r"annotations/7\.png\.json does not exist"):
        task.images.open(image or "")


def test_a_damaged_diagram_is_an_error_of_its_questions_alone(tmp_path):
    where = folder(tmp_path)
    task = SPEC.task(str(where))
    (where / "images" / "7.png").write_bytes(b"no picture")
    for one in task.questions():
        assert isinstance(task.images.digest(one.image or ""), str)
        with pytest.raises(UnreadableImageError, match=r"7\.png"):
            task.images.open(one.image or "")
