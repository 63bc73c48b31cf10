"""Whether what nodes have their programs from, root file systems and images of machines, carries an overlay."""

from __future__ import annotations

from lab.errors import LabError
from lab.overlays.base import Overlay

from . import roots
from .kernel import has_esp
from .plan import LabSpec
from .preflight import IN_ROOTS
from .userland import Userland
from .vm import image as vm_image


def require_userlands(spec: LabSpec, kind: type[Overlay]) -> None:
    """Return when the overlay works with every node's engine and programs; LabError names the node.

    An image of machines that is not made yet is passed over.
    """
    if spec.encrypted and len(spec.vms()) < spec.nodes and not has_esp():
        here = next(name for name in spec.node_names() if name not in spec.vms())
        raise LabError(
            f"--encrypted: {here} has this machine's kernel, which has no ESP (module esp4); make every node a machine "
            "(--machines vm)"
        )
    for node, release in spec.roots().items():
        root = roots.find(release)
        refused = kind.refuses_engine(root.docker)
        if refused is not None:
            raise LabError(f"--root {node}={release}: {refused}")
        lacks = [name for name in kind.needs if Userland(root.tree).find_program(name) is None]
        if lacks:
            raise LabError(
                f"--root {node}={release}: overlay {kind.name} needs {', '.join(lacks)}, which that root file system "
                f"does not have; leave {node} out"
            )
    for node, release in spec.vms().items():
        image = vm_image.find(release)
        refused = None if image is None else kind.refuses_engine(image.docker)
        if refused is not None:
            raise LabError(f"--machines {node}=vm, of the release {release}: {refused}")
        lacks = [name for name in kind.needs if name not in IN_ROOTS | vm_image.MORE_PROGRAMS]
        if lacks:
            raise LabError(
                f"--machines {node}=vm: overlay {kind.name} needs {', '.join(lacks)}, which images of machines do not "
                "have; choose another overlay"
            )
