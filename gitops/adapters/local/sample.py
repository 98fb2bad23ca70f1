"""Finds the sample: packaged as `gitops/sample/` in a wheel, at the root of a source checkout."""

from __future__ import annotations

from pathlib import Path

from gitops.errors import Bug

_FOLDERS = ("base", "overlays")
_KINDS = ("*.yaml", "*.sql")


def sample_files() -> dict[str, bytes]:
    """Return `gitops.yaml`, `base/` and `overlays/` of the sample: path -> bytes, sorted by path.

    Raises Bug when this installation has no sample.
    """
    package = Path(__file__).resolve().parents[2]
    for root in (package / "sample", package.parent):
        if (root / "gitops.yaml").is_file() and all((root / name).is_dir() for name in _FOLDERS):
            # Only manifests: an editor's leftovers in a checkout are no part of the sample.
            found = [root / "gitops.yaml"]
            for name in _FOLDERS:
                for kind in _KINDS:
                    found += (root / name).rglob(kind)
            return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(found)}
    raise Bug("this installation of gitops lacks its sample", hint="install it again")
