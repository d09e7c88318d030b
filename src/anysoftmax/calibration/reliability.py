"""How often a classifier is right when it is so sure: bins of confidence that can be added to."""

from __future__ import annotations

import math
from typing import Any, Self

from anysoftmax.arrays import (
    Array,
    Namespace,
    array_namespace,
    as_array,
    concrete,
    describe,
    library_name,
    narrow,
    quiet,
    smallest,
)
from anysoftmax.calibration.binning import (
    Judged,
    admit_edges,
    admit_number,
    admit_strategy,
    edges_of,
    judge,
    sums_of,
)
from anysoftmax.calibration.samples import Samples, admit_samples, refuse_no_weight
from anysoftmax.differentiation import stop_gradient
from anysoftmax.pytrees import register

__all__ = ["NORMS", "Reliability", "reliability"]

NORMS = ("l1", "l2", "max")


class Reliability:
    r"""Samples in bins of confidence: how many, how sure, and how often right.

    `reliability` makes one. It holds sums, so that samples may come in batches and from several
    processes: `update` and `merge` change the object and return it. It can be pickled, and is a
    pytree to JAX if it was made or unpickled with JAX loaded. All arrays are of the library of the
    probabilities.

    Attributes
    ----------
    edges : array of shape (n_bins + 1,), or (n, n_bins + 1) for class-wise quantiles
        Bin b holds the confidences above ``edges[b]`` and up to ``edges[b + 1]``; the first one
        holds 0, too.
    counts : array of integers of shape (n_bins,), class-wise (n, n_bins)
        How many samples are in each bin. Samples of weight 0 don't count.
    weights : array of the shape of `counts`
        What these samples weigh together; equal to `counts` without sample weights.
    confidence : array of the shape of `counts`
        :math:`c_b`, their mean confidence, from 0 to 1; 0 in an empty bin.
    accuracy : array of the shape of `counts`
        :math:`a_b`, the part of them that is right, from 0 to 1; 0 in an empty bin.

    See Also
    --------
    reliability : How confidences are put into bins.
    plot_reliability : The diagram.

    Examples
    --------
    >>> import numpy as np
    >>> from anysoftmax.calibration import reliability
    >>> bins = reliability([[0.8, 0.2], [0.3, 0.7]], [0, 0], n_bins=2)
    >>> bins.update([[0.1, 0.9]], [1]).counts
    array([0, 3])
    >>> bins.accuracy, bins.confidence
    (array([0.        , 0.66666667]), array([0. , 0.8]))
    """

    edges: Array
    counts: Array

    def __init__(
        self, edges: Array, counts: Array, sums: Array, *, axis: int, classwise: bool
    ) -> None:
        self.edges = edges
        self.counts = counts
        self._sums = sums
        self._axis = axis
        self._classwise = classwise
        register(type(self))

    def __repr__(self) -> str:
        kind = ", class-wise" if self._classwise else ""
        return f"<Reliability: {self.counts.shape[-1]} bins of {library_name(self.counts)}{kind}>"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        register(type(self))

    @property
    def weights(self) -> Array:
        """What the samples in each bin weigh together; `counts` without sample weights."""
        return array_namespace(self._sums).asarray(self._sums[..., 0], copy=True)

    @property
    def confidence(self) -> Array:
        """The mean confidence :math:`c_b` in each bin, from 0 to 1; 0 in an empty bin."""
        return self._mean(1)

    @property
    def accuracy(self) -> Array:
        """The part :math:`a_b` of each bin that is right, from 0 to 1; 0 in an empty bin."""
        return self._mean(2)

    def error(self, *, norm: str = "l1") -> Array:
        r"""Return the calibration error of all samples so far.

        Parameters
        ----------
        norm : {"l1", "l2", "max"}, default "l1"
            See `calibration_error`, which has the formulas.

        Returns
        -------
        array
            0-d, or class-wise of shape (n,), from 0 to 1.

        Raises
        ------
        ValueError
            If the norm is unknown.

        Examples
        --------
        >>> from anysoftmax.calibration import reliability
        >>> bins = reliability([[0.8, 0.2], [0.3, 0.7]], [0, 1])
        >>> float(bins.error().round(3)), float(bins.error(norm="max").round(3))
        (0.25, 0.3)
        """
        if type(norm) is not str or norm not in NORMS:
            raise ValueError(f"norm={norm!r} is unknown: use one of {NORMS}")
        xp = array_namespace(self._sums)
        with quiet(xp):
            weights, confidence, hits = (self._sums[..., i] for i in range(3))
            gaps = xp.abs(hits - confidence)  # times what the bin weighs
            divisors = xp.where(weights == 0, 1.0, weights)
            whole = xp.sum(weights, axis=-1)
            whole = xp.where(whole == 0, math.nan, whole)  # which Dask would warn of later
            if norm == "l1":
                error = xp.sum(gaps, axis=-1) / whole
            elif norm == "l2":
                error = xp.sqrt(xp.sum(gaps * (gaps / divisors), axis=-1) / whole)
            else:
                error = xp.max(gaps / divisors, axis=-1)
                error = xp.where(xp.isnan(whole), math.nan, error)
            return as_array(narrow(xp, error, self.edges.dtype))

    def update(self, probs: Any, labels: Any, sample_weights: Any = None) -> Self:
        """Add more samples, and return the object.

        They are put into the bins that there are: quantiles are not taken again. Of no samples
        nothing is added.

        Parameters
        ----------
        probs : array
            Probabilities, as for `reliability`, with the classes along the same axis.
        labels : array of integers
            The right classes.
        sample_weights : number or array, optional
            One for each sample.

        Returns
        -------
        Reliability
            The object itself.

        Raises
        ------
        TypeError, IndexError, ValueError
            As for `reliability`; the object is unchanged then.

        Examples
        --------
        >>> from anysoftmax.calibration import reliability
        >>> bins = reliability([[0.8, 0.2], [0.3, 0.7]], [0, 1], strategy="quantile", n_bins=2)
        >>> bins.edges
        array([0. , 0.7, 1. ])
        >>> bins.update([[0.6, 0.4]], [1]).counts
        array([2, 1])
        """
        samples = _admit(probs, labels, self._axis, sample_weights)
        xp = samples.xp
        self._refuse_library(xp, samples.probs)
        classes = samples.probs.shape[samples.axis]
        if self._classwise and classes != self.counts.shape[0]:
            raise ValueError(
                f"these bins are of {self.counts.shape[0]} classes: got probabilities of {classes}"
            )
        with quiet(xp):
            judged = judge(samples, classwise=self._classwise)
            return self._add(_binned(judged, self.edges, self._axis, classwise=self._classwise))

    def merge(self, other: Reliability) -> Self:
        """Add the samples of another one that has the same edges, and return the object.

        Parameters
        ----------
        other : Reliability
            Stays as it is.

        Returns
        -------
        Reliability
            The object itself.

        Raises
        ------
        TypeError
            If the other is none, or of another library.
        ValueError
            If the edges differ. Where they are traced or lazy, the sums become NaN instead.

        Examples
        --------
        >>> from anysoftmax.calibration import reliability
        >>> one = reliability([[0.8, 0.2], [0.3, 0.7]], [0, 1], strategy="quantile", n_bins=2)
        >>> two = reliability([[0.6, 0.4]], [1], edges=one.edges)
        >>> one.merge(two).counts
        array([2, 1])
        """
        if not isinstance(other, Reliability):
            raise TypeError(f"a Reliability merges with another one: got {describe(other)}")
        xp = array_namespace(self.counts)
        self._refuse_library(array_namespace(other.counts), other.counts)
        shapes = [tuple(r.counts.shape) for r in (self, other)]
        if shapes[0] != shapes[1] or self._classwise != other._classwise:
            raise ValueError(
                f"bins of shapes {shapes[0]} and {shapes[1]} don't merge: use the same n_bins,"
                " classes and classwise= for both"
            )
        if self.edges.dtype != other.edges.dtype:
            raise ValueError(
                f"bins of {self.edges.dtype} and {other.edges.dtype} probabilities don't merge,"
                " their edges are rounded to others: cast the probabilities, or update with them"
            )
        same = self.edges.shape == other.edges.shape
        equal = xp.all(self.edges == other.edges) if same else None
        if equal is None or (
            concrete(equal) is not None and smallest(xp.astype(equal, xp.int8)) == 0
        ):
            raise ValueError(
                "bins of different edges don't merge: quantiles of other samples are others; make"
                " one Reliability, and the next by reliability(..., edges=first.edges)"
            )
        if concrete(equal) is None:
            known = xp.where(equal, other._sums, math.nan)
            other = Reliability(
                other.edges, other.counts, known, axis=other._axis, classwise=other._classwise
            )
        return self._add(other)

    def tree_flatten(self) -> tuple[tuple[Array, ...], tuple[int, bool]]:
        """Return the arrays, and what is fixed when JAX traces a function of them."""
        return (self.edges, self.counts, self._sums), (self._axis, self._classwise)

    @classmethod
    def tree_unflatten(cls, fixed: tuple[int, bool], arrays: tuple[Array, ...]) -> Self:
        """Return what `tree_flatten` has taken apart."""
        axis, classwise = fixed
        return cls(*arrays, axis=axis, classwise=classwise)

    def _add(self, other: Reliability) -> Self:
        self.counts, self._sums = self.counts + other.counts, self._sums + other._sums
        return self

    def _mean(self, which: int) -> Array:
        xp = array_namespace(self._sums)
        weights = self._sums[..., 0]
        empty = weights == 0
        means = xp.where(empty, 0.0, self._sums[..., which] / xp.where(empty, 1.0, weights))
        return narrow(xp, means, self.edges.dtype)

    def _refuse_library(self, xp: Namespace, array: Array) -> None:
        if xp is not array_namespace(self.counts):
            raise TypeError(
                f"these bins are of {library_name(self.counts)}: got {describe(array)};"
                " convert one of the two"
            )


def reliability(
    probs: Any,
    labels: Any,
    /,
    *,
    n_bins: int = 15,
    strategy: str = "uniform",
    axis: int = -1,
    classwise: bool = False,
    sample_weights: Any = None,
    edges: Any = None,
) -> Reliability:
    r"""Put samples into bins by how sure a classifier is, and count how often it is right.

    A sample s has probabilities :math:`p_s`, a label :math:`t_s` and a weight :math:`w_s`. Its
    *confidence* is its largest probability, and it is a *hit* if the first class that has this
    probability is its label. For the bin b, the samples whose confidence is above
    :math:`e_b` and up to :math:`e_{b+1}`,

    .. math::

        W_b = \sum_{s \in b} w_s, \qquad
        c_b = \frac{1}{W_b} \sum_{s \in b} w_s \max_i p_{si}, \qquad
        a_b = \frac{1}{W_b} \sum_{s \in b} w_s [\arg\max_i p_{si} = t_s].

    A calibrated classifier has :math:`a_b \approx c_b` in all bins. Class-wise, the probability of
    each class k is compared with :math:`[t_s = k]`, in bins of its own.

    Parameters
    ----------
    probs : array of shape (..., n, ...), or nested lists of numbers
        Probabilities of the n classes, without dimension, from 0 to 1, of any array library; those
        of a sample sum to 1 within 0.001 (bfloat16: 0.0078).
    labels : array of integers
        The right classes, from 0 to n - 1, of the shape of `probs` without `axis`.
    n_bins : int, default 15
        How many bins, 1 or more.
    strategy : {"uniform", "quantile"}, default "uniform"
        Edges at :math:`b / n_{bins}`, or at values of the data, so that the bins weigh the
        same, as far as equal confidences allow: :math:`e_b` is the smallest confidence such
        that the confidences up to it have at least :math:`b / n_{bins}` of the weight.
        Class-wise each class has quantiles of its own. The first edge is 0, the last 1.
    axis : int, default -1
        The axis of the classes.
    classwise : bool, default False
        Whether every class is looked at, not only the winner.
    sample_weights : number or array, optional
        :math:`w_s \ge 0`; broadcasts to the shape of `labels`. A sample of weight 0 contributes
        nothing, whatever it holds.
    edges : array, optional
        Edges to use instead of `n_bins` and `strategy`: those of another `Reliability`, with which
        the result is to be merged.

    Returns
    -------
    Reliability
        ``edges``, ``counts``, ``confidence``, ``accuracy`` and ``weights``, of the library and on
        the device of `probs`; ``error()``, ``update()`` and ``merge()``.

    Raises
    ------
    TypeError
        If probabilities are not real numbers, or labels no integers; if libraries or devices are
        mixed; for quantiles of samples with weights in a library without ``take_along_axis``.
    IndexError
        If a concrete label of a sample that counts is no class.
    ValueError
        If shapes don't match, concrete probabilities are NaN, out of range or don't sum to 1, there
        is no sample, all weights are 0, or an option is unknown.

    See Also
    --------
    calibration_error : One number.
    plot_reliability : The diagram.
    fit_temperature : What to do about it.

    Notes
    -----
    *Special values*: the confidences 0 and 1 are in the first and in the last bin. Edges are
    rounded to the dtype of `probs`, and one that is equal to a confidence is above it. Where
    traced or lazy samples break a rule, all sums are NaN.

    *Streaming*: ``update`` adds samples to the bins that there are. Quantiles are those of the
    samples that the object was made of: make it of a batch that is like the others, or give
    ``edges`` of your own.

    *Accuracy*: counts are exact. Sums are kept in float64 where the library has it.

    *Gradient*: none; the bins are constants to differentiation.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML (2017). https://arxiv.org/abs/1706.04599
    .. [2] J. Nixon et al., "Measuring calibration in deep learning", CVPR workshops (2019), on
       class-wise bins and quantiles. https://arxiv.org/abs/1904.01685

    Examples
    --------
    >>> import numpy as np
    >>> from anysoftmax.calibration import reliability
    >>> probs = np.array([[0.75, 0.25], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])
    >>> bins = reliability(probs, np.array([0, 1, 1, 1]), n_bins=4)
    >>> bins.counts
    array([0, 1, 2, 1])
    >>> bins.confidence
    array([0.  , 0.5 , 0.75, 1.  ])
    >>> bins.accuracy
    array([0. , 0. , 0.5, 1. ])
    """
    if type(classwise) is not bool:
        raise TypeError(f"classwise must be True or False: got {describe(classwise)}")
    samples = _admit(probs, labels, axis, sample_weights)
    refuse_no_weight(samples)
    with quiet(samples.xp):
        judged = judge(samples, classwise=classwise)
        number, kind = admit_number(n_bins), admit_strategy(strategy)
        if edges is None:
            limits = edges_of(judged, number, kind, classwise=classwise)
        else:
            limits = admit_edges(edges, samples, classwise=classwise)
        return _binned(judged, limits, axis, classwise=classwise)


def _admit(probs: Any, labels: Any, axis: Any, sample_weights: Any) -> Samples:
    s = admit_samples(probs, labels, axis, sample_weights)
    return s._replace(probs=stop_gradient(s.probs), peaks=stop_gradient(s.peaks))


def _binned(judged: Judged, edges: Array, axis: int, *, classwise: bool) -> Reliability:
    counts, sums = sums_of(judged, edges)
    if not classwise:
        counts, sums = counts[0, :], sums[0, :, :]
    return Reliability(edges, counts, sums, axis=axis, classwise=classwise)
