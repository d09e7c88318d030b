"""The laws: what must hold for the public functions on every array library.

>>> from anysoftmax.testing import backends, laws
>>> laws.get("temperature-by-slice").check(backends.get("numpy"))
"""

from __future__ import annotations

from anysoftmax.testing.laws import (
    accuracy,
    axes,
    cross_entropy,
    entropy,
    errors,
    gradients,
    loss_gradients,
    masking,
    probability,
    pull_backs,
    purity,
    special_losses,
    special_values,
    streaming,
    targets,
    temperature,
    types,
)
from anysoftmax.testing.laws.law import Law

__all__ = ["LAWS", "Law", "get"]

LAWS: tuple[Law, ...] = (
    probability.simplex,
    probability.unit_interval,
    probability.shift_invariance,
    probability.permutation,
    probability.independent_slices,
    probability.order,
    probability.log_of_softmax,
    probability.homomorphism,
    accuracy.default_accuracy,
    accuracy.highest_accuracy,
    accuracy.saturated_winner,
    accuracy.vanishing_distances,
    accuracy.weighted_accuracy,
    accuracy.shapes,
    accuracy.sixteen_bit_sums,
    accuracy.million_classes,
    cross_entropy.cross_entropy_accuracy,
    cross_entropy.one_hot_is_label,
    cross_entropy.weightless_samples,
    cross_entropy.nothing_counts,
    cross_entropy.masked_classes,
    cross_entropy.long_losses,
    entropy.entropy_accuracy,
    entropy.entropy_range,
    entropy.divergence_accuracy,
    entropy.divergence_sign,
    special_losses.special_losses,
    special_losses.special_entropies,
    special_losses.quiet_losses,
    special_values.special_values,
    special_values.no_warnings,
    temperature.temperature_limits,
    temperature.never_nan,
    temperature.temperature_by_slice,
    temperature.shift_before_scale,
    temperature.opposite_extremes,
    temperature.wrong_temperatures,
    masking.mask_is_slicing,
    masking.mask_hides,
    masking.mask_broadcasts,
    axes.any_axis,
    axes.joint_axes,
    axes.layouts,
    types.integers_promoted,
    types.preservation,
    types.asked_dtype,
    types.python_numbers,
    types.out,
    purity.inputs_unchanged,
    purity.laziness,
    purity.traced_as_eager,
    gradients.gradient_accuracy,
    gradients.weight_gradients,
    gradients.masked_gradients,
    gradients.gradients_at_edges,
    gradients.second_derivatives,
    pull_backs.pull_back_accuracy,
    pull_backs.pull_backs_at_edges,
    loss_gradients.cross_entropy_gradient,
    loss_gradients.cross_entropy_derivatives,
    loss_gradients.entropy_derivatives,
    loss_gradients.divergence_derivatives,
    loss_gradients.infinite_losses,
    loss_gradients.loss_hessians,
    streaming.blocks_in_any_order,
    streaming.special_blocks,
    streaming.long_streams,
    targets.labels_out_of_range,
    targets.loss_option_errors,
    targets.refused_targets,
    targets.stray_targets,
    errors.axis_errors,
    errors.option_errors,
    errors.refused_inputs,
    errors.stray_arrays,
)


def get(name: str) -> Law:
    """Return the law of a name; raise `ValueError` that lists the names if there is none.

    Examples
    --------
    >>> get("simplex").fault
    'the probabilities of a slice do not sum to 1'
    """
    for law in LAWS:
        if law.name == name:
            return law
    raise ValueError(f"unknown law {name!r}: use one of {', '.join(law.name for law in LAWS)}")
