"""Everything a developer or CI runs, one session each; plain ``nox`` is lint, docs and tests.

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
nox.options.sessions = ["lint", "docs", "tests"]

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

# What GitHub reads, and the schema that check-jsonschema has of it.
SCHEMAS = (
    ("github-workflows", ".github/workflows/*.yml"),
    ("github-issue-forms", ".github/ISSUE_TEMPLATE/bug.yml"),
    ("dependabot", ".github/dependabot.yml"),
    ("citation-file-format", "CITATION.cff"),
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
            # What JAX has compiled is kept for the next run: it is most of what the laws take.
            "JAX_COMPILATION_CACHE_DIR": str((session.cache_dir / "jax").resolve()),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            # One thread a process: two processes with threads of their own fight for the cores.
            "OMP_NUM_THREADS": "1",
        },
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style, types, the direction of imports, CI's workflows and the changelog."""
    session.install("-e", ".", *groups("lint", "types"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run("lint-imports")
    for schema, pattern in SCHEMAS:
        files = sorted(str(path) for path in Path().glob(pattern))
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    session.run("zizmor", "--offline", "--pedantic", "--quiet", ".github")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


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


@nox.session(name="tests-alone")
@nox.parametrize("library", ["numpy", "dask", "jax", "numba", "torch"])
def tests_alone(session: nox.Session, library: str) -> None:
    """Run the laws where no array library is installed but NumPy and the one that is named."""
    extras = "testing" if library == "numpy" else f"testing,{library}"
    pins = [line for line in groups("backends") if line.startswith(library)]
    session.install("-e", f".[{extras}]", *pins, "pytest>=8.4", "pytest-xdist>=3.6")
    required = {"numba": "numpy-numba"}.get(library, library)
    session.run(
        "pytest",
        "-n",
        "2",
        "tests/laws/test_backends.py",
        "tests/laws/test_laws.py",
        *session.posargs,
        env={
            "ANYSOFTMAX_REQUIRED_BACKENDS": required,
            "HYPOTHESIS_PROFILE": os.environ.get("HYPOTHESIS_PROFILE", "ci"),
            "OMP_NUM_THREADS": "1",
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
    """Build the site into docs/_build/html, a warning is an error; then try it in a browser."""
    session.install("-e", ".[cli,plot,testing]", *groups("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    session.run("pytest", "tests/site", *session.posargs)


@nox.session
def accuracy(session: nox.Session) -> None:
    """Measure the accuracy tables again and rewrite their pages; ``-- peers`` a part of them."""
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
    """List anew which laws PyTorch's and JAX's own functions break, for the page Kernels."""
    session.install("-e", f".[{EXTRAS}]", *groups("test", "backends"))
    session.run("python", "tests/kernels/departures.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build sdist and wheel into dist/, look into them, and try the wheel where nothing else is."""
    session.install(*groups("build"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build")  # the wheel from the sdist, as whoever builds it will
    (sdist,), (wheel,) = Path("dist").glob("*.tar.gz"), Path("dist").glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(wheel))
    session.run("check-wheel-contents", str(wheel))
    session.run("python", "tests/published/listing.py", "dist")

    smoke = Path("tests/published/smoke.py").resolve()
    oldest = [line.replace(">=", "==") for line in PYPROJECT["project"]["dependencies"]]
    for extras, pins in (((), ()), ((), oldest), (("cli", "plot", "testing"), ())):
        # Without pip: what the environment holds is what the wheel has brought.
        clean = Path(session.create_tmp()) / "clean"
        session.run("virtualenv", "--quiet", "--clear", "--no-seed", str(clean))
        python = clean.resolve() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        wanted = f"anysoftmax[{','.join(extras)}] @ {wheel.resolve().as_uri()}"
        session.run("python", "-m", "pip", "--python", str(python), "install", "-q", wanted, *pins)
        with session.chdir(session.create_tmp()):
            session.run(str(python), "-I", str(smoke), *extras, external=True)


@nox.session
def changelog(session: nox.Session) -> None:
    """Show the next section of the changelog; ``-- 0.1.0`` writes it, and removes the fragments.

    ``-- check main`` fails if no fragment was added since the branch left main.
    """
    session.install(*groups("changelog"))
    if not session.posargs:
        session.run("towncrier", "build", "--draft", "--version", "next")
    elif session.posargs[0] == "check":
        session.run("towncrier", "check", "--compare-with", *session.posargs[1:])
    else:
        session.run("towncrier", "build", "--yes", "--version", *session.posargs)


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
