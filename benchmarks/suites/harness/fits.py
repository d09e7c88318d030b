"""Temperatures fitted to labels: ours, and what people use or write with each library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .libraries import require
from .samples import logits

if TYPE_CHECKING:
    NumpyArray = np.ndarray[Any, Any]

TRUE_TEMPERATURE = 1.7

Fit = Callable[..., float]


def labelled(count: int, classes: int, dtype: str) -> tuple[NumpyArray, NumpyArray]:
    """Return logits, and labels that have the probabilities of softmax at a known temperature."""
    x = logits((count, classes), dtype)
    noise = np.random.default_rng(2).gumbel(size=x.shape)
    # The place of the largest of logits with Gumbel noise has their softmax for a distribution.
    return x, np.argmax(x / TRUE_TEMPERATURE + noise, axis=1)


def fit(implementation: str) -> Fit:
    """Return a function of logits and labels, arrays of its library, to the temperature."""
    return _FITS[implementation]()


def _anysoftmax() -> Fit:
    anysoftmax = require("anysoftmax")
    try:
        from anysoftmax.calibration import fit_temperature
    except ImportError:
        raise NotImplementedError(
            f"anysoftmax {anysoftmax.__version__} fits no temperature"
        ) from None
    return lambda x, labels: float(fit_temperature(x, labels).temperature)


def _scikit_learn() -> Fit:
    """Return the search behind CalibratedClassifierCV(method="temperature")."""
    calibrator = getattr(require("sklearn.calibration"), "_TemperatureScaling", None)
    if calibrator is None:
        raise NotImplementedError("this scikit-learn fits no temperature")
    return lambda x, labels: 1 / float(calibrator().fit(x, labels).beta_)


def _lbfgs(**options: Any) -> Fit:
    """Return the usual recipe: PyTorch's LBFGS on the temperature, from 1.5."""
    torch = require("torch")

    def fitted(x: Any, labels: Any) -> float:
        temperature = torch.full((), 1.5, dtype=x.dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS([temperature], **options)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(x / temperature, labels)
            loss.backward()
            return loss

        optimizer.step(closure)
        return float(temperature.detach())

    return fitted


_FITS: dict[str, Callable[[], Fit]] = {
    "anysoftmax": _anysoftmax,
    "scikit-learn": _scikit_learn,
    # As in the code that came with "On calibration of modern neural networks".
    "LBFGS of 50 steps": lambda: _lbfgs(lr=0.01, max_iter=50),
    "LBFGS with line search": lambda: _lbfgs(line_search_fn="strong_wolfe"),
}
