"""Softmax and log-softmax: the logits of each slice as shares of a whole, and their logarithms."""

from __future__ import annotations

from typing import Any, NamedTuple

from anysoftmax import fold
from anysoftmax.admission import admit, admit_out
from anysoftmax.arrays import Array, DType
from anysoftmax.dispatch import compute
from anysoftmax.fold import NO_ROOM
from anysoftmax.operations import LOG_SOFTMAX, SOFTMAX

__all__ = ["SoftmaxSteps", "log_softmax", "softmax", "softmax_steps"]


class SoftmaxSteps(NamedTuple):
    """What `softmax` computes on its way, one array a step."""

    logits: Array
    shifted: Array
    exponentials: Array
    total: Array
    shares: Array


def softmax(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    dtype: DType | None = None,
    out: Array | None = None,
    precision: str = "default",
) -> Array:
    r"""Turn logits into probabilities.

    .. math::

        p_i = \frac{\exp\bigl((x_i - m) / T\bigr)}{\sum_j \exp\bigl((x_j - m) / T\bigr)},
        \qquad m = \max_j x_j,

    where :math:`i` and :math:`j` run over one *slice*: the elements along `axis` that take part.

    Parameters
    ----------
    x : array of shape (..., n, ...), or nested lists of numbers
        Logits: real scores in nats, of any array library. Integers are promoted to the library's
        default floating dtype before anything is subtracted. float16 and bfloat16 are computed in
        float32. It is never written to.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several normalised together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension: one number, or an array that broadcasts against the
        slices (length 1 along `axis`). Below 1 sharpens, above 1 flattens. Differentiable.
    where : boolean array, optional
        True for elements that take part; broadcasts to `x`. The others get 0, whatever they hold.
    dtype : dtype, optional
        Cast `x` to this floating dtype first.
    out : array, optional
        Write the result here (NumPy, PyTorch, CuPy) and return it; may be `x` itself.
    precision : {"default", "highest"}, default "default"
        "highest" computes in the next wider dtype, or carries rounding errors along where there
        is none, at about twice the time.

    Returns
    -------
    array of the shape of `x`
        Probabilities, of the library, device and floating dtype of `x`. Lazy if `x` is.

    Raises
    ------
    TypeError
        If `x` is no dense array of real numbers, or an argument is of the wrong kind, of another
        library or on another device than `x`.
    AxisError
        If `x` has no such axis. It is a ValueError and an IndexError.
    ValueError
        If an axis is named twice, a shape does not fit, an option is unknown, or a concrete
        temperature is negative or NaN.

    See Also
    --------
    log_softmax : The logarithms, accurate where a probability is 0 or 1 to rounding.
    logsumexp : The logarithm of the denominator.

    Notes
    -----
    *Special values* are the limits: a single +inf takes all, whatever the temperature; several
    +inf give NaN at them and 0 elsewhere; -inf gives 0; a slice of -inf alone gives NaN, one that
    is masked throughout 0; NaN in a slice makes all of it NaN. :math:`T = 0` shares 1 equally among
    the largest; :math:`T = \infty` is uniform over the finite logits. A negative or NaN
    temperature that is traced or lazy gives NaN, as there is nobody to raise an error to.

    *Accuracy*, with :math:`u` the unit roundoff: relative error at most :math:`(8 + m - x_i)\,u`,
    for :math:`T \ne 1` :math:`(8 + 2 (m - x_i) / T)\,u`, at any number of classes, on any axis and
    memory layout. With ``precision="highest"`` 0.51 ulp in float32, 8 u in float64. float16 and
    bfloat16 are rounded once: 0.51 ulp.

    *Gradient*: :math:`\partial p_i / \partial x_j = p_i (\delta_{ij} - p_j) / T`, by the automatic
    differentiation of the array's library. 0 at masked and -inf elements, whatever they hold.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038
    .. [2] G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network" (2015),
       on the temperature. https://arxiv.org/abs/1503.02531

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> asm.softmax(np.array([3.2, 1.3, 0.2])).round(3)
    array([0.834, 0.125, 0.042])

    A mask and a temperature for each row:

    >>> x = np.array([[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]])
    >>> asm.softmax(x, where=~np.isnan(x), temperature=np.array([[1.0], [0.0]])).round(3)
    array([[0.269, 0.731, 0.   ],
           [0.   , 0.   , 1.   ]])

    Small integers, where subtracting in their own dtype would wrap around:

    >>> asm.softmax(np.array([-128, 127], dtype=np.int8)).round(3)
    array([0., 1.])
    """
    a = admit(x, axis=axis, temperature=temperature, where=where, dtype=dtype, precision=precision)
    if out is not None:
        admit_out(out, a)
    return compute(SOFTMAX, a, out)


def log_softmax(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    dtype: DType | None = None,
    out: Array | None = None,
    precision: str = "default",
) -> Array:
    r"""Turn logits into the logarithms of probabilities, the winner's included.

    .. math::

        y_i = z_i - \log(1 + r), \qquad
        z_i = (x_i - m) / T, \qquad
        r = \Bigl(\sum_j \exp(z_j)\Bigr) - 1, \qquad
        m = \max_j x_j,

    where :math:`i` and :math:`j` run over one *slice*: the elements along `axis` that take part.
    The rest :math:`r` is added up without the winner's 1. That keeps the log-probability of a sure
    winner, which ``log(sum(exp(z)))`` rounds to 0.

    Parameters
    ----------
    x : array of shape (..., n, ...), or nested lists of numbers
        Logits: real scores in nats, of any array library; see `softmax`.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several normalised together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension, as for `softmax`.
    where : boolean array, optional
        True for elements that take part; broadcasts to `x`. The others get -inf.
    dtype : dtype, optional
        Cast `x` to this floating dtype first.
    out : array, optional
        Write the result here (NumPy, PyTorch, CuPy) and return it; may be `x` itself.
    precision : {"default", "highest"}, default "default"
        As for `softmax`.

    Returns
    -------
    array of the shape of `x`
        Log-probabilities in nats, 0 or less, of the library, device and floating dtype of `x`.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`.

    See Also
    --------
    softmax : The probabilities themselves.
    logsumexp : The normaliser alone.

    Notes
    -----
    *Special values*: the logarithms of those of `softmax`, so -inf for 0, and NaN for NaN.

    *Accuracy*, with :math:`u` the unit roundoff: relative error at most 8 u, for the winner
    :math:`(8 + g)\,u`, where :math:`g` is its gap to the runner-up (:math:`(8 + 2 g / T)\,u` for
    :math:`T \ne 1`). With ``precision="highest"`` 0.51 ulp in float32 and 8 u in float64, at any
    gap.

    *Gradient*: :math:`\partial y_i / \partial x_j = (\delta_{ij} - p_j) / T`; 0 at masked and -inf
    elements.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038
    .. [2] https://github.com/scipy/scipy/issues/19521, on the accuracy that the winner can have.

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> asm.log_softmax(np.array([50.0, 0.0]))
    array([-1.92874985e-22, -5.00000000e+01])

    The usual formula says that the winner is certain:

    >>> z = np.array([50.0, 0.0]) - 50.0
    >>> (z - np.log(np.exp(z).sum())).tolist()
    [0.0, -50.0]
    """
    a = admit(x, axis=axis, temperature=temperature, where=where, dtype=dtype, precision=precision)
    if out is not None:
        admit_out(out, a)
    return compute(LOG_SOFTMAX, a, out)


def softmax_steps(
    x: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
) -> SoftmaxSteps:
    """Return what `softmax` computes on its way, for explanations."""
    a = fold.participants(admit(x, axis=axis, temperature=temperature, where=where))
    slices = fold.lift(a, fold.peak_of(a), NO_ROOM, ordinary=False, invariant=True)
    total = fold.total_of(a, slices)
    shares = fold.shares(a, slices, total)
    return SoftmaxSteps(a.logits, slices.shifted, slices.exponentials, total, shares)
