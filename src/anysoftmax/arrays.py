"""Which library an array belongs to, and the few seams that the array API standard lacks.

Nothing here imports an array library that the caller has not loaded: arrays bring their own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
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

        if _is_torch(x):  # torch.compile cannot trace the general way
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
    if _is_torch(x):  # its namespace info would allocate; only Apple's devices lack float64
        return bool(x.device.type != "mps")
    info = xp.__array_namespace_info__()
    return "float64" in info.dtypes(kind="real floating", **_place(xp, x))


def default_float(xp: Namespace, x: Array) -> DType:
    """Return the dtype that the library gives to real numbers where `x` lies."""
    info = xp.__array_namespace_info__()
    return info.default_dtypes(**_place(xp, x))["real floating"]


def default_integer(xp: Namespace, x: Array) -> DType:
    """Return the dtype that the library gives to integers where `x` lies."""
    if _is_torch(x):
        return xp.int64
    info = xp.__array_namespace_info__()
    return info.default_dtypes(**_place(xp, x))["integral"]


def device(x: Array) -> object:
    """Return where `x` lies, or None for a library or an array without one fixed device."""
    if _is_jax(x):
        if isinstance(x, sys.modules["jax"].core.Tracer) or not x.committed or len(x.devices()) > 1:
            return None
        (only,) = x.devices()
        return only
    if _is_torch(x):
        return x.device
    return getattr(x, "device", None)


def constant(xp: Namespace, value: float | list[Any], dtype: DType | None, like: Array) -> Array:
    """Make an array of numbers on the device of `like`."""
    return xp.asarray(value, dtype=dtype, **_place_of_new(xp, like))


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


def stop_gradient(x: Array) -> Array:
    """Return `x` as a constant to automatic differentiation."""
    if is_numpy(x):
        return x
    if _is_jax(x):
        return sys.modules["jax"].lax.stop_gradient(x)
    if _is_torch(x):
        return x.detach()
    return x


def with_tangents(x: Array, linear_at: Callable[[Array], Callable[[Array], Array]]) -> Array:
    """Return `x`; to PyTorch its derivatives pass through the linear map `linear_at(x)`.

    The map must leave `x` itself as it is.
    """
    if not is_numpy(x) and _is_torch(x) and _is_recorded(x):
        return linear_at(x.detach())(x)
    return x


def is_traced(*arrays: Array | None) -> bool:
    """Tell whether JAX transforms a program of one of the arrays, and may ask for derivatives."""
    jax = sys.modules.get("jax")
    return jax is not None and any(isinstance(x, jax.core.Tracer) for x in arrays)


def is_compiled_by_xla(*arrays: Array | None) -> bool:
    """Tell whether JAX turns a program of one of the arrays into one that XLA compiles, once."""
    # While it does, all that it computes is traced; other transformations trace what they need to.
    return is_traced(*arrays) and is_traced(sys.modules["jax"].numpy.zeros(()))


def holds_everywhere(condition: Array) -> Array:
    """Return whether a traced condition holds for all elements, those of all of a vmap included.

    It is false on any device but the CPU, where no choice is worth waiting for its condition.
    """
    jax = sys.modules["jax"]

    @jax.custom_batching.custom_vmap  # type: ignore[untyped-decorator]
    def everywhere(condition: Array) -> Array:
        return jax.lax.platform_dependent(
            condition, cpu=jax.numpy.all, default=lambda c: jax.numpy.all(c) & False
        )

    @everywhere.def_vmap  # type: ignore[untyped-decorator]
    def batched(_size: int, _batched: Any, condition: Array) -> tuple[Array, bool]:
        return everywhere(condition), False

    return everywhere(condition)


def either(condition: Any, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Call the first function if a condition holds, else the second; XLA chooses when it runs."""
    if isinstance(condition, bool):
        return first() if condition else second()
    return sys.modules["jax"].lax.cond(condition, first, second)


def quiet(xp: Namespace) -> AbstractContextManager[Any]:
    """Return what keeps NumPy from warning of infinities and NaN; no other library does."""
    return xp.errstate(all="ignore") if xp.__name__ == "numpy" else nullcontext()


def into(memory: Array | None) -> dict[str, Array]:
    """Return the argument that has a result written to memory, if there is some."""
    return {} if memory is None else {"out": memory}


def derived(
    values: tuple[Array, ...],
    variable: Array,
    constants: Any,
    tangents: Callable[[tuple[Array, ...], Array, Any], tuple[Array, ...]],
) -> tuple[Array, ...]:
    """Return JAX's constants `values` as functions of `variable`.

    `tangents` takes the values, a tangent of the variable, to which it is linear, and further
    constants: the rule must not hold traced arrays of its own. What it makes of the values is
    differentiated by the same rule again.
    """
    function = sys.modules["jax"].custom_jvp(lambda values, variable, constants: values)

    @function.defjvp  # type: ignore[untyped-decorator]
    def rule(primals: Any, directions: Any) -> Any:
        results = function(*primals)
        return results, tangents(results, directions[1], primals[2])

    return function(values, variable, constants)  # type: ignore[no-any-return]


def with_pull_back(
    x: Array,
    others: tuple[Array | None, ...],
    value: Callable[..., Array],
    pull_back: Callable[..., Array | None],
    steps: Callable[..., Array],
) -> Array:
    """Return a value of a PyTorch tensor, whose derivative is pulled back by a formula.

    `others` are what else it is made of; PyTorch sees to it that they are not written to until the
    derivative is taken. All three functions take the tensor and them; `pull_back` takes the value
    and its cotangent before them, and may return None where the formula does not hold. The `steps`
    make the same value: PyTorch has to see them where it transforms functions or differentiates
    forwards or compiles, where derivatives are differentiated themselves or a batch of them is
    taken at once.
    """
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or not x.requires_grad or _is_transformed(x):
        return steps(x, *others)
    return _pulled_back().apply(x, value, pull_back, steps, *others)


@cache
def _pulled_back() -> Any:
    """Return PyTorch's means to give a derivative of one's own."""
    torch = sys.modules["torch"]

    class PulledBack(sys.modules["torch"].autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(context: Any, x: Array, value: Any, *rules: Any) -> Array:
            context.pull_back, context.steps, *others = rules
            y = value(x, *others)
            context.save_for_backward(x, y, *others)
            return y

        @staticmethod
        def backward(context: Any, g: Array) -> tuple[Array | None, ...]:
            x, y, *others = context.saved_tensors
            pulled = None
            further = torch.is_grad_enabled() or not _has_memory(g) or _is_transformed(g)
            if not further:
                pulled = context.pull_back(y, g, x, *others)
            if pulled is None:
                x = x if further else x.detach().requires_grad_()
                with torch.enable_grad():
                    y = context.steps(x, *others)
                (pulled,) = torch.autograd.grad(y, x, g, create_graph=further)
            return pulled, None, None, None, *(None for _ in others)

    return PulledBack


def _has_memory(x: Array) -> bool:
    """Tell whether a tensor has memory of its own; a batch of PyTorch's vmap has none."""
    try:
        x.data_ptr()
    except RuntimeError:
        return False
    return True


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
    if _is_jax(x):
        if isinstance(x, sys.modules["jax"].core.Tracer):
            return None
        # Under jit JAX would trace even an operation on a concrete array.
        return sys.modules["numpy"].asarray(x)
    if _is_torch(x):
        return None if is_compiling(x) else x.detach()
    return x if array_namespace(x).__name__ in CONCRETE else None


def is_differentiated(*arrays: Array | None) -> bool:
    """Tell whether derivatives by one of the arrays may be asked for."""
    given = [x for x in arrays if x is not None]
    return is_traced(*given) or any(_is_torch(x) and _is_recorded(x) for x in given)


def pick(
    xp: Namespace, x: Array, places: Array, axes: tuple[int, ...], *, constant: bool = False
) -> Array:
    """Return the element at a place of each slice; the axes stay as length 1.

    A place is a number in row-major order of the axes, and within their range. `constant` tells
    that no derivatives are taken by `x`.
    """
    # Dask and Cubed, whose arrays are cut, can't access elements by their indices. XLA can, but
    # the derivative of a choice is part of the arithmetic, that of an access a walk of its own.
    indexed = hasattr(xp, "take_along_axis") and (constant or not _is_jax(x))
    if indexed and len(axes) == 1 and x.shape[axes[0]] != 0:
        return xp.take_along_axis(x, places, axis=axes[0])
    found = xp.where(numbered(xp, x, axes) == places, x, xp.zeros_like(x))
    return xp.sum(found, axis=axes, keepdims=True, dtype=x.dtype)


def replaced(
    xp: Namespace, x: Array, places: Array, values: Array | float, axes: tuple[int, ...]
) -> Array:
    """Return `x` with the element at a place of each slice replaced, in its own memory if possible.

    Places are as for `pick`.
    """
    if is_writable(x) and len(axes) == 1:
        if is_numpy(x):
            xp.put_along_axis(x, places, values, axis=axes[0])
            return x
        return x.scatter_(axes[0], places, values)
    return xp.where(numbered(xp, x, axes) == places, values, x)


def is_writable(x: Array) -> bool:
    """Tell whether an array of one's own may be written to: nothing else watches it."""
    if is_numpy(x):
        return True
    if not _is_torch(x) or x.device.type != "cpu" or is_compiling(x) or _is_recorded(x):
        return False
    return _has_memory(x) and not _is_transformed(x)


def numbered(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the places of each slice in row-major order; the other axes have length 1."""
    lengths = [n if i in axes else 1 for i, n in enumerate(x.shape)]
    dtype = default_integer(xp, x)
    return xp.reshape(
        xp.arange(math.prod(lengths), dtype=dtype, **_place_of_new(xp, x)), tuple(lengths)
    )


def as_array(x: Array) -> Array:
    """Return NumPy's scalars, which its operations make of 0-d arrays, as 0-d arrays again."""
    return x[...] if type(x).__module__ == "numpy" and not x.shape else x


def is_compiling(x: Array) -> bool:
    """Tell whether `x` stands for a tensor while ``torch.compile`` traces a program."""
    return _is_torch(x) and sys.modules["torch"].compiler.is_compiling()


def largest(xp: Namespace, x: Array, axes: tuple[int, ...]) -> Array:
    """Return the maximum over `axes`, which stay as length 1."""
    if is_numpy(x):
        return xp.maximum.reduce(x, axis=axes, keepdims=True)  # what max comes to
    return xp.max(x, axis=axes, keepdims=True)


def is_numpy(x: Array) -> bool:
    """Tell whether `x` is a NumPy array: concrete, and without automatic differentiation."""
    return type(x).__module__ == "numpy"


def _place(xp: Namespace, x: Array) -> dict[str, Any]:
    """Return the argument that names the device of `x`, where the library wants it named."""
    # JAX and Dask place arrays themselves; a traced array has no device to name.
    return {"device": x.device} if _is_torch(x) or xp.__name__ in PLACING else {}


def _place_of_new(xp: Namespace, like: Array) -> dict[str, Any]:
    """Return the argument that has a new array made where `like` lies."""
    # Cubed combines only arrays of one spec: where it computes, and with how much memory.
    return {"spec": like.spec} if xp.__name__ == "cubed" else _place(xp, like)


def _is_jax(x: Array) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and hasattr(jax, "Array") and isinstance(x, jax.Array)


def _is_recorded(x: Array) -> bool:
    """Tell whether PyTorch may be asked for derivatives by a tensor."""
    torch = sys.modules["torch"]
    if x.requires_grad or torch.compiler.is_compiling():
        return bool(x.requires_grad and torch.is_grad_enabled())
    return _is_transformed(x)


def _is_transformed(x: Array) -> bool:
    """Tell whether PyTorch transforms a function of a tensor, or differentiates it forwards."""
    torch = sys.modules["torch"]
    return bool(
        torch._C._are_functorch_transforms_active()  # noqa: SLF001 - it has no public name
        or torch.autograd.forward_ad.unpack_dual(x).tangent is not None
    )


def _is_torch(x: Array) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and hasattr(torch, "Tensor") and isinstance(x, torch.Tensor)
