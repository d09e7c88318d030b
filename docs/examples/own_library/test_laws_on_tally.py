"""Hold anysoftmax to its laws on the array library of tally.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tally

from anysoftmax.testing import LAWS, Backend, Law


class TallyBackend(Backend):
    """What the laws need to know of the library."""

    name = "tally"
    library = "tally"
    lazy = True  # anysoftmax looks at no values of an array whose library it does not know
    cost = 4  # so many times fewer examples than NumPy gets: this is an example itself

    def array(self, values: Any, *, dtype: str | None = None, layout: str = "C") -> tally.Array:
        """Return an array of the library."""
        return tally.Array(self._arranged(values, dtype, layout))

    def to_numpy(self, array: tally.Array) -> np.ndarray[Any, Any]:
        """Return the values of one."""
        return array.values

    def dtype(self, name: str) -> Any:
        """Return the library's own dtype."""
        return np.dtype(name)

    def owns(self, array: Any) -> bool:
        """Return whether something is an array of the library."""
        return isinstance(array, tally.Array)

    def run(
        self,
        function: Callable[..., Any],
        arrays: tuple[Any, ...],
        placeholders: dict[str, Any],
        options: dict[str, Any],
    ) -> Any:
        """Call the function, and note that it was given arrays of the library."""
        self.placeholders_seen += sum(map(self.owns, (*arrays, *placeholders.values())))
        return function(*arrays, **placeholders, **options)


BACKEND = TallyBackend()
APPLICABLE = [law for law in LAWS if law.applies(BACKEND)]


@pytest.mark.parametrize("law", APPLICABLE, ids=lambda law: law.name)
def test_law(law: Law) -> None:
    """Every law that has a meaning here holds."""
    law.check(BACKEND)
