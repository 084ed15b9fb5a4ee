"""Whether an answer says yes, by the rule of the benchmark that asked: POPE's and MME's.

Both rules are those of the published scoring code, since the published numbers come from it, with
one difference: an answer that says nothing that can be read is None (invalid), not a "yes" or a
wrong answer like others.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"\w")
_FIRST = 4  # characters that MME looks at


def pope_says_yes(answer: str) -> bool | None:
    """POPE's rule (AoiDragon/POPE, evaluate.py): no if the first sentence has "no" or "not".

    The sentence ends at the first full stop, commas go, and whatever is not a no is a yes: a
    description that names the thing says that it is there. The published code splits at blanks
    alone and knows "No", "no" and "not"; here other white space and case are no difference either.

    None: the first sentence has no letter or digit; the published code calls that a yes.
    """
    sentence = answer.strip().split(".")[0].replace(",", "")
    if not _WORD.search(sentence):
        return None
    words = sentence.lower().split()
    return "no" not in words and "not" not in words


def mme_says_yes(answer: str) -> bool | None:
    """MME's rule (its eval_tool, calculation.py): "yes" or else "no" in the first four characters.

    In any case, within words too ("nothing" says no). None: neither is there, which the published
    code calls "other", right in no case.
    """
    first = answer.lower()[:_FIRST]
    if "yes" in first:
        return True
    return False if "no" in first else None
