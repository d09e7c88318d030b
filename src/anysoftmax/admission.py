"""The border: raw arguments come in; arrays that fit together, or a clear error, go on.

Every check that a public function makes of its arguments is here, so that the mathematics behind
this border can take them for granted.
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any, NamedTuple

from anysoftmax.arrays import (
    FLOATS,
    Array,
    DType,
    Namespace,
    array_namespace,
    concrete,
    constant,
    default_float,
    describe,
    device,
    dtype_name,
    has_float64,
    is_dask,
    is_floating,
    is_integral,
    is_jax,
    is_numpy,
    library_name,
    narrow,
    overflow_threshold,
    quiet,
    smallest,
)
from anysoftmax.devices import CutAxes, is_bound, is_shared
from anysoftmax.errors import AxisError

PRECISIONS = ("default", "highest")

# Namespace, dtype of the result and dtype of the work, by type and dtype of plain logits.
_known: dict[type, dict[DType, tuple[Namespace, DType, DType]]] = {}

# What to write instead, by the package that a refused object comes from.
REMEDIES = {
    "pandas": "pass x.to_numpy()",
    "polars": "pass x.to_numpy()",
    "pyarrow": "pass x.to_numpy()",
    "scipy": "pass x.toarray()",
    "sparse": "pass x.todense()",
    "tensorflow": "pass x.numpy()",
    "xarray": "pass x.data, or use xarray.apply_ufunc",
}


class Admitted(NamedTuple):
    """Arguments that fit together.

    All arrays belong to the namespace `xp`. `logits` have the dtype they came in, so that a large
    array can be cast a block at a time; `temperature` and `weights` have the dtype `work`, in which
    the work is done; `dtype` is the result's. `compensated` asks the mathematics to carry its
    rounding errors along, because no wider dtype is at hand that would make them small.
    `lone` tells that every element is a slice of its own (0-d logits, or `axis=()`): the arrays
    have then got a last axis of length 1, which the result must lose again.
    The last four are of the slices, and there for the operations that need them: their labels, the
    derivatives by their results, and what a summary tells of them.
    """

    xp: Namespace
    logits: Array
    axes: tuple[int, ...]
    where: Array | None
    temperature: Array | None
    weights: Array | None
    work: DType
    dtype: DType
    compensated: bool
    lone: bool
    labels: Array | None = None
    cotangent: Array | None = None
    peak: Array | None = None
    rest: Array | None = None


def admit(
    x: object,
    *,
    axis: object,
    where: object = None,
    temperature: object = 1.0,
    weights: object = None,
    dtype: object = None,
    precision: object = "default",
) -> Admitted:
    """Check the arguments of a public function and bring them into one form."""
    logits, xp, own, work = admit_logits(x, dtype, precision)
    axes = admit_axis(axis, tuple(logits.shape))
    mask = None if where is None else admit_where(xp, where, logits)
    scale = admit_temperature(xp, temperature, logits, own, axes)
    if scale is not None and work != own:
        scale = xp.astype(scale, work)
    factors = None if weights is None else admit_weights(xp, weights, logits, work)

    lone = not axes
    if lone:
        logits = xp.expand_dims(logits, axis=-1)
        mask, scale, factors = (
            array if array is None or array.ndim == 0 else xp.expand_dims(array, axis=-1)
            for array in (mask, scale, factors)
        )
        axes = (logits.ndim - 1,)
    compensated = precision == "highest" and work == own
    return Admitted(xp, logits, axes, mask, scale, factors, work, own, compensated, lone)


def admit_cut(x: object, *, axis_name: Any, **options: Any) -> Admitted:
    """Check the arguments of a public function for slices that are cut among devices of JAX."""
    a = admit(x, **options)
    logits = a.logits
    names = axis_name if isinstance(axis_name, tuple) else (axis_name,)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(
            "axis_name must be the name of an axis of jax.shard_map's mesh, or a tuple of names:"
            f" got {describe(axis_name)}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"axis_name={axis_name!r} names an axis twice: name each one once")
    if not is_jax(logits):
        raise TypeError(
            f"logits must be what jax.shard_map hands to its function: got {describe(logits)};"
            " call anysoftmax's own function of that name for arrays that are not cut"
        )
    for name in names:
        if not is_bound(name):
            raise ValueError(
                f"axis_name={name!r} names no axis of a mesh here: call this in a function that"
                f" jax.shard_map runs, over a mesh with an axis {name!r}"
            )
        if is_shared(logits, name):
            raise ValueError(
                f"the logits are the same on all devices along axis_name={name!r}, which would all"
                " count as classes: give in_specs that cut them along it, or call anysoftmax's own"
                " function; if the copies are meant, mark them as varying by jax.lax.pcast"
            )
    if a.lone:
        raise ValueError(
            f"axis={options['axis']!r} leaves nothing that is cut among devices, of a"
            f" {describe(x)}: name the axis of the classes"
        )
    return a._replace(axes=CutAxes(a.axes, names))


def admit_pair(x: Any, y: Any, **options: Any) -> tuple[Admitted, Admitted]:
    """Check two arrays of logits that are compared, and bring them into one shape and dtype."""
    numbers_only = isinstance(x, (int, float, complex, list, tuple))
    leader = admit_array(y, "logits_q") if numbers_only else admit_array(x, "logits_p")
    xp = array_namespace(leader)
    real = result_dtype(xp, leader, None)
    x = admit_companion(xp, "logits_p", x, leader, real)
    y = admit_companion(xp, "logits_q", y, leader, real)
    dtypes = [result_dtype(xp, z, None) for z in (x, y)]
    dtype = dtypes[0] if dtypes[0] == dtypes[1] else xp.result_type(*dtypes)
    shapes = tuple(x.shape), tuple(y.shape)
    if shapes[0] != shapes[1]:
        pairs = zip(*(reversed(shape) for shape in shapes), strict=False)
        known = [(m, n) for m, n in pairs if isinstance(m, int) and isinstance(n, int)]
        if not all(m == n or 1 in {m, n} for m, n in known):
            raise ValueError(
                f"the two arrays of logits, of shapes {shapes[0]} and {shapes[1]}, do not broadcast"
                " against each other: give them equal lengths, or length 1 where one repeats"
            )
        if all(isinstance(n, int) for shape in shapes for n in shape):
            x, y = xp.broadcast_arrays(x, y)
        else:
            everywhere = [xp.ones_like(z, dtype=xp.bool) for z in (x, y)]
            x, y = xp.where(everywhere[1], x, x), xp.where(everywhere[0], y, y)
    return admit(x, dtype=dtype, **options), admit(y, dtype=dtype, **options)


def admit_logits(x: Any, dtype: object, precision: object) -> tuple[Array, Namespace, DType, DType]:
    """Return the logits, their namespace, and the dtypes of the result and of the work."""
    if type(precision) is not str or precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r} is unknown: use one of {PRECISIONS}")
    plain = dtype is None and precision == "default"
    known = _known[type(x)].get(x.dtype) if plain and type(x) in _known else None
    if known is not None:
        return x, *known
    logits = admit_array(x)
    xp = array_namespace(logits)
    own = result_dtype(xp, logits, dtype)
    work = working_dtype(xp, own, logits, highest=precision == "highest")
    # Of NumPy's arrays, type and dtype are all that was looked at.
    if plain and logits is x and is_numpy(x):
        _known.setdefault(type(x), {})[x.dtype] = xp, own, work
    return logits, xp, own, work


def in_working_dtype(a: Admitted) -> Array:
    """Return the logits in the dtype of the work, rounded to that of the result before."""
    xp, x = a.xp, a.logits
    if x.dtype == a.dtype == a.work:
        return x
    x = narrow(xp, x, a.dtype) if is_floating(x.dtype) else xp.astype(x, a.dtype)
    return x if a.dtype == a.work else xp.astype(x, a.work)


def admit_array(x: object, name: str = "logits") -> Array:
    """Return `x` as an array: any array that the standard knows, or numbers as a NumPy array."""
    package = type(x).__module__.split(".")[0]
    if isinstance(x, (int, float, complex, list, tuple)) and package != "numpy":
        return read_numbers(x)
    if package in REMEDIES:
        raise TypeError(
            f"{name} must be a dense array: got a {package} {type(x).__name__}; {REMEDIES[package]}"
        )
    try:
        xp = array_namespace(x)
    except TypeError:
        raise TypeError(
            f"{name} must be an array or nested lists of numbers: got {describe(x)};"
            " pass an array of NumPy, JAX, PyTorch or another array API library"
        ) from None
    if xp.__name__ == "numpy":
        return admit_numpy(x, name)
    if is_dask(x):
        return admit_dask(x, name)
    if package == "torch" and str(x.layout) != "torch.strided":  # type: ignore[attr-defined]
        raise TypeError(f"{name} must be dense: got {describe(x)}; pass x.to_dense()")
    return x


def admit_values(array: Array, function: str, name: str) -> Array:
    """Return a concrete array as one that computes at once, or say that its values are missing."""
    values = concrete(array)
    if values is not None:
        with quiet(array_namespace(values)):  # of NaN in bfloat16
            values = None if smallest(values) is None else values
    if values is None:
        raise TypeError(
            f"{function} looks at numbers, so it needs them: got {name} that are lazy or traced,"
            f" {describe(array)}; compute them first (dask: .compute()) and call {function} outside"
            " jit"
        )
    return values


def read_numbers(x: Any) -> Array:
    """Read a Python number or nested lists of numbers as a NumPy array."""
    import numpy as np

    refuse_other_leaves(x)
    try:
        array = np.asarray(x)
        # Python integers beyond 64 bits arrive as objects.
        return array.astype(np.float64) if array.dtype == object else array
    except (ValueError, OverflowError):
        raise ValueError(
            "nested lists must be rectangular and hold finite integers: rows of different length"
            " make no array; pad the rows and pass where= to leave the padding out"
        ) from None


def refuse_other_leaves(x: Any) -> None:
    """Raise if nested lists hold anything but numbers: an array in them would change library."""
    for item in x if isinstance(x, (list, tuple)) else [x]:
        if isinstance(item, (list, tuple)):
            refuse_other_leaves(item)
        elif not isinstance(item, numbers.Number):
            raise TypeError(
                f"nested lists must hold numbers only: got {describe(item)} in them;"
                " stack arrays with their own library first"
            )


def admit_numpy(x: Any, name: str) -> Array:
    """Return a plain NumPy array in the machine's byte order, or refuse what would lie as one."""
    import numpy as np

    if isinstance(x, np.ma.MaskedArray):
        option = "sample_weights" if name in {"labels", "probs", "targets"} else "where"
        raise TypeError(
            f"{name} must be a plain array, without a mask of its own: got {describe(x)};"
            f" pass x.data, and {option}=~x.mask to leave out what is masked"
        )
    if isinstance(x, np.matrix):
        raise TypeError(
            f"{name} must be a plain array: got {describe(x)}, a numpy.matrix, which is always"
            " two-dimensional; pass numpy.asarray(x)"
        )
    plain = np.asarray(x)
    return plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("="))


def admit_dask(x: Any, name: str) -> Array:
    """Return a Dask array whose chunks are plain, in the machine's byte order and not empty.

    An axis of length 1 in several chunks, all but one empty, would be taken for one that repeats.
    """
    admit_array(x._meta, name)  # noqa: SLF001 - it has no public name
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    full = {}
    for axis, (length, chunks) in enumerate(zip(x.shape, x.chunks, strict=True)):
        if length and 0 in chunks and isinstance(length, int):
            full[axis] = tuple(n for n in chunks if n)
    return x.rechunk(full) if full else x


def result_dtype(xp: Namespace, x: Array, dtype: Any) -> DType:
    """Return the result's real floating dtype: the asked-for, the logits', or the default."""
    if not (is_floating(x.dtype) or is_integral(xp, x.dtype)):
        raise TypeError(
            f"logits must be real numbers: got {describe(x)};"
            " convert them to a floating dtype first, for complex numbers by choosing a part"
        )
    if dtype is not None:
        wanted = dtype if isinstance(dtype, str) else dtype_name(dtype)
        own = floating_dtype(xp, wanted)
        if own is None or not (isinstance(dtype, str) or own == dtype):
            raise TypeError(
                f"dtype must be a real floating dtype of {library_name(x)}: got {dtype!r};"
                " use for example float32"
            )
        return own
    return x.dtype if is_floating(x.dtype) else default_float(xp, x)


def floating_dtype(xp: Namespace, name: str) -> DType | None:
    """Return the library's floating dtype of a name, or None if it has none."""
    import numpy as np

    if name not in FLOATS:
        return None
    # Dask computes in every dtype of NumPy, but its namespace lists the standard's only.
    return getattr(xp, name, np.dtype(name) if xp.__name__.endswith("dask.array") else None)


def working_dtype(xp: Namespace, dtype: DType, x: Array, *, highest: bool) -> DType:
    """Choose the dtype to compute in: float32 for 16-bit logits, float64 for the highest precision.

    Sums and exponentials of 16-bit numbers lose the small classes; in float32 all that is left of
    their error is the rounding of the result.
    """
    name = dtype_name(dtype)
    if highest and name in {"float16", "bfloat16", "float32"} and has_float64(xp, x):
        return xp.float64
    return xp.float32 if name in {"float16", "bfloat16"} else dtype


def admit_axis(axis: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes as non-negative numbers; none for 0-d logits."""
    ndim = len(shape)
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if axis is None:
        return tuple(range(ndim))
    axes = []
    for item in axis if isinstance(axis, tuple) else (axis,):
        try:
            if isinstance(item, bool):
                raise TypeError
            number = operator.index(item)
        except TypeError:
            raise TypeError(
                f"axis must be an int, a tuple of ints or None: got {describe(item)}"
            ) from None
        if ndim == 0 and number in {-1, 0}:
            continue
        if not -ndim <= number < ndim:
            allowed = f"use {-ndim} to {ndim - 1}" if ndim else "a 0-d array has axis -1, 0 or None"
            raise AxisError(
                f"axis {number} is out of range for an array of shape {shape}: {allowed}"
            )
        axes.append(number % ndim)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis={axis!r} names an axis twice: name each one once")
    return tuple(axes)


def admit_where(xp: Namespace, where: Any, logits: Array) -> Array:
    """Return the mask as a boolean array that broadcasts to the logits."""
    mask = admit_companion(xp, "where", where, logits)
    if dtype_name(mask.dtype) != "bool":
        raise TypeError(
            f"where must be boolean, True for elements that take part: got {describe(where)};"
            " compare it first, for example where=mask != 0"
        )
    require_broadcast("where", mask, tuple(logits.shape))
    return mask


def admit_temperature(
    xp: Namespace, temperature: Any, logits: Array, dtype: DType, axes: tuple[int, ...]
) -> Array | None:
    """Return the temperature in the result's dtype, or None if it is the number 1."""
    if (type(temperature) is float or is_number(temperature)) and temperature == 1:
        return None
    t, least = admit_real(xp, "temperature", temperature, logits, dtype)
    if least is not None and not least >= 0:
        raise ValueError(
            f"temperature must be 0 or more, inf included: got {describe(temperature)};"
            " 1 leaves the logits as they are"
        )
    slices = tuple(1 if i in axes else size for i, size in enumerate(logits.shape))
    require_broadcast("temperature", t, slices, " (one temperature a slice)")
    if is_jax(logits):
        # XLA on the CPU takes a subnormal number for 0 in one loop of a program, not in another.
        t = xp.where(xp.abs(t) < float(xp.finfo(dtype).smallest_normal), 0.0, t)
    return t


def admit_weights(xp: Namespace, weights: Any, logits: Array, dtype: DType) -> Array:
    """Return the weights in the dtype of the work."""
    w, least = admit_real(xp, "weights", weights, logits, dtype)
    if least is not None and least < 0:
        raise ValueError(
            f"weights must be 0 or more: got {describe(weights)}, negative ones among them;"
            " subtract their part by a formula of its own"
        )
    require_broadcast("weights", w, tuple(logits.shape))
    return w


def admit_real(
    xp: Namespace, name: str, value: Any, logits: Array, dtype: DType
) -> tuple[Array, float | None]:
    """Return real numbers in a floating dtype, and the least of them if it is known."""
    if is_number(value):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond all floating numbers
            number = math.inf if value > 0 else -math.inf
        limit = overflow_threshold(dtype)
        rounded = number if not abs(number) >= limit else math.copysign(math.inf, number)
        return constant(xp, rounded, dtype, logits), number
    array = admit_companion(xp, name, value, logits, dtype)
    if not (is_floating(array.dtype) or is_integral(xp, array.dtype)):
        raise TypeError(f"{name} must be a real number or an array of them: got {describe(value)}")
    # Numbers in a list are known even where the library makes traced or lazy arrays of them.
    least = smallest(read_numbers(value) if isinstance(value, (list, tuple)) else array)
    if is_integral(xp, array.dtype):
        array = xp.astype(array, default_float(xp, logits))
    return narrow(xp, array, dtype), least


def is_number(value: Any) -> bool:
    """Tell whether `value` is one real number outside of any array."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def admit_companion(
    xp: Namespace, name: str, value: Any, logits: Array, dtype: DType | None = None
) -> Array:
    """Return an array that goes with the logits: numbers and lists join their library.

    Real numbers get `dtype`, that of the logits by default.
    """
    array = admit_array(value, name)
    if isinstance(value, (numbers.Number, list, tuple)):
        if array.dtype.kind == "c":
            raise TypeError(f"{name} must be real: got {describe(value)}; choose a part of it")
        real = logits.dtype if dtype is None else dtype
        return constant(xp, array.tolist(), xp.bool if array.dtype.kind == "b" else real, logits)
    if array_namespace(array) is not xp:
        raise TypeError(
            f"{name} must belong to the library of the logits, {library_name(logits)}:"
            f" got {describe(value)}; convert one of the two"
        )
    ours, theirs = device(logits), device(array)
    if ours != theirs and ours is not None and theirs is not None:
        raise TypeError(
            f"{name} must lie on the device of the logits, {ours}: it lies on {theirs}; move one"
        )
    return array


def require_known_classes(a: Admitted) -> None:
    """Raise unless the number of classes is known: lazy arrays may not know it yet."""
    if not all(isinstance(a.logits.shape[axis], int) for axis in a.axes):
        raise ValueError(
            f"how many classes there are is not known of logits of shape {tuple(a.logits.shape)}:"
            " call their compute_chunk_sizes() first"
        )


def require_broadcast(
    name: str,
    array: Array,
    target: tuple[int, ...],
    meaning: str = "",
    remedy: str = "give it as many axes as the logits, of length 1 where it repeats",
) -> None:
    """Raise unless `array` broadcasts to `target`; unknown lengths get the benefit of the doubt."""
    shape = tuple(array.shape)
    pairs = zip(reversed(shape), reversed(target), strict=False)
    # Lengths that are not known yet are None or NaN: neither equals itself as an integer does.
    unknown = [n for n in (*shape, *target) if not isinstance(n, int)]
    fits = len(shape) <= len(target) and all(a in {1, b} for a, b in pairs)
    if not fits and not unknown:
        raise ValueError(
            f"{name} of shape {shape} does not broadcast to {target}{meaning}: {remedy}"
        )


def admit_out(out: Any, a: Admitted) -> None:
    """Check that the result of softmax or log-softmax can be written into `out`."""
    library = library_name(a.logits)
    if library not in {"numpy", "torch", "cupy"}:
        raise TypeError(f"out= needs arrays that can be written to, {library} has none: leave it")
    if isinstance(out, (numbers.Number, list, tuple)):
        raise TypeError(f"out must be an array to write into: got {describe(out)}")
    admit_companion(a.xp, "out", out, a.logits)
    shape = tuple(a.logits.shape[:-1] if a.lone else a.logits.shape)
    if tuple(out.shape) != shape:
        raise ValueError(f"out must have the shape of the logits, {shape}: got {describe(out)}")
    if dtype_name(out.dtype) != dtype_name(a.dtype):
        raise TypeError(
            f"out must have the result's dtype, {dtype_name(a.dtype)}: got {describe(out)}"
        )
    if library == "numpy" and not out.flags.writeable:
        raise ValueError(f"out must be writeable: got a read-only {describe(out)}")
    if library == "torch" and (out.requires_grad or a.logits.requires_grad):
        raise TypeError("out= takes no part in automatic differentiation: use the returned tensor")
