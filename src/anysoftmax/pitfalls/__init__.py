"""Logits that are none, or that softmax makes nothing of: found by what each slice adds up to."""

from __future__ import annotations

from anysoftmax.pitfalls.check import Check, check_logits
from anysoftmax.pitfalls.finding import Finding

__all__ = ["Check", "Finding", "check_logits"]
