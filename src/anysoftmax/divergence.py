"""Entropy of a softmax, and the divergence of one softmax from another, from their logits."""

from __future__ import annotations

from typing import Any

from anysoftmax.admission import Admitted, admit, admit_pair
from anysoftmax.arrays import Array, as_array, narrow, quiet
from anysoftmax.cuts import spread
from anysoftmax.dispatch import compute
from anysoftmax.operations import ENTROPY, LOG_SOFTMAX, SOFTMAX
from anysoftmax.summation import stable_sum

__all__ = ["entropy", "kl_divergence"]


def entropy(
    logits: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
) -> Array:
    r"""Tell how undecided a softmax is: the entropy of its probabilities.

    .. math::

        H = -\sum_i p_i \log p_i = \log(1 + r) - \frac{\sum_i z_i \exp z_i}{1 + r}, \qquad
        p = \mathrm{softmax}(x / T),

    where :math:`i` runs over one *slice*, the elements along `axis` that take part, and
    :math:`z_i` and :math:`r` are those of `log_softmax`. No term is negative, so that nothing
    cancels.

    Parameters
    ----------
    logits : array of shape (..., n, ...), or nested lists of numbers
        Real scores in nats, of any array library; see `softmax`.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension, as for `softmax`.
    where : boolean array, optional
        True for elements that take part; broadcasts to `logits`.

    Returns
    -------
    array of the shape of `logits` without `axis`
        In nats (divide by log 2 for bits), from 0 to log n, of the library, device and floating
        dtype of `logits`.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`.

    See Also
    --------
    cross_entropy : The same with the probabilities of other logits in the logarithm.
    kl_divergence : Cross-entropy less entropy.

    Notes
    -----
    *Special values*: :math:`0 \log 0` counts 0, so that a single +inf gives 0 and -inf is ignored.
    :math:`T = 0` gives the logarithm of the number of largest logits, :math:`T = \infty` that of
    the number of finite ones. NaN, several +inf, or nothing but -inf give NaN; a slice that is
    empty or masked throughout gives 0.

    *Accuracy*, with :math:`u` the unit roundoff: each term :math:`p_i \log p_i` is known to
    :math:`(16 + m - x_i)\,u`, for :math:`T \ne 1` to :math:`(16 + 2 (m - x_i) / T)\,u`.

    *Gradient*: :math:`\partial H / \partial x_i = -p_i (\log p_i + H) / T`; 0 at masked and -inf
    elements.

    References
    ----------
    .. [1] C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal 27
       (1948). https://doi.org/10.1002/j.1538-7305.1948.tb01338.x

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> asm.entropy(np.array([[0.0, 0.0], [40.0, 0.0]]))
    array([6.93147181e-01, 1.74182524e-16])
    """
    a = admit(logits, axis=axis, temperature=temperature, where=where)
    xp = a.xp
    with quiet(xp):
        h = compute(ENTROPY, a)
    if a.where is not None and 0 not in a.logits.shape:
        present = xp.any(spread(xp, a.where, a.logits), axis=a.axes, keepdims=True)
        h = xp.where(present, h, 0.0)
    return as_array(xp.squeeze(h, axis=a.axes))


def kl_divergence(
    logits_p: Any,
    logits_q: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
) -> Array:
    r"""Tell how far one softmax is from another: what it costs to take q for p.

    .. math::

        D(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i}
            = \sum_i p_i \bigl(\delta_i + \mathrm{e}^{-\delta_i} - 1\bigr), \qquad
        \delta_i = \log p_i - \log q_i,

    with :math:`p = \mathrm{softmax}(x^p / T)` and :math:`q = \mathrm{softmax}(x^q / T)` over one
    *slice*, the elements along `axis` that take part. Both sums are the same, as p and q each sum
    to 1; but the terms of the second are never negative, so that distributions close to each other
    have a divergence with digits, and none is below 0.

    Parameters
    ----------
    logits_p, logits_q : arrays of shape (..., n, ...), or nested lists of numbers
        Real scores in nats, of any array library; see `softmax`. They broadcast against each other.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension, of both, as for `softmax`.
    where : boolean array, optional
        True for elements that take part, of both; broadcasts to the logits.

    Returns
    -------
    array of the shape of the logits without `axis`
        In nats, of the library and device of the logits and the floating dtype that theirs
        promote to.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`; ValueError if the logits do not broadcast against each other.

    See Also
    --------
    entropy : The entropy of p.
    cross_entropy : Their sum, if its targets are p.

    Notes
    -----
    *Special values*: a class that p excludes (probability 0) adds nothing to the first sum; one
    that only q excludes makes the divergence +inf. NaN where either softmax is NaN; a slice that is
    empty or masked throughout gives 0.

    *Accuracy*, with :math:`u` the unit roundoff: the error is at most
    :math:`16 u \sum_i \lvert q_i - p_i \rvert (\lvert \log p_i \rvert + \lvert \log q_i \rvert)`
    besides :math:`(16 + 2 (m - x_i) / T)\,u` of each term.

    *Gradient*: :math:`\partial D / \partial x^q_i = (q_i - p_i) / T` and
    :math:`\partial D / \partial x^p_i = p_i (\delta_i - D) / T`.

    References
    ----------
    .. [1] S. Kullback, R. A. Leibler, "On information and sufficiency", Annals of Mathematical
       Statistics 22 (1951). https://doi.org/10.1214/aoms/1177729694
    .. [2] J. Schulman, "Approximating KL divergence" (2020), on the second sum.
       http://joschu.net/blog/kl-approx.html

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> asm.kl_divergence(np.array([3.0, 1.0, 0.0]), np.array([1.0, 3.0, 0.0])).round(3)
    np.float64(1.459)

    Close together, where the first sum leaves rounding errors only:

    >>> x = np.array([0.3, 0.2, 0.1])
    >>> bool(0 < asm.kl_divergence(x, x + np.array([1e-9, 0.0, 0.0])) < 1.2e-19)
    True
    """
    a, b = admit_pair(logits_p, logits_q, axis=axis, temperature=temperature, where=where)
    xp, work = a.xp, {"dtype": a.work, "lone": False}
    with quiet(xp):
        total = _divergence(a._replace(**work), b._replace(**work))
        return as_array(narrow(xp, xp.squeeze(total, axis=a.axes), a.dtype))


def _divergence(a: Admitted, b: Admitted) -> Array:
    """Add up the terms of the second sum; the axes stay as length 1."""
    xp = a.xp
    p, log_p = compute(SOFTMAX, a), compute(LOG_SOFTMAX, a)
    q, log_q = compute(SOFTMAX, b), compute(LOG_SOFTMAX, b)
    absent = p == 0
    delta = xp.where(absent, 0.0, log_p) - xp.where(absent, 0.0, log_q)
    # Far below, where exp could overflow, nothing cancels between q and p.
    near = (delta > -1) & ~absent
    close = xp.where(near, delta, 0.0)
    distant = xp.where(near, 0.0, delta)
    terms = xp.where(near, p * (close + xp.expm1(-close)), p * distant + (q - p))
    return stable_sum(xp, terms, a.axes)
