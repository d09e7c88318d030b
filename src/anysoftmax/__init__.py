"""Softmax done once, right and fast, for every array library."""

from anysoftmax.errors import AxisError
from anysoftmax.logsumexp import logsumexp
from anysoftmax.softmax import log_softmax, softmax

__version__ = "0.1.0"

__all__ = ["AxisError", "log_softmax", "logsumexp", "softmax"]
