"""Recording the steps of a softmax while it is computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from anysoftmax.admission import admit_array, admit_values
from anysoftmax.arrays import Array, array_namespace, describe
from anysoftmax.softmax import softmax_steps

if TYPE_CHECKING:
    from anysoftmax.explanation.record import Explanation

__all__ = ["explain"]


def explain(
    scores: Array, labels: Iterable[str] | None = None, *, temperature: float = 1.0
) -> Explanation:
    r"""Show how softmax turns one slice of scores into shares.

    .. math:: p_i = \frac{e_i}{\sum_j e_j}, \qquad e_i = \exp z_i, \qquad
              z_i = \frac{x_i - m}{T}, \qquad m = \max_j x_j,

    where :math:`i` and :math:`j` run over the n scores. The numbers are those that
    `anysoftmax.softmax` itself goes through, recorded on the way.

    Parameters
    ----------
    scores : array or list of numbers, shape (n,)
        The logits :math:`x`, in nats: one slice, of any array library. The values are printed, so
        they must be there: a lazy array (Dask) is not computed behind your back but refused, and
        so is a traced one (inside ``jax.jit``).
    labels : iterable of str, length n, optional
        The names of the classes; the positions ``"0"``, ``"1"``, ... when left out.
    temperature : float
        :math:`T`, without dimension, 0 or more; ``inf`` is allowed. An array of one number does as
        well. Below 1 sharpens, above 1 flattens.

    Returns
    -------
    Explanation
        The steps as plain Python numbers. ``print`` shows them as text, a notebook as a table,
        ``.plot()`` as a picture, and ``.to_dict()`` gives them to another program.

    Raises
    ------
    TypeError
        If `scores` is no array of real numbers, or is lazy or traced; if the temperature is no
        number; if a label is not a string.
    ValueError
        If `scores` is not one slice, or is empty; if there are not as many labels as scores; if the
        temperature is negative, NaN or more than one.

    See Also
    --------
    softmax : The shares alone, of arrays of any shape.

    Notes
    -----
    *Special values* are those of `anysoftmax.softmax`, and a sentence below the steps says what
    they mean. A NaN score makes every share NaN; a single ``inf`` takes all, whatever the
    temperature; several leave their own shares undefined (NaN) and 0 to the others; ``-inf`` gets
    0, and where there is nothing else every share is NaN. The temperature 0 gives everything to the
    largest score, or in equal parts to several that are; ``inf`` shares equally among the finite
    ones. Logits of any size are safe: after the shift none is above 0.

    *Accuracy*: the shares are those of `anysoftmax.softmax` to the last bit, within its bounds. The
    logits are as they came, integers as floating numbers; the other numbers are as `softmax` has
    them on its way, of 16-bit scores in float32.

    *Gradient*: none, as the results are plain numbers. Scores that require one (PyTorch) are taken
    at their values.

    References
    ----------
    .. [1] J. S. Bridle, "Probabilistic interpretation of feedforward classification network
       outputs, with relationships to statistical pattern recognition", Neurocomputing, Springer
       (1990). https://doi.org/10.1007/978-3-642-76153-9_28
    .. [2] P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and
       softmax functions", IMA J. Numer. Anal. 41 (2021). https://doi.org/10.1093/imanum/draa038

    Examples
    --------
    >>> import anysoftmax as asm
    >>> print(asm.explain([3.2, 1.3, 0.2], ["Cat", "Dog", "Bird"]))
    Softmax of 3 scores in three steps, temperature 1
    <BLANKLINE>
    1. Logits: the scores as they come
       Cat    3.2
       Dog    1.3
       Bird   0.2
    <BLANKLINE>
    2. Exponentials: subtract the largest logit, 3.2; take exp
       Cat    exp( 0.0) = 1.000
       Dog    exp(-1.9) = 0.150
       Bird   exp(-3.0) = 0.050
       total            = 1.199
    <BLANKLINE>
    3. Shares: divide by the total, 1.199
       Cat    0.834  █████████████████████████████████▍
       Dog    0.125  █████
       Bird   0.042  █▋

    Half the temperature squares the ratios of the shares:

    >>> sharper = asm.explain([3.2, 1.3, 0.2], temperature=0.5)
    >>> [round(p, 3) for p in sharper.shares]
    [0.976, 0.022, 0.002]

    Scores far apart, of which exp overflows without the shift:

    >>> asm.explain([1000.0, 999.0]).exponentials
    (1.0, 0.36787944117144233)
    """
    x = admit_array(scores)
    if x.ndim != 1:
        raise ValueError(
            f"explain takes one slice of scores, one number for each class: got {describe(x)};"
            f" {'choose one row, for example scores[0]' if x.ndim else 'pass a list of scores'}"
        )
    if x.shape[0] == 0:
        raise ValueError("explain needs at least one score: got none")
    steps = softmax_steps(x, axis=-1, temperature=temperature)
    logits = _floats(steps.logits)
    (total,) = _floats(steps.total)

    # Here, as dataclasses take a third of the time in which anysoftmax is imported.
    from anysoftmax.explanation.record import Explanation

    return Explanation(
        labels=_names(labels, len(logits)),
        logits=logits,
        shifted=_floats(steps.shifted),
        exponentials=_floats(steps.exponentials),
        total=total,
        shares=_floats(steps.shares),
        temperature=_temperature(temperature),
    )


def _floats(array: Array) -> tuple[float, ...]:
    """Return the elements of a concrete array, or say that they are not there yet."""
    values = admit_values(array, "explain", "scores or a temperature")
    flat = array_namespace(values).reshape(values, (-1,))
    return tuple(float(flat[i]) for i in range(flat.shape[0]))


def _temperature(temperature: Any) -> float:
    """Return the temperature, which the computation has found to be one number, as a float."""
    (number,) = _floats(admit_array(temperature))
    return number


def _names(labels: Iterable[str] | None, count: int) -> tuple[str, ...]:
    """Return one name for each class, or say which is missing or no text."""
    if labels is None:
        return tuple(str(i) for i in range(count))
    if isinstance(labels, str):
        raise TypeError(
            f"labels must be a list of strings, one for each score: got the string {labels!r};"
            f" write {labels.split(',')!r}"
        )
    try:
        names = list(labels)
    except TypeError:
        raise TypeError(
            f"labels must be a list of strings, one for each score: got {describe(labels)}"
        ) from None
    for name in names:
        if not isinstance(name, str):
            raise TypeError(
                f"labels must be strings: got {describe(name)} among them; write str(label)"
            )
    if len(names) != count:
        raise ValueError(
            f"labels must name every score once: got {len(names)} labels for {count} scores"
        )
    return tuple(str(name) for name in names)  # a plain str, also of NumPy's subclass
