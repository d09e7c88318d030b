"""Three classifiers, looked at before and after a temperature is fitted: two too sure, one too shy.

``python docs/examples/calibrate.py`` prints what it finds; with a folder behind it draws it, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB

import anysoftmax as asm
from anysoftmax.calibration import (
    Reliability,
    brier_score,
    fit_temperature,
    plot_reliability,
    reliability,
)

DATA = Path(__file__).parents[2] / "tests" / "data"
Samples = tuple[np.ndarray, np.ndarray]  # logits and labels, in no order


def network() -> Samples:
    """Return the logits of a network that was trained to be right, whatever it takes."""
    return np.load(DATA / "digits_logits.npy"), np.load(DATA / "digits_labels.npy")


def naive_bayes() -> Samples:
    """Return the log-probabilities of Gaussian naive Bayes."""
    x, y = load_breast_cancer(return_X_y=True)
    x, unseen, y, labels = train_test_split(x, y, train_size=189, random_state=0)
    return GaussianNB().fit(x, y).predict_log_proba(unseen), labels


def ridge() -> Samples:
    """Return the scores of a regression on -1 and 1, which nobody has meant as logits."""
    x, y = load_digits(return_X_y=True)
    x, unseen, y, labels = train_test_split(x, y, train_size=899, random_state=0)
    return RidgeClassifier().fit(x, y).decision_function(unseen), labels


CLASSIFIERS = {"network": network, "naive_bayes": naive_bayes, "ridge": ridge}


def look(logits: np.ndarray, labels: np.ndarray, temperature: float) -> Reliability:
    """Print a line of measures at one temperature, and return the bins."""
    probs = asm.softmax(logits, temperature=temperature)
    bins = reliability(probs, labels, n_bins=10)
    measures = (
        np.mean(probs.argmax(axis=-1) == labels),
        np.mean(probs.max(axis=-1)),
        bins.error(),
        asm.cross_entropy(logits, labels, temperature=temperature),
        brier_score(probs, labels),
    )
    print(f"  T = {temperature:<9.3f}", *(f"{float(x):10.4f}" for x in measures))
    return bins


def draw(bins: dict[float, Reliability], path: Path) -> None:
    """Draw the bins at two temperatures side by side."""
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    for axes, (temperature, one) in zip(figure.subplots(1, 2), bins.items(), strict=True):
        plot_reliability(one, ax=axes)
        axes.set_xlabel(f"confidence at temperature {temperature:.3g}")
    figure.savefig(path)


def main(folder: Path | None) -> None:
    """Fit a temperature to one half of the samples of each classifier, and look at the other."""
    for name, samples in CLASSIFIERS.items():
        logits, labels = samples()
        half = len(labels) // 2
        fit = fit_temperature(logits[:half], labels[:half])
        print(f"{name}: {fit.status} on {half} samples; {len(labels) - half} others say")
        print(f"{'':15}  accuracy confidence        ECE        NLL      Brier")
        bins = {t: look(logits[half:], labels[half:], t) for t in (1.0, float(fit.temperature))}
        if folder:
            draw(bins, folder / f"{name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
