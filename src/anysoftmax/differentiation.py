"""Seams of automatic differentiation, of which the array API standard knows nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from anysoftmax.arrays import Array, is_compiling, is_jax, is_numpy, is_torch


def stop_gradient(x: Array) -> Array:
    """Return `x` as a constant to automatic differentiation."""
    if is_numpy(x):
        return x
    if is_jax(x):
        return sys.modules["jax"].lax.stop_gradient(x)
    if is_torch(x):
        return x.detach()
    return x


def with_tangents(x: Array, linear_at: Callable[[Array], Callable[[Array], Array]]) -> Array:
    """Return `x`; to PyTorch its derivatives pass through the linear map `linear_at(x)`.

    The map must leave `x` itself as it is.
    """
    if not is_numpy(x) and is_torch(x) and _is_recorded(x):
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


def settled(x: Array) -> Array:
    """Return an array that XLA computes before, and apart from, what is made of it."""
    return sys.modules["jax"].lax.optimization_barrier(x) if is_compiled_by_xla(x) else x


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
    if is_traced(condition):
        return sys.modules["jax"].lax.cond(condition, first, second)
    return first() if condition else second()


def repeat(goes_on: Callable[[Any], Any], advance: Callable[[Any], Any], state: Any) -> Any:
    """Advance a state, a tuple of arrays, for as long as it goes on; XLA finds out when it runs."""
    if is_traced(*state):
        return sys.modules["jax"].lax.while_loop(goes_on, advance, state)
    while goes_on(state):
        state = advance(state)
    return state


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


def is_differentiated(*arrays: Array | None) -> bool:
    """Tell whether derivatives by one of the arrays may be asked for."""
    given = [x for x in arrays if x is not None]
    return is_traced(*given) or any(is_torch(x) and _is_recorded(x) for x in given)


def is_writable(x: Array) -> bool:
    """Tell whether an array of one's own may be written to: nothing else watches it."""
    if is_numpy(x):
        return True
    if not is_torch(x) or x.device.type != "cpu" or is_compiling(x) or _is_recorded(x):
        return False
    return _has_memory(x) and not _is_transformed(x)


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


def _has_memory(x: Array) -> bool:
    """Tell whether a tensor has memory of its own; a batch of PyTorch's vmap has none."""
    try:
        x.data_ptr()
    except RuntimeError:
        return False
    return True
