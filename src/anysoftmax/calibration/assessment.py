"""All measures of a classifier at one temperature, of samples that come a block at a time."""

from __future__ import annotations

from typing import Any

from anysoftmax.calibration.reliability import Reliability, reliability
from anysoftmax.calibration.scores import brier_score
from anysoftmax.softmax import softmax
from anysoftmax.training import cross_entropy

__all__ = ["Assessment"]


class Assessment:
    """How right and how sure a classifier is at a temperature.

    Attributes
    ----------
    temperature : float
        What the logits are divided by.
    samples : int
        How many there have been.
    bins : Reliability
        The samples by confidence; from the first `update` on.
    """

    bins: Reliability

    def __init__(self, temperature: float, n_bins: int) -> None:
        self.temperature = temperature
        self.samples = 0
        self._n_bins = n_bins
        self._loss = 0.0
        self._brier = 0.0

    def update(self, logits: Any, labels: Any) -> None:
        """Add a block of samples, with the classes along the last axis."""
        probs = softmax(logits, temperature=self.temperature)
        if self.samples:
            self.bins.update(probs, labels)
        else:
            self.bins = reliability(probs, labels, n_bins=self._n_bins)
        count = labels.size
        self._loss += float(
            cross_entropy(logits, labels, temperature=self.temperature, reduction="sum")
        )
        self._brier += float(brier_score(probs, labels)) * count
        self.samples += count

    def measures(self) -> dict[str, float]:
        """Return all measures by name; the loss is in nats."""
        counts = self.bins.counts
        return {
            "accuracy": float((self.bins.accuracy * counts).sum()) / self.samples,
            "confidence": float((self.bins.confidence * counts).sum()) / self.samples,
            "nll": self._loss / self.samples,
            "ece": float(self.bins.error(norm="l1")),
            "mce": float(self.bins.error(norm="max")),
            "brier": self._brier / self.samples,
        }
