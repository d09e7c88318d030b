"""What PyTorch's and JAX's own functions do otherwise: the laws that the kernel "native" breaks.

Run it (``nox -s departures``) to write them to docs/departures.json and the page
docs/reference/kernels.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anysoftmax
from anysoftmax import KernelError, kernels
from anysoftmax.kernels.table import TABLE
from anysoftmax.testing import LAWS, Backend, Law
from anysoftmax.testing.backends.jax_backends import JaxBackend
from anysoftmax.testing.backends.torch_backends import TorchBackend

DOCS = Path(__file__).parents[2] / "docs"
PAGE = Path(__file__).with_name("page.md.in")


class NativeTorch(TorchBackend):
    """PyTorch's own functions."""

    name = "torch"

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function with the native kernel."""
        with kernels.use("native"):
            return super().run(function, *arguments)


class NativeJax(JaxBackend):
    """The functions of jax.nn."""

    name = "jax"

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the function with the native kernel."""
        with kernels.use("native"):
            return super().run(function, *arguments)


def _by_reference(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def computed(*arguments: Any, **options: Any) -> Any:
        with kernels.use("reference"):
            return function(*arguments, **options)

    return computed


# Of what native kernels do not compute there is nothing to say.
FUNCTIONS = SimpleNamespace(
    **{
        name: getattr(anysoftmax, name)
        for name in ("softmax", "log_softmax", "logsumexp", "AxisError")
    },
    **{
        name: _by_reference(getattr(anysoftmax, name))
        for name in (
            "cross_entropy",
            "cross_entropy_grad",
            "entropy",
            "kl_divergence",
            "log_softmax_vjp",
            "softmax_vjp",
        )
    },
)
# Laws of these modules look at nothing else.
OF_OTHERS = (
    "cross_entropy",
    "entropy",
    "loss_gradients",
    "pull_backs",
    "special_losses",
    "streaming",
    "targets",
)
CONCERNED = [law for law in LAWS if law.body.__module__.rpartition(".")[2] not in OF_OTHERS]
NATIVE = {backend.name: backend for backend in (NativeTorch(), NativeJax())}


def departure(law: Law, backend: Backend) -> str | None:
    """Say how a native kernel departs from a law; None if it keeps it."""
    try:
        law.check(backend, FUNCTIONS)
    except KernelError:
        return "not able"
    except Exception:  # noqa: BLE001 - whatever is raised, the law does not hold
        return "breaks it"
    return None


def main() -> None:
    """Try every law, then write the departures and the page."""
    table: dict[str, dict[str, str]] = {}
    for law in CONCERNED:
        for name, backend in NATIVE.items():
            found = departure(law, backend) if law.applies(backend) else None
            if found:
                table.setdefault(law.name, {})[name] = found
        print(law.name, table.get(law.name, "holds"), file=sys.stderr)  # noqa: T201
    (DOCS / "departures.json").write_text(json.dumps(table, indent=1) + "\n")
    (DOCS / "reference" / "kernels.md").write_text(page(table))


def page(table: dict[str, dict[str, str]]) -> str:
    """Return the page with the departures filled in."""
    faults = {law.name: law.fault for law in LAWS}
    rows = [
        f"| {name} | {faults[name]} | {found.get('torch', '')} | {found.get('jax', '')} |"
        for name, found in table.items()
    ]
    text = PAGE.read_text().replace("@DEPARTURES@", "\n".join(rows))
    text = text.replace("@KERNELS@", "\n".join(kernel_rows()))
    return text.replace("@VERSIONS@", f"PyTorch {version('torch')} and JAX {version('jax')}")


def kernel_rows() -> list[str]:
    """Return a row of the page for each function: what it computes, of which arrays."""
    functions: dict[tuple[str, str, str, int | None], list[str]] = {}
    for k in TABLE:
        functions.setdefault((k.name, k.library, k.needs, k.automatic_from), []).append(k.operation)
    return [
        f'| `"{name}"` | {library} | {", ".join(f"`{each}`" for each in operations)}'
        f" | `anysoftmax[{needs}]` | {_automatic_from(first)} |"
        for (name, library, needs, first), operations in functions.items()
    ]


def _automatic_from(first: int | None) -> str:
    if first is None:
        return "never"
    return f"from {first} logits on" if first else "always"


if __name__ == "__main__":
    main()
