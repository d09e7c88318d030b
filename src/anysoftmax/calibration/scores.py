"""How far probabilities are from what happens, in one number."""

from __future__ import annotations

import math
from typing import Any

from anysoftmax.arrays import Array, as_array, narrow, quiet
from anysoftmax.calibration.reliability import NORMS, reliability
from anysoftmax.calibration.samples import Samples, admit_samples, refuse_no_weight
from anysoftmax.indexing import numbered
from anysoftmax.summation import stable_sum
from anysoftmax.targets import weighed

__all__ = ["brier_score", "calibration_error"]


def calibration_error(
    probs: Any,
    labels: Any,
    /,
    *,
    norm: str = "l1",
    n_bins: int = 15,
    strategy: str = "uniform",
    axis: int = -1,
    classwise: bool = False,
    sample_weights: Any = None,
) -> Array:
    r"""Tell how far a classifier's confidence is from how often it is right.

    With :math:`W_b`, :math:`c_b` and :math:`a_b`, the weight, the mean confidence and the accuracy
    of the bins of `reliability`, and :math:`W = \sum_b W_b`,

    .. math::

        \mathrm{l1} = \sum_b \frac{W_b}{W} \lvert a_b - c_b \rvert, \qquad
        \mathrm{l2} = \sqrt{\sum_b \frac{W_b}{W} (a_b - c_b)^2}, \qquad
        \max = \max_{b: W_b > 0} \lvert a_b - c_b \rvert.

    The first is known as the expected calibration error (ECE), the last as the maximum calibration
    error (MCE).

    Parameters
    ----------
    probs : array of shape (..., n, ...), or nested lists of numbers
        Probabilities of the n classes; see `reliability`.
    labels : array of integers
        The right classes, from 0 to n - 1, of the shape of `probs` without `axis`.
    norm : {"l1", "l2", "max"}, default "l1"
        How the gaps of the bins are put together: see above.
    n_bins : int, default 15
        How many bins, 1 or more.
    strategy : {"uniform", "quantile"}, default "uniform"
        Where they end, as for `reliability`.
    axis : int, default -1
        The axis of the classes.
    classwise : bool, default False
        Whether every class is looked at, not only the winner.
    sample_weights : number or array, optional
        :math:`w_s \ge 0`; broadcasts to the shape of `labels`.

    Returns
    -------
    array
        Without dimension, from 0 to 1: 0-d, or class-wise one number a class, shape (n,). Of the
        library, device and floating dtype of `probs`.

    Raises
    ------
    TypeError, IndexError, ValueError
        As for `reliability`; ValueError if the norm is unknown.

    See Also
    --------
    reliability : The bins; ``reliability(...).error(norm=...)`` is the same, of streamed samples.
    brier_score : A score without bins.

    Notes
    -----
    *Special values*: where traced or lazy samples break a rule, or weigh nothing, the error is NaN.

    *Accuracy*: within 1e-15 of the exact error in float64, and 1e-6 in float32, for the samples
    that the tests draw; sums are kept in float64 where the library has it.

    *Gradient*: none, as of `reliability`.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities
       using Bayesian binning", AAAI (2015). https://doi.org/10.1609/aaai.v29i1.9602
    .. [2] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML (2017). https://arxiv.org/abs/1706.04599
    .. [3] J. Nixon et al., "Measuring calibration in deep learning", CVPR workshops (2019).
       https://arxiv.org/abs/1904.01685

    Examples
    --------
    Half of the samples of which it is 75 % sure are right, all of which it is sure:

    >>> import numpy as np
    >>> from anysoftmax.calibration import calibration_error
    >>> probs = np.array([[0.75, 0.25], [0.75, 0.25], [0.0, 1.0], [0.0, 1.0]])
    >>> labels = np.array([0, 1, 1, 1])
    >>> calibration_error(probs, labels)
    array(0.125)
    >>> calibration_error(probs, labels, norm="max")
    array(0.25)
    """
    if type(norm) is not str or norm not in NORMS:
        raise ValueError(f"norm={norm!r} is unknown: use one of {NORMS}")
    bins = reliability(
        probs,
        labels,
        n_bins=n_bins,
        strategy=strategy,
        axis=axis,
        classwise=classwise,
        sample_weights=sample_weights,
    )
    return bins.error(norm=norm)


def brier_score(probs: Any, labels: Any, /, *, axis: int = -1, sample_weights: Any = None) -> Array:
    r"""Tell how far probabilities are from what happened: the mean squared distance.

    .. math::

        B = \frac{1}{\sum_s w_s} \sum_s w_s \sum_i (p_{si} - [t_s = i])^2

    for the samples s with probabilities :math:`p_s`, a label :math:`t_s` and a weight :math:`w_s`.
    It is a proper score: smallest on average for the true probabilities. Brier's own form is used,
    from 0 to 2; for two classes it is twice the score that looks at one of them.

    Parameters
    ----------
    probs : array of shape (..., n, ...), or nested lists of numbers
        Probabilities of the n classes; see `reliability`.
    labels : array of integers
        The right classes, from 0 to n - 1, of the shape of `probs` without `axis`.
    axis : int, default -1
        The axis of the classes.
    sample_weights : number or array, optional
        :math:`w_s \ge 0`; broadcasts to the shape of `labels`. A sample of weight 0 contributes
        nothing, whatever it holds.

    Returns
    -------
    array
        0-d, without dimension, from 0 (each label was sure) to 2 (each label was thought
        impossible, and another class sure), of the library, device and floating dtype of `probs`.

    Raises
    ------
    TypeError, IndexError, ValueError
        As for `reliability`.

    See Also
    --------
    calibration_error : Whether confidences are right, whatever they are good for.
    anysoftmax.cross_entropy : The other usual proper score.

    Notes
    -----
    *Special values*: where traced or lazy samples break a rule, or weigh nothing, the score is NaN.

    *Accuracy*: the relative error is at most 2e-15 in float64, and 2e-6 in float32, for the samples
    that the tests draw. The score of a sure winner keeps its digits.

    *Gradient*: :math:`\partial B / \partial p_{si} = 2 w_s (p_{si} - [t_s = i]) / \sum_s w_s`, by
    the automatic differentiation of the array's library.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review 78 (1950).
       https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    Examples
    --------
    >>> from anysoftmax.calibration import brier_score
    >>> brier_score([[0.75, 0.25], [0.0, 1.0]], [0, 1])
    array(0.0625)
    """
    s = admit_samples(probs, labels, axis, sample_weights)
    refuse_no_weight(s)
    xp = s.xp
    with quiet(xp):
        distances = _distances(s)
        every = tuple(range(distances.ndim))
        total = stable_sum(xp, weighed(xp, s.weights, distances), every)
        weight = stable_sum(xp, s.spread_weights(distances), every)
        weight = xp.where(weight == 0, math.nan, weight)  # which Dask would warn of later
        score = s.or_nan(xp.reshape(total / weight, ()))
        return as_array(narrow(xp, score, s.dtype))


def _distances(s: Samples) -> Array:
    """Return the squared distance of each sample; the axis of classes stays as length 1."""
    xp, p = s.xp, s.cleaned(s.probs)
    right = numbered(xp, p, (s.axis,)) == s.labels
    from_label = xp.where(right, p - 1.0, p)
    return stable_sum(xp, from_label * from_label, (s.axis,))
