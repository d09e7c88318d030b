"""The pitfalls: how slices show each one, from how many on it is one, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from anysoftmax.arrays import Array, array_namespace
from anysoftmax.pitfalls.evidence import Evidence
from anysoftmax.pitfalls.tally import Sign, Tally

__all__ = ["ALONGSIDE", "LIKENESSES", "SIGNS", "Pitfall", "is_normalised"]

# Numbers that chance brings together are no finding.
SOME = 0.25  # of the slices: what has two decimals sums to 1 that often
HALF = 0.5  # of the slices
NEARLY_ALL = 0.9  # of the slices
RARE = 0.1  # of the values
TWICE = 0.99  # of the normalised slices: what softmax makes of probabilities has a sharp bound
FEW = 3  # slices: of fewer all must show it
ENOUGH = 30  # values: so many are not equal, or close together, by chance
MANY = 100  # values that all lie from 0 to 1

PRINTED = 0.000501  # by which a number differs from what three decimals show of it, and a little
MOST_PRINTED = 0.01  # by which a sum of them differs from 1
MOST_PERCENT = 0.003  # and one of percentages, relative to 100: unlike 1 many sums come near it
SLACK = 0.05  # in the bound of softmax of probabilities, for rounded ones


class Pitfall(NamedTuple):
    """A row of the table.

    `shows` tells which slices show it, and `holds` whether so many make a finding, given the
    tally of the slices, and that of those along the other axis of a matrix. Names in braces stand
    in the texts for what `Check` knows.
    """

    name: str
    shows: Sign
    holds: Callable[[Tally, Tally | None], bool]
    message: str
    advice: str


def is_normalised(e: Evidence, n: int, rounding: float) -> Array:
    """Tell which slices are 0 or more and sum to 1, as far as their rounding lets them."""
    return (e.least >= 0) & (abs(e.total - 1) <= _tolerance(n, rounding, MOST_PRINTED))


def _tolerance(n: int, rounding: float, most: float) -> float:
    return max(min(n * PRINTED, most), 2 * rounding)


def _every(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001 - as all signs
    xp = array_namespace(e.least)
    return xp.ones_like(e.least, dtype=xp.bool)


def _has_nan(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return array_namespace(e.least).isnan(e.least)


def _has_infinities(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return (e.infinities > 1) & (e.greatest == math.inf)  # not NaN


def _has_one_infinity(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return (e.infinities == 1) & (e.greatest == math.inf)


def _has_none(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return e.greatest == -math.inf


def _is_constant(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return (e.least == e.greatest) & (abs(e.least) < math.inf)


def _is_one_hot(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return (e.greatest == 1) & (e.zeros == n - 1)


def _is_twice(e: Evidence, n: int, rounding: float) -> Array:
    """Tell which slices softmax may have made of shares, that is of p >= 0 with the sum 1.

    They are exp(p_i) / total, so that the sum of log(x_i / min x) is that of p_i - min p, which
    is at most 1.
    """
    xp = array_namespace(e.least)
    spread = e.logs - n * xp.log(xp.where(e.least > 0, e.least, xp.ones_like(e.least)))
    close = spread <= 1 + SLACK + 2 * n * rounding
    return (e.least > 0) & close & is_normalised(e, n, rounding)


def _is_percentage(e: Evidence, n: int, rounding: float) -> Array:
    return (e.least >= 0) & (abs(e.total / 100 - 1) <= _tolerance(n, rounding, MOST_PERCENT))


def _is_within(e: Evidence, n: int, rounding: float) -> Array:  # noqa: ARG001
    return (e.least >= 0) & (e.greatest <= 1)


def _reaches(name: str, part: float) -> Callable[[Tally, Tally | None], bool]:
    """Return the rule that a part of the slices shows it, or of very few slices all."""

    def holds(t: Tally, across: Tally | None) -> bool:  # noqa: ARG001 - as all rules
        count = t.counts[name]
        return count > 0 and count >= max(part * t.slices, min(FEW, t.slices))

    return holds


def _occurs(name: str) -> Callable[[Tally, Tally | None], bool]:
    return lambda t, across: t.counts[name] > 0


def _constant(t: Tally, across: Tally | None) -> bool:  # noqa: ARG001
    return t.counts["constant"] == t.slices and t.slices > 1 and t.slices * t.length >= ENOUGH


def _probabilities(t: Tally, across: Tally | None) -> bool:
    # Labels, several to a sample, are one-hot here and there.
    soft = t.counts["probabilities"] > t.counts["one-hot"]
    return soft and _reaches("probabilities", SOME)(t, across)


def _twice(t: Tally, across: Tally | None) -> bool:  # noqa: ARG001
    count, normalised = t.counts["softmax-twice"], t.counts["probabilities"]
    most = count >= max(TWICE * normalised, SOME * t.slices) and count * t.length >= ENOUGH
    return most and t.counts["constant"] < t.slices  # which tells nothing


def _wrong_axis(t: Tally, across: Tally | None) -> bool:
    if across is None or min(t.length, across.length) < 2:
        return False
    return across.counts["probabilities"] >= NEARLY_ALL * across.slices


def _sigmoid(t: Tally, across: Tally | None) -> bool:  # noqa: ARG001
    values = t.slices * t.length
    if t.counts["sigmoid"] < t.slices or values < MANY:
        return False
    # Small scores, and shares, don't fill the interval. Scores that a ReLU has cut off have many
    # zeros, but none is 1, except where numbers are coarse.
    filled = t.least < 0.1 and t.greatest > 0.9
    return filled and (t.zeros < RARE * values or (t.greatest == 1 and not t.rounding))


# Found wherever a slice shows them.
ALONGSIDE = (
    Pitfall(
        "nan",
        _has_nan,
        _occurs("nan"),
        "NaN, which makes all shares of a slice NaN",
        "find out where it comes from, or leave it out: where=~isnan(x)",
    ),
    Pitfall(
        "several-infinities",
        _has_infinities,
        _occurs("several-infinities"),
        "+inf more than once: how these share is undefined, so that their shares are NaN",
        "if the logits have overflowed, compute them in a wider dtype",
    ),
    Pitfall(
        "infinite-winner",
        _has_one_infinity,
        _occurs("infinite-winner"),
        "+inf once, which takes all: its share is 1, all others are 0",
        "if this is not meant, the logits have overflowed: compute them in a wider dtype",
    ),
    Pitfall(
        "no-participant",
        _has_none,
        _occurs("no-participant"),
        "nothing but -inf: no class takes part, so that all shares are NaN",
        "leave them out, or pass the mask as where=, which makes their shares 0",
    ),
)

# What the slices look like as a whole: the first that holds is the finding.
LIKENESSES = (
    Pitfall(
        "empty",
        _every,
        lambda t, across: t.slices == 0,
        "nothing to check: the shape is {shape}",
        "pass at least one slice of two logits",
    ),
    Pitfall(
        "one-class",
        _every,
        lambda t, across: t.length == 1,
        "one element to a slice, whose share is 1 whatever it is",
        "choose the axis of the classes; one score that tells two classes apart is for a sigmoid,"
        " and a regression's result for neither",
    ),
    Pitfall(
        "constant",
        _is_constant,
        _constant,
        "equal logits throughout, so that all shares are 1/{n}",
        "look at what makes the logits: a last layer that is untrained, dead or cut off",
    ),
    Pitfall(
        "one-hot",
        _is_one_hot,
        _reaches("one-hot", NEARLY_ALL),
        "one 1 among zeros: labels, decisions, or shares that are rounded to them; softmax makes"
        " shares of at most {largest:.3g} of them",
        "pass the scores that they were made from",
    ),
    Pitfall(
        "softmax-twice",
        _is_twice,
        _twice,
        "numbers of 0 or more with the sum 1, as close together as softmax leaves shares, with a"
        " sum of log(x / min(x)) of at most 1: it seems to have been applied twice",
        "apply softmax once: there may be one in the model and one behind it (scores that hardly"
        " differ look like this after one, too)",
    ),
    Pitfall(
        "probabilities",
        is_normalised,
        _probabilities,
        "numbers of 0 or more with the sum 1: softmax has been applied already, and another one"
        " makes shares of at most {largest:.3g} of them",
        "pass the scores from before, or log(x), whose softmax is x",
    ),
    Pitfall(
        "percentages",
        _is_percentage,
        _reaches("percentages", HALF),
        "numbers of 0 or more with the sum 100: percentages, which softmax takes for scores that"
        " are far apart",
        "pass the scores from before softmax, or log(x), whose softmax is x / 100",
    ),
    Pitfall(
        "wrong-axis",
        _every,
        _wrong_axis,
        "numbers of 0 or more with the sum 1 along axis {other}, not along axis {axis}: softmax"
        " has been applied along the other axis",
        "pass the scores from before softmax, with axis={other}",
    ),
    Pitfall(
        "sigmoid",
        _is_within,
        _sigmoid,
        "numbers from 0 to 1 whose sum is not 1: independent probabilities, labels or scaled data,"
        " of which softmax makes shares of at most {largest:.3g}",
        "pass the scores from before the sigmoid; where several classes can be true at once, stay"
        " with the sigmoid",
    ),
)

SIGNS = {pitfall.name: pitfall.shows for pitfall in ALONGSIDE + LIKENESSES}
