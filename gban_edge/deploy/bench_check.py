"""Are the answers right? Nothing is timed before this is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gban_edge.deploy.bench_protocols import Answer, Call

# The greatest difference of a probability that a precision may make.
POLICY = {"fp32": 1e-5, "fp16": 5e-3, "int8": 6e-2}
ITSELF = "its own second calls"


def check_answers(
    calls: Sequence[Call], reference: Sequence[Call] | None, precision: str, backend: str,
    right: str = ITSELF,
) -> dict[str, Any]:  # fmt: skip
    """Compare the answers of ``calls`` with those of ``reference``, or with their own when called
    again.

    Args:
        calls, reference: of the same utterances, in the same order.
        precision: "fp32", "fp16" or "int8"; its limit is in :data:`POLICY`.
        backend, right: names for people: who answers, and what is right.

    Returns:
        ``against``, ``utterances``, ``greatest_difference`` and ``limit`` (of a probability),
        ``other_labels``: of how many utterances the most probable class is another.

    Raises:
        RuntimeError: a probability that is not finite, or a difference above the limit.
        ValueError: the two answer with different classes.
    """
    limit, greatest, others = POLICY[precision], 0.0, 0
    answers = [call() for call in calls]
    expected = [call() for call in (calls if reference is None else reference)]
    for i, (got, want) in enumerate(zip(answers, expected, strict=True)):
        difference = _difference(got, want, f"backend {backend}", right)
        if not difference <= limit:
            raise RuntimeError(
                f"backend {backend} answers wrongly: a probability of utterance {i} differs by "
                f"{difference:.2g} from {right}, above {limit:g} for {precision}; not timed"
            )
        greatest = max(greatest, difference)
        others += _label(got) != _label(want)
    return {
        "against": right,
        "utterances": len(answers),
        "greatest_difference": greatest,
        "limit": limit,
        "other_labels": others,
    }


def _difference(got: Answer, want: Answer, who: str, right: str) -> float:
    """The greatest difference of a probability."""
    if list(got.probabilities) != list(want.probabilities):
        raise ValueError(
            f"{who} answers with the classes {list(got.probabilities)}, {right} with "
            f"{list(want.probabilities)}; the reference must be the same model"
        )
    for whose, answer in ((who, got), (right, want)):
        if not all(map(math.isfinite, answer.probabilities.values())):
            raise RuntimeError(f"{whose} gives probabilities that are not finite; not timed")
    return max(abs(got.probabilities[k] - p) for k, p in want.probabilities.items())


def _label(answer: Answer) -> str:
    return max(answer.probabilities, key=answer.probabilities.__getitem__)
