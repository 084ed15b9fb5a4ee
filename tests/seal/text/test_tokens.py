from __future__ import annotations

import pytest

from seal.text.tokens import TOKEN_POLICIES, VisualSizes, choose_tokens


@pytest.mark.parametrize("policy", TOKEN_POLICIES)
def test_without_a_crop_the_image_is_long(policy: str) -> None:
    assert choose_tokens(policy, 0)[0] is True


@pytest.mark.parametrize(
    ("policy", "num_crops", "expected"),
    [
        ("paper_inference", 1, (False, True)),
        ("paper_inference", 2, (False, True)),
        ("paper_inference", 3, (False, False)),
        ("paper_inference", 7, (False, False)),
        ("paper_training", 1, (False, True)),
        ("paper_training", 2, (True, False)),
        ("paper_training", 3, (True, False)),
        ("consistent", 1, (False, True)),
        ("consistent", 2, (False, True)),
        ("consistent", 3, (False, False)),
    ],
)
def test_policies_follow_the_paper(
    policy: str, num_crops: int, expected: tuple[bool, bool]
) -> None:
    assert choose_tokens(policy, num_crops) == expected


def test_an_unknown_policy_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'papper'.*paper_training"):
        choose_tokens("papper", 1)


def test_a_negative_number_of_crops_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        choose_tokens("consistent", -1)


def test_a_picture_needs_a_token() -> None:
    with pytest.raises(ValueError, match="short=-1"):
        VisualSizes(4, -1)
    assert (VisualSizes(8, 2).count(True), VisualSizes(8, 2).count(False)) == (8, 2)
    with pytest.raises(ValueError, match="token_policy=router"):
        VisualSizes(8, 0).count(False)
