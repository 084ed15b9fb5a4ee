"""ViCrop's scorers give what the original gave, quirks included; the standard ones do not."""

from __future__ import annotations

import pytest
from golden_files import each_golden, golden_json

from seal.metrics.intervals import mean
from seal.metrics.vicrop_scores import (
    docvqa_credit,
    gqa_credit,
    pope_choice,
    pope_credit,
    vqa_credit,
    vstar_choice,
    vstar_credit,
)

CREDITS = {
    "vqa": lambda row, said: vqa_credit(said, row["labels"]),
    "gqa": lambda row, said: gqa_credit(said, row["labels"]),
    "docvqa": lambda row, said: docvqa_credit(said, row["labels"]),
    "pope": lambda row, said: pope_credit(said, row["labels"]),
    "vstar": lambda row, said: vstar_credit(row["question"], said, row["labels"]),
}


@pytest.mark.goldens("vicrop_scores")
@pytest.mark.parametrize("kind", CREDITS)
def test_credits_and_their_means_are_those_of_the_original(kind):
    credit = CREDITS[kind]
    values = {"original": [], "crop": []}
    for row in each_golden("vicrop/scores", kind):
        for part, into in values.items():
            if "raises" in row:
                with pytest.raises(ValueError, match="option line"):
                    credit(row, row[f"{part}_answer"])
                continue
            into.append(credit(row, row[f"{part}_answer"]))
            assert 100 * into[-1] == pytest.approx(row[f"{part}_score"], abs=1e-9), row
    expected = golden_json("vicrop/scores")["means"][kind]
    for part, of in values.items():
        assert len(of) == expected["rows"]
        assert 100 * (mean(of).value or 0) == pytest.approx(expected[part], abs=1e-9)


@pytest.mark.goldens("vicrop_scores")
@pytest.mark.parametrize("kind", ["pope", "vstar"])
def test_the_candidates_chosen_are_those_of_the_original(kind):
    for row in each_golden("vicrop/scores", kind):
        said = [row["original_answer"], row["crop_answer"]]
        if "chosen" in row and kind == "pope":
            assert [pope_choice(answer) for answer in said] == row["chosen"]
        elif "chosen" in row:
            assert [vstar_choice(row["question"], answer) for answer in said] == row["chosen"]


def test_what_an_empty_answer_earns():
    assert docvqa_credit("", ["anything"]) == 1
    assert pope_credit("", "yes") == 1
    assert vstar_choice("Which?\n(A) red\n(B) blue\nAnswer.", "") == "A"


def test_gqa_counts_every_label_and_a_text_by_its_characters():
    assert gqa_credit("left side", ["left", "left side"]) == 2
    assert gqa_credit("cot", "act") == 3  # "a" is an article, of which nothing is left


def test_option_lines_without_a_letter_are_an_error():
    with pytest.raises(ValueError, match="no option lines"):
        vstar_choice("What color is it?", "red")
    lines = "\n".join(f"({letter}) {letter * 9}" for letter in "ABCDE")
    with pytest.raises(ValueError, match="option line 5 has no letter"):
        vstar_choice(f"Which?\n{lines}\nAnswer.", "(E) EEEEEEEEE")
