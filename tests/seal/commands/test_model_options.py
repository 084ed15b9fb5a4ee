"""Which models a command takes when none is named: those that fit the machine, and it says so."""

from __future__ import annotations

import argparse

import pytest
import torch

from seal.commands.model_options import RELEASED_VQA, RELEASED_VSM, add_models, choose_models
from seal.inference.hub import MINIATURE_VQA, MINIATURE_VSM, is_hub_id, model_folder


def parsed(*given: str, answers: bool = True) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_models(parser, answers=answers)
    return parser.parse_args(given)


@pytest.mark.parametrize(
    ("gpu", "models"),
    [(False, (MINIATURE_VQA, MINIATURE_VSM)), (True, (RELEASED_VQA, RELEASED_VSM))],
)
def test_the_models_that_nobody_named_are_those_that_fit_the_machine(monkeypatch, gpu, models):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    arguments, said = parsed(), []
    choose_models(arguments, said.append)
    assert (arguments.vqa, arguments.vsm) == models
    assert bool(said) != gpu


def test_the_miniature_can_be_asked_for_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    arguments, said = parsed("--miniature"), []
    choose_models(arguments, said.append)
    choose_models(arguments, said.append)  # what was chosen stays
    assert (arguments.vqa, arguments.vsm) == (MINIATURE_VQA, MINIATURE_VSM) and not said


def test_the_miniature_beside_a_named_model_is_refused():
    with pytest.raises(ValueError, match="--miniature names the models, and --vsm else another"):
        choose_models(parsed("--miniature", "--vsm", "else"), print)


@pytest.mark.parametrize("flags", [["--search", "none"], ["--guide", "owlv2"]])
def test_no_search_model_is_chosen_where_none_is_asked(flags):
    arguments = parsed("--vqa", "mine", *flags)
    choose_models(arguments, pytest.fail)
    assert arguments.vsm is None


def test_a_search_alone_needs_no_answer_model():
    arguments = parsed("--miniature", answers=False)
    choose_models(arguments, pytest.fail)
    assert arguments.vqa is None and arguments.vsm == MINIATURE_VSM


@pytest.mark.parametrize("name", [MINIATURE_VQA, MINIATURE_VSM])
def test_the_miniature_ships_with_the_package(name):
    assert (model_folder(name) / "model.safetensors").is_file() and not is_hub_id(name)
