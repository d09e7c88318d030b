"""What the fold makes of the label of each slice alone, which is all that its surprisal needs."""

from __future__ import annotations

import math

from anysoftmax import fold
from anysoftmax.admission import Admitted
from anysoftmax.arrays import Array, Namespace
from anysoftmax.cuts import spread
from anysoftmax.fold import NO_ROOM
from anysoftmax.indexing import pick


def surprisal(a: Admitted, peak: Array, rest: Array, *, ordinary: bool | Array) -> Array:
    """Return the surprisal of each slice's label, given the summary of the slice."""
    chosen = chosen_of(a)
    known = isinstance(ordinary, bool) and ordinary  # so few logits are worth no choice of XLA's
    slices = fold.lift(chosen, peak, NO_ROOM, ordinary=known, invariant=True)
    return infinite_without(a.xp, fold.log_shares(chosen, slices, rest), peak)


def infinite_without(xp: Namespace, y: Array, peak: Array) -> Array:
    """Return -y, infinite where nothing takes part in a slice; a constant where it is infinite."""
    return xp.where((y == -math.inf) | (peak == -math.inf), math.inf, 0.0 - y)


def is_present(a: Admitted) -> Array:
    """Tell which labels take part in their slices."""
    return chosen_of(a).logits != -math.inf


def chosen_of(a: Admitted) -> Admitted:
    """Return the logits of the labels alone, in the dtype of the work, -inf if masked."""
    where = a.where
    if where is not None:
        where = spread(a.xp, where, a.logits)
        where = pick(a.xp, where, a.labels, a.axes, constant=True)
    logits = pick(a.xp, a.logits, a.labels, a.axes, constant=True)
    return fold.participants(a._replace(logits=logits, where=where))
