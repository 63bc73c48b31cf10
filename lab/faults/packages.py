"""Pure Python packages of the runner's installation, packed for a node that has none of them."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import HarnessError


@cache
def zipped(package: str) -> bytes:
    """A zip file from which Python imports `package` (zipimport), in bytes that are the same each time.

    Raises HarnessError when the package is not installed here, or is not pure Python.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError(f"package {package}: not installed on the runner; install requirements.txt")
    (folder,) = (Path(place) for place in spec.submodule_search_locations)
    built = [path.name for path in folder.rglob("*") if path.suffix in (".so", ".pyd")]
    if built:
        raise HarnessError(f"package {package}: has compiled modules ({built[0]}), which cannot be sent to a node")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*.py")):
            entry = zipfile.ZipInfo(f"{package}/{path.relative_to(folder)}")
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()
