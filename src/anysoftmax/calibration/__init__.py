"""Confidence that can be trusted: temperatures fitted to labels, and measures of calibration."""

from __future__ import annotations

from anysoftmax.calibration.plot import plot_reliability
from anysoftmax.calibration.reliability import Reliability, reliability
from anysoftmax.calibration.scaler import TemperatureScaler
from anysoftmax.calibration.scores import brier_score, calibration_error
from anysoftmax.calibration.temperature import TemperatureFit, fit_temperature

__all__ = [
    "Reliability",
    "TemperatureFit",
    "TemperatureScaler",
    "brier_score",
    "calibration_error",
    "fit_temperature",
    "plot_reliability",
    "reliability",
]
