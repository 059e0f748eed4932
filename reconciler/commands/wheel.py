"""The running program as a wheel, which `init` puts into a repository: its CI then installs what wrote it, by
hash, and asks no index for a name of ours.

Sorted names, no times and no compression: one release has one hash, on whatever machine it is made.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from reconciler import __version__
from reconciler.resources import PACKAGE, data_path

DISTRIBUTION: Final = "container-reconciler"
SHIPPED: Final = ("schemas", "templates", "requirements/runtime.txt")
"""What pyproject puts beside the package, under `_data`."""
METADATA: Final = ("METADATA", "entry_points.txt", "licenses/LICENSE")


def wheel() -> tuple[str, bytes]:
    """Its file name and its bytes."""
    stem = f"{DISTRIBUTION.replace('-', '_')}-{__version__}"
    info = f"{stem}.dist-info"
    files = _package() | {f"{info}/{name}": text.encode() for name, text in _metadata().items()}
    tag = "py3-none-any"
    about = f"Wheel-Version: 1.0\nGenerator: reconcile {__version__}\nRoot-Is-Purelib: true\nTag: {tag}\n"
    files[f"{info}/WHEEL"] = about.encode()
    record = "".join(f"{name},{_digest(content)},{len(content)}\n" for name, content in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return f"{stem}-{tag}.whl", packed.getvalue()


def _package() -> dict[str, bytes]:
    found = {path.relative_to(PACKAGE.parent): path for path in _files(PACKAGE) if "_data" not in path.parts}
    for name in SHIPPED:
        top = data_path(*name.split("/"))
        found |= {Path(PACKAGE.name, "_data", name, path.relative_to(top)): path for path in _files(top)}
    return {str(name): path.read_bytes() for name, path in sorted(found.items())}


def _files(top: Path) -> list[Path]:
    found = top.rglob("*") if top.is_dir() else [top]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def _metadata() -> dict[str, str]:
    installed = distribution(DISTRIBUTION)
    return {name: text for name in METADATA if (text := installed.read_text(name)) is not None}


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
