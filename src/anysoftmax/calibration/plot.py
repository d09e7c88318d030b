"""The reliability diagram."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from anysoftmax.arrays import Array, at_hand, describe
from anysoftmax.calibration.reliability import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_reliability"]

RIGHT, GAP = "#4477aa", "#cc3311"  # told apart by all eyes
WIDE = 0.09  # bins that a number of samples fits above
NARROW = 0.03  # bins whose numbers would stand on one another


def plot_reliability(reliability: Reliability, /, *, ax: Axes | None = None) -> Axes:
    """Draw how often a classifier is right against how sure it is.

    A bar for each bin shows its accuracy; the line from corner to corner is where the bars of a
    calibrated classifier end. The gap from a bar to the mean confidence of its bin is hatched, and
    the numbers above the bins say how many samples are in them, where there is room. The title
    tells the expected calibration error.

    Parameters
    ----------
    reliability : Reliability
        The bins; not class-wise ones. Lazy ones are computed.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on; ``ax.figure.savefig("reliability.png")`` keeps it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If it is given something else.
    ValueError
        If the bins are class-wise: a diagram shows one statement a sample. To see a class k, pass
        two classes, it and the rest: ``stack([1 - p_k, p_k])``.

    See Also
    --------
    reliability : What puts samples into bins.
    calibration_error : The number in the title.

    References
    ----------
    .. [1] A. Niculescu-Mizil and R. Caruana, "Predicting good probabilities with supervised
       learning", ICML (2005). https://doi.org/10.1145/1102351.1102430

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from anysoftmax.calibration import plot_reliability, reliability
    >>> bins = reliability([[0.75, 0.25], [0.0, 1.0]], [0, 1])
    >>> plot_reliability(bins, ax=Figure().subplots()).get_title()
    'ECE 0.125, 2 samples'
    """
    if not isinstance(reliability, Reliability):
        raise TypeError(
            f"plot_reliability takes a Reliability: got {describe(reliability)};"
            " pass what reliability(probs, labels) returns"
        )
    if reliability.counts.ndim != 1:
        raise ValueError(
            f"a diagram shows one statement a sample: got bins of {reliability.counts.shape[0]}"
            " classes; pick a class k, and pass reliability of two classes, k and the rest, or"
            " leave classwise=True away"
        )
    edges, counts, weights, confidence, accuracy = (
        _numbers(x)
        for x in (
            reliability.edges,
            reliability.counts,
            reliability.weights,
            reliability.confidence,
            reliability.accuracy,
        )
    )
    (error,) = _numbers(reliability.error()[None])
    if ax is None:
        ax = _new_axes()
    elif not hasattr(ax, "bar"):
        raise TypeError(
            f"ax must be matplotlib's Axes: got {describe(ax)}; leave it away for new ones"
        )
    widths = [high - low for low, high in pairwise(edges)]
    filled = [b for b, weight in enumerate(weights) if weight > 0]

    def bars(heights: list[float], bottoms: list[float], **style: Any) -> None:
        ax.bar(
            [edges[b] for b in filled],
            [heights[b] for b in filled],
            [widths[b] for b in filled],
            [bottoms[b] for b in filled],
            align="edge",
            **style,
        )

    nothing = [0.0] * len(counts)
    gaps = [c - a for c, a in zip(confidence, accuracy, strict=True)]
    bars(accuracy, nothing, color=RIGHT, edgecolor="white", label="accuracy")
    bars(gaps, accuracy, color="none", edgecolor=GAP, hatch="///", label="gap to the confidence")
    ax.plot([0, 1], [0, 1], color="0.3", linestyle="--", linewidth=1, label="calibrated")
    for b in filled:
        if widths[b] < NARROW:
            continue
        ax.text(
            edges[b] + widths[b] / 2,
            1.015,
            f"{int(counts[b])}",
            ha="center",
            va="bottom",
            fontsize=7,
            color="0.3",
            rotation=90 if widths[b] < WIDE else 0,
        )
    ax.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="confidence",
        ylabel="accuracy",
        aspect="equal",
    )
    # Above the numbers of samples, which stand on their sides where bins are narrow.
    ax.set_title(f"ECE {error:.3f}, {int(sum(counts))} samples", pad=32)
    # Below, for bars may be anywhere.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, fontsize=8, frameon=False)
    return ax


def _new_axes() -> Axes:
    """Return the axes of a new figure."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as missing:
        raise ImportError(
            "plot_reliability needs matplotlib: pip install 'anysoftmax[plot]'"
        ) from missing
    axes: Axes = plt.subplots(figsize=(5, 6), layout="constrained")[1]
    return axes


def _numbers(x: Array) -> list[float]:
    """Return the numbers of an array with one axis."""
    x = at_hand(x)
    return [float(x[i]) for i in range(x.shape[0])]
