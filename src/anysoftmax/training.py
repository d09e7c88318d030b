"""Cross-entropy of logits and targets, and its gradient for arrays without differentiation."""

from __future__ import annotations

import math
from typing import Any

from anysoftmax.admission import Admitted, admit
from anysoftmax.arrays import Array, Namespace, as_array, constant, narrow, quiet
from anysoftmax.losses import add_up, derivatives, losses, over
from anysoftmax.summation import sum_alike
from anysoftmax.targets import Targets, admit_targets

__all__ = ["cross_entropy", "cross_entropy_grad"]

REDUCTIONS = ("mean", "sum", "none")


def cross_entropy(
    logits: Any,
    targets: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    class_weights: Any = None,
    sample_weights: Any = None,
    label_smoothing: Any = 0.0,
    reduction: str = "mean",
) -> Array:
    r"""Tell how surprised a classifier is by the right classes: the loss it is trained with.

    For a *slice*, the logits along `axis` that take part, with :math:`p = \mathrm{softmax}(x / T)`
    over its :math:`n` classes, class weights :math:`c`, a sample weight :math:`s` and the label
    smoothing :math:`\varepsilon`, the loss of a label :math:`t` is

    .. math::

        \ell = s \Bigl( (1 - \varepsilon)\, c_t L_t
            + \frac{\varepsilon}{n} \sum_i c_i L_i \Bigr), \qquad L_i = -\log p_i,

    and that of probabilities :math:`q`

    .. math::

        \ell = s \Bigl( (1 - \varepsilon) \sum_i c_i q_i L_i
            + \frac{\varepsilon}{n} \sum_i c_i L_i \Bigr).

    ``"none"`` returns :math:`\ell` for each slice, ``"sum"`` the sum :math:`\sum \ell`, ``"mean"``
    the weighted mean :math:`\sum \ell / \sum s c_t` for labels and :math:`\sum \ell / \sum s` for
    probabilities.

    Parameters
    ----------
    logits : array of shape (..., n, ...), or nested lists of numbers
        Real scores in nats, of any array library; see `softmax`.
    targets : array of integers or of real numbers
        *Labels*, integers from 0 to n - 1, of the shape of `logits` without `axis`; along several
        axes they count places in row-major order. Or *probabilities*, of a floating dtype and the
        shape of `logits`; they are used as they are, whatever they sum to.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension, as for `softmax`.
    where : boolean array, optional
        True for classes that take part; broadcasts to `logits`.
    class_weights : array of shape (n,), optional
        :math:`c_i \ge 0`, of the lengths along `axis`, in the order that the array has them.
    sample_weights : number or array, optional
        :math:`s \ge 0`; broadcasts to the shape of `logits` without `axis`. A weight of 0 takes a
        slice out, whatever its logits and its target are.
    label_smoothing : number, default 0.0
        :math:`0 \le \varepsilon \le 1`, the part of each target that is shared among the classes
        that take part.
    reduction : {"mean", "sum", "none"}, default "mean"
        What is returned: see above.

    Returns
    -------
    array
        In nats, of the library, device and floating dtype of `logits`: 0-d, or with ``"none"`` of
        the shape of `logits` without `axis`.

    Raises
    ------
    IndexError
        If a concrete label of a slice whose weight is not 0 is no class: negative ones neither,
        there is no wrapping around.
    TypeError, AxisError, ValueError
        As for `softmax`. TypeError for targets that are neither integers nor real numbers;
        ValueError for targets or weights of a shape that does not fit, negative weights, a
        smoothing outside of 0 to 1, and an unknown reduction.

    See Also
    --------
    cross_entropy_grad : Its gradient, for arrays without automatic differentiation.
    entropy : What it is at least, for given probabilities.
    kl_divergence : What it is more than that.

    Notes
    -----
    *Special values*: a coefficient of 0 takes out its term, infinite as it may be. A target that
    is masked or has a logit of -inf gives +inf, as every target of a slice without participants
    does; NaN in a slice gives NaN. If all weights are 0, the mean is 0, and so are its
    derivatives. Labels that are traced or lazy and out of range give NaN, as there is nobody to
    raise an error to.

    *Accuracy*, with :math:`u` the unit roundoff: the error is at most :math:`(16 + g)\,u` times the
    sum of the absolute terms, where :math:`g` is the gap from winner to runner-up if the winner's
    :math:`L` is a term (:math:`2 g / T` for :math:`T \ne 1`). The loss of a sure winner keeps its
    digits, where ``log(softmax)`` is 0.

    *Gradient*: :math:`\partial \ell / \partial x_i = (p_i \sum_j k_j - k_i) / T` with :math:`k_i`
    the coefficient of :math:`L_i`, by the automatic differentiation of the array's library, a
    saturated winner's :math:`p - 1` included. 0 at masked and -inf elements.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
       (2016), section 7, on label smoothing. https://doi.org/10.1109/CVPR.2016.308

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> logits = np.array([[3.2, 1.3, 0.2], [0.1, 2.0, -1.0]])
    >>> asm.cross_entropy(logits, np.array([0, 2])).round(3)
    np.float64(1.682)

    A slice that is left out, as others do by a special label:

    >>> labels = np.array([0, -100])
    >>> asm.cross_entropy(logits, labels, sample_weights=labels >= 0).round(3)
    np.float64(0.182)

    A sure winner still has a loss:

    >>> asm.cross_entropy(np.array([50.0, 0.0]), 0)
    array(1.92874985e-22)
    """
    a = admit(logits, axis=axis, temperature=temperature, where=where)
    b = admit_comparison(a, targets, reduction, class_weights, sample_weights, label_smoothing)
    return reduced_loss(a, b, reduction)


def reduced_loss(a: Admitted, b: Targets, reduction: str) -> Array:
    """Return the cross-entropy of admitted arguments."""
    xp = a.xp
    with quiet(xp):
        loss = losses(a, b)
        if reduction == "none":
            return _of_dtype(a, xp.squeeze(loss, axis=a.axes))
        total = add_up(xp, loss, tuple(range(loss.ndim)))
        if reduction == "mean":
            total = over(xp, total, _total_weight(a, b))
        return _of_dtype(a, xp.squeeze(total, axis=tuple(range(total.ndim))))


def cross_entropy_grad(
    logits: Any,
    targets: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    class_weights: Any = None,
    sample_weights: Any = None,
    label_smoothing: Any = 0.0,
    reduction: str = "mean",
) -> Array:
    r"""Differentiate `cross_entropy` by the logits, for arrays without automatic differentiation.

    .. math::

        \frac{\partial \ell}{\partial x_i} = \frac{1}{T} \Bigl(p_i \sum_j k_j - k_i\Bigr),

    where :math:`k_i` is what :math:`-\log p_i` is multiplied by in the loss :math:`\ell` of
    the slice: for labels alone :math:`s c_t (p_i - \delta_{it}) / T`. With ``"mean"`` it is divided
    by the weights that the loss is divided by. The two terms of a sure winner, which cancel, are
    formed as the sum of what the other classes have.

    Parameters
    ----------
    logits, targets : arrays
        As for `cross_entropy`.
    axis, temperature, where, class_weights, sample_weights, label_smoothing : optional
        As for `cross_entropy`.
    reduction : {"mean", "sum", "none"}, default "mean"
        Which loss is differentiated; with ``"none"`` each slice's own, which gives the same
        numbers as ``"sum"``.

    Returns
    -------
    array of the shape of `logits`
        Nats of loss per nat of a logit, so without dimension; of the library, device and floating
        dtype of `logits`.

    Raises
    ------
    IndexError, TypeError, AxisError, ValueError
        As for `cross_entropy`.

    See Also
    --------
    cross_entropy : The loss itself, differentiable in libraries that can differentiate.
    log_softmax_vjp : The step from log-softmax back to its logits.

    Notes
    -----
    *Special values*: 0 at masked and -inf elements, in slices that weigh 0 whatever they hold, and
    everywhere if all weights are 0. A target that is masked or has a logit of -inf, whose loss is
    infinite, adds nothing. NaN in a slice that counts gives NaN. Where +inf makes a loss infinite
    there is no derivative: libraries that differentiate give 0, this function :math:`p_i - q_i`.

    *Accuracy*, with :math:`u` the unit roundoff: the error is at most :math:`(16 + m - x_i)\,u`
    times the sum of the absolute terms :math:`k_j p_i` and :math:`k_i p_j`, :math:`j \ne i`, for
    :math:`T \ne 1` :math:`(16 + 2 (m - x_i) / T)\,u`.

    *Gradient*: the second derivatives of the loss, by the automatic differentiation of the array's
    library where it has one.

    References
    ----------
    .. [1] J. S. Bridle, "Probabilistic interpretation of feedforward classification network
       outputs", Neurocomputing (1990). https://doi.org/10.1007/978-3-642-76153-9_28

    Examples
    --------
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> asm.cross_entropy_grad(np.array([[3.2, 1.3, 0.2]]), np.array([0])).round(3)
    array([[-0.166,  0.125,  0.042]])

    The usual formula finds nothing left to learn from a sure winner:

    >>> x = np.array([50.0, 0.0])
    >>> asm.cross_entropy_grad(x, 0)
    array([-1.92874985e-22,  1.92874985e-22])
    >>> (np.exp(x - 50.0) / np.exp(x - 50.0).sum() - np.array([1.0, 0.0]))[0]
    np.float64(0.0)
    """
    a = admit(logits, axis=axis, temperature=temperature, where=where)
    b = admit_comparison(a, targets, reduction, class_weights, sample_weights, label_smoothing)
    xp = a.xp
    with quiet(xp):
        one = constant(xp, 1.0, a.work, a.logits)
        x = derivatives(a, b, _total_weight(a, b) if reduction == "mean" else one)
        if a.where is not None:  # NaN as temperature too
            x = xp.where(a.where, x, 0.0)
        return _of_dtype(a, xp.squeeze(x, axis=-1) if a.lone else x)


def admit_comparison(a: Admitted, targets: Any, reduction: str, *weights: Any) -> Targets:
    """Check what admitted logits are compared with, and how losses are reduced."""
    if type(reduction) is not str or reduction not in REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is unknown: use one of {REDUCTIONS}")
    return admit_targets(a, targets, *weights)


def _total_weight(a: Admitted, targets: Targets) -> Array:
    """Return what the slices count together, of length 1 along all axes."""
    xp, totals = a.xp, targets.totals
    lengths = tuple(1 if i in a.axes else n for i, n in enumerate(a.logits.shape))
    if all(isinstance(n, int) for n in lengths):
        if totals is None:
            return constant(xp, float(math.prod(lengths)), a.work, a.logits)
        return _sum(xp, xp.broadcast_to(totals, lengths))
    ones = xp.ones_like(xp.sum(a.logits, axis=a.axes, keepdims=True), dtype=a.work)
    return _sum(xp, ones if totals is None else ones * totals)


def _sum(xp: Namespace, terms: Array) -> Array:
    return sum_alike(xp, terms, tuple(range(terms.ndim)))


def _of_dtype(a: Admitted, x: Array) -> Array:
    return as_array(narrow(a.xp, x, a.dtype))
