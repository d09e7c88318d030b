"""Confidence that can be trusted: temperatures fitted to labels, and measures of calibration."""

from __future__ import annotations

from anysoftmax.calibration.scaler import TemperatureScaler
from anysoftmax.calibration.temperature import TemperatureFit, fit_temperature

__all__ = ["TemperatureFit", "TemperatureScaler", "fit_temperature"]
