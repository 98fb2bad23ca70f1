"""The `images:` of a kustomization: read as values, edited byte for byte.

`read.py` finds the entries, `check.py` says what must not be touched, `fields.py` and `add.py`
plan (`plan.py`) which bytes change, `prove.py` reads the result again and refuses it unless just
that differs; `edit.py` is the whole, in order.
"""

from gitops.core.kustomization.edit import Edit, edit_images, missing_image
from gitops.core.kustomization.files import FILE_NAMES, choose_file
from gitops.core.kustomization.read import ImageEntry, image_values, read_entries

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
