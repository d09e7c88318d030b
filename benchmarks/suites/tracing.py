"""How often JAX has to trace or compile: a number of times, and it should not grow."""

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
