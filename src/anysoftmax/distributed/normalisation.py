"""Softmax, log-softmax and log-sum-exp of slices that are cut among devices."""

from __future__ import annotations

from typing import Any

from anysoftmax.admission import admit_cut
from anysoftmax.arrays import Array, DType
from anysoftmax.dispatch import compute
from anysoftmax.logsumexp import logarithm
from anysoftmax.operations import LOG_SOFTMAX, SOFTMAX

__all__ = ["log_softmax", "logsumexp", "softmax"]


def softmax(
    x: Any,
    /,
    *,
    axis_name: str | tuple[str, ...],
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    dtype: DType | None = None,
    precision: str = "default",
) -> Array:
    r"""Turn logits that are cut among devices into probabilities.

    .. math::

        p_i = \frac{\exp\bigl((x_i - m) / T\bigr)}{\sum_j \exp\bigl((x_j - m) / T\bigr)},
        \qquad m = \max_j x_j,

    where :math:`j` runs over the classes of a slice on *all* devices along `axis_name`: the largest
    logit and the sum are reduced across them.

    Parameters
    ----------
    x : array of shape (..., n / devices, ...)
        A device's part of the logits, in nats: what ``jax.shard_map`` hands to its function.
    axis_name : str or tuple of str
        The axis of the mesh that cuts the classes, or several, the slowest first, as in
        ``jax.sharding.PartitionSpec``.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several normalised together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension; the same on all devices along `axis_name`.
    where : boolean array, optional
        True for elements that take part; broadcasts to `x`, and is cut as it is.
    dtype : dtype, optional
        Cast `x` to this floating dtype first.
    precision : {"default", "highest"}, default "default"
        As for `anysoftmax.softmax`.

    Returns
    -------
    array of the shape of `x`
        The device's part of the probabilities.

    Raises
    ------
    TypeError
        If `x` is not JAX's, `axis_name` is no name, or as `anysoftmax.softmax` does.
    ValueError
        If no axis of that name is bound, as outside of ``jax.shard_map``; if all devices along it
        have the same logits; or as `anysoftmax.softmax` does.
    KernelError
        If a kernel is asked for by name: none can take slices that are cut.

    See Also
    --------
    anysoftmax.softmax : For whole arrays, cut by XLA or not at all; with more on every option.

    Notes
    -----
    *Special values* are those of `anysoftmax.softmax`.

    *Accuracy*: that of `anysoftmax.softmax`; with more than eight devices, :math:`d`, sums may be
    off by :math:`(d / 8 - 1)\,u` more.

    *Gradient*: by JAX's automatic differentiation, of every order, forwards and backwards; across
    the devices it takes all-reduces, too. Differentiate a function that calls ``jax.shard_map``, or
    inside of what it runs. With ``check_vma=False`` do only the first: inside, JAX then takes a
    result that all devices share for one result of each, and adds up their derivatives.

    *Data moved*: for each slice the largest logit, and the sum of the exponentials; ten numbers.

    References
    ----------
    .. [1] M. Shoeybi et al., "Megatron-LM: training multi-billion parameter language models using
       model parallelism" (2019), section 3. https://arxiv.org/abs/1909.08053

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> import anysoftmax as asm
    >>> from functools import partial
    >>> from jax.sharding import PartitionSpec
    >>> mesh = jax.make_mesh((1,), ("c",))  # as many devices as there are
    >>> cut = PartitionSpec("c")
    >>> softmax = partial(asm.distributed.softmax, axis_name="c")
    >>> whole = jax.shard_map(softmax, mesh=mesh, in_specs=cut, out_specs=cut)
    >>> x = jax.device_put(jax.numpy.array([3.2, 1.3, 0.2]), jax.NamedSharding(mesh, cut))
    >>> np.asarray(whole(x)).round(3)
    array([0.834, 0.125, 0.042], dtype=float32)
    """
    a = admit_cut(
        x,
        axis=axis,
        temperature=temperature,
        where=where,
        dtype=dtype,
        precision=precision,
        axis_name=axis_name,
    )
    return compute(SOFTMAX, a)


def log_softmax(
    x: Any,
    /,
    *,
    axis_name: str | tuple[str, ...],
    axis: int | tuple[int, ...] | None = -1,
    temperature: Any = 1.0,
    where: Any = None,
    dtype: DType | None = None,
    precision: str = "default",
) -> Array:
    r"""Turn logits that are cut among devices into the logarithms of probabilities.

    .. math::

        y_i = z_i - \log(1 + r), \qquad
        z_i = (x_i - m) / T, \qquad
        r = \Bigl(\sum_j \exp(z_j)\Bigr) - 1, \qquad
        m = \max_j x_j,

    where :math:`j` runs over the classes of a slice on *all* devices along `axis_name`.

    Parameters
    ----------
    x : array of shape (..., n / devices, ...)
        A device's part of the logits, in nats.
    axis_name : str or tuple of str
        The axis of the mesh that cuts the classes, or several, the slowest first.
    axis : int, tuple of int or None, default -1
        The axis of the classes, or several normalised together; None for all axes.
    temperature : number or array, default 1.0
        :math:`T \ge 0`, without dimension; the same on all devices along `axis_name`.
    where : boolean array, optional
        True for elements that take part; broadcasts to `x`, and is cut as it is.
    dtype : dtype, optional
        Cast `x` to this floating dtype first.
    precision : {"default", "highest"}, default "default"
        As for `anysoftmax.softmax`.

    Returns
    -------
    array of the shape of `x`
        The device's part of the log-probabilities, in nats.

    Raises
    ------
    TypeError, ValueError, KernelError
        As for `softmax`.

    See Also
    --------
    anysoftmax.log_softmax : For whole arrays, with the special values and the bounds on the error.
    cross_entropy : The mean log-probability of labels, for which no others need be computed.

    Notes
    -----
    *Special values* are those of `anysoftmax.log_softmax`.

    *Accuracy*: that of `anysoftmax.log_softmax`, with the share of many devices as for `softmax`.

    *Gradient*: as for `softmax`.

    *Data moved*: for each slice the largest logit, the sum of the other exponentials, and the
    number of winners.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038

    Examples
    --------
    >>> import jax
    >>> import anysoftmax as asm
    >>> from functools import partial
    >>> from jax.sharding import PartitionSpec
    >>> mesh = jax.make_mesh((1,), ("c",))  # as many devices as there are
    >>> cut = PartitionSpec("c")
    >>> log_softmax = partial(asm.distributed.log_softmax, axis_name="c")
    >>> whole = jax.shard_map(log_softmax, mesh=mesh, in_specs=cut, out_specs=cut)
    >>> x = jax.device_put(jax.numpy.array([50.0, 0.0]), jax.NamedSharding(mesh, cut))
    >>> whole(x).tolist()
    [-1.928...e-22, -50.0]
    """
    a = admit_cut(
        x,
        axis=axis,
        temperature=temperature,
        where=where,
        dtype=dtype,
        precision=precision,
        axis_name=axis_name,
    )
    return compute(LOG_SOFTMAX, a)


def logsumexp(
    x: Any,
    /,
    *,
    axis_name: str | tuple[str, ...],
    axis: int | tuple[int, ...] | None = None,
    weights: Any = None,
    where: Any = None,
    keepdims: bool = False,
    dtype: DType | None = None,
    precision: str = "default",
) -> Array:
    r"""Logarithm of a weighted sum of exponentials that is cut among devices.

    .. math::

        y = \log \sum_j w_j \exp(x_j) = m + \log(1 + r),

    where :math:`j` runs over the classes of a slice on *all* devices along `axis_name`.

    Parameters
    ----------
    x : array of shape (..., n / devices, ...)
        A device's part of the logits, in nats.
    axis_name : str or tuple of str
        The axis of the mesh that cuts the classes, or several, the slowest first.
    axis : int, tuple of int or None, default None
        The axes to sum over; None for all.
    weights : number or array, optional
        :math:`w_j \ge 0`; broadcasts to `x`, and is cut as it is.
    where : boolean array, optional
        True for elements that take part; broadcasts to `x`, and is cut as it is.
    keepdims : bool, default False
        Keep the summed axes as length 1.
    dtype : dtype, optional
        Cast `x` to this floating dtype first.
    precision : {"default", "highest"}, default "default"
        As for `anysoftmax.softmax`.

    Returns
    -------
    array of the shape of `x` without `axis`
        In nats, the same on all devices along `axis_name`: for ``out_specs`` without that name.

    Raises
    ------
    TypeError, ValueError, KernelError
        As for `softmax`; ValueError for concrete weights that are negative.

    See Also
    --------
    anysoftmax.logsumexp : For whole arrays, with the special values and the bounds on the error.

    Notes
    -----
    *Special values* are those of `anysoftmax.logsumexp`.

    *Accuracy*: that of `anysoftmax.logsumexp`, with the share of many devices as for `softmax`.

    *Gradient*: as for `softmax`.

    *Data moved*: as for `log_softmax`; with weights, the heaviest term in three steps, of two
    or four numbers each, and the two sums.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038

    Examples
    --------
    >>> import jax
    >>> import anysoftmax as asm
    >>> from functools import partial
    >>> from jax.sharding import PartitionSpec
    >>> mesh = jax.make_mesh((1,), ("c",))  # as many devices as there are
    >>> cut = PartitionSpec("c")
    >>> logsumexp = partial(asm.distributed.logsumexp, axis_name="c")
    >>> whole = jax.shard_map(logsumexp, mesh=mesh, in_specs=cut, out_specs=PartitionSpec())
    >>> x = jax.device_put(jax.numpy.array([0.0, -40.0]), jax.NamedSharding(mesh, cut))
    >>> float(whole(x))
    4.248...e-18
    """
    a = admit_cut(
        x,
        axis=axis,
        weights=weights,
        where=where,
        dtype=dtype,
        precision=precision,
        axis_name=axis_name,
    )
    return logarithm(a, keepdims=keepdims)
