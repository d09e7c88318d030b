"""How far a fitted temperature moves when the samples are drawn again: the bootstrap."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anysoftmax.calibration import fit_temperature

DATA = Path(__file__).parents[2] / "tests" / "data"


def main() -> None:
    """Draw samples with replacement 200 times for each number of them, and fit each draw."""
    logits, labels = np.load(DATA / "digits_logits.npy"), np.load(DATA / "digits_labels.npy")
    random = np.random.default_rng(0)
    print("samples   in 90 % of draws T is   T = 0")
    for number in (50, 100, 225, 450, 899):
        draws = random.integers(0, len(labels), (200, number))
        found = [float(fit_temperature(logits[i], labels[i]).temperature) for i in draws]
        low, high = np.quantile(found, [0.05, 0.95])
        print(f"{number:7}   {low:7.2f} to {high:.2f}   {found.count(0.0):11}")


if __name__ == "__main__":
    main()
