"""Log-sum-exp: the logarithm of a sum of exponentials, without leaving the range of numbers."""

from __future__ import annotations

from typing import Any

from anysoftmax.admission import Admitted, admit
from anysoftmax.arrays import Array, DType, as_array
from anysoftmax.dispatch import compute
from anysoftmax.operations import LOGSUMEXP, WEIGHTED_LOGSUMEXP

__all__ = ["logsumexp"]


def logsumexp(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    weights: Any = None,
    where: Any = None,
    keepdims: bool = False,
    dtype: DType | None = None,
    precision: str = "default",
) -> Array:
    r"""Logarithm of a weighted sum of exponentials.

    .. math::

        y = \log \sum_j w_j \exp(x_j) = m + \log(1 + r), \qquad
        r = \Bigl(\sum_j w_j \exp(x_j - m)\Bigr) - 1,

    where :math:`j` runs over one *slice*: the elements along `axis` that take part, and :math:`m`
    is the largest :math:`x_j + \log w_j` among them.

    Parameters
    ----------
    x : array of shape (..., n, ...), or nested lists of numbers
        Logits: real scores in nats, of any array library; see `softmax`.
    axis : int, tuple of int or None, default None
        The axes to sum over; None for all.
    weights : number or array, optional
        :math:`w_j \ge 0`; broadcasts to `x`. A weight of 0 takes its element out, even NaN or inf.
        Differentiable, at 0 too.
    where : boolean array, optional
        True for elements that take part; broadcasts to `x`. What the others hold does not matter.
    keepdims : bool, default False
        Keep the summed axes as length 1.
    dtype : dtype, optional
        Cast `x` to this floating dtype first.
    precision : {"default", "highest"}, default "default"
        As for `softmax`.

    Returns
    -------
    array of the shape of `x` without `axis`
        In nats, of the library, device and floating dtype of `x`. Always an array, 0-d if nothing
        is left.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`; ValueError for concrete weights that are negative.

    See Also
    --------
    log_softmax : ``x - logsumexp(x, axis=-1, keepdims=True)``, but accurate.

    Notes
    -----
    *Special values*: NaN in a slice gives NaN; +inf, however many, gives +inf; -inf is ignored; a
    slice without participants (empty, all -inf, all masked) gives -inf.

    *Accuracy*: at most 4 ulp of ``max(abs(y), abs(m))``; with ``precision="highest"`` 0.51 ulp in
    float32 and 3 ulp in float64.

    *Gradient*: :math:`\partial y / \partial x_j = w_j \exp(x_j - y)`, the softmax if all weights
    are 1, and :math:`\partial y / \partial w_j = \exp(x_j - y)`; 0 for a slice of -inf alone.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> asm.logsumexp(np.array([[1000.0, 1000.0], [0.0, -40.0]]), axis=1)
    array([1.00069315e+03, 4.24835426e-18])

    Weights, here the number of times each logit counts:

    >>> asm.logsumexp([1.0, 2.0, np.inf], weights=[1, 2, 0]).round(6)
    np.float64(2.861995)
    """
    a = admit(x, axis=axis, weights=weights, where=where, dtype=dtype, precision=precision)
    return logarithm(a, keepdims=keepdims)


def logarithm(a: Admitted, *, keepdims: bool) -> Array:
    """Return the log-sum-exp of admitted arguments."""
    y = compute(LOGSUMEXP if a.weights is None else WEIGHTED_LOGSUMEXP, a)
    if not keepdims or a.lone:
        y = a.xp.squeeze(y, axis=a.axes)
    return as_array(y)
