"""Derivatives of softmax and log-softmax from their results, for arrays without differentiation."""

from __future__ import annotations

from typing import Any

from anysoftmax.admission import (
    Admitted,
    admit,
    admit_companion,
    require_broadcast,
)
from anysoftmax.arrays import Array, describe, is_floating, is_integral, quiet
from anysoftmax.cuts import spread
from anysoftmax.dispatch import compute
from anysoftmax.operations import LOG_SOFTMAX_PULL_BACK, SOFTMAX_PULL_BACK, PullBack

__all__ = ["log_softmax_vjp", "softmax_vjp"]


def softmax_vjp(
    p: Any, g: Any, /, *, axis: int | tuple[int, ...] | None = -1, temperature: Any = 1.0
) -> Array:
    r"""Pull a derivative back through `softmax`, from its result.

    .. math::

        \dot x_i = \frac{p_i}{T} \sum_j p_j (g_i - g_j)

    over each slice along `axis`: the product of :math:`g = \partial \ell / \partial p` and the
    Jacobian matrix :math:`p_i (\delta_{ij} - p_j) / T`, without the matrix.

    Parameters
    ----------
    p : array of shape (..., n, ...), or nested lists of numbers
        What `softmax` returned.
    g : array
        The cotangent, the derivative of some number :math:`\ell` by `p`; broadcasts to `p`.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several normalised together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, as it was given to `softmax`.

    Returns
    -------
    array of the shape of `p`
        The derivative of :math:`\ell` by the logits, in the unit of :math:`\ell` per nat, of the
        library, device and floating dtype of `p`.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`.

    See Also
    --------
    log_softmax_vjp : The same for `log_softmax`.
    cross_entropy_grad : The gradient of the loss in one step.

    Notes
    -----
    *Special values*: 0 where `p` is 0, whatever the cotangent is there; 0 at :math:`T = 0` and
    :math:`T = \infty`, where nothing depends on the logits. NaN in `p` makes its slice NaN.

    *Accuracy*, with :math:`u` the unit roundoff: the error is at most 16 u times the sum of the
    absolute terms :math:`p_i p_j g_i` and :math:`p_i p_j g_j`, :math:`j \ne i`, of the `p` given,
    where one is 1 to rounding too.

    *Gradient*: by the automatic differentiation of the array's library where it has one. Together
    with that of `softmax`, whose results `p` is taken to be one of, it gives second derivatives.

    References
    ----------
    .. [1] J. S. Bridle, "Probabilistic interpretation of feedforward classification network
       outputs", Neurocomputing (1990). https://doi.org/10.1007/978-3-642-76153-9_28

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> p = asm.softmax(np.array([50.0, 0.0]))
    >>> asm.softmax_vjp(p, np.array([1.0, 0.0]))
    array([ 1.92874985e-22, -1.92874985e-22])
    """
    return _compute(SOFTMAX_PULL_BACK, _admit(p, g, axis, temperature))


def log_softmax_vjp(
    y: Any, g: Any, /, *, axis: int | tuple[int, ...] | None = -1, temperature: Any = 1.0
) -> Array:
    r"""Pull a derivative back through `log_softmax`, from its result.

    .. math::

        \dot x_i = \frac{1}{T} \Bigl(g_i - p_i \sum_j g_j\Bigr)
                 = \frac{1}{T} \sum_{j \ne i} (g_i p_j - p_i g_j), \qquad p_i = \exp y_i,

    over each slice along `axis`, with :math:`g = \partial \ell / \partial y`.

    Parameters
    ----------
    y : array of shape (..., n, ...), or nested lists of numbers
        What `log_softmax` returned.
    g : array
        The cotangent, the derivative of some number :math:`\ell` by `y`; broadcasts to `y`.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several normalised together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, as it was given to `log_softmax`.

    Returns
    -------
    array of the shape of `y`
        The derivative of :math:`\ell` by the logits, in the unit of :math:`\ell` per nat, of the
        library, device and floating dtype of `y`.

    Raises
    ------
    TypeError, AxisError, ValueError
        As for `softmax`.

    See Also
    --------
    softmax_vjp : The same for `softmax`.
    cross_entropy_grad : The gradient of the loss in one step.

    Notes
    -----
    *Special values*: 0 where `y` is -inf, whatever the cotangent is there, and at :math:`T = 0` and
    :math:`T = \infty`. NaN in `y` makes its slice NaN.

    *Accuracy*, with :math:`u` the unit roundoff: the error is at most 16 u times the sum of the
    absolute terms :math:`g_i p_j` and :math:`p_i g_j`, :math:`j \ne i`, of the `y` given. A sure
    winner's :math:`1 - p` is formed as the sum of the others.

    *Gradient*: by the automatic differentiation of the array's library where it has one. Together
    with that of `log_softmax`, whose results `y` is taken to be one of, it gives second
    derivatives.

    References
    ----------
    .. [1] J. S. Bridle, "Probabilistic interpretation of feedforward classification network
       outputs", Neurocomputing (1990). https://doi.org/10.1007/978-3-642-76153-9_28

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> y = asm.log_softmax(np.array([50.0, 0.0]))
    >>> asm.log_softmax_vjp(y, np.array([1.0, 0.0]))
    array([ 1.92874985e-22, -1.92874985e-22])
    """
    return _compute(LOG_SOFTMAX_PULL_BACK, _admit(y, g, axis, temperature))


def _admit(result: Any, g: Any, axis: Any, temperature: Any) -> Admitted:
    """Check the result of a function and its cotangent, which gets the dtype of the work."""
    a = admit(result, axis=axis, temperature=temperature)
    cotangent = admit_companion(a.xp, "g", g, a.logits, a.work)
    if not (is_floating(cotangent.dtype) or is_integral(a.xp, cotangent.dtype)):
        raise TypeError(f"g must be an array of real numbers: got {describe(g)}")
    shape = tuple(a.logits.shape[:-1] if a.lone else a.logits.shape)
    require_broadcast("g", cotangent, shape)
    if a.lone and cotangent.ndim:
        cotangent = a.xp.expand_dims(cotangent, axis=-1)
    cotangent = spread(a.xp, cotangent, a.logits)
    if cotangent.dtype != a.work:
        cotangent = a.xp.astype(cotangent, a.work)
    return a._replace(cotangent=cotangent)


def _compute(operation: PullBack, a: Admitted) -> Array:
    with quiet(a.xp):
        return compute(operation, a)
