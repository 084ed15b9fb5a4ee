"""The router equals AVG-LLaVA's: text it picks, its layer, its scores and their gradients.

Where the original takes masked text tokens before zero rows, ours takes zero rows: there the plain
router of the tests is compared with the original on its own rows, and ours with the plain one.
"""

from __future__ import annotations

import pytest
import torch
from golden_files import counted, golden_json, golden_tensors
from plain_router import most_similar, route

from seal.models.parts.router import Router, RouterConfig

NAMES = {  # the original's -> ours
    "merger.self_attn.in_proj_": "layer.in_proj.",
    "merger.self_attn.": "layer.",
    "merger.": "layer.",
    "router.": "token_scores.",
}
TRAINED = "grad_norms"
STEPS = (9, 97)  # one position of so many is in the set, of small routers and of the full one


def our_name(key):
    for theirs, ours in NAMES.items():
        key = key.replace(theirs, ours)
    return key


def state_of(name):
    """The float64 state of a golden router, under our names."""
    return {
        our_name(key.removeprefix(f"{name}.")): value.double()
        for key, value in golden_tensors("avg/router_state").items()
        if key.startswith(f"{name}.")
    }


class Case:
    """A golden case with its tensors, the plain router's state and ours."""

    def __init__(self, case):
        tensors = golden_tensors("avg/router_cases")
        router = golden_json("avg/router")
        conf, self.heads = router["confs"][case["conf"]], router["heads"]
        self.id, self.case, self.levels = case["id"], case, conf["levels"]
        self.number = conf["text"]
        self.tensor = {
            key.removeprefix(f"{self.id}_"): value
            for key, value in tensors.items()
            if key.startswith(f"{self.id}_")
        }
        self.tiles, self.text = self.tensor["tiles"].float(), self.tensor["text"].float()
        self.mask = self.tensor["mask"].bool()
        self.state = state_of(case["conf"])
        config = RouterConfig(
            text_tokens=self.number, num_heads=self.heads, dropout=0.0, attends="tiles"
        )
        self.router = Router(config, self.levels, conf["width"])
        self.router.load_state_dict({key: value.float() for key, value in self.state.items()})
        # The layer's own output, whichever of tiles and positions it has first.
        self.merged = None
        self.router.layer.register_forward_hook(self._keep)

    def _keep(self, module, inputs, output):
        self.merged = output if output.shape[0] == len(self.tiles) else output.transpose(0, 1)

    def ours(self):
        return self.router(self.tiles, (len(self.tiles),), self.text[None], self.mask[None])

    def plain(self, picked):
        return route(
            self.state, self.levels, self.tiles.double(), self.text.double(), picked,
            num_heads=self.heads, attends="tiles",
        )  # fmt: skip

    def named(self, picked):
        """Rows as the set names them: zero rows -1, of equal rows the first."""
        named = []
        for row in picked:
            if row < 0 or not self.text[row].any():
                named.append(-1)
            else:
                equal = (self.text == self.text[row]).all(1)
                named.append(int(equal.nonzero()[0]))
        return named


def cases(name=None):
    for case in golden_json("avg/router")["cases"]:
        if name is None or name in case:
            yield Case(case)


def close(ours, theirs, atol):
    torch.testing.assert_close(ours.detach().float(), theirs.detach().float(), rtol=0, atol=atol)


@pytest.mark.goldens("avg_router")
def test_the_plain_router_of_the_tests_is_the_originals():
    for case in cases():
        plain = case.plain(case.case["picked"])
        close(plain.before_norm, case.tensor["pre"][0], 1e-4)
        close(plain.scores, case.tensor["post"][0], 1e-5)


@pytest.mark.goldens("avg_router")
def test_the_text_that_is_picked_is_the_originals_unless_that_is_masked():
    for case in counted(cases()):
        theirs = case.case["picked"]
        (picked,) = case.ours().picked.tolist()
        if case.case["masked_picked"]:
            kept = len(theirs) - case.case["masked_picked"]
            assert kept == min(case.case["valid"], len(theirs))
            theirs = theirs[:kept] + [-1] * case.case["masked_picked"]
        assert case.named(picked) == theirs, case.id


@pytest.mark.goldens("avg_router")
def test_the_layer_and_the_scores_are_the_originals():
    compared = 0
    for case in counted(cases()):
        output = case.ours()
        plain = case.plain(output.picked[0].tolist())
        close(output.before_norm[0], plain.before_norm, 1e-3)
        close(output.scores[0], plain.scores, 1e-4)
        if case.case["masked_picked"]:
            continue
        compared += 1
        close(output.before_norm, case.tensor["pre"], 1e-3)
        close(output.scores, case.tensor["post"], 1e-4)
        if case.case["margin"] > 1e-3:
            assert int(output.scores.argmax()) == case.case["chosen"], case.id
            assert case.levels[case.case["chosen"]] == case.case["chosen_level"]
        if "merged_sub" in case.tensor:
            sub = case.tensor["merged_sub"]
            positions, kept = case.merged.shape[1], sub.shape[1]
            every = next(step for step in STEPS if -(-positions // step) == kept)
            close(case.merged[:, ::every], sub, 1e-4)
    assert compared


@pytest.mark.goldens("avg_router")
def test_scores_and_gradients_in_training_are_the_originals():
    compared = 0
    for case in counted(cases(TRAINED)):
        weight = case.tensor["train_weight"]
        case.router.train()
        output = case.ours()
        (output.scores * weight).sum().backward()
        ours = {name: parameter.grad for name, parameter in case.router.named_parameters()}
        for value in case.state.values():
            value.requires_grad_()
        (case.plain(output.picked[0].tolist()).scores * weight).sum().backward()
        for name, value in case.state.items():
            torch.testing.assert_close(ours[name].double(), value.grad, rtol=1e-3, atol=1e-3)
        if case.case["masked_picked"]:
            continue
        compared += 1
        close(output.scores, case.tensor["train_post"], 1e-4)
        assert {our_name(key) for key in case.case[TRAINED]} == ours.keys()
        for key, norm in case.case[TRAINED].items():
            assert float(ours[our_name(key)].norm()) == pytest.approx(norm, rel=1e-3), key
        for key, name, every in (
            ("grad_voter_sub", "voter", 7),
            ("grad_router2", "token_scores.2.weight", 1),
        ):
            theirs = case.tensor[key]
            torch.testing.assert_close(ours[name][::every], theirs, rtol=1e-4, atol=1e-5)
    assert compared


@pytest.mark.goldens("avg_router")
def test_similarities_order_the_text_as_the_originals():
    for case in counted(cases()):
        everything = [True] * len(case.text)
        order = most_similar(case.tiles[0].double(), case.text.double(), everything, len(case.text))
        theirs = case.tensor["similarity"]
        assert (theirs[order].diff() < 1e-6).all(), case.id
