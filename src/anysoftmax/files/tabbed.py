"""Tables as text, ``.tsv``: with tabs where a ``.csv`` file has commas."""

from __future__ import annotations

from functools import partial

from anysoftmax.files import delimited

__all__ = ["in_blocks", "process", "read_labels", "read_logits"]

TAB = "\t"

process = partial(delimited.process, delimiter=TAB)
in_blocks = partial(delimited.in_blocks, delimiter=TAB)
read_logits = partial(delimited.read_logits, delimiter=TAB)
read_labels = partial(delimited.read_labels, delimiter=TAB)
