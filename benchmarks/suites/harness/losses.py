"""Mean cross-entropy of logits and labels: ours, and what people write with each library.

The classes are on the last axis. "gradient" is value and gradient together, as a step of training
needs them: by automatic differentiation, and on NumPy by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .libraries import Backend, backend, require, under

PARTS = ["value", "gradient"]

Function = Callable[..., Any]


class Contest(NamedTuple):
    """A library, which of our kernels is asked for (None leaves it to us), and who is the peer."""

    library: str
    kernel: str | None
    peer: str


CONTESTS = {
    "numpy, scipy.special": Contest("numpy", None, "scipy.special"),
    "numpy reference, scipy.special": Contest("numpy", "reference", "scipy.special"),
    "torch, torch": Contest("torch", None, "torch"),
    "torch reference, torch": Contest("torch", "reference", "torch"),
    "jax-jit, jax.nn": Contest("jax-jit", None, "jax.nn"),
    "jax-jit, logsumexp - logit": Contest("jax-jit", None, "logsumexp - logit"),
}


def loss(implementation: str, library: str, part: str, *, kernel: str | None = None) -> Function:
    """Return a function of logits and labels that comes back when its result is computed.

    `implementation` is "anysoftmax" or a peer that some `Contest` names.
    """
    chosen = backend(library, automatic=True)
    if implementation != "anysoftmax":
        return _WAYS[library](chosen, _PEERS[implementation], part)
    anysoftmax = require("anysoftmax")
    if not hasattr(anysoftmax, "cross_entropy"):
        raise NotImplementedError("this commit has no anysoftmax.cross_entropy")
    ours = _ours_on_numpy if library == "numpy" else anysoftmax.cross_entropy
    return under(kernel, _WAYS[library](chosen, ours, part))


def _by_hand(_backend: Backend, function: Function, part: str) -> Function:
    return partial(function, part=part)


def _backwards(_backend: Backend, function: Function, part: str) -> Function:
    torch = require("torch")

    def differentiated(x: Any, labels: Any) -> Any:
        leaf = x.detach().requires_grad_()
        value = function(leaf, labels)
        return value, torch.autograd.grad(value, leaf)

    return function if part == "value" else differentiated


def _compiled(backend: Backend, function: Function, part: str) -> Function:
    jax = require("jax")
    program = jax.jit(function if part == "value" else jax.value_and_grad(function))
    return lambda x, labels: backend.wait(program(x, labels))


_WAYS = {"numpy": _by_hand, "torch": _backwards, "jax-jit": _compiled}


def _ours_on_numpy(x: Any, labels: Any, part: str) -> Any:
    anysoftmax = require("anysoftmax")
    value = anysoftmax.cross_entropy(x, labels)
    return value if part == "value" else (value, anysoftmax.cross_entropy_grad(x, labels))


def _scipy(x: Any, labels: Any, part: str) -> Any:
    np = require("numpy")
    y = require("scipy.special").log_softmax(x, axis=-1)
    place = np.arange(len(labels)), labels
    value = -y[place].mean()
    if part == "value":
        return value
    slope = np.exp(y, out=y)
    slope[place] -= 1
    slope /= len(labels)
    return value, slope


def _torch(x: Any, labels: Any) -> Any:
    return require("torch").nn.functional.cross_entropy(x, labels)


def _jax_nn(x: Any, labels: Any) -> Any:
    jax = require("jax")
    y = jax.nn.log_softmax(x, axis=-1)
    return -jax.numpy.take_along_axis(y, labels[:, None], axis=-1).mean()


def _logsumexp(x: Any, labels: Any) -> Any:
    """Subtract the label's logit from logsumexp, as Optax does."""
    jax = require("jax")
    chosen = jax.numpy.take_along_axis(x, labels[:, None], axis=-1)[:, 0]
    return (jax.nn.logsumexp(x, axis=-1) - chosen).mean()


_PEERS: dict[str, Function] = {
    "scipy.special": _scipy,
    "torch": _torch,
    "jax.nn": _jax_nn,
    "logsumexp - logit": _logsumexp,
}
