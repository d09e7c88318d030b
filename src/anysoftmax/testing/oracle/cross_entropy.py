"""Exact cross-entropy with every option, and its exact derivatives.

For one slice, with L_i = -log p_i, P the classes that take part (left in by the mask, and not
-inf), n their number, e the label smoothing, c the class weights and s the sample's weight::

    labels t           l = s [(1 - e) c_t L_t  +  e / n sum_{i in P} c_i L_i]
    probabilities q    l = s [sum_i (1 - e) c_i q_i L_i  +  e / n sum_{i in P} c_i L_i]

Written l = sum_i k_i L_i, the derivatives are those of the log-softmax that receives the cotangents
-k; a class outside of P has none. The mean is sum l / W, where W is the sum of s c_t for labels and
of s for probabilities; it is 0, with derivatives 0, if W is.

A coefficient of 0 takes its term out, be it infinite or NaN: a slice of weight 0, or a label of
weight 0 without smoothing, counts 0 whatever it holds. A class that does not take part has L = inf,
as every class of a slice has in which none does. A label out of range that counts gives NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from anysoftmax.testing.oracle.exact import (
    INF,
    NAN,
    ONE,
    PRECISE,
    ZERO,
    Axis,
    Exact,
    ExactArray,
    axis_numbers,
    exact,
    normalise,
    roundings,
)
from anysoftmax.testing.oracle.gradients import normalise_gradients, slice_indices
from anysoftmax.testing.oracle.terms import Scaled, Terms, nothing, stacked

__all__ = ["cross_entropy", "cross_entropy_grad", "cross_entropy_gradients"]

Index = tuple[int, ...]


def cross_entropy(x: Any, targets: Any, **options: Any) -> Scaled:
    """Return the exact cross-entropy of logits and targets.

    Parameters
    ----------
    x : array
        The logits.
    targets : array
        Labels if they are integers, of the shape of the slices; else probabilities, of the shape
        of `x`.
    **options
        `axis`, `temperature`, `where`, `class_weights`, `sample_weights`, `label_smoothing` and
        `reduction`, as for the public function.

    Returns
    -------
    Scaled
        One value for each slice if `reduction` is "none", else a single one.

    Examples
    --------
    >>> loss = cross_entropy([[0.0, 0.0], [700.0, 0.0]], [0, 0], reduction="none")
    >>> [float(value) for value in loss.value]
    [0.6931471805599453, 9.85967654375977e-305]
    """
    return _Batch(x, targets, **options).loss()


def cross_entropy_grad(x: Any, targets: Any, **options: Any) -> Scaled:
    """Return the exact derivative of cross-entropy by the logits, of their shape.

    With ``reduction="none"`` it is that of each slice's own loss.

    Examples
    --------
    >>> gradient = cross_entropy_grad([[0.0, 0.0]], [0])
    >>> [float(value) for value in gradient.value[0]]
    [-0.5, 0.5]
    """
    return _Batch(x, targets, **options).by_logits(1)["x"]


def cross_entropy_gradients(
    x: Any, targets: Any, cotangent: Any = 1, **options: Any
) -> dict[str, Scaled]:
    """Return the exact derivatives of cross-entropy by everything that is not an integer.

    Parameters
    ----------
    x, targets, **options
        As for `cross_entropy`; at the temperatures 0 and inf all derivatives count as 0.
    cotangent : number or array
        The derivative of something by the result, of the shape of the result.

    Returns
    -------
    dict
        By ``"x"``; by ``"temperature"`` and ``"sample_weights"``, one entry for each slice; by
        ``"class_weights"``, of the shape of one slice; and by ``"y"``, the probabilities. Infinite
        for a probability or weight whose class has none itself, NaN where the loss is NaN.

    Examples
    --------
    >>> by = cross_entropy_gradients([[0.0, 0.0]], [[1.0, 0.0]])
    >>> [float(value) for value in by["y"].value[0]]  # -log p
    [0.6931471805599453, 0.6931471805599453]
    """
    batch = _Batch(x, targets, **options)
    gradients = batch.by_logits(cotangent) | batch.by_weights(cotangent)
    return gradients if batch.labelled else gradients | {"y": batch.by_probabilities(cotangent)}


@dataclass(frozen=True)
class _Sample:
    """One slice with its target.

    Attributes
    ----------
    indices : list
        Where its elements stand in the logits, in row-major order.
    inside : list
        The positions, within the slice, of the classes that take part.
    parts : tuple of two dicts
        The target's and the smoothing's share in the coefficients by position: k without s and c.
    weight : exact number
        s.
    importance : exact number
        What a weight of 1 adds to W: c_t or 1.
    label : int or None
        The position of the target; None for probabilities.
    astray : bool
        Whether the label names no class.
    """

    indices: list[Index]
    inside: list[int]
    parts: tuple[dict[int, Exact], dict[int, Exact]]
    weight: Exact
    importance: Exact
    label: int | None
    astray: bool


class _Batch:
    """Logits and targets, taken apart into samples."""

    def __init__(
        self,
        x: Any,
        targets: Any,
        *,
        axis: Axis = -1,
        temperature: Any = 1.0,
        where: Any = None,
        class_weights: Any = None,
        sample_weights: Any = None,
        label_smoothing: float = 0.0,
        reduction: str = "mean",
    ) -> None:
        self.logits, goals = np.asarray(x), np.asarray(targets)
        self.options: dict[str, Any] = {"axis": axis, "temperature": temperature, "where": where}
        self.known = normalise(self.logits, **self.options)
        self.labelled = goals.dtype.kind in "iu"
        self.smoothing = PRECISE.mpf(label_smoothing)
        self.reduction = reduction
        axes = axis_numbers(axis, self.logits.ndim)
        self.shape = tuple(n for i, n in enumerate(self.logits.shape) if i not in axes)
        self.classes = tuple(n for i, n in enumerate(self.logits.shape) if i in axes)
        self.c = exact(
            np.broadcast_to(1.0 if class_weights is None else class_weights, self.classes)
        ).ravel()
        weights = np.broadcast_to(1.0 if sample_weights is None else sample_weights, self.shape)
        self.samples = list(self._samples(goals, exact(weights).ravel()))
        self.total_weight = PRECISE.fsum(
            sample.weight * sample.importance for sample in self.samples if sample.weight != 0
        )

    def _samples(self, goals: Any, weights: ExactArray) -> Iterator[_Sample]:
        """Yield the slices with their coefficients, in the order of the labels."""
        mask = self.options["where"]
        taking_part = np.broadcast_to(True if mask is None else mask, self.logits.shape)
        logits, e = exact(self.logits), self.smoothing
        goals = goals.ravel() if self.labelled else exact(goals)
        slices = slice_indices(self.logits.shape, self.options["axis"])
        for number, (indices, s) in enumerate(zip(slices, weights, strict=True)):
            inside = [k for k, i in enumerate(indices) if taking_part[i] and logits[i] != -INF]
            spread = {k: e / len(inside) for k in inside}
            label = int(goals[number]) if self.labelled else None
            astray = label is not None and not 0 <= label < len(indices)
            importance = ONE
            if label is None:
                fitted = {k: (1 - e) * goals[i] for k, i in enumerate(indices)}
            else:
                fitted = {} if astray else {label: 1 - e}
                importance = NAN if astray else self.c[label]
            yield _Sample(
                indices,
                inside,
                (fitted, spread),
                s,
                importance,
                label,
                astray,
            )

    # --- values ---------------------------------------------------------------------------------

    def loss(self) -> Scaled:
        """Return the loss, reduced."""
        if self.reduction == "none":
            return stacked([self._of_sample(sample) for sample in self.samples]).reshape(self.shape)
        return stacked([self._sum()]).reshape(())

    def _sum(self) -> Terms:
        """Return the sum or the mean."""
        result = Terms()
        for sample in self.samples:
            result.join(self._of_sample(sample), self._share())
        return result

    def _share(self) -> Exact:
        """Return the factor of each slice's loss in the result; 0 where W is."""
        if self.reduction != "mean":
            return ONE
        return 1 / self.total_weight if self.total_weight != 0 else ZERO

    def _of_sample(self, sample: _Sample, weight: Exact | None = None) -> Terms:
        """Return one slice's loss, of another weight if one is given."""
        loss = Terms()
        s = sample.weight if weight is None else weight
        if s == 0:
            return loss
        if sample.astray:
            loss.add(NAN, ZERO)
            return loss
        if self.smoothing != 0 and not sample.inside:
            loss.add(INF, ZERO)  # what is spread over nothing
        for part in sample.parts:
            for k, coefficient in part.items():
                self._add(loss, sample, k, s * self.c[k] * coefficient)
        return loss

    def _add(self, terms: Terms, sample: _Sample, k: int, coefficient: Exact) -> None:
        """Add a multiple of L of one class; 0 times anything is 0."""
        i = sample.indices[k]
        if coefficient != 0:
            surprisal = -self.known.log_softmax[i] if sample.inside else INF
            distance = roundings(self.known.temperature[i]) * self.known.log_distance[i]
            terms.add(coefficient * surprisal, distance)
            # The surprisal may be lost, and the product.
            terms.lose(1 + abs(coefficient))

    # --- derivatives ----------------------------------------------------------------------------

    def _cotangents(self, cotangent: Any) -> Iterator[tuple[_Sample, Exact]]:
        """Yield the samples, each with the derivative of something by its own loss."""
        upstream = np.broadcast_to(exact(cotangent), self.shape).ravel()
        for sample, g in zip(self.samples, upstream, strict=True):
            yield sample, g * self._share() if sample.weight != 0 else ZERO

    def by_logits(self, cotangent: Any) -> dict[str, Scaled]:
        """Return the derivatives by the logits and by the temperature of each slice."""
        fitted, spread = (self._of_log_softmax(cotangent, part) for part in (0, 1))
        by, other = (
            normalise_gradients("log_softmax", self.logits, g, **self.options)
            for g in (fitted, spread)
        )
        by = {name: by[name] + other[name] for name in by}
        zero, unknown = Terms(), Terms()
        unknown.add(NAN, ZERO)
        for number, (sample, upstream) in enumerate(self._cotangents(cotangent)):
            places = [sample.indices[k] for k in sample.inside]
            idle = all(fitted[i] == 0 and spread[i] == 0 for i in places)
            for k, i in enumerate(sample.indices):
                if idle or k not in sample.inside:
                    by["x"].put(i, zero)
            if idle:
                by["temperature"].put(number, zero)
            if sample.astray and upstream != 0:
                by["temperature"].put(number, unknown)
                for i in places:
                    by["x"].put(i, unknown)
        return by

    def _of_log_softmax(self, cotangent: Any, part: int) -> ExactArray:
        """Return the cotangents that one part of the coefficients gives to the log-softmax."""
        g = nothing(self.logits.shape).value
        for sample, upstream in self._cotangents(cotangent):
            for k in sample.inside:
                coefficient = sample.parts[part].get(k, ZERO)
                g[sample.indices[k]] = -upstream * sample.weight * self.c[k] * coefficient
        return g

    def by_probabilities(self, cotangent: Any) -> Scaled:
        """Return the derivatives by the probabilities, where these are the targets."""
        by = nothing(self.logits.shape)
        for sample, upstream in self._cotangents(cotangent):
            for k, i in enumerate(sample.indices):
                entry = Terms()
                coefficient = upstream * sample.weight * (1 - self.smoothing) * self.c[k]
                self._add(entry, sample, k, coefficient)
                by.put(i, entry)
        return by

    def by_weights(self, cotangent: Any) -> dict[str, Scaled]:
        """Return the derivatives by the weights of classes and of samples."""
        mean = self._sum() if self.reduction == "mean" else Terms()
        by_class = [Terms() for _ in self.c]
        by_sample = [Terms() for _ in self.samples]
        for entry, (sample, upstream) in zip(by_sample, self._cotangents(cotangent), strict=True):
            entry.join(self._of_sample(sample, ONE), upstream)
            entry.join(mean, -upstream * sample.importance)
            for part in sample.parts:
                for k, coefficient in part.items():
                    self._add(by_class[k], sample, k, upstream * sample.weight * coefficient)
            if sample.label is not None and not sample.astray:
                by_class[sample.label].join(mean, -upstream * sample.weight)
        return {
            "class_weights": stacked(by_class).reshape(self.classes),
            "sample_weights": stacked(by_sample),
        }
