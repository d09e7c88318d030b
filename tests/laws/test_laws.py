"""Every law on every backend for which it has a meaning."""

from __future__ import annotations

import os

import pytest

from anysoftmax.testing import BACKENDS, LAWS, Backend, Law

# torch.compile takes seconds for each program, so that it is held, unless there is time, to the
# laws that compiling can break: arithmetic contracted or reordered, values traced, derivatives.
COMPILER_LAWS = {
    "default-accuracy",
    "highest-accuracy",
    "special-values",
    "shift-before-scale",
    "wrong-temperatures",
    "traced-as-eager",
    "gradient-accuracy",
    "masked-gradients",
    "cross-entropy-accuracy",
    "cross-entropy-derivatives",
    "labels-out-of-range",
}

# Cubed takes up to a second for each call, which it plans and stores step by step, and ndonnx
# builds and loads a model: the laws that make dozens of calls wait until there is time. Dask, lazy
# too, is held to them.
GRIDS = {
    "any-axis",
    "blocks-in-any-order",
    "inputs-unchanged",
    "joint-axes",
    "layouts",
    "mask-broadcasts",
    "nothing-counts",
    "quiet-losses",
    "shapes",
    "shift-before-scale",
    "special-losses",
    "temperature-by-slice",
    "temperature-limits",
}

# So do these. They are a set of their own, as `GRIDS` is spared JAX without 64-bit numbers, too.
COSTLY = {
    "divergence-sign",
    "integers-promoted",
    "mask-is-slicing",
    "opposite-extremes",
    "special-entropies",
    "vanishing-distances",
    "weightless-samples",
}

# JAX without 64-bit numbers is another library in what its dtypes are, and how well it adds. These
# laws are about neither, and JAX with 64-bit numbers is held to them.
NARROW = {"jax-32", "jax-jit-32"}
WIDTHLESS = {
    "infinite-losses",
    "laziness",
    "mask-hides",
    "mask-is-slicing",
    "one-hot-is-label",
    "second-derivatives",
    "traced-as-eager",
    "weightless-samples",
    "wrong-temperatures",
}

# And these make dozens of programs, of which jax-jit has made the same: jax-32 is held to them.
COMPILED = {"preservation", "saturated-winner", "special-values"}


def has_time_for(law: Law, backend: str) -> bool:
    if os.environ.get("HYPOTHESIS_PROFILE") == "thorough":
        return True
    if backend == "torch-compile":
        return law.name in COMPILER_LAWS
    if backend in NARROW:
        return law.name not in GRIDS | WIDTHLESS | (COMPILED if "jit" in backend else set())
    return backend not in {"cubed", "ndonnx"} or law.name not in GRIDS | COSTLY


PAIRS = [
    pytest.param(law, name, id=f"{law.name}-{name}", marks=pytest.mark.xdist_group(name))
    for name, backend in BACKENDS.items()
    for law in LAWS
    if law.applies(backend) and has_time_for(law, name)
]


@pytest.mark.parametrize(("law", "backend"), PAIRS, indirect=["backend"])
def test_law_holds(law: Law, backend: Backend) -> None:
    law.check(backend)
