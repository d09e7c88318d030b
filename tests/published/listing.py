"""What sdist and wheel hold; ``nox -s build`` runs ``python listing.py dist`` in the repository.

check-wheel-contents compares the modules of the wheel with those of the sources. Here is what it
does not look at: the marker of types, the licence, the description, and the whole of the sdist.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

# A stranger who unpacks the sdist can build, test and read the documentation.
NEEDED = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "docs/conf.py",
    "noxfile.py",
    "pyproject.toml",
    "src/anysoftmax/py.typed",
    "tests/conftest.py",
}


def complaints_about_sdist(path: Path) -> list[str]:
    """Return what is missing in the sdist, and what git does not know."""
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()} - {"PKG-INFO"}
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout
    tracked = set(listed.decode().split("\0"))
    return [
        *(f"{path.name} lacks {name}" for name in sorted(NEEDED - held)),
        *(
            f"{path.name} holds {name}, which git does not track: add it, ignore it or remove it"
            for name in sorted(held - tracked)
        ),
    ]


def complaints_about_wheel(path: Path) -> list[str]:
    """Return what is missing in the wheel, and which links of its description lead nowhere."""
    with zipfile.ZipFile(path) as archive:
        held = archive.namelist()
        (metadata,) = [name for name in held if name.endswith(".dist-info/METADATA")]
        description = message_from_bytes(archive.read(metadata)).get_payload()
    info = metadata.removesuffix("METADATA")
    return [
        *(
            f"{path.name} lacks {name}"
            for name in ("anysoftmax/py.typed", f"{info}licenses/LICENSE")
            if name not in held
        ),
        *(
            f"the description on PyPI links to {target}, which is no address"
            for target in re.findall(r"\]\(([^)]+)\)", str(description))
            if not target.startswith(("https://", "#"))
        ),
    ]


if __name__ == "__main__":
    dist = Path(sys.argv[1])
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    sys.exit("\n".join(complaints_about_sdist(sdist) + complaints_about_wheel(wheel)) or None)
