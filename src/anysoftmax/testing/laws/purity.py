"""Nothing is written, read early or kept: pure functions of arrays that may have no values yet."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from anysoftmax.testing.backends import Backend
from anysoftmax.testing.bounds import Expected, judge
from anysoftmax.testing.laws.law import ALL_FUNCTIONS, law
from anysoftmax.testing.laziness import LazinessGuard
from anysoftmax.testing.oracle.exact import exact
from anysoftmax.testing.strategies import NORMALISABLE, SPECIAL, Case, cases, examples

__all__ = ["inputs_unchanged", "laziness", "traced_as_eager"]


@law(fault="an input is written to, or the result shares its memory")
def inputs_unchanged(backend: Backend, functions: Any) -> None:
    """Logits, mask, temperature and weights hold the same bits afterwards."""
    numbers = np.asarray([[0.5, 2.0, -1.25], [3.0, 3.0, 0.0]])
    ways = product(backend.dtypes, backend.layouts, ("default", "highest"))
    for name, layout, precision in backend.some(ways):
        x = backend.array(numbers, dtype=name, layout=layout)
        mask = backend.array(numbers < 3)
        column = backend.array(np.asarray([[0.5], [2.0]]), dtype=name)
        factors = backend.array(numbers > 0, dtype=name)
        labels = backend.array(np.asarray([1, 0], dtype=np.int32), layout=layout)
        weights = {
            "class_weights": backend.array(np.asarray([1.0, 0.5, 2.0]), dtype=name),
            "sample_weights": backend.array(np.asarray([1.0, 0.5]), dtype=name),
        }
        inputs = (x, mask, column, factors, labels, *weights.values())
        before = [backend.to_numpy(a).tobytes() for a in inputs]
        options = {"where": mask, "precision": precision}
        results = [
            backend.evaluate(functions.softmax, x, temperature=column, **options),
            backend.evaluate(functions.log_softmax, x, temperature=column, **options),
            backend.evaluate(functions.softmax, x),
            backend.evaluate(functions.logsumexp, x, axis=1, weights=factors, **options),
        ]
        if precision == "default":  # the others have no such option
            results += [
                backend.evaluate(functions.entropy, x, where=mask, temperature=column),
                backend.evaluate(functions.kl_divergence, x, factors, temperature=column),
                backend.evaluate(functions.softmax_vjp, x, factors, temperature=column),
                backend.evaluate(functions.log_softmax_vjp, x, factors, temperature=column),
                *(
                    backend.evaluate(function, x, second, where=mask, **weights)
                    for function in (functions.cross_entropy, functions.cross_entropy_grad)
                    for second in (labels, factors)
                ),
            ]
        values = [backend.to_numpy(result) for result in results]
        after = [backend.to_numpy(a).tobytes() for a in inputs]
        assert before == after, f"an input of {name} was written to"
        if backend.writes_out and backend.library != "cupy":
            own = backend.to_numpy(x)
            shared = any(np.shares_memory(own, value) for value in values)
            assert not shared, "the result is a view of the logits"


@law(
    fault="a lazy array is computed, or a traced one is made concrete",
    applies=lambda backend: backend.lazy or backend.traced,
)
def laziness(backend: Backend, functions: Any) -> None:
    """Every option with arrays that have no values, under a guard that knows if it was used."""
    numbers = np.asarray([[0.5, 2.0, -1.25], [3.0, 3.0, 0.0]], dtype=backend.default_dtype)
    mask, column, factors = numbers < 3, numbers[:, :1] + 1, numbers * numbers
    for precision in ("default", "highest"):
        for axis in (-1, 0, None):
            shared: dict[str, Any] = {"axis": axis, "precision": precision}
            with LazinessGuard(backend):
                backend.evaluate(functions.softmax, numbers, where=mask, **shared)
            with LazinessGuard(backend):
                backend.evaluate(functions.logsumexp, numbers, weights=factors, **shared)
        with LazinessGuard(backend):
            backend.evaluate(
                functions.log_softmax, numbers, temperature=column, precision=precision
            )
    labels = np.asarray([1, 7], dtype=np.int32)  # one is out of range, which nobody may see
    weights = {"class_weights": numbers[0] ** 2, "sample_weights": numbers[:, 0]}
    for second in (labels, factors):
        for function in (functions.cross_entropy, functions.cross_entropy_grad):
            with LazinessGuard(backend):
                backend.evaluate(function, numbers, second, where=mask)
            with LazinessGuard(backend):
                backend.evaluate(function, numbers, second, label_smoothing=0.1, **weights)
    with LazinessGuard(backend):
        backend.evaluate(functions.entropy, numbers, where=mask, temperature=column)
    for function in (functions.kl_divergence, functions.softmax_vjp, functions.log_softmax_vjp):
        with LazinessGuard(backend):
            backend.evaluate(function, numbers, factors, temperature=column)


@law(
    fault="a traced function does not do what the eager one does",
    applies=lambda backend: backend.eager() is not backend,
)
def traced_as_eager(backend: Backend, functions: Any) -> None:
    """Traced and eager results agree, and NaN and infinities stand at the same places."""
    families = (*NORMALISABLE, *SPECIAL)

    @examples(
        backend,
        cases(backend, families=families, masks=True, temperatures=(0.0, 0.7, 1.0, np.inf)),
    )
    def holds(case: Case) -> None:
        for function in ALL_FUNCTIONS:
            suited = case.suited(function)
            eager = suited.call(backend.eager(), functions, function)
            traced = suited.call(backend, functions, function)
            expected = suited.expect(backend, function)
            known = Expected(exact(eager), expected.allowed, case.format)
            judge(traced, known, flushes=backend.flushes_subnormals, times=2)

    holds()
