"""Which library an array belongs to, and the few seams that the array API standard lacks.

Nothing here imports an array library that the caller has not loaded: arrays bring their own.
"""

from __future__ import annotations

import math
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64", "float96", "float128"})
PLACING = frozenset({"array_api_strict", "array_api_compat.cupy"})
CONCRETE = frozenset({"numpy", "array_api_strict", "array_api_compat.cupy"})
# The largest finite number and half a unit in its last place, where rounding goes to infinity.
THRESHOLDS = {
    "float16": 2.0**16 - 2.0**4,
    "bfloat16": 2.0**128 - 2.0**119,
    "float32": 2.0**128 - 2.0**103,
}

Array = Any  # an array of any library: the standard defines behaviour, not a type
DType = Any
Namespace = Any

_namespaces: dict[type, Namespace] = {}


def array_namespace(x: Array) -> Namespace:
    """Return the array API namespace of `x`; raise `TypeError` if no known library made it."""
    xp = _namespaces.get(type(x))
    if xp is None:
        import array_api_compat

        if is_torch(x):  # torch.compile cannot trace the general way
            from array_api_compat import torch as torch_namespace

            xp = torch_namespace
        else:
            xp = array_api_compat.array_namespace(x)
            if xp.__name__ == "array_api_compat.numpy":
                xp = sys.modules["numpy"]  # it meets the standard, and its functions take out=
        _namespaces[type(x)] = xp
    return xp


def library_name(x: Array) -> str:
    """Name the library of `x` as its users write it: ``numpy``, ``torch``, ``jax``, ..."""
    return namespace_name(array_namespace(x))


def namespace_name(xp: Namespace) -> str:
    """Name the library of a namespace as its users write it."""
    name: str = xp.__name__
    return name.removeprefix("array_api_compat.").split(".")[0]


def describe(x: object) -> str:
    """Say what `x` is in an error message: library, shape and dtype, or its type and value."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        library = type(x).__module__.split(".")[0].replace("jaxlib", "jax")
        return f"{library} array of shape {tuple(x.shape)} and dtype {dtype_name(x.dtype)}"
    text = repr(x)
    return f"{type(x).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def dtype_name(dtype: DType) -> str:
    """Name a dtype alike in every library: ``float32``, ``int8``, ``bfloat16``, ..."""
    if isinstance(dtype, type):  # NumPy takes its scalar types for dtypes
        return dtype.__name__
    name = getattr(dtype, "name", None)
    return name if isinstance(name, str) else str(dtype).rpartition(".")[2].lower()


def is_floating(dtype: DType) -> bool:
    """Tell whether logits can have this dtype: a real floating one that knows infinities."""
    return dtype_name(dtype) in FLOATS


def is_integral(xp: Namespace, dtype: DType) -> bool:
    """Tell whether a dtype holds integers, in the library's own judgement."""
    try:
        return bool(xp.isdtype(dtype, "integral"))
    except TypeError:  # NumPy refuses to judge dtypes that other packages add to it
        return False


def has_float64(xp: Namespace, x: Array) -> bool:
    """Tell whether the library can compute in float64 where `x` lies."""
    if is_torch(x):  # its namespace info would allocate; only Apple's devices lack float64
        return bool(x.device.type != "mps")
    info = xp.__array_namespace_info__()
    return "float64" in info.dtypes(kind="real floating", **_place(xp, x))


def default_float(xp: Namespace, x: Array) -> DType:
    """Return the dtype that the library gives to real numbers where `x` lies."""
    info = xp.__array_namespace_info__()
    return info.default_dtypes(**_place(xp, x))["real floating"]


def widest(xp: Namespace, x: Array, otherwise: DType) -> DType:
    """Return float64 where `x` is from a library that has it, else the other dtype."""
    return xp.float64 if has_float64(xp, x) else otherwise


def default_integer(xp: Namespace, x: Array) -> DType:
    """Return the dtype that the library gives to integers where `x` lies."""
    if is_torch(x):
        return xp.int64
    info = xp.__array_namespace_info__()
    return info.default_dtypes(**_place(xp, x))["integral"]


def device(x: Array) -> object:
    """Return where `x` lies, or None for a library or an array without one fixed device."""
    if is_jax(x):
        if isinstance(x, sys.modules["jax"].core.Tracer) or not x.committed or len(x.devices()) > 1:
            return None
        (only,) = x.devices()
        return only
    if is_torch(x):
        return x.device
    return getattr(x, "device", None)


def constant(xp: Namespace, value: float | list[Any], dtype: DType | None, like: Array) -> Array:
    """Make an array of numbers on the device of `like`."""
    return xp.asarray(value, dtype=dtype, **place_of_new(xp, like))


def narrow(xp: Namespace, x: Array, dtype: DType) -> Array:
    """Cast to a floating dtype; numbers beyond its range become infinite without a warning."""
    if x.dtype == dtype:
        return x
    limit = overflow_threshold(dtype)
    if limit < overflow_threshold(x.dtype):
        x = xp.where(x >= limit, math.inf, xp.where(x <= -limit, -math.inf, x))
    return xp.astype(x, dtype)


def overflow_threshold(dtype: DType) -> float:
    """Return the smallest number that rounds to infinity in a floating dtype."""
    return THRESHOLDS.get(dtype_name(dtype), math.inf)


def quiet(xp: Namespace) -> AbstractContextManager[Any]:
    """Return what keeps NumPy from warning of infinities and NaN, alone or in another's arrays."""
    if xp.__name__ in {"numpy", "array_api_strict"}:
        return sys.modules["numpy"].errstate(all="ignore")  # type: ignore[no-any-return]
    return nullcontext()


def into(memory: Array | None) -> dict[str, Array]:
    """Return the argument that has a result written to memory, if there is some."""
    return {} if memory is None else {"out": memory}


def smallest(x: Array) -> float | None:
    """Return the smallest value of a concrete array, or None if it is traced, lazy or unknown.

    It is for finding errors only: it never makes a lazy array compute or a tracer concrete. NaN is
    smaller than everything; of no values at all the smallest is infinite.
    """
    if 0 in x.shape:
        return math.inf
    known = concrete(x)
    if known is None:
        return None
    try:
        return float(array_namespace(known).min(known))
    except (RuntimeError, NotImplementedError):  # PyTorch: under vmap; fake and meta tensors
        return None


def concrete(x: Array) -> Array | None:
    """Return a concrete array as one that computes at once, None for a traced or lazy one."""
    if is_jax(x):
        if isinstance(x, sys.modules["jax"].core.Tracer):
            return None
        # Under jit JAX would trace even an operation on a concrete array.
        return sys.modules["numpy"].asarray(x)
    if is_torch(x):
        return None if is_compiling(x) else x.detach()
    return x if array_namespace(x).__name__ in CONCRETE else None


def at_hand(x: Array) -> Array:
    """Return an array whose values are there: a lazy one is computed."""
    return x.compute() if hasattr(x, "compute") else x


def kept(*arrays: Array) -> tuple[Array, ...]:
    """Return arrays that are not computed again each time they are used, where a library can."""
    if not hasattr(arrays[0], "persist"):
        return arrays
    # Together: what they share is computed once.
    kept_ones: tuple[Array, ...] = sys.modules["dask"].persist(*arrays)
    return kept_ones


def as_array(x: Array) -> Array:
    """Return NumPy's scalars, which its operations make of 0-d arrays, as 0-d arrays again."""
    return x[...] if type(x).__module__ == "numpy" and not x.shape else x


def is_compiling(x: Array) -> bool:
    """Tell whether `x` stands for a tensor while ``torch.compile`` traces a program."""
    return is_torch(x) and sys.modules["torch"].compiler.is_compiling()


def is_numpy(x: Array) -> bool:
    """Tell whether `x` is a NumPy array: concrete, and without automatic differentiation."""
    return type(x).__module__ == "numpy"


def _place(xp: Namespace, x: Array) -> dict[str, Any]:
    """Return the argument that names the device of `x`, where the library wants it named."""
    # JAX and Dask place arrays themselves; a traced array has no device to name.
    return {"device": x.device} if is_torch(x) or xp.__name__ in PLACING else {}


def place_of_new(xp: Namespace, like: Array) -> dict[str, Any]:
    """Return the argument that has a new array made where `like` lies."""
    # Cubed combines only arrays of one spec: where it computes, and with how much memory.
    return {"spec": like.spec} if xp.__name__ == "cubed" else _place(xp, like)


def is_jax(x: Array) -> bool:
    """Tell whether `x` is JAX's, traced ones included, without importing JAX."""
    jax = sys.modules.get("jax")
    return jax is not None and hasattr(jax, "Array") and isinstance(x, jax.Array)


def is_torch(x: Array) -> bool:
    """Tell whether `x` is a PyTorch tensor, without importing PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and hasattr(torch, "Tensor") and isinstance(x, torch.Tensor)


def is_dask(x: Array) -> bool:
    """Tell whether `x` is a Dask array, without importing Dask."""
    module = sys.modules.get("dask.array")
    return module is not None and hasattr(module, "Array") and isinstance(x, module.Array)
