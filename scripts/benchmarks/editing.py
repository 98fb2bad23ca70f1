"""What the edit itself costs: run by the Python of gitops, prints CPU seconds of one edit.

`python editing.py IMAGES`: an overlay with so many images, of which all are set at once.
"""

from __future__ import annotations

import gc
import sys
import time

from gitops.__main__ import ALLOCATIONS
from gitops.core.kustomization import edit_images
from gitops.core.kustomization.image import parse_image

_TRIES = 9  # the fastest counts: what else the machine does is not the edit's cost


def main() -> None:
    """Edit, and print the least CPU seconds that it took."""
    gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])  # as every call of gitops does
    names = [f"shop/app-{number:04}" for number in range(int(sys.argv[1]))]
    entries = "".join(f"  - name: {name}\n    newTag: 1.0.0\n" for name in names)
    content = f"resources: [../../base]\nimages:\n{entries}".encode()
    requests = [parse_image(f"{name}:2.0.0") for name in names]
    costs = []
    for _ in range(_TRIES):
        start = time.process_time()
        edited = edit_images(content, "kustomization.yaml", requests)
        costs.append(time.process_time() - start)
        assert edited.after.count(b"2.0.0") == len(names)
    print(min(costs))


main()
