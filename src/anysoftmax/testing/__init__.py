"""Laws of softmax and of the losses made of it, for this library's tests and for any other's.

The extra ``testing`` brings what this package needs. To hold the functions to their contract on
an array library of your own, describe it as a `Backend` and run every law that applies:

>>> from anysoftmax.testing import LAWS, backends
>>> numpy = backends.get("numpy")
>>> for law in LAWS:
...     if law.applies(numpy) and law.name == "joint-axes":
...         law.check(numpy)

`oracle` holds the exact references, `bounds` the accuracy that the contract promises, and
`strategies` the arguments that have broken a softmax or a loss somewhere.
"""

from __future__ import annotations

from anysoftmax.testing import backends, bounds, formats, laws, oracle, strategies
from anysoftmax.testing.backends import Backend
from anysoftmax.testing.formats import Format
from anysoftmax.testing.laws import Law
from anysoftmax.testing.laziness import LazinessGuard

__all__ = [
    "BACKENDS",
    "FORMATS",
    "LAWS",
    "Backend",
    "Format",
    "Law",
    "LazinessGuard",
    "backends",
    "bounds",
    "laws",
    "oracle",
    "strategies",
]

#: The array libraries that the laws are run on, and ways to run them: each backend by its name.
#: See :doc:`/reference/backends`.
BACKENDS = backends.BACKENDS

#: Every law, in the order in which they are run. See :doc:`/reference/backends`.
LAWS = laws.LAWS

#: The floating-point formats that results are rounded to, by name.
FORMATS = formats.FORMATS
