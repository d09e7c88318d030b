"""One thing that is wrong with logits, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """A pitfall that `anysoftmax.check_logits` has found.

    ``print`` shows it as one line.

    Attributes
    ----------
    pitfall : str
        Its name, which does not change from release to release: ``"probabilities"``, ``"nan"``, ...
    message : str
        What was found in the slices.
    advice : str
        What to do.
    slices : int
        How many slices show it.
    of : int
        How many slices there are.
    first : tuple of int
        Where the first of them is: its index along the axes that are not class axes; empty where
        there is but one slice.

    See Also
    --------
    anysoftmax.check_logits : What makes a list of them.

    Examples
    --------
    >>> import anysoftmax as asm
    >>> print(*asm.check_logits([[1.0, 2.0], [float("inf"), 0.0]]))
    infinite-winner: 1 of 2 slices, first 1: +inf once, which takes all: its share is 1, all others
    are 0; if this is not meant, the logits have overflowed: compute them in a wider dtype
    """

    pitfall: str
    message: str
    advice: str
    slices: int
    of: int
    first: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.pitfall}: {self.where}: {self.message}; {self.advice}"

    @property
    def where(self) -> str:
        """Which slices show it, in words."""
        if self.of == 1:
            return "the only slice"
        if not self.slices:
            return "no slice"
        first = self.first[0] if len(self.first) == 1 else self.first
        return f"{self.slices} of {self.of} slices, first {first}"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as strings, numbers and lists, as JSON has them.

        Returns
        -------
        dict
            The fields by their names.

        Examples
        --------
        >>> import anysoftmax as asm
        >>> (found,) = asm.check_logits([[1.0, 2.0], [float("nan"), 0.0]])
        >>> fields = found.to_dict()
        >>> fields["pitfall"], fields["slices"], fields["of"], fields["first"]
        ('nan', 1, 2, [1])
        """
        return {
            "pitfall": self.pitfall,
            "message": self.message,
            "advice": self.advice,
            "slices": self.slices,
            "of": self.of,
            "first": list(self.first),
        }
