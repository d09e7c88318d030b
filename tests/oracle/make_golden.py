"""Make golden.json: softmax, log-softmax and logsumexp by their definitions, to 400 digits.

Run ``python tests/oracle/make_golden.py`` from anywhere; it rewrites the file beside it.

The exact oracle shifts by the maximum and sums the others, as the library does. Here nothing is
shifted: Python's decimal numbers have room for exp(1e5) and for 1 + exp(-700) alike, so that
exp(x / T) / sum exp(x / T) can be written as it stands. Two ways to one number: an error in one of
them does not go unseen.
"""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from pathlib import Path

DIGITS = 400
GOLDEN = Path(__file__).with_name("golden.json")

# Logits and temperature. Numbers such as 0.1 stand for the float64 next to them.
SLICES: dict[str, tuple[tuple[float, ...], float]] = {
    "cat, dog, bird": ((3.2, 1.3, 0.2), 1.0),
    "ties": ((1.0, 1.0, 1.0), 1.0),
    "one class": ((3.25,), 1.0),
    "winner by 40": ((0.0, -40.0), 1.0),
    "winner by 100 and more": ((0.0, -100.0, -100.5, -103.0), 1.0),
    "winner by 700": ((0.0, -700.0), 1.0),
    "winner by 740, subnormal": ((0.0, -740.0), 1.0),
    "winner by 800, below all": ((0.0, -800.0), 1.0),
    "shared by two of four": ((0.0, 0.0, -50.0, -51.0), 1.0),
    "large offset": ((10000.1, 10000.2, 10000.0), 1.0),
    "logsumexp near 0": ((-0.6931471805599453, -0.6931471805599453), 1.0),
    "logsumexp cancels": ((-1.0986122886681098, -1.0986122886681098, -1.09861228866811), 1.0),
    "many small": ((0.0, *(-7.0 - 0.125 * i for i in range(40))), 1.0),
    "huge": ((1e5, 99990.25, -1e5), 1.0),
    "tiny": ((5e-324, 0.0, -1e-310), 1.0),
    "cold": ((0.3, 0.2, 0.1), 0.01),
    "cold, saturated": ((2.0, 1.0, -1.0), 0.005),
    "T = 0.7": ((3.2, 1.3, 0.2), 0.7),
    "hot": ((3.2, 1.3, -400.0), 125.5),
    "very hot": ((3.2, 1.3, 0.2), 1e10),
}


def exact_pair(value: Decimal) -> list[str]:
    """Return the float64 nearest to a number, and the float64 nearest to what is left of it."""
    upper = float(value)
    return [upper.hex(), float(value - Decimal(upper)).hex()]


def outcome(logits: tuple[float, ...], temperature: float) -> dict[str, object]:
    """Return the three functions of one slice, logsumexp at T = 1."""
    with localcontext() as context:
        context.prec = DIGITS
        z = [Decimal(x) / Decimal(temperature) for x in logits]
        total = sum(x.exp() for x in z)
        return {
            "logits": [x.hex() for x in logits],
            "temperature": temperature.hex(),
            "softmax": [exact_pair(x.exp() / total) for x in z],
            "log_softmax": [exact_pair((x.exp() / total).ln()) for x in z],
            "logsumexp": exact_pair(sum(Decimal(x).exp() for x in logits).ln()),
        }


def golden() -> dict[str, dict[str, object]]:
    """Return the whole file's contents."""
    return {name: outcome(*slice_) for name, slice_ in SLICES.items()}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {len(SLICES)} slices to {GOLDEN}")
