"""Make the digits files of this folder: real logits, not made-up numbers.

A small network is trained on half of scikit-learn's handwritten digits, without any regularisation,
so that it is right most of the time and far too sure of itself. The logits of the other half are
computed from the fitted weights in float64 and stored as float32. Run it with
``python make_digits.py [FOLDER]``; it needs scikit-learn.
"""

from __future__ import annotations

import csv
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

CSV_ROWS = 50


def train_and_score() -> tuple[np.ndarray, np.ndarray]:
    """Return the float64 logits (samples, classes) and the labels of the held-out half."""
    digits = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(
        digits.data / 16.0, digits.target, test_size=0.5, random_state=0, stratify=digits.target
    )
    network = MLPClassifier(
        hidden_layer_sizes=(24,), solver="lbfgs", alpha=0.0, max_iter=35, random_state=0
    )
    with warnings.catch_warnings():
        # Stopping early is meant: the fit is separable and has no finite optimum.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(train_x, train_y)
    hidden = np.maximum(test_x @ network.coefs_[0] + network.intercepts_[0], 0.0)
    logits = hidden @ network.coefs_[1] + network.intercepts_[1]
    return logits, test_y


def write_csv(path: Path, logits: np.ndarray, labels: np.ndarray) -> None:
    """Write the first rows as a table: one column per digit, then the label."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*(f"digit_{k}" for k in range(logits.shape[1])), "label"])
        for row, label in zip(logits[:CSV_ROWS], labels[:CSV_ROWS], strict=True):
            writer.writerow([*(str(value) for value in row), int(label)])


def main(folder: Path) -> None:
    """Write the three files into ``folder``."""
    exact, labels = train_and_score()
    logits = exact.astype(np.float32)
    np.save(folder / "digits_logits.npy", logits)
    np.save(folder / "digits_labels.npy", labels.astype(np.int64))
    write_csv(folder / "digits_logits.csv", logits, labels)
    ordered = np.sort(exact, axis=-1)
    gap = ordered[:, -1] - ordered[:, -2]
    confidence = 1.0 / np.sum(np.exp(ordered - ordered[:, -1:]), axis=-1)
    print(f"rows {len(labels)}, accuracy {np.mean(np.argmax(exact, axis=-1) == labels):.4f}")
    print(f"mean confidence {np.mean(confidence):.4f}")
    print(f"gap of winner to runner-up: {gap.min():.2f} to {gap.max():.2f}")
    print(f"rows with 1 - p below half a float32 ulp of 1: {np.sum(1.0 - confidence < 2.0**-25)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
