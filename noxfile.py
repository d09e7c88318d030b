"""Everything a developer or CI runs, one session each; plain ``nox`` is lint and then tests.

``nox -l`` lists the sessions. What stands after ``--`` goes to the session's main command:
``nox -s tests -- -k temperature``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests"]

PYPROJECT = nox.project.load_toml("pyproject.toml")
EXTRAS = "cli,dask,jax,numba,plot,testing,torch"
ASV_CONFIG = ("--config", "benchmarks/asv.conf.json")

# What `bench-compare` looks at by itself: which benchmarks, and by what factor a figure may grow.
# Counts and errors are the same in each run; times are ratios of paired turns.
GATES = (
    (r"^(graphs|tracing)\.", "1.05"),
    (r"^accuracy\..*\('\w+', '(numpy|torch|jax-jit)', 'float(32|64)', \d+, 'default'\)", "1.05"),
    (r"^files\.Extra", "2"),
    (r"^memory\.Extra\..*, 1\)", "2"),
    (r"^throughput\.Ratio\..*, '(numpy|numpy-numba)', 'float32', (10|1000), -1\)", "1.25"),
    (r"^throughput\.Ratio\..*, '(torch|jax-jit|jax-jit-grad)', 'float32', 1000, -1\)", "1.25"),
    (r"^cross_entropy\.Ratio\..*'float32', (10|1000)\)", "1.25"),
    (r"^calibration\.Ratio\..*'numpy, scikit-learn', \(10000, 100\)\)", "1.25"),
    (r"^overhead\.Ratio\..*'numpy'\)", "1.25"),
)

# The tests fail, rather than skip, when one of these is not importable.
REQUIRED_BACKENDS = (
    "numpy",
    "numpy-readonly",
    "array-api-strict",
    "torch",
    "numpy-numba",
    "torch-numba",
    "jax",
    "dask",
    "ndonnx",
    "cubed",
)


def groups(*names: str) -> tuple[str, ...]:
    """Return the requirements of the named dependency groups of pyproject.toml."""
    return nox.project.dependency_groups(PYPROJECT, *names)


def run_pytest(session: nox.Session, profile: str) -> None:
    """Run the whole suite under one Hypothesis profile, two processes side by side."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends", "bench"))
    session.run(
        "pytest",
        "-n",
        "2",
        "--durations=15",
        *session.posargs,
        env={
            "ANYSOFTMAX_REQUIRED_BACKENDS": ",".join(REQUIRED_BACKENDS),
            "HYPOTHESIS_PROFILE": profile,
            # One thread a process: two processes with threads of their own fight for the cores.
            "OMP_NUM_THREADS": "1",
        },
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style, types and the direction of imports."""
    session.install("-e", ".", *groups("lint", "types"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole suite on every backend; the environment may choose HYPOTHESIS_PROFILE."""
    run_pytest(session, os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@nox.session
def thorough(session: nox.Session) -> None:
    """Run the whole suite with many more examples a law; slow."""
    run_pytest(session, "thorough")


@nox.session(name="tests-sharded")
def tests_sharded(session: nox.Session) -> None:
    """Run all laws, and what `tests` runs of it too, on slices cut among eight devices; long."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends"))
    session.run(
        "pytest",
        "--durations=15",
        *(session.posargs or ["tests/sharded"]),
        env={
            "ANYSOFTMAX_SHARDED_LAWS": "all",
            "HYPOTHESIS_PROFILE": os.environ.get("HYPOTHESIS_PROFILE", "ci"),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        },
    )


@nox.session
def big(session: nox.Session) -> None:
    """Apply softmax to files of 1.5 GB in less than 400 MB of memory; needs 6 GB on the disk."""
    session.install("-e", ".[cli,numba,testing]", *groups("test"))
    # Its name keeps the file out of the suite. What a test has looked at is removed at once.
    session.run("pytest", "-s", "tests/files/big_files.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html; a warning is an error."""
    session.install("-e", ".[cli,testing]", *groups("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def accuracy(session: nox.Session) -> None:
    """Measure the accuracy tables again and rewrite their page; ``-- gradients`` these alone."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends"))
    session.run("python", "tests/accuracy/make_table.py", *session.posargs)


@nox.session
def performance(session: nox.Session) -> None:
    """Measure the Performance page again, a quarter of an hour; ``-- --quick`` a few cells only."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends"))
    with session.chdir("benchmarks"):
        session.run("python", "-m", "performance.make_page", *session.posargs)


@nox.session
def rates(session: nox.Session) -> None:
    """Measure the rates that the page At scale tells, and print them; needs 3 GB on the disk."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends"))
    session.run("python", "benchmarks/make_rates.py")


@nox.session
def gpu(session: nox.Session) -> None:
    """Run laws, accuracy and benchmark on CUDA; what finds no GPU is skipped, and named."""
    if shutil.which("nvidia-smi") is None:
        session.warn("no NVIDIA GPU: nvidia-smi is not there")
        session.warn("skipped: the laws on torch-cuda, jax-cuda and cupy")
        session.warn("skipped: the accuracy of torch-cuda, jax-cuda and cupy")
        session.warn("skipped: the benchmark on CUDA; docs/gpu.json stays as it is")
        return
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends", "gpu"))
    session.run(
        "pytest",
        "-rs",
        "tests/laws/test_backends.py",
        "tests/laws/test_laws.py",
        "tests/accuracy",
        "-k",
        "torch-cuda or jax-cuda or cupy",
        *session.posargs,
    )
    with session.chdir("benchmarks"):
        session.run("python", "-m", "performance.make_gpu_run")


@nox.session
def departures(session: nox.Session) -> None:
    """List anew which laws PyTorch's and JAX's own functions break, in docs/reference/kernels.md."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends"))
    session.run("python", "tests/kernels/departures.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel, then install the wheel and run it as a user would."""
    session.install("build")
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(dist))
    (wheel,) = dist.glob("*.whl")
    session.install("--force-reinstall", f"anysoftmax[cli] @ {wheel.resolve().as_uri()}")
    session.run("anysoftmax", "explain", "3.2", "1.3", "0.2", "--labels", "Cat,Dog,Bird")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the checked-out tree and store the figures under its commit."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends", "bench"))
    if session.run("git", "status", "--porcelain", "src", external=True, silent=True):
        session.warn("src/ has changes that are not committed: the figures go to HEAD all the same")
    commit = str(session.run("git", "rev-parse", "HEAD", external=True, silent=True)).strip()
    session.run("asv", "machine", "--yes", *ASV_CONFIG, silent=True)
    # In an existing environment asv stores nothing unless it is told which commit it measures.
    session.run(
        "asv",
        "run",
        *ASV_CONFIG,
        "--environment",
        f"existing:{session.virtualenv.bin}/python",
        "--set-commit-hash",
        commit,
        "--show-stderr",
        *session.posargs,
    )


@nox.session(name="bench-compare")
def bench_compare(session: nox.Session) -> None:
    """Compare two commits: ``nox -s bench-compare -- main HEAD``; exit status 1 on a regression.

    Options after the commits go to asv, and choose other benchmarks than those of a pull request.
    """
    if len(session.posargs) < 2:
        session.error("name two commits, the older first: nox -s bench-compare -- main HEAD")
    base, head, *options = session.posargs
    session.install(*groups("bench"))
    session.run("asv", "machine", "--yes", *ASV_CONFIG, silent=True)
    gates = [options] if options else [("--bench", which, "--factor", by) for which, by in GATES]
    worse = 0
    for gate in gates:
        # Not `asv compare`: it exits 0 whatever it finds.
        command = ("asv", "continuous", *ASV_CONFIG, "--show-stderr", *gate, base, head)
        try:
            session.run(*command)
        except CommandFailed:  # the other gates are looked at all the same
            worse += 1
    if worse:
        session.error(f"{head} is worse than {base}, or could not be measured: see above")


@nox.session
def dashboard(session: nox.Session) -> None:
    """Draw what `bench` and `bench-compare` have stored, as one page that needs no network."""
    session.install(*groups("bench"))
    with session.chdir("benchmarks"):
        session.run("python", "-m", "dashboard.make_dashboard", *session.posargs)
