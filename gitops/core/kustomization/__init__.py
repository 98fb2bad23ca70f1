"""The `images:` of a kustomization: read as values, edited byte for byte.

`read.py` finds the entries, `refusals.py` says what must not be touched, `fields.py` and `add.py`
plan (`splices.py`) which bytes change, `prove.py` reads the result again and refuses it unless just
that differs; `edit.py` is the whole, in order.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitops.core.kustomization.edit import Edit, edit_images, missing_image
    from gitops.core.kustomization.read import (
        FILE_NAMES,
        ImageEntry,
        choose_file,
        image_values,
        read_entries,
    )

__all__ = [
    "FILE_NAMES",
    "Edit",
    "ImageEntry",
    "choose_file",
    "edit_images",
    "image_values",
    "missing_image",
    "read_entries",
]
_EDITS = ("Edit", "edit_images", "missing_image")


def __getattr__(name: str) -> Any:
    """Load what reads, and what edits, when it is asked for.

    A fetch begins before YAML is loaded, and who only reads does not wait for what edits.
    """
    if name not in __all__:
        raise AttributeError(name)
    from gitops.core.kustomization import read

    if name not in _EDITS:
        return getattr(read, name)
    from gitops.core.kustomization import edit

    return getattr(edit, name)
