"""Tables of the reference, written from what the tests use each time the site is built.

A page includes ``generated/NAME.md`` for each function in `TABLES`.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anysoftmax.testing import BACKENDS, LAWS, Backend
from anysoftmax.testing.backends.backend import INTEGERS
from anysoftmax.testing.laws.special_losses import (
    SPECIAL_DIVERGENCES,
    SPECIAL_ENTROPIES,
    SPECIAL_LOSSES,
    SpecialCase,
)
from anysoftmax.testing.laws.special_values import SPECIAL_VALUES

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["REQUIRED", "TABLES"]

DOCS = Path(__file__).parents[1]
NOXFILE = DOCS.parent / "noxfile.py"
GPU_RUN = DOCS / "gpu.json"  # written by `nox -s gpu`, once the laws have been kept


def _required() -> tuple[str, ...]:
    """Return the backends that CI requires; nox itself isn't there when the site is built."""
    for line in ast.parse(NOXFILE.read_text("utf-8")).body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "REQUIRED_BACKENDS":
            names: tuple[str, ...] = ast.literal_eval(line.value)
            return names
    raise ValueError("noxfile.py no longer has a list REQUIRED_BACKENDS")


REQUIRED = {BACKENDS[name].stands_on for name in _required()}


def libraries() -> str:
    """Return what each backend is, which dtypes it has and where it is tested."""
    head = ("backend", "what it is", "floating dtypes", "tested")
    return _table(
        head,
        (
            (
                f"`{backend.name}`",
                _what(backend),
                ", ".join(backend.dtypes),
                _tested(backend),
            )
            for backend in BACKENDS.values()
        ),
    )


def abilities() -> str:
    """Return what the laws rely on in each backend."""
    head = ("backend", "lazy", "traced", "autodiff", "`out=`", "compiles", "flushes")
    return _table(
        head,
        (
            (
                f"`{backend.name}`",
                *(
                    "yes" if able else ""
                    for able in (
                        backend.lazy,
                        backend.traced,
                        backend.differentiable,
                        backend.writes_out,
                        backend.compiles,
                        backend.flushes_subnormals,
                    )
                ),
            )
            for backend in BACKENDS.values()
        ),
    )


def arrangements() -> str:
    """Return the layouts and integer dtypes that the laws try on each backend."""
    return _table(
        ("backend", "layouts", "integers", "they become"),
        (
            (
                f"`{backend.name}`",
                ", ".join(backend.layouts),
                _integers(backend),
                backend.default_dtype,
            )
            for backend in BACKENDS.values()
        ),
    )


def gpus() -> str:
    """Return a sentence for each backend that needs a GPU."""
    if GPU_RUN.exists():
        machine = json.loads(GPU_RUN.read_text("utf-8"))["machine"]
        known = f"`nox -s gpu` last ran on {machine}."
    else:
        known = "It has not been run on a GPU yet."
    return "\n".join(
        f"- `{backend.name}`, {_what(backend)}, needs an NVIDIA GPU, which CI doesn't have. {known}"
        for backend in BACKENDS.values()
        if backend.platform == "cuda"
    )


def laws() -> str:
    """Return every law with the fault that it excludes, by subject."""
    parts = []
    for module, kept in groupby(LAWS, key=lambda law: law.body.__module__):
        summary = str(sys.modules[module].__doc__).partition("\n")[0]
        rows = [
            (f"`{law.name}`", law.fault, _counted(sum(map(law.applies, BACKENDS.values()))))
            for law in kept
        ]
        title = module.rpartition(".")[2].replace("_", " ").capitalize()
        parts.append(
            f"### {title}\n\n{summary}\n\n{_table(('law', 'what it excludes', 'backends'), rows)}"
        )
    return "\n\n".join(parts)


def special_values() -> str:
    """Return the special values of softmax, log-softmax and log-sum-exp."""
    head = ("case", "logits", "T", "softmax", "log_softmax", "logsumexp")
    return _table(
        head,
        (
            (
                row.name,
                _logits(row.logits, row.where),
                _temperature(row.temperature),
                _numbers(row.softmax),
                _numbers(row.log_softmax),
                "" if row.logsumexp is None else _numbers([row.logsumexp]),
            )
            for row in SPECIAL_VALUES
        ),
    )


def special_losses() -> str:
    """Return the special values of the cross-entropy of one slice."""
    return _table(
        ("case", "logits", "target", "options", "cross_entropy"),
        (
            (
                row.name,
                _logits(row.logits, row.where),
                _target(row),
                _options(row),
                _numbers([row.result]),
            )
            for row in SPECIAL_LOSSES
        ),
    )


def special_entropies() -> str:
    """Return the special values of the entropy."""
    return _table(
        ("case", "logits", "T", "entropy"),
        (
            (
                row.name,
                _logits(row.logits, row.where),
                _temperature(row.temperature),
                _numbers([row.result]),
            )
            for row in SPECIAL_ENTROPIES
        ),
    )


def special_divergences() -> str:
    """Return the special values of the divergence."""
    return _table(
        ("case", "logits of p", "logits of q", "T", "kl_divergence"),
        (
            (
                row.name,
                _logits(row.logits, row.where),
                _logits(_given(row), row.where),
                _temperature(row.temperature),
                _numbers([row.result]),
            )
            for row in SPECIAL_DIVERGENCES
        ),
    )


TABLES = {
    function.__name__: function
    for function in (
        libraries,
        abilities,
        arrangements,
        gpus,
        laws,
        special_values,
        special_losses,
        special_entropies,
        special_divergences,
    )
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _what(backend: Backend) -> str:
    """Return the first sentence about a backend."""
    sentence = str(type(backend).__doc__).partition("\n")[0]
    return sentence.rstrip(".").replace("``", "`")


def _tested(backend: Backend) -> str:
    if backend.platform == "cuda":
        return "on a GPU"
    return "in CI" if backend.stands_on in REQUIRED else "where installed"


def _integers(backend: Backend) -> str:
    missing = [name for name in INTEGERS if name not in backend.integers]
    return f"all but {', '.join(missing)}" if missing else "all"


def _counted(count: int) -> str:
    return "all" if count == len(BACKENDS) else f"{count} of {len(BACKENDS)}"


def _number(value: float) -> str:
    """Write a number as in a formula; those of the tables are simple, or multiples of log 2."""
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    times = float(value / np.log(2))
    if times and times.is_integer():
        return {1: "log 2", -1: "-log 2"}.get(int(times), f"{int(times)} log 2")
    return f"{value:g}"


def _numbers(values: Iterable[float]) -> str:
    return _in_a_row(map(_number, values))


def _logits(values: Sequence[float], where: Sequence[bool] | None) -> str:
    """Write a slice, what is masked in brackets."""
    taking_part = where or [True] * len(values)
    return _in_a_row(
        _number(x) if part else f"[{_number(x)}]"
        for x, part in zip(values, taking_part, strict=True)
    )


def _in_a_row(numbers: Iterable[str]) -> str:
    together = ", ".join(numbers)
    return f"`{together}`" if together else "none"


def _target(row: SpecialCase) -> str:
    return f"label `{row.second}`" if isinstance(row.second, int) else _numbers(_given(row))


def _given(row: SpecialCase) -> tuple[float, ...]:
    """Return what logits are compared with, where it is a number for each class."""
    given: Any = row.second
    return tuple(given)


def _temperature(value: float) -> str:
    return "" if value == 1 else f"`{_number(value)}`"


def _options(row: SpecialCase) -> str:
    options = []
    if row.temperature != 1:
        options.append(f"temperature={_number(row.temperature)}")
    if row.weight != 1:
        options.append(f"sample_weights={_number(row.weight)}")
    if row.class_weights is not None:
        options.append(f"class_weights=[{', '.join(map(_number, row.class_weights))}]")
    if row.smoothing:
        options.append(f"label_smoothing={_number(row.smoothing)}")
    return ", ".join(f"`{option}`" for option in options)


def write(app: Sphinx) -> None:
    """Write the tables to where pages include them from."""
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    for name, function in TABLES.items():
        (folder / f"{name}.md").write_text(f"{function()}\n", "utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write them before the pages are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
