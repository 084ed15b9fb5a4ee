"""The things in a question: those one would look for, named as the question names them.

The table holds for the built-in parser and for spaCy 3.8 with its small English model.
"""

from __future__ import annotations

import json

import pytest
from golden_files import SAMPLES, needs_samples
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.text.phrases import choose_parser
from seal.text.question_things import question_things

QUESTIONS = {
    "What color is the mug?": ["mug"],
    "What is the color of the mug?": ["mug"],
    "Mug color?": ["Mug"],
    "Is the mug left of the boat?": ["mug", "boat"],
    "Is the red car on the left or right side of the truck?": ["red car", "truck"],
    "What is the material of the glove?": ["glove"],
    "What is the color of the motorcycle helmet?": ["motorcycle helmet"],
    "Tell me the color of the woman's handbag.": ["woman's handbag"],
    "What is written on the back of the player's jersey?": ["player's jersey"],
    "How many dogs are there in the picture?": ["dogs"],
    "What does the sign say?": ["sign"],
    "What time does the clock on the tower show?": ["clock", "tower"],
    "Is the dog bigger than the cat?": ["dog", "cat"],
    "Is there a traffic light?": ["traffic light"],
    "Is there a Starbucks cup on the table?": ["Starbucks cup", "table"],
    "What number is on the bus?": ["bus"],
    "What kind of animal is in the image?": ["animal"],
    "Is the umbrella red or blue?": ["umbrella"],
    "Is the cone left of the blue trash can?": ["cone", "blue trash can"],
    "What can the dog see?": ["dog"],
    "Is the man with a cap left of the woman in the red coat?": [
        "man with a cap",
        "woman in the red coat",
    ],
    "What is the dog in the boat with?": ["dog", "boat"],
    "Where is the cat?": ["cat"],
    "Who is wearing a hat?": ["hat"],
    "Are the curtains open or closed?": ["curtains"],
    "Is the mug red?\n(A) the mug is red\n(B) a boat": ["mug"],
    "Is the mug red?\nA. red\nB. blue\nAnswer with the option's letter.": ["mug"],
    "What color is the caf\u00e9 sign?": ["caf\u00e9 sign"],
    "What is it?": [],
    "Is it day?": [],
    # No English: nothing, rather than anything.
    "Welche Farbe hat die Tasse?": [],
    "De quelle couleur est la tasse ?": [],
    "\u8fd9\u4e2a\u676f\u5b50\u662f\u4ec0\u4e48\u989c\u8272\u7684?": [],
    "\u0645\u0627 \u0644\u0648\u0646 \u0627\u0644\u0643\u0648\u0628\u061f": [],
    "": [],
    "?!": [],
}

WORDS = ["what", "color", "is", "the", "mug's", "of", "'s", "a", "red", "boat", "?", ",", "does"]


@pytest.mark.parametrize("question", QUESTIONS, ids=ascii)
def test_a_question_names_what_one_would_look_for(question):
    assert question_things(question) == (QUESTIONS[question], choose_parser()[1])


@needs_samples
def test_the_targets_of_vstar_bench_are_named_as_its_annotators_name_them():
    folder = SAMPLES / "vstar_bench"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    entries = [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))]
    named = [
        target in question_things(entry["question"])[0]
        for entry in entries
        for target in entry.get("target_object", ())
    ]
    assert sum(named) > 0.95 * len(named)  # 238 of 245


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
    )
)
def test_a_thing_stands_in_the_question_and_comes_once(question):
    things, _ = question_things(question)
    assert all(thing and thing in question for thing in things)
    assert len(set(things)) == len(things)
