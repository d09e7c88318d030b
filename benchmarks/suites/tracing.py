"""How often JAX has to trace or compile, and how large its programs are: none should grow."""

from __future__ import annotations

from functools import partial

from . import harness

TEMPERATURES = [0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 10.0, float("inf")]


class Temperatures:
    """Counts over eight temperatures, 0 and infinity among them, given as Python numbers."""

    param_names = ["function"]
    params = [["softmax", "log_softmax"]]
    unit = "count"

    def setup(self, function):
        library = harness.backend("jax")
        self.x = library.asarray(harness.logits((4, 10), "float32"))
        self.function = getattr(harness.require("anysoftmax"), function)
        self.jax = harness.require("jax")

    def track_traces(self, _):
        """Traces of one jitted function that takes the temperature as an argument."""
        traces = 0

        @self.jax.jit
        def scaled(x, temperature):
            nonlocal traces
            traces += 1
            return self.function(x, temperature=temperature)

        for temperature in TEMPERATURES:
            scaled(self.x, temperature)
        return traces

    def track_compilations_after_the_first(self, _):
        """Programs that XLA compiles for further temperatures, outside jit."""
        compiled = 0

        def count(event, *_, **__):
            nonlocal compiled
            compiled += event == "/jax/core/compile/backend_compile_duration"

        eager = partial(self.function, self.x)
        eager(temperature=TEMPERATURES[2])
        self.jax.monitoring.register_event_duration_secs_listener(count)
        for temperature in TEMPERATURES:
            eager(temperature=temperature)
        self.jax.monitoring.clear_event_listeners()
        return compiled


class Program:
    """Size of the program of one function of float32 logits, alone or with its gradient."""

    param_names = ["function", "backend"]
    params = [harness.FUNCTIONS, ["jax-jit", "jax-jit-grad"]]

    def setup(self, function, backend):
        library = harness.backend(backend)
        self.x = library.asarray(harness.logits((4, 10), "float32"))
        anysoftmax = harness.require("anysoftmax")
        own = partial(getattr(anysoftmax, function), axis=-1)
        self.program = library.compile(own, -1)

    def track_equations(self, *_):
        """Equations of the traced program, those of the functions that it calls included."""
        jaxpr = self.program.trace(self.x).jaxpr
        return _equations(jaxpr.jaxpr)

    def track_instructions(self, *_):
        """Instructions of the program that XLA made of it."""
        return self.program.lower(self.x).compile().as_text().count(" = ")

    track_equations.unit = "equations"
    track_instructions.unit = "instructions"


def _equations(jaxpr):
    """Count the equations of a program, and of the programs inside of them."""
    inner = harness.require("jax.extend.core").jaxprs_in_params
    return sum(
        1 + sum(_equations(sub) for sub in inner(equation.params)) for equation in jaxpr.eqns
    )
