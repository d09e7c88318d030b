"""Finding the temperature at which labels are likeliest, and telling when there is none.

The search is done with NumPy's numbers, whatever library the logits are from, or with JAX's
placeholders where they are traced. Of the logits it is given two sums at a time.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from anysoftmax.admission import Admitted
from anysoftmax.arrays import (
    Array,
    DType,
    Namespace,
    array_namespace,
    at_hand,
    concrete,
    constant,
    default_integer,
    dtype_name,
    widest,
)
from anysoftmax.calibration.likelihood import (
    Evidence,
    Sums,
    add_up,
    every,
    look_at,
    loss_at,
    moments,
    uneven,
)
from anysoftmax.calibration.place import first_sample, name_of
from anysoftmax.calibration.search import begin, go_on
from anysoftmax.calibration.weight import refuse_infinite, refuse_zero
from anysoftmax.differentiation import either, is_traced
from anysoftmax.targets import Targets

__all__ = ["STATUSES", "find_temperature"]

STATUSES = ("converged", "separable", "uninformative", "undefined")
CONVERGED, SEPARABLE, UNINFORMATIVE, UNDEFINED = range(4)

FAR = 2.0**10  # times the largest gap: rounding may hide that the likelihood still grows there
RANGE = 2.0**30  # times the largest gap: at such a temperature a label is as likely as any other
MANY = 2**13  # samples: on a part of them alone a first estimate is worth its cost
PART = 16  # one of so many
ESTIMATE = 1e-2  # relative change of the temperature that ends the search for one
# That ends the search for the optimum: the error is about the square of it.
LAST = {"float32": 1e-4, "float64": 1e-7}


def find_temperature(a: Admitted, targets: Targets) -> tuple[Array, ...]:
    """Return the optimum, its inverse, the losses before and after, the steps and the status."""
    samples, found = look_at(a, targets)
    xp, values = _numbers(found)
    sums = Sums(*values)
    if not is_traced(found):
        _refuse_labels(a, targets)
        _refuse_sums(samples, sums)
    t, steps = _search(xp, samples, sums)
    code = _judge(xp, samples, sums, t)
    limits = xp.where(code == SEPARABLE, 0.0, xp.where(code == UNINFORMATIVE, math.inf, math.nan))
    t = xp.where(code == CONVERGED, t, limits)
    temperature = _in_library(a, t, a.work)
    loss = _number(loss_at(a, targets, temperature))
    integer = default_integer(a.xp, a.logits)
    return (
        temperature,
        _in_library(a, 1.0 / t, a.work),
        _in_library(a, sums.loss / sums.weight, a.work),
        _in_library(a, loss / sums.weight, a.work),
        _in_library(a, steps, integer),
        _in_library(a, code, integer),
    )


def _search(xp: Namespace, samples: Evidence, sums: Sums) -> tuple[Array, Array]:
    """Return the optimum, at most at the ceiling, and how many steps led there."""
    ceiling = _ceiling(xp, sums)
    t = xp.minimum(0.0 * sums.gap + 1.0, ceiling)
    steps = 0
    for part, dtype, tolerance in _stages(samples):
        gap = sums.gap if part is samples else _number(add_up(part.a, part.gaps))
        search = begin(xp, t)
        # Where every label is a winner's, there is no optimum to search for.
        search = search._replace(change=xp.where(gap > 0, search.change, 0.0))
        derivatives = partial(_derivatives, part, gap, dtype)
        search = go_on(xp, search, derivatives, ceiling=ceiling, tolerance=tolerance)
        t, steps = search.temperature, steps + search.steps
    return t, steps


def _ceiling(xp: Namespace, sums: Sums) -> Array:
    """Return the temperature above which none is told from infinity."""
    return xp.minimum(RANGE * sums.largest_gap, float(xp.finfo(sums.gap.dtype).max))


def _stages(samples: Evidence) -> list[tuple[Evidence, DType, float]]:
    """Return which samples to search, in which dtype, and until when."""
    a = samples.a
    last = widest(a.xp, a.logits, a.work)
    stages = [(samples, last, LAST.get(dtype_name(a.work), LAST["float64"]))]
    if last != a.work:
        stages.insert(0, (samples, a.work, ESTIMATE))
    if concrete(a.logits) is not None and math.prod(samples.weights.shape) >= MANY:
        stages.insert(0, (every(samples, PART), a.work, ESTIMATE))
    return stages


def _derivatives(samples: Evidence, gap: Array, dtype: DType, t: Array) -> tuple[Array, Array]:
    """Return those of the likelihood by the logarithm of the inverse temperature."""
    _, (mean, variance) = _numbers(moments(samples, _in_library(samples.a, t, dtype)))
    return mean + gap / t, variance


def _judge(xp: Namespace, samples: Evidence, sums: Sums, t: Array) -> Array:
    """Return the code of the status."""
    a = samples.a

    def grows_for_ever() -> Array:
        # At the optimum the slope is a difference of sums that may agree in all their digits.
        dtype = widest(a.xp, a.logits, a.work)
        slope, _ = _derivatives(samples, sums.gap, dtype, _ceiling(xp, sums))
        return slope >= 0

    def says_nothing() -> Array:
        return _number(uneven(samples)) == 0

    no = xp.zeros_like(sums.gap, dtype=bool)
    winners_all, far = sums.gap == 0, t > FAR * sums.largest_gap
    unbounded = either(winners_all, says_nothing, lambda: either(far, grows_for_ever, lambda: no))
    code = xp.where(winners_all, SEPARABLE, CONVERGED)
    code = xp.where(unbounded, UNINFORMATIVE, code)
    return xp.where(xp.isfinite(sums.gap) & (sums.say > 0), code, UNDEFINED)


def _numbers(x: Array) -> tuple[Namespace, Array]:
    """Return the elements of a short array, and the namespace to compute with them.

    They are NumPy's numbers, whatever library they come from, unless JAX traces them.
    """
    if is_traced(x):
        return array_namespace(x), x
    x = at_hand(x)
    return np, np.asarray([float(x[i]) for i in range(x.shape[0])])


def _number(x: Array) -> Array:
    """Return the value of a 0-d array in the same way."""
    return _numbers(x[None])[1][0]


def _in_library(a: Admitted, value: Array, dtype: DType) -> Array:
    """Return a number as an array like the logits."""
    if is_traced(value):
        return a.xp.astype(value, dtype)
    return constant(a.xp, value.item(), dtype, a.logits)


def _refuse_labels(a: Admitted, targets: Targets) -> None:
    """Raise where a label is out of range that was not at hand before."""
    marks = targets.label_weights  # NaN where it is
    if marks is not None and bool(at_hand(a.xp.any(a.xp.isnan(marks)))):
        classes = a.logits.shape[a.axes[0]]
        raise IndexError(
            f"a label is out of range for {classes} classes: use 0 to {classes - 1}; to leave"
            " samples out, give them sample_weights of 0"
        )


def _refuse_sums(samples: Evidence, sums: Sums) -> None:
    """Raise where the samples leave no likelihood to look at."""
    refuse_infinite(sums.weight)
    refuse_zero(sums.weight)
    if math.isnan(sums.gap):
        raise ValueError(
            "logits must not be NaN, nor so large that their differences overflow, nor may more"
            f" than one of a sample be +inf{_first_bad(samples)}; leave such samples out by"
            " sample_weights of 0"
        )
    if math.isinf(sums.gap):
        raise ValueError("the logits are too large: the gaps of their labels have no finite sum")
    if sums.say == 0:
        raise ValueError(
            "no label is possible: the logit of each is -inf, or masked, or another is +inf"
        )


def _first_bad(samples: Evidence) -> str:
    """Tell the first sample that has no loss, where it is at hand."""
    if concrete(samples.gaps) is None:
        return ""
    index = first_sample(samples.a.xp.isnan(samples.gaps), samples.a.axes[0])
    return f": {name_of(index)}" if index else ""
