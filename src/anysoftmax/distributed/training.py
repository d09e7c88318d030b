"""Cross-entropy of slices that are cut among devices: vocabulary-parallel training."""

from __future__ import annotations

from typing import Any

from anysoftmax.admission import admit_cut
from anysoftmax.arrays import Array
from anysoftmax.training import admit_comparison, reduced_loss

__all__ = ["cross_entropy"]


def cross_entropy(
    logits: Any,
    targets: Any,
    /,
    *,
    axis_name: str | tuple[str, ...],
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    class_weights: Any = None,
    sample_weights: Any = None,
    label_smoothing: Any = 0.0,
    reduction: str = "mean",
) -> Array:
    r"""Tell how surprised a classifier is, whose classes are cut among devices.

    .. math::

        \ell = s \Bigl( (1 - \varepsilon) \sum_i c_i q_i L_i
            + \frac{\varepsilon}{n} \sum_i c_i L_i \Bigr), \qquad L_i = -\log p_i,

    where :math:`i` runs over the :math:`n` classes of a slice on *all* devices along `axis_name`;
    the symbols are those of `anysoftmax.cross_entropy`.

    Parameters
    ----------
    logits : array of shape (..., n / devices, ...)
        A device's part of the logits, in nats.
    targets : array of integers or of real numbers
        *Labels*, integers from 0 to n - 1: numbers of classes among those of all devices, the same
        on all devices along `axis_name`. The first device has the first n / devices classes, and so
        on; of several axes the first is the one that is cut. Or *probabilities*, of a floating
        dtype and the shape of `logits`, and cut as they are.
    axis_name : str or tuple of str
        The axis of the mesh that cuts the classes, or several, the slowest first, as in
        ``jax.sharding.PartitionSpec``.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension; the same on all devices along `axis_name`.
    where : boolean array, optional
        True for classes that take part; broadcasts to `logits`, and is cut as they are.
    class_weights : array of shape (n / devices,), optional
        :math:`c_i \ge 0`, those of the device's own classes.
    sample_weights : number or array, optional
        :math:`s \ge 0`; broadcasts to the shape of `logits` without `axis`; the same on all devices
        along `axis_name`.
    label_smoothing : number, default 0.0
        :math:`0 \le \varepsilon \le 1`, shared among the classes that take part on all devices.
    reduction : {"mean", "sum", "none"}, default "mean"
        As for `anysoftmax.cross_entropy`, over the slices that the device has a part of. If the
        slices are cut among devices too, along another axis of the mesh, average or add up the
        result with ``jax.lax.pmean`` or ``psum`` over that axis.

    Returns
    -------
    array
        In nats, the same on all devices along `axis_name`: for ``out_specs`` without that name.

    Raises
    ------
    IndexError
        If a concrete label of a slice whose weight is not 0 is no class of all devices.
    TypeError, ValueError, KernelError
        As for `softmax` and `anysoftmax.cross_entropy`.

    See Also
    --------
    anysoftmax.cross_entropy : For whole arrays, with special values and bounds on the error.

    Notes
    -----
    *Special values*: as for `anysoftmax.cross_entropy`; traced labels that are no class of any
    device give NaN.

    *Accuracy*: that of `anysoftmax.cross_entropy`, with the share of many devices as for `softmax`.

    *Gradient*: as for `softmax`. Each device gets the derivatives by its own logits.

    *Data moved*: for each slice the largest logit, the sum of the other exponentials, the number of
    winners and the logit of the label, whatever the number of classes. With options, or of
    probabilities, some numbers more: the weight of the label's class, how many classes take part,
    the sum of the coefficients.

    References
    ----------
    .. [1] M. Shoeybi et al., "Megatron-LM: training multi-billion parameter language models using
       model parallelism" (2019), section 3. https://arxiv.org/abs/1909.08053

    Examples
    --------
    >>> import jax
    >>> import anysoftmax as asm
    >>> from functools import partial
    >>> from jax.sharding import PartitionSpec
    >>> mesh = jax.make_mesh((1,), ("c",))  # as many devices as there are
    >>> cut, whole = PartitionSpec(None, "c"), PartitionSpec()
    >>> loss = jax.shard_map(
    ...     partial(asm.distributed.cross_entropy, axis_name="c"),
    ...     mesh=mesh,
    ...     in_specs=(cut, whole),
    ...     out_specs=whole,
    ... )
    >>> logits = jax.numpy.array([[3.2, 1.3, 0.2], [0.1, 2.0, -1.0]])
    >>> logits = jax.device_put(logits, jax.NamedSharding(mesh, cut))
    >>> labels = jax.device_put(jax.numpy.array([0, 2]), jax.NamedSharding(mesh, whole))
    >>> round(float(loss(logits, labels)), 3)
    1.682
    """
    a = admit_cut(logits, axis=axis, temperature=temperature, where=where, axis_name=axis_name)
    b = admit_comparison(a, targets, reduction, class_weights, sample_weights, label_smoothing)
    return reduced_loss(a, b, reduction)
