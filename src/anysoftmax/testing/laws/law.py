"""What a law is, and how it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anysoftmax.testing.backends import Backend

__all__ = ["ALL_FUNCTIONS", "FROM_LOGITS", "Law", "affordable", "law"]

Functions = Any  # a module or namespace that has the public functions

# What is computed from logits, and what is from other results.
FROM_LOGITS = (
    "softmax",
    "log_softmax",
    "logsumexp",
    "entropy",
    "kl_divergence",
    "cross_entropy",
    "cross_entropy_grad",
)
ALL_FUNCTIONS = (*FROM_LOGITS, "softmax_vjp", "log_softmax_vjp")

# Those that lay out their work in ways of their own.
DISTINCT = ("softmax", "log_softmax", "logsumexp", "cross_entropy", "cross_entropy_grad")


def affordable(backend: Backend, functions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the functions to try a law on that is about all of them, and about none's numbers.

    Where each call is slow these are the `DISTINCT` ones.

    Examples
    --------
    >>> from anysoftmax.testing import backends
    >>> affordable(backends.get("jax"), ("softmax", "entropy"))
    ('softmax',)
    """
    if backend.compiles or backend.cost > 2:
        return tuple(name for name in functions if name in DISTINCT)
    return functions


@dataclass(frozen=True)
class Law:
    """Something that must hold on every array library.

    Attributes
    ----------
    name : str
        Stands in the test's name.
    fault : str
        What is wrong with functions that break it.
    body : callable
        Raises `AssertionError` if the law is broken.
    applies : callable
        Tells for which backends the law has a meaning.

    Examples
    --------
    >>> from anysoftmax.testing import LAWS, Law
    >>> law = LAWS[0]
    >>> isinstance(law, Law), law.name, law.fault
    (True, 'simplex', 'the probabilities of a slice do not sum to 1')
    """

    name: str
    fault: str
    body: Callable[[Backend, Functions], None]
    applies: Callable[[Backend], bool]

    def check(self, backend: Backend, functions: Functions = None) -> None:
        """Raise an error if `functions`, anysoftmax itself unless given, break the law.

        Examples
        --------
        >>> from anysoftmax.testing import backends, laws
        >>> laws.get("unit-interval").check(backends.get("numpy"))
        """
        if functions is None:
            import anysoftmax as functions
        with backend.context():
            try:
                self.body(backend, functions)
            except Exception as broken:
                broken.add_note(f"law {self.name} on {backend.name}: {self.fault}")
                raise


def law(
    *, fault: str, applies: Callable[[Backend], bool] = lambda _: True
) -> Callable[[Callable[[Backend, Functions], None]], Law]:
    """Make a law of a function; its name is the function's, with hyphens."""

    def decorate(body: Callable[[Backend, Functions], None]) -> Law:
        return Law(body.__name__.replace("_", "-"), fault, body, applies)

    return decorate
