"""Public docstrings have the sections that a reader looks for, in one order, and examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from doctest import SKIP, DocTestParser
from importlib import import_module
from typing import Any

import pytest

import anysoftmax

ORDER = (
    "Parameters",
    "Attributes",
    "Returns",
    "Yields",
    "Raises",
    "See Also",
    "Notes",
    "References",
    "Examples",
)

# What every function of mathematics says, and what stands for it in the docstring.
MATHEMATICS = {
    "a formula": r"\.\. math::",
    "units": r"\bnats?\b|[Ww]ithout dimension",
    "Notes on special values": r"\*Special values\*",
    "Notes on the accuracy": r"\*Accuracy\*",
    "Notes on the gradient": r"\*Gradient\*",
    "references": r"^References\n-{10}$",
}
MATHEMATICAL = {
    *("softmax", "log_softmax", "logsumexp", "LogSumExp", "entropy", "kl_divergence"),
    *("cross_entropy", "cross_entropy_grad", "softmax_vjp", "log_softmax_vjp"),
    *(f"distributed.{name}" for name in anysoftmax.distributed.__all__),
    *(
        f"calibration.{name}"
        for name in ("fit_temperature", "reliability", "calibration_error", "brier_score")
    ),
}


def public(module: str) -> dict[str, Any]:
    """Return the functions and classes of a module by what follows ``anysoftmax.``."""
    found = import_module(f"anysoftmax{module and '.'}{module}")
    objects = {name: getattr(found, name) for name in found.__all__}
    return {
        f"{module}{module and '.'}{name}": thing
        for name, thing in objects.items()
        if inspect.isfunction(thing) or inspect.isclass(thing)
    }


HOMES = ("calibration", "distributed", "explanation", "files", "kernels", "pitfalls", "testing")
PUBLIC = {
    name: thing
    for module in ("", "calibration", "distributed", "files", "testing")
    for name, thing in public(module).items()
} | {
    "kernels.use": anysoftmax.kernels.use,
    "explanation.Explanation": import_module("anysoftmax.explanation").Explanation,
    "pitfalls.Finding": import_module("anysoftmax.pitfalls").Finding,
}
METHODS = {
    f"{name}.{method}": function
    for name, thing in PUBLIC.items()
    if inspect.isclass(thing) and not name.startswith("testing.")  # whose methods take a sentence
    for method, function in vars(thing).items()
    if inspect.isfunction(function) and not method.startswith(("_", "tree_"))
}


def sections(docstring: str) -> list[str]:
    """Return the titles of the sections in the order in which they stand."""
    return re.findall(r"^(\w[\w ]*)\n-{3,}$", docstring, re.MULTILINE)


def needed(thing: Any) -> set[str]:
    """Return the sections that follow from a signature."""
    if inspect.isclass(thing):
        return set() if issubclass(thing, Exception) else {"Parameters or Attributes"}
    signature = inspect.signature(thing)
    wanted = set()
    if set(signature.parameters) - {"self", "cls"}:
        wanted.add("Parameters")
    if signature.return_annotation not in {"None", "Iterator[None]"}:
        wanted.add("Returns or Yields")
    return wanted


def faults(name: str, thing: Any) -> list[str]:
    """Return what a docstring lacks."""
    docstring = inspect.getdoc(thing) or ""
    present = sections(docstring)
    wanted = needed(thing)
    if name in PUBLIC:
        wanted.add("Examples")
        if inspect.isfunction(thing):
            wanted.add("Raises")
    missing = [one for one in sorted(wanted) if not set(one.split(" or ")) & set(present)]
    if name in MATHEMATICAL:
        for what, pattern in MATHEMATICS.items():
            if not re.search(pattern, docstring, re.MULTILINE):
                missing.append(what)
    if present != sorted(present, key=ORDER.index):
        missing.append(f"the usual order: {present}")
    if "Examples" in present:
        examples = DocTestParser().get_examples(docstring)
        if all(example.options.get(SKIP) for example in examples):
            missing.append("an example that runs")
    return missing


@pytest.mark.parametrize("name", [*PUBLIC, *METHODS])
def test_nothing_is_missing(name: str) -> None:
    assert faults(name, {**PUBLIC, **METHODS}[name]) == []


def test_the_names_are_there() -> None:
    assert set(PUBLIC) >= MATHEMATICAL
    assert {"workers", "explain", "check_logits", "AxisError", "files.apply"} <= set(PUBLIC)
    assert {"LogSumExp.merge", "calibration.Reliability.error"} <= set(METHODS)


def without(docstring: str, title: str) -> str:
    """Return a docstring without a section."""
    section = rf"^{title}\n-+\n.*?(?=^\w[\w ]*\n-{{3,}}$|\Z)"
    return re.sub(section, "", docstring, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda d: without(d, "Parameters"), "Parameters"),
        (lambda d: without(d, "Returns"), "Returns or Yields"),
        (lambda d: without(d, "Raises"), "Raises"),
        (lambda d: without(d, "Examples"), "Examples"),
        (lambda d: without(d, "References"), "references"),
        (lambda d: d.replace("*Accuracy*", "It is accurate"), "Notes on the accuracy"),
        (lambda d: d.replace("*Gradient*", "Gradient"), "Notes on the gradient"),
        (lambda d: d.replace("*Special values*", "They"), "Notes on special values"),
        (lambda d: d.replace(".. math::", "::"), "a formula"),
        (lambda d: re.sub("nats?|[Ww]ithout dimension", "units", d), "units"),
        (lambda d: re.sub("(>>> .*)", r"\1  # doctest: +SKIP", d), "an example that runs"),
        (lambda d: d + "\n\nNotes\n-----\nLate.", "the usual order"),
    ],
)
def test_what_is_missing_is_found(spoil: Callable[[str], str], fault: str) -> None:
    def softmax(x: Any) -> Any:
        return x

    complete = inspect.getdoc(anysoftmax.softmax) or ""
    softmax.__doc__ = complete
    assert faults("softmax", softmax) == []
    softmax.__doc__ = spoil(complete)
    assert any(found.startswith(fault) for found in faults("softmax", softmax))


@pytest.mark.parametrize("name", [*PUBLIC, *METHODS])
def test_what_it_refers_to_exists(name: str) -> None:
    docstring = inspect.getdoc({**PUBLIC, **METHODS}[name]) or ""
    _, _, after = docstring.partition("\nSee Also\n--------\n")
    others = re.findall(r"^([\w.]+) : ", re.split(r"\n\n", after)[0], re.MULTILINE)
    assert others or not after
    home = next((one for one in HOMES if name.startswith(f"{one}.")), "")
    for other in others:
        whole = other.startswith("anysoftmax.")
        known = other.removeprefix("anysoftmax.") if whole else f"{home}.{other}".lstrip(".")
        assert known in PUBLIC, f"{name}: {other}"
