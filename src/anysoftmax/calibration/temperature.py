"""The temperature at which a classifier is as sure as it is right."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from anysoftmax.admission import Admitted, admit
from anysoftmax.arrays import Array, quiet
from anysoftmax.calibration.fitting import STATUSES, find_temperature
from anysoftmax.cuts import spread
from anysoftmax.differentiation import stop_gradient
from anysoftmax.targets import Targets, admit_labels

__all__ = ["TemperatureFit", "fit_temperature"]


class TemperatureFit(NamedTuple):
    """A temperature fitted to labels: 0-d arrays of the logits' library.

    As a tuple it is a pytree, which functions under ``jax.jit`` may return.

    Attributes
    ----------
    temperature : array
        :math:`T`, without dimension; 0 and inf are limits.
    inverse_temperature : array
        :math:`1 / T`.
    nll_before, nll_after : array
        The mean negative log-likelihood of the labels at :math:`T = 1` and at `temperature`, in
        nats, weighted by the sample weights.
    iterations : array of an integer dtype
        How often the likelihood's derivative was taken, of a part of the samples included.
    status_code : array of an integer dtype
        The number of `status`, for code under ``jax.jit``: 0 to 3, in the order there.

    See Also
    --------
    fit_temperature : What makes one.

    Examples
    --------
    >>> from anysoftmax.calibration import fit_temperature
    >>> fit = fit_temperature([[2.0, 0.0], [0.0, 1.0]], [0, 1])
    >>> fit.status, float(fit.temperature)
    ('separable', 0.0)
    """

    temperature: Array
    inverse_temperature: Array
    nll_before: Array
    nll_after: Array
    iterations: Array
    status_code: Array

    @property
    def status(self) -> str:
        """What was found.

        - ``"converged"``: the one temperature at which the likelihood is largest.
        - ``"separable"``: each label is its sample's winner. The likelihood grows as T falls, up to
          its limit at the temperature 0.
        - ``"uninformative"``: winners are right no more often than others. The likelihood grows
          with T, up to its limit at the temperature inf.
        - ``"undefined"``: NaN among the logits, or no sample that counts, where the values were
          traced, so that there was nobody to raise an error to. The temperature is NaN.
        """
        return STATUSES[int(self.status_code)]


def fit_temperature(
    logits: Any,
    labels: Any,
    /,
    *,
    axis: int | tuple[int, ...] | None = -1,
    sample_weights: Any = None,
    where: Any = None,
) -> TemperatureFit:
    r"""Find the temperature at which a classifier is as sure as it is right.

    The temperature scales all logits alike, so that no prediction changes (but where rounding, or
    the temperature inf, makes winners equal to others). The one that is found
    makes held-out labels as likely as can be: it minimises the mean loss

    .. math::

        \mathrm{nll}(T) = \frac{\sum_s w_s\, L_s(T)}{\sum_s w_s}, \qquad
        L_s(T) = -\log \mathrm{softmax}(x_s / T)_{t_s}

    over the samples s, which have logits :math:`x_s`, a label :math:`t_s` and a weight :math:`w_s`.
    The loss is convex in :math:`1 / T`, so that there is one minimum, and Newton's method in a
    bracket is sure to find it.

    Parameters
    ----------
    logits : array of shape (..., n, ...), or nested lists of numbers
        Real scores in nats, of any array library, from samples that the classifier was not trained
        on. Probabilities are not told from logits by looking at them: pass ``log(p)``.
    labels : array of integers
        The right classes, from 0 to n - 1, of the shape of `logits` without `axis`.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several together; None for all axes.
    sample_weights : number or array, optional
        :math:`w_s \ge 0`; broadcasts to the shape of `logits` without `axis`. A weight of 0 takes
        a sample out, whatever it holds.
    where : boolean array, optional
        True for classes that take part; broadcasts to `logits`.

    Returns
    -------
    TemperatureFit
        ``temperature``, ``inverse_temperature``, ``nll_before``, ``nll_after``, ``iterations`` and
        ``status``, as arrays of the library and on the device of `logits`. 16-bit logits have a
        temperature in float32.

    Raises
    ------
    TypeError
        If labels are not integers, or as for `anysoftmax.softmax`.
    IndexError
        If a label of a sample that counts is no class.
    ValueError
        If shapes don't match, there is one class only or no sample, all weights are 0, no label is
        possible, or logits are NaN; and as for `anysoftmax.softmax`.

    See Also
    --------
    TemperatureScaler : The same as an estimator with the conventions of scikit-learn.
    reliability : How often a classifier is right when it is so sure.

    Notes
    -----
    *Special values*: logits of -inf and masked classes take no part. A label of one of these has an
    infinite loss at every temperature: it has no say in the fit, and both nll are inf. Where no
    label is possible there is nothing to fit.

    *Accuracy*: the temperature is within 1e-10 (float64) or 1e-5 (float32, 16 bits) of the exact
    optimum, relative to it, where the sums that balance there are known so well; see *How well is a
    temperature known?* in the docs. Optima above about a billion times the largest gap between a
    winner and its sample's label count as infinite.

    *Cost*: a walk over the logits for each step, of which there are about four, and one each for
    the losses before and after. Many samples are searched in part first. Lazy arrays are computed,
    once for each of these walks: the next depends on what the last has found.

    Numbers beyond the range of the dtype, or too small to be normal ones, are not found.

    *Gradient*: none; the temperature is a constant to differentiation. But for JAX the search asks
    for values: `torch.compile` leaves it to eager PyTorch, and `torch.func.vmap` cannot map it.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML (2017). https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> import numpy as np
    >>> from anysoftmax.calibration import fit_temperature
    >>> logits = np.array([[4.0, 0.0], [3.0, 0.0], [0.0, 5.0], [4.0, 0.0]])
    >>> fit = fit_temperature(logits, np.array([0, 0, 1, 1]))
    >>> fit.status, fit.temperature.round(3), fit.nll_before.round(3), fit.nll_after.round(3)
    ('converged', np.float64(3.725), np.float64(1.023), np.float64(0.566))
    """
    a = admit(logits, axis=axis, where=where)
    a = a._replace(logits=stop_gradient(a.logits))
    _refuse_shape(a)
    targets = admit_labels(a, labels, sample_weights)
    a, targets = _along_one_axis(a, targets)
    with quiet(a.xp), np.errstate(all="ignore"):
        return TemperatureFit(*find_temperature(a, targets))


def _along_one_axis(a: Admitted, targets: Targets) -> tuple[Admitted, Targets]:
    """Return the logits and targets with all axes of classes joined to one, the last."""
    if len(a.axes) == 1:
        return a, targets
    xp = a.xp
    kept = [i for i in range(a.logits.ndim) if i not in a.axes]
    order = (*kept, *sorted(a.axes))

    def joined(x: Array) -> Array:
        x = xp.permute_dims(x, order)
        return xp.reshape(x, (*x.shape[: len(kept)], math.prod(x.shape[len(kept) :])))

    where = None if a.where is None else joined(spread(xp, a.where, a.logits))
    b = a._replace(logits=joined(a.logits), where=where, axes=(len(kept),))
    of_slices = {
        name: joined(x)
        for name in ("labels", "label_weights", "sample_weights")
        if (x := getattr(targets, name)) is not None and x.ndim
    }
    return b, targets._replace(**of_slices)


def _refuse_shape(a: Admitted) -> None:
    """Raise where there are no classes to choose from, or no samples."""
    shape = tuple(a.logits.shape)
    if not all(isinstance(n, int) for n in shape):
        raise ValueError(
            f"the logits have a shape that is not known, {shape}: call their compute_chunk_sizes()"
            " first, and that of labels and weights"
        )
    classes = math.prod(shape[i] for i in a.axes)
    if classes == 1:
        raise ValueError(
            f"one class alone has the probability 1 at every temperature: the axis of classes of"
            f" the logits, of shape {shape}, has length 1; for scores of one of two classes pass"
            " both, the other's being 0"
        )
    if 0 in shape:
        raise ValueError(f"there is nothing to fit: the logits have shape {shape}")
