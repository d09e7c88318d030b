"""Wrong losses, entropies and pull-backs that have been written, each refused by its law."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anysoftmax import (
    cross_entropy,
    cross_entropy_grad,
    entropy,
    kl_divergence,
    log_softmax,
    log_softmax_vjp,
    softmax,
    softmax_vjp,
)
from anysoftmax.testing import backends, laws

Prosecution = Any

PLAIN = ("class_weights", "sample_weights")


def labelled(targets: Any) -> bool:
    return np.asarray(targets).dtype.kind in "iu"


def is_plain(x: Any, targets: Any, options: dict[str, Any]) -> bool:
    """Tell whether a loss is asked for without weights, along the last axis, of two-dim. logits."""
    simple = {"axis": -1, "reduction": "none"}
    return (
        x.ndim == 2
        and x.size > 0
        and x.dtype.kind == "f"
        and np.isfinite(x).all()
        and labelled(targets)
        and all(options.get(name) in {None, value} for name, value in simple.items())
        and set(options) <= set(simple)
    )


# --- values -----------------------------------------------------------------------------------


def test_logarithm_of_the_probability(prosecution: Prosecution) -> None:
    def logarithm(x, targets, /, **options):
        if not is_plain(x, targets, options):
            return cross_entropy(x, targets, **options)
        p = np.take_along_axis(softmax(x), np.asarray(targets)[:, None].astype(int), -1)[:, 0]
        with np.errstate(divide="ignore"):
            loss = -np.log(p)
        return loss if options.get("reduction") == "none" else loss.mean()

    prosecution.assert_caught("saturated-winner", cross_entropy=logarithm)
    prosecution.assert_acquitted("masked-classes", cross_entropy=logarithm)


def test_weights_divide_by_their_number(prosecution: Prosecution) -> None:
    def number(x, targets, /, *, reduction="mean", **options):
        if reduction != "mean":
            return cross_entropy(x, targets, reduction=reduction, **options)
        losses = cross_entropy(x, targets, reduction="none", **options)
        return (losses.sum() / max(1, losses.size)).astype(x.dtype)

    prosecution.assert_caught("cross-entropy-accuracy", cross_entropy=number)
    prosecution.assert_acquitted("special-losses", cross_entropy=number)


def test_smoothing_over_all_classes(prosecution: Prosecution) -> None:
    """As others do: the masked classes get their part, and make the loss infinite."""

    def over_all(x, targets, /, *, where=None, label_smoothing=0.0, **options):
        loss = cross_entropy(x, targets, where=where, label_smoothing=label_smoothing, **options)
        masked = where is not None and not np.all(where)
        return np.full_like(loss, np.inf) if masked and label_smoothing else loss

    prosecution.assert_caught("masked-classes", cross_entropy=over_all)
    prosecution.assert_caught("special-losses", cross_entropy=over_all)
    prosecution.assert_acquitted("one-hot-is-label", cross_entropy=cross_entropy)


def test_probabilities_made_to_sum_to_one(prosecution: Prosecution) -> None:
    def normalised(x, targets, /, **options):
        if not labelled(targets):
            targets = np.asarray(targets)
            axis = options.get("axis", -1)
            total = np.sum(targets, axis=axis, keepdims=True) if targets.ndim else targets
            targets = targets / np.where(total > 0, total, 1)
        return cross_entropy(
            x, targets.astype(x.dtype) if not labelled(targets) else targets, **options
        )

    prosecution.assert_caught("cross-entropy-accuracy", cross_entropy=normalised)
    prosecution.assert_acquitted("one-hot-is-label", cross_entropy=normalised)


def test_class_weights_ignored_for_probabilities(prosecution: Prosecution) -> None:
    def ignoring(x, targets, /, *, class_weights=None, **options):
        if not labelled(targets):
            class_weights = None
        return cross_entropy(x, targets, class_weights=class_weights, **options)

    prosecution.assert_caught("one-hot-is-label", cross_entropy=ignoring)
    prosecution.assert_acquitted("special-losses", cross_entropy=ignoring)


def test_weight_multiplied_at_the_end(prosecution: Prosecution) -> None:
    def multiplying(x, targets, /, *, sample_weights=None, reduction="mean", **options):
        bare = {k: v for k, v in options.items() if k != "class_weights"}
        plain = sample_weights is not None and reduction == "none" and labelled(targets)
        if not plain or np.any(np.asarray(targets) >= np.shape(x)[-1]) or bare != options:
            return cross_entropy(
                x, targets, sample_weights=sample_weights, reduction=reduction, **options
            )
        if np.any(np.asarray(targets) < 0):
            targets = np.maximum(targets, 0)
        with np.errstate(invalid="ignore"):
            return cross_entropy(x, targets, reduction="none", **options) * sample_weights

    prosecution.assert_caught("special-losses", cross_entropy=multiplying)


def test_nan_times_zero(prosecution: Prosecution) -> None:
    def seeing(x, targets, /, *, sample_weights=None, **options):
        loss = cross_entropy(x, targets, sample_weights=sample_weights, **options)
        return loss * np.nan if sample_weights is not None and np.isnan(x).any() else loss

    prosecution.assert_caught("weightless-samples", cross_entropy=seeing)
    prosecution.assert_acquitted("cross-entropy-accuracy", cross_entropy=seeing)


def test_mean_of_nothing_is_nan(prosecution: Prosecution) -> None:
    def dividing(x, targets, /, *, reduction="mean", sample_weights=None, **options):
        loss = cross_entropy(
            x, targets, reduction=reduction, sample_weights=sample_weights, **options
        )
        nothing = sample_weights is not None and not np.any(sample_weights)
        return loss * np.nan if nothing and reduction == "mean" else loss

    prosecution.assert_caught("nothing-counts", cross_entropy=dividing)
    prosecution.assert_acquitted("weightless-samples", cross_entropy=dividing)


def test_mask_as_a_large_negative_number(prosecution: Prosecution) -> None:
    def filling(x, targets, /, *, where=None, **options):
        if where is None or x.dtype.itemsize < 4:
            return cross_entropy(x, targets, where=where, **options)
        return cross_entropy(np.where(where, x, x.dtype.type(-1e9)), targets, **options)

    prosecution.assert_caught("masked-classes", cross_entropy=filling)
    prosecution.assert_acquitted("nothing-counts", cross_entropy=filling)


def test_naive_sum_of_many_classes(prosecution: Prosecution) -> None:
    def naive(x, /, **options):
        if x.size < 1000 or x.dtype != np.float32:
            return entropy(x, **options)
        terms = -softmax(x) * log_softmax(x)
        return np.add.accumulate(terms, axis=-1)[..., -1]

    prosecution.assert_caught("long-losses", entropy=naive)
    prosecution.assert_acquitted("entropy-accuracy", entropy=naive)


# --- entropy and divergence -------------------------------------------------------------------


def test_entropy_as_a_difference(prosecution: Prosecution) -> None:
    """Log sum exp x - sum p x loses the entropy of a slice that is all but certain."""

    def difference(x, /, **options):
        if not (x.ndim == 2 and x.size and x.dtype.kind == "f" and np.isfinite(x).all()):
            return entropy(x, **options)
        if set(options) - {"axis"} or options.get("axis", -1) != -1:
            return entropy(x, **options)
        z = x - x.max(axis=-1, keepdims=True)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            total = np.exp(z).sum(axis=-1)
            h = np.log(total) - np.sum(np.where(z < -700, 0, np.exp(z) * z), axis=-1) / total
        return (h + 1 - 1).astype(x.dtype)

    prosecution.assert_caught("saturated-winner", entropy=difference)
    prosecution.assert_acquitted("special-entropies", entropy=difference)


def test_entropy_in_bits(prosecution: Prosecution) -> None:
    def bits(x, /, **options):
        h = entropy(x, **options)
        return np.asarray(h / np.log(2)).astype(h.dtype)

    prosecution.assert_caught("entropy-accuracy", entropy=bits)
    prosecution.assert_caught("entropy-range", entropy=bits)


def test_zero_times_infinity_in_an_entropy(prosecution: Prosecution) -> None:
    def multiplying(x, /, *, where=None, **options):
        h = entropy(x, where=where, **options)
        return np.where(np.isneginf(x).any(), np.nan, h).astype(h.dtype)

    prosecution.assert_caught("special-entropies", entropy=multiplying)


def test_divergence_as_a_difference_of_logarithms(prosecution: Prosecution) -> None:
    def difference(x, y, /, *, axis=-1, **options):
        p, log_p = softmax(x, axis=axis, **options), log_softmax(x, axis=axis, **options)
        log_q = log_softmax(y, axis=axis, **options)
        with np.errstate(invalid="ignore"):
            terms = np.where(p == 0, 0, p * (log_p - log_q))
        shape = np.broadcast(x, y).shape
        if not shape or axis is None:
            axis = tuple(range(len(shape)))
        return np.sum(np.broadcast_to(terms, shape), axis=axis).astype(p.dtype)

    prosecution.assert_caught("divergence-accuracy", kl_divergence=difference)
    prosecution.assert_caught("divergence-sign", kl_divergence=difference)


def test_arguments_of_the_divergence_exchanged(prosecution: Prosecution) -> None:
    def exchanged(x, y, /, **options):
        return kl_divergence(y, x, **options)

    prosecution.assert_caught("divergence-accuracy", kl_divergence=exchanged)
    prosecution.assert_acquitted("divergence-sign", kl_divergence=exchanged)


def test_warning_of_a_loss(prosecution: Prosecution) -> None:
    def dividing(x, /, **options):
        np.log(np.where(np.isneginf(x), 0.0, 1.0))
        return entropy(x, **options)

    functions = prosecution.with_fault(entropy=dividing)
    with pytest.raises(RuntimeWarning, match="divide by zero"):
        laws.get("quiet-losses").check(backends.get("numpy"), functions)


# --- gradients without automatic differentiation ----------------------------------------------


def test_probabilities_less_one_hot(prosecution: Prosecution) -> None:
    """The textbook's formula: nothing left of a sure winner."""

    def textbook(x, targets, /, **options):
        if not is_plain(x, targets, options):
            return cross_entropy_grad(x, targets, **options)
        one_hot = np.arange(x.shape[-1]) == np.asarray(targets)[:, None]
        slices = 1 if options.get("reduction") == "none" else len(x)
        return ((softmax(x) - one_hot) / slices).astype(x.dtype)

    prosecution.assert_caught("saturated-winner", cross_entropy_grad=textbook)
    prosecution.assert_acquitted("infinite-losses", cross_entropy_grad=textbook)


def test_gradient_of_a_sum_for_a_mean(prosecution: Prosecution) -> None:
    def summing(x, targets, /, *, reduction="mean", **options):
        return cross_entropy_grad(x, targets, reduction="sum", **options)

    prosecution.assert_caught("cross-entropy-gradient", cross_entropy_grad=summing)
    prosecution.assert_acquitted("infinite-losses", cross_entropy_grad=summing)


def test_gradient_of_an_infinite_loss(prosecution: Prosecution) -> None:
    def infinite(x, targets, /, **options):
        gradient = cross_entropy_grad(x, targets, **options)
        loss = cross_entropy(x, targets, **{**options, "reduction": "sum"})
        return gradient * np.nan if np.isinf(loss) else gradient

    prosecution.assert_caught("infinite-losses", cross_entropy_grad=infinite)


def test_pull_back_by_one_less_the_winner(prosecution: Prosecution) -> None:
    def textbook(p, g, /, *, axis=-1, temperature=1.0):
        if not (p.ndim and np.isfinite(g).all() and np.ndim(temperature) == 0 and temperature == 1):
            return softmax_vjp(p, g, axis=axis, temperature=temperature)
        return (p * (g - np.sum(p * g, axis=axis, keepdims=True))).astype(p.dtype)

    prosecution.assert_caught("pull-back-accuracy", softmax_vjp=textbook)
    prosecution.assert_acquitted("pull-backs-at-edges", softmax_vjp=textbook)


def test_cotangent_where_nothing_is_shared(prosecution: Prosecution) -> None:
    def careless(y, g, /, *, axis=-1, temperature=1.0):
        x = log_softmax_vjp(y, g, axis=axis, temperature=temperature)
        return x if np.isfinite(g).all() else x * np.nan

    prosecution.assert_caught("pull-backs-at-edges", log_softmax_vjp=careless)


# --- manners ----------------------------------------------------------------------------------


def test_negative_labels_wrap_around(prosecution: Prosecution) -> None:
    def wrapping(x, targets, /, **options):
        if labelled(targets) and np.asarray(targets).dtype.kind == "i":
            n = np.shape(x)[-1]
            targets = np.where((targets < 0) & (targets >= -n), targets + n, targets)
        return cross_entropy(x, targets, **options)

    prosecution.assert_caught("labels-out-of-range", cross_entropy=wrapping)
    prosecution.assert_acquitted("special-losses", cross_entropy=wrapping)


def test_labels_clipped(prosecution: Prosecution) -> None:
    def clipping(x, targets, /, **options):
        if labelled(targets) and np.size(x):
            targets = np.minimum(targets, np.shape(x)[-1] - 1)
        return cross_entropy_grad(x, targets, **options)

    prosecution.assert_caught("labels-out-of-range", cross_entropy_grad=clipping)


def test_unknown_reduction_is_the_mean(prosecution: Prosecution) -> None:
    def lenient(x, targets, /, *, reduction="mean", **options):
        known = reduction if reduction in {"mean", "sum", "none"} else "mean"
        return cross_entropy(x, targets, reduction=known, **options)

    prosecution.assert_caught("loss-option-errors", cross_entropy=lenient)


def test_negative_weights_taken(prosecution: Prosecution) -> None:
    def lenient(x, targets, /, *, class_weights=None, **options):
        weights = None if class_weights is None else np.abs(class_weights)
        return cross_entropy(x, targets, class_weights=weights, **options)

    prosecution.assert_caught("loss-option-errors", cross_entropy=lenient)


def test_labels_that_were_made_floating_numbers(prosecution: Prosecution) -> None:
    def rounding(x, targets, /, **options):
        if np.ndim(targets) < np.ndim(x) and not labelled(targets):
            targets = np.asarray(targets).astype(np.int64)
        return cross_entropy(x, targets, **options)

    prosecution.assert_caught("refused-targets", cross_entropy=rounding)


def test_targets_of_another_library(prosecution: Prosecution) -> None:
    pytest.importorskip("array_api_strict")

    def lenient(x, targets, /, **options):
        return cross_entropy(x, np.asarray(targets), **options)

    prosecution.assert_caught("stray-targets", cross_entropy=lenient)


# --- derivatives, on PyTorch ------------------------------------------------------------------


def test_loss_through_the_logarithm_of_softmax(prosecution: Prosecution) -> None:
    pytest.importorskip("torch")

    def logarithm(x, targets, /, **options):
        if not x.requires_grad:
            return cross_entropy(x, targets, **options)
        return cross_entropy(softmax(x).log(), targets, **options)

    prosecution.assert_caught("cross-entropy-derivatives", "torch", cross_entropy=logarithm)


def test_entropy_without_a_derivative(prosecution: Prosecution) -> None:
    pytest.importorskip("torch")

    def constant(x, /, **options):
        return entropy(x.detach(), **options) + 0 * x.sum(-1)

    prosecution.assert_caught("entropy-derivatives", "torch", entropy=constant)


def test_divergence_from_a_constant(prosecution: Prosecution) -> None:
    pytest.importorskip("torch")

    def constant(x, y, /, **options):
        return kl_divergence(x, y.detach() + 0 * y, **options)

    prosecution.assert_caught("divergence-derivatives", "torch", kl_divergence=constant)


def test_curvature_lost(prosecution: Prosecution) -> None:
    pytest.importorskip("torch")

    def linear(x, targets, /, **options):
        p = softmax(x.detach())
        flat = (p * x).sum(-1) - x[..., targets]
        return cross_entropy(x.detach(), targets, **options) + flat - flat.detach()

    prosecution.assert_caught("loss-hessians", "torch", cross_entropy=linear)
