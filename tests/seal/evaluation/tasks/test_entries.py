"""What is wrong in a benchmark is named with file, key and value; what is plainly meant is read."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seal.evaluation.named_tasks import task_named
from seal.evaluation.tasks.entries import image_beside, images_by_stem

RIGHT: dict[str, Any] = {
    "target_object": ["badge"],
    "bbox": [[8, 20, 30, 30]],
    "question": "What is the color of the badge?",
    "options": ["red", "blue"],
}


def questions(folder: Path, content: Any = RIGHT, *, name: str = "a") -> Any:
    path = folder / "direct_attributes" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    if image_beside(path, images_by_stem(path.parent)) is None:
        Image.new("RGB", (640, 480)).save(path.with_name(f"{name}.png"))
    return task_named("vstar_bench").task(str(folder)).questions()


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RIGHT).encode("utf-8-sig"),
        json.dumps(RIGHT, indent=1).replace("\n", "\r\n").encode(),
        json.dumps(RIGHT | {"meta": {}, "more": 1}).encode(),
        json.dumps(RIGHT | {"bbox": [[-8.0, -20, 30, 30]]}).encode(),  # partly outside
    ],
)
def test_what_is_plainly_meant_is_read(tmp_path: Path, content: bytes) -> None:
    (question,) = questions(tmp_path, content)
    assert question.text == RIGHT["question"] and question.options == ("red", "blue")
    assert len(question.targets[0].boxes) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target_object": "badge"}, 'target_object="badge": expected a list of texts'),
        ({"target_object": [""]}, r'target_object=\[""\]: expected a list of texts'),
        ({"bbox": [8, 20, 30, 30]}, "4 bbox"),
        ({"bbox": [["8", "20", "30", "30"]]}, r'bbox=\["8".*as numbers'),
        ({"bbox": [[8, 20, 30, float("nan")]]}, "bbox=.8, 20, 30, NaN.: expected .x, y"),
        ({"bbox": [[8, 20, 30]]}, r"bbox=\[8, 20, 30\]: expected"),
        ({"bbox": [[True, 0, 3, 3]]}, "bbox=.true"),
        ({"bbox": [[8, 20, -3, 30]]}, "of some size"),
        ({"bbox": [[800, 900, 30, 30]]}, "bbox=.800, 900.*inside the image, 640 x 480 pixels"),
        ({"bbox": {"x": 1}}, "bbox=.*expected a list"),
        ({"question": " "}, 'question=" ": expected a text that is not empty'),
        ({"question": 5}, "question=5: expected a text"),
        ({"question": "w" * 5000}, None),
        ({"options": "red, blue"}, 'options="red, blue": expected a list of texts'),
        ({"options": [1, 2]}, r"options=\[1, 2\]: expected a list of texts"),
        ({"options": ["red", ""]}, "options=.*not empty"),
        ({"options": ["red", "red "]}, "two or more different options"),
        ({"options": ["Red", "red"]}, "two or more different options"),
        ({"question": "a\ud800"}, "question=.*found half of one"),
        ({"bbox": [[8, 20, 30, 10**400]]}, "bbox=.*as numbers"),
        ({"options": ["w" * 5000, 1]}, r"\.\.\.: expected a list of texts"),
        ({"meta": 3}, "meta=3: expected an object"),
        ({"meta": {"groups": "home"}}, "meta.groups="),
    ],
)
def test_a_wrong_type_is_named_before_anything_runs(
    tmp_path: Path, change: dict[str, Any], says: str | None
) -> None:
    if says is None:  # long, but a question
        assert len(questions(tmp_path, RIGHT | change)) == 1
        return
    with pytest.raises(ValueError, match=rf"direct_attributes/a\.json: .*{says}") as caught:
        questions(tmp_path, RIGHT | change)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps([RIGHT]).encode(), "expected one object with target_object.*found a list"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (json.dumps(RIGHT | {"question": "ch\u00e2teau?"}, ensure_ascii=False).encode("latin-1"),
         "not UTF-8: byte 0xe2 .*Latin-1"),
        (json.dumps(RIGHT).encode("utf-16"), "UTF-16"),
        (b"version https://git-lfs.github.com/spec/v1\n\xff", "Git LFS pointer"),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_called_so(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(ValueError, match=rf"a\.json.*{says}"):
        questions(tmp_path, content)


@pytest.mark.parametrize("suffix", [".JPEG", ".png", ".JPG", ".Jpg", ".WEBP", ".bmp", ".tif"])
def test_the_image_is_found_whatever_its_suffix_looks_like(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "direct_attributes").mkdir()
    Image.new("RGB", (640, 480)).save(tmp_path / "direct_attributes" / f"\u00e4 [1].v2{suffix}")
    (question,) = questions(tmp_path, name="\u00e4 [1].v2")
    assert question.image == f"direct_attributes/\u00e4 [1].v2{suffix}"


def test_two_images_of_one_name_are_not_guessed_among(tmp_path: Path) -> None:
    questions(tmp_path)
    Image.new("RGB", (100, 100)).save(tmp_path / "direct_attributes" / "a.jpg")
    with pytest.raises(ValueError, match=r"a\.json: which image is meant, a\.jpg or a\.png\?"):
        questions(tmp_path)


def test_what_macos_leaves_beside_a_file_is_no_annotation(tmp_path: Path) -> None:
    (tmp_path / "direct_attributes").mkdir()
    (tmp_path / "direct_attributes" / "._a.json").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    assert [q.id for q in questions(tmp_path)] == ["direct_attributes/a"]


def test_lines_of_the_jsonl_form_are_numbered_and_ids_occur_once(tmp_path: Path) -> None:
    line = {
        "image": "a.png", "text": "Which?\n(A) red\n(B) blue\nAnswer.",
        "category": "direct_attributes", "label": "B", "question_id": 7,
    }  # fmt: skip
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    path = tmp_path / "test_questions.jsonl"
    spec = task_named("vstar_bench")
    path.write_text("\ufeff" + json.dumps(line) + "\n\n", encoding="utf-8")
    assert [(q.id, q.answer) for q in spec.task(str(tmp_path)).questions()] == [("7", 1)]
    for second, says in (
        (line, r':3: question_id="7": expected an id that no other'),
        (line | {"question_id": 8, "label": ""}, ':3: label="": expected the letter'),
        (line | {"question_id": 8, "label": "AB"}, ':3: label="AB": expected the letter'),
        (line | {"question_id": [8]}, r":3: question_id=\[8\]: expected a number or a text"),
        (line | {"question_id": 8, "category": "x" * 999}, ':3: category="x+[.]{3}: expected one'),
        (line | {"question_id": 8, "image": None}, ":3: image=null: expected a text"),
        (line | {"question_id": 8, "text": "(A) red"}, r":3: text=.*a question and options"),
        (line | {"question_id": 8, "category": 3}, ":3: category=3: expected a text"),
    ):
        path.write_text(json.dumps(line) + "\n\n" + json.dumps(second) + "\n")
        with pytest.raises(ValueError, match=f"test_questions.jsonl{says}"):
            spec.task(str(tmp_path)).questions()


WRONG = (None, True, 3, -1.5, "", " ", "x", [], {}, [None], [[]], [""], [3], {"a": 1}, float("nan"))
TYPES = {  # what each key may hold; judged here, not by the code under test
    "target_object": lambda v: (
        isinstance(v, list) and len(v) == 1 and isinstance(v[0], str) and bool(v[0].strip())
    ),
    "bbox": lambda v: v == [None],
    "question": lambda v: isinstance(v, str) and bool(v.strip()),
    "options": lambda v: False,
}


@pytest.mark.parametrize("key", RIGHT)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_any_value_under_any_key_is_read_as_it_is_or_named(
    tmp_path: Path, key: str, value: Any
) -> None:
    if TYPES[key](value):
        assert len(questions(tmp_path, RIGHT | {key: value})) == 1
    else:
        with pytest.raises(ValueError, match=r"direct_attributes/a\.json") as caught:
            questions(tmp_path, RIGHT | {key: value})
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_hundreds_of_damaged_annotations_are_named_or_mean_the_same(tmp_path: Path) -> None:
    """Bytes flipped, cut or repeated: an error that names the file, or a question as it stands."""
    rng = np.random.default_rng(0)
    whole = json.dumps(RIGHT).encode()
    named = 0
    for _ in range(600):
        data = bytearray(whole)
        kind, at = rng.integers(3), int(rng.integers(len(data)))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at:]
        else:
            data[at:at] = data[at : at + int(rng.integers(1, 9))]
        try:
            expected = copy.deepcopy(json.loads(bytes(data)))
        except ValueError:
            expected = None
        try:
            (question,) = questions(tmp_path, bytes(data))
        except ValueError as error:
            assert str(tmp_path / "direct_attributes" / "a.json") in str(error), repr(error)
            assert "\n" not in str(error)
            named += 1
            continue
        assert expected is not None and question.text == expected["question"]
        assert list(question.options) == expected["options"]
        assert [target.name for target in question.targets] == expected["target_object"]
    assert 200 < named < 600
