"""Location phrases: the original's rules on golden parses, and the fallback parser on answers."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from golden_files import each_golden
from hypothesis import given, settings
from hypothesis import strategies as st
from phrase_answers import DEVELOPMENT, HELD_OUT

from seal.text import phrases
from seal.text.parse import parse
from seal.text.phrases import extract_phrase, location_text
from seal.text.tag import Token


def golden_tokens(case):
    """A golden parse as tokens of its text, joined by spaces."""
    tokens, start = [], 0
    for word in case["tokens"]:
        tokens.append(Token(word["text"], word["pos"], word["dep"], word["head"], start))
        start += len(word["text"]) + 1
    return " ".join(token.text for token in tokens), tokens


@pytest.mark.goldens("splits")
def test_chunks_of_explicit_parses_equal_the_original():
    for case in each_golden("splits", "noun_chunks"):
        text, tokens = golden_tokens(case)
        spans = phrases.noun_chunks(tokens)
        assert [list(span) for span in spans] == case["per_token"], text
        assert [list(span) for span in phrases.longest_chunks(spans)] == case["filtered"], text
        assert phrases.chunk_texts(text, tokens) == case["texts"]


@pytest.mark.goldens("splits")
def test_overlapping_chunks_are_settled_as_in_the_original():
    for case in each_golden("splits", "filter_chunk_list"):
        spans = [tuple(span) for span in case["chunks"]]
        assert [list(span) for span in phrases.longest_chunks(spans)] == case["out"], case


@pytest.mark.parametrize(
    ("answer", "target", "text"),
    [
        ("The cup is most likely to appear on the table.", "cup", "on the table"),
        ("It is most likely to appear on the shelf.  ", "cup", "on the shelf"),
        ("I think the dog could be on the bench.", "dog", " could be on the bench"),
        ("The dog is most likely to appear next to the dog shop.", "dog", " shop"),
        ("a most likely to appear b most likely to appear on it", "cup", "on it"),
        ("The bus is most likely to appear on the busy street.", "bus", "on the busy street"),
        ("", "cup", ""),
    ],
)
def test_the_text_after_the_marker_and_the_last_mention(answer, target, text):
    assert location_text(answer, target) == text


def agreement(entries):
    """Share of entries whose phrase is the expected one, and the others."""
    missed = []
    for target, place, expected in entries:
        answer = f"The {target} is most likely to appear {place}."
        text = location_text(answer, target)
        phrase = phrases.phrase_from_chunks(text, phrases.chunk_texts(text, parse(text)))
        if phrase != expected:
            missed.append((place, expected, phrase))
    return 1 - len(missed) / len(entries), missed


def test_the_fallback_agrees_with_hand_written_phrases_on_held_out_answers():
    # 157 of 160 when written (0.98); the floor leaves room for other versions of the word list.
    share, missed = agreement(HELD_OUT)
    assert len(HELD_OUT) >= 100
    assert share >= 0.95, missed


def test_the_fallback_agrees_on_the_answers_it_was_written_for():
    share, missed = agreement(DEVELOPMENT)
    assert share >= 0.98, missed


def test_held_out_answers_were_not_seen_in_development():
    places = [place for _, place, _ in DEVELOPMENT]
    repeated = [place for _, place, _ in HELD_OUT if place in places]
    # Some of the shortest answers ("on the wall") are anybody's.
    assert len(repeated) <= len(HELD_OUT) * 0.1, repeated


VOCABULARY = """on in near of with next to and or , . 's ' the a her his it who that where man men
table side left two one red parked wearing standing is Tom full together far inside because"""
words = st.sampled_from(VOCABULARY.split())


@given(st.lists(words, max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_parse_is_one_tree_whatever_the_words(parts):
    text = " ".join(parts)
    tokens = parse(text)
    roots = {i for i, token in enumerate(tokens) if token.head == i}
    assert len(roots) == min(len(tokens), 1)
    for i in range(len(tokens)):
        for _ in tokens:
            i = tokens[i].head
        assert i in roots
    for token in tokens:
        assert text[token.start :].startswith(token.text)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_answer_gives_a_phrase(answer):
    phrase, extractor = extract_phrase(answer, "cup")
    assert isinstance(phrase, str)
    assert extractor in ("spacy", "fallback")


@pytest.fixture
def fresh_choice():
    phrases.choose_parser.cache_clear()
    yield
    phrases.choose_parser.cache_clear()


def fake_spacy(has_model):
    def word(text, pos, dep, head, start):
        return SimpleNamespace(
            text=text, pos_=pos, dep_=dep, head=SimpleNamespace(i=head), idx=start
        )

    def model(text):
        assert text == "on the shelf"
        return [
            word("on", "ADP", "ROOT", 0, 0),
            word("the", "DET", "det", 2, 3),
            word("shelf", "NOUN", "pobj", 0, 7),
        ]

    util = SimpleNamespace(is_package=lambda name: has_model and name == "en_core_web_sm")
    return SimpleNamespace(util=util, load=lambda name: model)


@pytest.mark.parametrize(("has_model", "extractor"), [(True, "spacy"), (False, "fallback")])
def test_spacy_is_used_where_its_model_is_installed(
    fresh_choice, monkeypatch, has_model, extractor
):
    monkeypatch.setitem(sys.modules, "spacy", fake_spacy(has_model))
    answer = "The cup is most likely to appear on the shelf."
    assert extract_phrase(answer, "cup") == ("shelf", extractor)


def test_without_spacy_the_fallback_says_its_name(fresh_choice, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)  # importing it fails
    assert extract_phrase("It is most likely to appear on the wall", "cup") == ("wall", "fallback")
