"""A tile of slices side by side, class after class: softmax, log_softmax, logsumexp, summary.

The numbers of one class are contiguous, and every loop runs across the slices. Where the slices
are few and their classes lie end to end, several classes are taken at once: a *lane* is then a
slice's every r-th class, and what the lanes of a slice have found is joined.

Each function takes

- the addresses of the tile and of the result (which may be the same), and their strides from one
  class (or r of them) to the next, in bytes;
- `rows`, `last`: how many such strides there are, and the numbers that the last one has;
- `t`: the temperatures of the slices, or None; `limit`: the size from which a peak is not calm;
- `special`: room for a flag a slice; `bench`: rows to work on, as long as there are lanes;

and returns the number of slices that are not ordinary. Those are flagged, and their logits stay as
they are; the result holds nothing of use for them. Loops in place take None for `out`: of two
arrays that overlap LLVM would make no vectors. Loops that write few results take two classes at
once: fewer numbers go through memory. Of more arrays LLVM would give up proving them apart.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from anysoftmax.kernels.compiled.arithmetic import (
    INLINE,
    add_carrying,
    carry,
    copy,
    fill,
    is_calm,
    reciprocal,
    shifted,
    vector,
)
from anysoftmax.kernels.compiled.elementary import exp, log1p
from anysoftmax.kernels.compiled.instructions import fused, larger, one, select, zero

__all__ = [
    "BENCH",
    "GROUP",
    "log_softmax_tile",
    "logsumexp_tile",
    "softmax_tile",
    "summary_tile",
]

GROUP = 4  # so many exponentials are added plainly, to u / 2 if they are equal
BENCH = 7  # rows: peaks, sums of a group, sums, their errors, winners, calm, temperatures
KERNEL: dict[str, Any] = {"error_model": "numpy"}


@njit(**KERNEL)
def softmax_tile(x, x_step, out, out_step, rows, last, t, limit, special, bench):
    """Write the softmax of each slice."""
    peak, part, total, lost, calm = bench[0], bench[1], bench[2], bench[3], bench[5]
    n = bench.shape[1]
    found = _find_peaks(x, x_step, rows, last, t, limit, special, bench)
    fill(total, zero(limit))
    fill(lost, zero(limit))
    for low in range(0, rows, GROUP):
        high = min(low + GROUP, rows)
        for k in range(low, high):
            length = n if k < rows - 1 else last
            result = vector(out + k * out_step, length, limit)
            if x == out:
                _store_exponentials(result, None, peak, t, calm)
            else:
                logits = vector(x + k * x_step, length, limit)
                _store_exponentials(logits, result, peak, t, None)
        fill(part, zero(limit))
        for k in range(low, high, 2):
            one_row = vector(out + k * out_step, n if k < rows - 1 else last, limit)
            if k + 1 < high and (k + 1 < rows - 1 or last == n):
                _add(one_row, vector(out + (k + 1) * out_step, n, limit), part)
            else:
                _add(one_row, None, part)
                if k + 1 < high:
                    _add(vector(out + (k + 1) * out_step, last, limit), None, part)
        carry(total, lost, part)
    _join_sums(total, lost, special.shape[0])
    _invert(total, lost)
    for k in range(rows):
        result = vector(out + k * out_step, n if k < rows - 1 else last, limit)
        if x == out:
            _scale(result, total, lost, calm)
        else:
            _scale(result, total, lost, None)
    return found


@njit(**KERNEL)
def log_softmax_tile(x, x_step, out, out_step, rows, last, t, limit, special, bench):
    """Write the log-softmax of each slice."""
    peak, rest, calm = bench[0], bench[1], bench[5]
    n = bench.shape[1]
    found = _find_peaks(x, x_step, rows, last, t, limit, special, bench)
    _find_rest(x, x_step, rows, last, t, limit, special, bench)
    _take_logarithms(rest, calm)
    for k in range(rows):
        length = n if k < rows - 1 else last
        result = vector(out + k * out_step, length, limit)
        if x == out:
            _subtract(result, None, peak, t, rest)
        else:
            _subtract(vector(x + k * x_step, length, limit), result, peak, t, rest)
    return found


@njit(**KERNEL)
def logsumexp_tile(x, x_step, out, out_step, rows, last, t, limit, special, bench):
    """Write the log-sum-exp of each slice."""
    found = _find_peaks(x, x_step, rows, last, t, limit, special, bench)
    _find_rest(x, x_step, rows, last, t, limit, special, bench)
    _finish(bench[0], bench[1], vector(out, special.shape[0], limit))
    return found


@njit(**KERNEL)
def summary_tile(x, x_step, out, out_step, rows, last, t, limit, special, bench):
    """Write the peak and the rest of each slice."""
    found = _find_peaks(x, x_step, rows, last, t, limit, special, bench)
    _find_rest(x, x_step, rows, last, t, limit, special, bench)
    slices = special.shape[0]
    copy(bench[0], vector(out, slices, limit))
    # The stride given is of as many results as classes are taken at once.
    copy(bench[1], vector(out + out_step // (bench.shape[1] // slices), slices, limit))
    return found


@njit(**INLINE)
def _find_peaks(x, x_step, rows, last, t, limit, special, bench):
    """Find the peaks, and tell which slices are calm; the others pass as if of peak 0, T 1."""
    n = bench.shape[1]
    peak = bench[0]
    copy(vector(x, n, limit), peak)
    for k in range(1, rows, 2):
        one_row = vector(x + k * x_step, n if k < rows - 1 else last, limit)
        if k + 1 < rows - 1 or (k + 1 == rows - 1 and last == n):
            _maximum(one_row, vector(x + (k + 1) * x_step, n, limit), peak)
        else:
            _maximum(one_row, None, peak)
            if k + 1 < rows:
                _maximum(vector(x + (k + 1) * x_step, last, limit), None, peak)
    _join_peaks(peak, special.shape[0])
    return _flag(peak, t, limit, special, bench[5])


@njit(**INLINE)
def _find_rest(x, x_step, rows, last, t, limit, special, bench):
    """Write into ``bench[1]`` the sums of the exponentials without the winner's 1."""
    peak, part, total, lost, ones = bench[0], bench[1], bench[2], bench[3], bench[4]
    n = bench.shape[1]
    fill(total, zero(limit))
    fill(lost, zero(limit))
    fill(ones, zero(limit))
    for low in range(0, rows, GROUP):
        fill(part, zero(limit))
        high = min(low + GROUP, rows)
        for k in range(low, high, 2):
            one_row = vector(x + k * x_step, n if k < rows - 1 else last, limit)
            if k + 1 < high and (k + 1 < rows - 1 or last == n):
                other = vector(x + (k + 1) * x_step, n, limit)
                _sum_exponentials(one_row, other, peak, t, part, ones)
            else:
                _sum_exponentials(one_row, None, peak, t, part, ones)
                if k + 1 < high:
                    other = vector(x + (k + 1) * x_step, last, limit)
                    _sum_exponentials(other, None, peak, t, part, ones)
        carry(total, lost, part)
    _join_sums(total, lost, special.shape[0])
    _join_winners(ones, special.shape[0])
    _gather_rest(total, lost, ones, part)


@njit(**INLINE)
def _join_peaks(peak, slices):
    for j in range(slices, peak.shape[0]):
        peak[j % slices] = larger(peak[j % slices], peak[j])
    for j in range(slices, peak.shape[0]):
        peak[j] = peak[j - slices]


@njit(**INLINE)
def _join_sums(total, lost, slices):
    for j in range(slices, total.shape[0]):
        i = j % slices
        total[i], lost[i] = add_carrying(total[i], lost[i] + lost[j], total[j])
    for j in range(slices, total.shape[0]):
        total[j], lost[j] = total[j - slices], lost[j - slices]


@njit(**INLINE)
def _join_winners(ones, slices):
    for j in range(slices, ones.shape[0]):
        ones[j % slices] += ones[j]
    for j in range(slices, ones.shape[0]):
        ones[j] = ones[j - slices]


@njit(**INLINE)
def _flag(peak, t, limit, special, calm):
    found = 0
    for j in range(peak.shape[0]):
        ordinary = is_calm(peak[j], None if t is None else t[j], limit)
        calm[j] = select(ordinary, one(limit), zero(limit))
        peak[j] = select(ordinary, peak[j], zero(limit))
        if t is not None:
            t[j] = select(ordinary, t[j], one(limit))
    for j in range(special.shape[0]):
        special[j] = calm[j] == zero(limit)
        found += calm[j] == zero(limit)
    return found


@njit(**INLINE)
def _maximum(x, other, peak):
    for j in range(x.shape[0]):
        m = larger(peak[j], x[j])
        peak[j] = m if other is None else larger(m, other[j])


@njit(**INLINE)
def _store_exponentials(x, out, peak, t, calm):
    target = x if out is None else out
    for j in range(x.shape[0]):
        e = exp(shifted(x[j], peak[j], None if t is None else t[j]))
        target[j] = e if calm is None else select(calm[j] > zero(e), e, x[j])


@njit(**INLINE)
def _add(x, other, part):
    for j in range(x.shape[0]):
        part[j] += x[j] if other is None else x[j] + other[j]


@njit(**INLINE)
def _sum_exponentials(x, other, peak, t, part, ones):
    for j in range(x.shape[0]):
        temperature = None if t is None else t[j]
        e = exp(shifted(x[j], peak[j], temperature))
        wins = e == one(e)
        term, winner = select(wins, zero(e), e), select(wins, one(e), zero(e))
        if other is not None:
            e = exp(shifted(other[j], peak[j], temperature))
            wins = e == one(e)
            term += select(wins, zero(e), e)
            winner += select(wins, one(e), zero(e))
        part[j] += term
        ones[j] += winner


@njit(**INLINE)
def _invert(total, lost):
    for j in range(total.shape[0]):
        total[j], lost[j] = reciprocal(total[j], lost[j])


@njit(**INLINE)
def _scale(out, factor, small, calm):
    for j in range(out.shape[0]):
        share = fused(out[j], factor[j], out[j] * small[j])
        out[j] = share if calm is None else select(calm[j] > zero(share), share, out[j])


@njit(**INLINE)
def _gather_rest(total, lost, ones, rest):
    for j in range(total.shape[0]):
        rest[j] = (ones[j] - one(ones[j])) + (total[j] + lost[j])


@njit(**INLINE)
def _take_logarithms(rest, calm):
    for j in range(rest.shape[0]):  # log1p of 0 is 0
        rest[j] = log1p(select(calm[j] > zero(calm[j]), rest[j], calm[j]))


@njit(**INLINE)
def _subtract(x, out, peak, t, normaliser):
    target = x if out is None else out
    for j in range(x.shape[0]):
        target[j] = shifted(x[j], peak[j], None if t is None else t[j]) - normaliser[j]


@njit(**INLINE)
def _finish(peak, rest, out):
    for j in range(out.shape[0]):
        out[j] = peak[j] + log1p(rest[j])
