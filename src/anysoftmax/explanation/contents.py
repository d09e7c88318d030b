"""What every form of an explanation shows: some of the classes, and words for what is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from anysoftmax.explanation.labels import printable
from anysoftmax.explanation.numerals import as_decimal, as_decimals, as_share

if TYPE_CHECKING:
    from anysoftmax.explanation.record import Explanation

__all__ = ["STEPS", "Contents", "contents_of"]

STEPS = ("Logits", "Exponentials", "Shares")

MOST_CLASSES = 20  # more than this would scroll the steps out of sight
CLASSES_OF_MANY = 15


class Contents(NamedTuple):
    """An explanation in words, one entry of each list for a class that is shown."""

    title: str
    classes: list[int]  # their places in the record
    labels: list[str]
    logits: list[str]
    shifted: list[str]
    exponentials: list[str]
    shares: list[str]
    total: str
    given: str  # what is done to get the logits,
    shifting: list[str]  # the shifted ones,
    raising: str  # the exponentials,
    dividing: str  # and the shares
    summed: str  # what the total is of, where not of all that is shown
    others: str  # who is not shown, and their share together
    others_share: float
    note: str


def contents_of(explanation: Explanation) -> Contents:
    """Return what is shown: of more than 20 classes only the 15 largest."""
    count = len(explanation.logits)
    classes = _classes_to_show(explanation.logits)
    hidden = count - len(classes)
    temperature = as_decimal(explanation.temperature)
    *logits, peak = as_decimals([*_at(classes, explanation.logits), _peak(explanation.logits)])
    total = as_share(explanation.total)
    shifting = [f"subtract the largest logit, {peak}"]
    if explanation.temperature != 1:
        shifting.append(f"divide by the temperature, {temperature}")
    return Contents(
        title=f"Softmax of {_scores(count)} in three steps, temperature {temperature}",
        classes=classes,
        labels=[printable(explanation.labels[i]) for i in classes],
        logits=logits,
        shifted=as_decimals(_at(classes, explanation.shifted)),
        exponentials=[as_share(e) for e in _at(classes, explanation.exponentials)],
        shares=[as_share(p) for p in _at(classes, explanation.shares)],
        total=total,
        given="the scores as they come"
        + (f" (the {len(classes)} largest of {count})" if hidden else ""),
        shifting=shifting,
        raising="take exp",
        dividing=f"divide by the total, {total}",
        summed=f"all {count}" if hidden else "",
        others=f"the other {hidden} together" if hidden else "",
        others_share=_share_of_others(explanation.shares, classes),
        note=_note(explanation),
    )


def _classes_to_show(logits: Sequence[float]) -> list[int]:
    """Choose every class, in order, or the largest of very many, largest (and NaN) first."""
    if len(logits) <= MOST_CLASSES:
        return list(range(len(logits)))
    order = sorted(range(len(logits)), key=lambda i: (not math.isnan(logits[i]), -logits[i]))
    return order[:CLASSES_OF_MANY]


def _at(places: Sequence[int], values: Sequence[float]) -> list[float]:
    return [values[i] for i in places]


def _scores(count: int) -> str:
    return "1 score" if count == 1 else f"{count} scores"


def _peak(logits: Sequence[float]) -> float:
    return math.nan if any(math.isnan(x) for x in logits) else max(logits)


def _share_of_others(shares: Sequence[float], classes: Sequence[int]) -> float:
    shown = set(classes)
    return math.fsum(p for i, p in enumerate(shares) if i not in shown)


def _note(explanation: Explanation) -> str:
    """Say why shares are unknown, or what a limit means, where a reader would wonder."""
    logits = explanation.logits
    if any(math.isnan(x) for x in logits):
        return "A score is NaN (not a number), so no share is known."
    if logits.count(math.inf) > 1:
        return "Several scores are infinite: how they share is undefined."
    if max(logits) == math.inf:
        return "A score is infinite: it takes all, whatever the others and the temperature."
    if max(logits) == -math.inf:
        return "Every score is -inf: there is nothing to share."
    if explanation.temperature == 0:
        ties = logits.count(max(logits))
        who = "largest score takes" if ties == 1 else f"{ties} largest scores share"
        return f"Temperature 0 is the limit in which the {who} all."
    if explanation.temperature == math.inf:
        return "Temperature inf is the limit in which all finite scores share alike."
    return ""
