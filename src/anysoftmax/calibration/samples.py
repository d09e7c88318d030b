"""The border of the measures of calibration: probabilities, labels and weights that fit together.

What is concrete is checked and refused; of what is traced or lazy it is kept in mind that it may
be wrong, so that results become NaN.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from anysoftmax.admission import Admitted, admit, admit_array, in_working_dtype
from anysoftmax.arrays import (
    Array,
    DType,
    Namespace,
    array_namespace,
    concrete,
    describe,
    dtype_name,
    is_floating,
    is_integral,
    quiet,
    smallest,
)
from anysoftmax.calibration.place import first_sample, name_of
from anysoftmax.calibration.weight import refuse_infinite, refuse_zero
from anysoftmax.cuts import spread
from anysoftmax.reductions import largest
from anysoftmax.summation import stable_sum
from anysoftmax.targets import Targets, admit_labels

TOLERANCE = 1e-3  # how far from 1 the probabilities of a sample may sum
TOLERANCES = {"bfloat16": 2.0**-7}  # whose own rounding is more than that
HALF_STEP = {"float16": 2.0**-25}  # what each subnormal probability may be rounded by


class Samples(NamedTuple):
    """Probabilities and what belongs to them, each with the axis of classes in its place.

    `probs` are in the dtype of the work, `dtype` is what they came in. The axis of classes of all
    others has length 1: the `labels`, which are within the range of classes; the `peaks`, the
    largest probabilities; `weights`, None if all count 1. Samples that are not to count have the
    weight 0, and may hold anything. `wrong`, 0-d, tells whether a sample that ought to count
    breaks a rule; None if none does.
    """

    xp: Namespace
    probs: Array
    labels: Array
    peaks: Array
    weights: Array | None
    wrong: Array | None
    axis: int
    dtype: DType

    def cleaned(self, values: Array) -> Array:
        """Return values, 0 in samples that don't count."""
        if self.weights is None:
            return values
        return self.xp.where(self.weights == 0, self.xp.zeros_like(values), values)

    def spread_weights(self, values: Array) -> Array:
        """Return the weights in the shape of values of the samples."""
        if self.weights is None:
            return self.xp.ones_like(values)
        return spread(self.xp, self.weights, values)

    def or_nan(self, values: Array) -> Array:
        """Return values, all NaN if a sample breaks a rule."""
        return values if self.wrong is None else self.xp.where(self.wrong, math.nan, values)


def admit_samples(probs: Any, labels: Any, axis: Any, sample_weights: Any) -> Samples:
    """Check the arguments of a measure and bring them into one form."""
    array = _admit_probs(probs)
    if axis is None or isinstance(axis, tuple):
        raise TypeError(f"axis must be an int, the one axis of classes: got {describe(axis)}")
    a = admit(array, axis=axis)
    if a.lone or a.logits.shape[a.axes[0]] == 0:
        raise ValueError(
            f"probs must have an axis of classes, of length 1 or more: got {describe(array)}"
        )
    xp = a.xp
    _refuse_label_shape(array, labels, a.axes[0])
    targets = admit_labels(a, labels, sample_weights)
    refuse_infinite(_total(targets.sample_weights) * _repeats(a, targets.sample_weights))
    with quiet(xp):
        return _checked(a, targets)


def _checked(a: Admitted, targets: Targets) -> Samples:
    """Return the samples; raise if some are known to break a rule."""
    xp, p = a.xp, in_working_dtype(a)
    peaks = largest(xp, p, a.axes)
    least = xp.min(p, axis=a.axes, keepdims=True)
    # Lazy arrays would warn of infinities of both signs when nobody keeps them quiet.
    totals = stable_sum(xp, xp.abs(p) if concrete(p) is None else p, a.axes)
    name, classes = dtype_name(a.dtype), p.shape[a.axes[0]]
    tolerance = TOLERANCES.get(name, TOLERANCE) + HALF_STEP.get(name, 0.0) * classes
    good = (least >= 0) & (peaks <= 1) & (xp.abs(totals - 1.0) <= tolerance)

    weights = targets.sample_weights
    wrong = ~good if weights is None else (~good & (weights != 0)) | ~(weights >= 0)
    if _refuse_probs(wrong, p, a.axes[0], tolerance) and _are_known(targets.label_weights):
        return Samples(xp, p, targets.labels, peaks, weights, None, a.axes[0], a.dtype)
    if targets.label_weights is not None:
        wrong = wrong | xp.isnan(targets.label_weights)
    return Samples(xp, p, targets.labels, peaks, weights, xp.any(wrong), a.axes[0], a.dtype)


def refuse_no_weight(s: Samples) -> None:
    """Raise where there is no sample, or none that counts."""
    if 0 in s.probs.shape:
        raise ValueError(f"there are no samples: probs have shape {tuple(s.probs.shape)}")
    refuse_zero(_total(s.weights))


def _repeats(a: Admitted, weights: Array | None) -> float:
    """Return how many samples share a weight, 1 if it is not known."""
    lengths = [n for i, n in enumerate(a.logits.shape) if i not in a.axes]
    if weights is None or not all(isinstance(n, int) for n in (*lengths, *weights.shape)):
        return 1.0
    return float(math.prod(lengths) / max(1, math.prod(weights.shape)))


def _total(weights: Array | None) -> float:
    """Return the sum of weights, 1 if it is not known."""
    known = None if weights is None else concrete(weights)
    if known is None or smallest(known) is None:
        return 1.0
    with quiet(array_namespace(known)):
        return float(array_namespace(known).sum(known))


def _admit_probs(probs: Any) -> Array:
    array = admit_array(probs, "probs")
    if not (is_floating(array.dtype) or is_integral(array_namespace(array), array.dtype)):
        raise TypeError(
            f"probs must be real numbers from 0 to 1: got {describe(array)}; pass the"
            " probabilities of all classes, for example softmax(logits)"
        )
    return array


def _refuse_label_shape(probs: Array, labels: Any, axis: int) -> None:
    """Raise unless there is one label a sample; unknown lengths get the benefit of the doubt."""
    array = admit_array(labels, "labels")
    if not is_integral(array_namespace(array), array.dtype):
        return  # which is refused for that, as one-hot rows are
    given, shape = tuple(array.shape), tuple(probs.shape)
    wanted = shape[:axis] + shape[axis + 1 :]
    known = all(isinstance(n, int) for n in (*given, *wanted))
    if len(given) != len(wanted) or (known and given != wanted):
        raise ValueError(
            f"labels of shape {given} don't match probs of shape {shape} with the classes along"
            f" axis {axis}: give one class number a sample, shape {wanted}; of two classes, probs"
            " must hold both probabilities"
        )


def _are_known(label_weights: Array | None) -> bool:
    """Tell whether all labels are known to be classes: what is concrete has been checked."""
    return label_weights is None or concrete(label_weights) is not None


def _refuse_probs(wrong: Array, p: Array, axis: int, tolerance: float) -> bool:
    """Raise if a sample has no probabilities; return whether there was an answer."""
    xp = array_namespace(wrong)
    known = concrete(wrong)
    if known is None:
        return False
    lowest = smallest(array_namespace(known).astype(~known, array_namespace(known).int8))
    if lowest is None:
        return False
    if lowest == 0:
        index = first_sample(wrong, axis)
        row = p[(*index[:axis], slice(None), *index[axis:])]
        low, high, total = (float(f(row)) for f in (xp.min, xp.max, xp.sum))
        raise ValueError(
            f"probs must be from 0 to 1, not NaN, and sum to 1 within {tolerance:.3g} for each"
            f" sample: {name_of(index)} has {low:.9g} to {high:.9g}, with the sum {total:.6g}; turn"
            " logits into probabilities by softmax, and leave samples out by sample_weights of 0"
        )
    return True
