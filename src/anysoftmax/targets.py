"""The border of the losses: what logits are compared with, and what each comparison weighs."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from anysoftmax.admission import (
    Admitted,
    admit_array,
    admit_companion,
    admit_real,
    is_number,
    require_broadcast,
    require_known_classes,
)
from anysoftmax.arrays import (
    Array,
    Namespace,
    array_namespace,
    concrete,
    constant,
    default_integer,
    describe,
    dtype_name,
    is_floating,
    is_integral,
    narrow,
    smallest,
)
from anysoftmax.cuts import cut_alike, spread
from anysoftmax.devices import length_across
from anysoftmax.indexing import pick
from anysoftmax.reductions import any_of


class Targets(NamedTuple):
    """Targets and weights that fit the logits; axes of classes have length 1 where there are none.

    Either `labels` are given, each within the range of classes, or `probabilities`. The weights are
    those of the classes, of each label's class (NaN where a label that counts names none) and of
    the slices. These and the smoothing are None where they change nothing.
    """

    labels: Array | None
    probabilities: Array | None
    class_weights: Array | None
    label_weights: Array | None
    sample_weights: Array | None
    smoothing: Array | None

    @property
    def weighed_probabilities(self) -> Array:
        """Return the probabilities times the weights of their classes."""
        xp = array_namespace(self.probabilities)
        return weighed(xp, self.class_weights, self.probabilities)

    @property
    def totals(self) -> Array | None:
        """Return what each slice counts in a mean, None if all count 1."""
        if self.label_weights is None:
            return self.sample_weights
        return weighed(array_namespace(self.labels), self.sample_weights, self.label_weights)

    def idle(self, xp: Namespace, axes: tuple[int, ...]) -> Array | None:
        """Tell which slices contribute nothing, None if all may."""
        if self.smoothing is not None:
            weights = self.sample_weights
        elif self.labels is not None:
            unweighed = self.class_weights is None and self.sample_weights is None
            weights = None if unweighed else self.totals
        else:
            nothing = ~any_of(xp, self.weighed_probabilities != 0, axes)
            return nothing if self.sample_weights is None else nothing | (self.sample_weights == 0)
        return None if weights is None else weights == 0


def weighed(xp: Namespace, weights: Array | None, values: Array) -> Array:
    """Multiply by weights: 0 times infinity or NaN is 0. No weights stand for 1."""
    if weights is None:
        return values
    taken_out = (weights == 0) & ~(xp.abs(values) < math.inf)
    return weights * xp.where(taken_out, 0.0, values)


def admit_targets(
    a: Admitted,
    targets: Any,
    class_weights: Any,
    sample_weights: Any,
    label_smoothing: Any,
    *,
    name: str = "targets",
) -> Targets:
    """Check the targets of admitted logits and bring them into one form."""
    xp = a.xp
    of_slices = None if sample_weights is None else _admit_sample_weights(a, sample_weights)
    of_classes = None if class_weights is None else _admit_class_weights(a, class_weights)
    smoothing = _admit_smoothing(a, label_smoothing)
    given = admit_array(targets, name)
    if not is_integral(array_namespace(given), given.dtype):
        probabilities = _admit_probabilities(a, targets, given)
        of_slices = None if of_slices is None else _as_slices(a, of_slices)
        return Targets(None, probabilities, of_classes, None, of_slices, smoothing)

    labels, valid = _admit_labels(a, targets, given, sample_weights, of_slices, name=name)
    labels = _as_slices(a, labels)
    of_slices = None if of_slices is None else _as_slices(a, of_slices)
    of_labels = None
    if of_classes is not None:
        of_labels = pick(xp, spread(xp, of_classes, a.logits), labels, a.axes)
    if valid is not None:
        if of_labels is None:
            of_labels = xp.ones_like(labels, dtype=a.work)
        missing = ~_as_slices(a, valid)
        missing = missing if of_slices is None else missing & (of_slices != 0)
        of_labels = xp.where(missing, math.nan, of_labels)
    return Targets(labels, None, of_classes, of_labels, of_slices, smoothing)


def admit_labels(a: Admitted, labels: Any, sample_weights: Any) -> Targets:
    """Check labels of admitted logits, where probabilities would not do."""
    given = admit_array(labels, "labels")
    if not is_integral(array_namespace(given), given.dtype):
        raise TypeError(
            f"labels must be class numbers, of an integer dtype: got {describe(labels)};"
            " take the argmax of one-hot rows, and cast numbers that came as floating ones"
        )
    return admit_targets(a, labels, None, sample_weights, 0.0, name="labels")


def _admit_probabilities(a: Admitted, targets: Any, given: Array) -> Array:
    if not is_floating(given.dtype):
        raise TypeError(
            "targets must be class numbers (integers) or probabilities (of a floating dtype):"
            f" got {describe(targets)}"
        )
    require_known_classes(a)
    probabilities = admit_companion(a.xp, "targets", targets, a.logits, a.work)
    shape = tuple(a.logits.shape[:-1] if a.lone else a.logits.shape)
    _require_shape(
        probabilities, shape, "one probability a logit; class numbers must be of an integer dtype"
    )
    if a.lone:
        probabilities = a.xp.expand_dims(probabilities, axis=-1)
    return cut_alike(narrow(a.xp, probabilities, a.work), a.logits)


def _admit_labels(
    a: Admitted,
    targets: Any,
    given: Array,
    sample_weights: Any,
    of_slices: Array | None,
    *,
    name: str,
) -> tuple[Array, Array | None]:
    """Return labels within the range of classes, and which were so, None if all are known to be."""
    xp = a.xp
    dtype, read = default_integer(xp, a.logits), None
    if isinstance(targets, (int, list, tuple)):
        read = given
        outside = (read < -(2**31)) | (read >= 2**31)  # not to be cast; no class has such a number
        given = constant(
            xp, array_namespace(read).where(outside, -1, read).tolist(), dtype, a.logits
        )
    labels = admit_companion(xp, name, given, a.logits)
    meaning = "one class number a slice of the logits"
    if tuple(labels.shape) == tuple(a.logits.shape):
        meaning += " (one-hot rows must be of a floating dtype)"
    _require_shape(labels, _slices(a), meaning, name)
    require_known_classes(a)
    count = length_across(math.prod([a.logits.shape[i] for i in a.axes]), a.axes)

    # Numbers in a list are known even where the library makes traced or lazy arrays of them.
    known, weights = (read if read is not None else concrete(labels)), None
    if of_slices is not None:
        weights = concrete(of_slices)
        if weights is None and (
            is_number(sample_weights) or isinstance(sample_weights, (list, tuple))
        ):
            weights = admit_array(sample_weights)
    if known is not None and (of_slices is None or weights is not None):
        _refuse_wrong_labels(known, weights, count)
        if of_slices is None and (read is not None or smallest(known) is not None):
            return xp.astype(labels, dtype), None
    labels = xp.astype(labels, dtype)  # what wraps here becomes negative
    valid = (labels >= 0) & (labels < count)
    return xp.where(valid, labels, xp.zeros_like(labels)), valid


def _refuse_wrong_labels(labels: Array, weights: Array | None, count: int) -> None:
    xp = array_namespace(labels)
    numbers = xp.astype(labels, xp.int64)  # a small dtype may not hold the number of classes
    wrong = (numbers < 0) | (numbers >= count)
    if weights is not None:
        wrong = wrong & (weights != 0)
    if smallest(xp.astype(~wrong, xp.int8)) == 0:
        place = int(xp.argmax(xp.reshape(xp.astype(wrong, xp.int8), (-1,))))
        first = int(xp.reshape(xp.broadcast_to(labels, wrong.shape), (-1,))[place])
        allowed = f"use 0 to {count - 1}" if count else "the axis of the classes is empty"
        raise IndexError(
            f"class number {first} is out of range for {count} classes: {allowed};"
            " to leave slices out, give them sample_weights of 0"
        )


def _admit_class_weights(a: Admitted, class_weights: Any) -> Array:
    xp = a.xp
    weights, least = admit_real(xp, "class_weights", class_weights, a.logits, a.work)
    _require_weights("class_weights", class_weights, least)
    shape = tuple(a.logits.shape[i] for i in sorted(a.axes))  # as the classes are numbered
    if not (a.lone and weights.ndim == 0):
        _require_shape(weights, shape, "one weight a class", "class_weights")
    kept = [n if i in a.axes else 1 for i, n in enumerate(a.logits.shape)]
    return cut_alike(xp.reshape(weights, tuple(kept)), a.logits)


def _admit_sample_weights(a: Admitted, sample_weights: Any) -> Array:
    if (
        not is_number(sample_weights)
        and dtype_name(admit_array(sample_weights, "sample_weights").dtype) == "bool"
    ):
        given = admit_companion(a.xp, "sample_weights", sample_weights, a.logits)
        sample_weights = a.xp.astype(given, a.work)
    weights, least = admit_real(a.xp, "sample_weights", sample_weights, a.logits, a.work)
    _require_weights("sample_weights", sample_weights, least)
    slices = _slices(a)
    require_broadcast(
        "sample_weights",
        weights,
        slices,
        " (one weight a slice)",
        remedy="give it the shape of the logits without the axis of the classes",
    )
    return weights


def _admit_smoothing(a: Admitted, smoothing: Any) -> Array | None:
    if is_number(smoothing) and smoothing == 0:
        return None
    e, least = admit_real(a.xp, "label_smoothing", smoothing, a.logits, a.work)
    if e.ndim:
        raise ValueError(
            f"label_smoothing must be one number: got {describe(smoothing)};"
            " mix the targets yourself if it differs among slices"
        )
    if least is not None and not 0 <= least <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1: got {describe(smoothing)}")
    return e


def _require_weights(name: str, given: Any, least: float | None) -> None:
    if least is not None and least < 0:
        raise ValueError(
            f"{name} must be 0 or more: got {describe(given)}, negative ones among them"
        )


def _require_shape(
    array: Array, target: tuple[int, ...], meaning: str, name: str = "targets"
) -> None:
    """Raise unless an array has a shape; unknown lengths get the benefit of the doubt."""
    shape = tuple(array.shape)
    pairs = zip(shape, target, strict=False)
    unknown = [n for n in (*shape, *target) if not isinstance(n, int)]
    if len(shape) != len(target) or not (unknown or all(a == b for a, b in pairs)):
        raise ValueError(f"{name} must have the shape {target}, {meaning}: got {describe(array)}")


def _slices(a: Admitted) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(a.logits.shape) if i not in a.axes)


def _as_slices(a: Admitted, array: Array) -> Array:
    """Return an array of the slices, cut as they are, with length 1 along the classes' axes."""
    missing = a.logits.ndim - len(a.axes) - array.ndim
    index: list[slice | None] = []
    for axis in range(a.logits.ndim):
        new = axis in a.axes or missing > 0
        missing -= new and axis not in a.axes
        index.append(None if new else slice(None))
    # By an index, as Dask can where lengths are unknown.
    return cut_alike(array[tuple(index)], a.logits)
