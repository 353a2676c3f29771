"""What crash_rounds.py needs to know of a store: which clones exist, whether one was used, how to use one, and what the
store leaves beside them."""

import contextlib
import os
import subprocess
import tempfile

MOUNTS = "/run/isolate/mounts"


def names(*path):
    try:
        return set(os.listdir(os.path.join(*path)))
    except FileNotFoundError:
        return set()


class Overlay:
    """A clone is a directory. What a guest writes is in its subdirectory "upper"."""

    program = None  # the program that the store runs, and below its commands
    commands = ()
    written_to = "upper"

    def __init__(self, place, template):
        self.place = place
        self.state = os.path.join(place, "pools", template)

    def clones(self):
        return names(self.place, "clones")

    def is_used(self, clone):
        return bool(names(self.place, "clones", clone, "upper"))

    def use(self, clone):
        with open(os.path.join(self.place, "clones", clone, self.written_to, "mark"), "w", encoding="ascii") as file:
            file.write("planted\n")

    def left_beside(self, clones):
        """Returns nothing, because overlays are mounted only in the namespaces of runs."""
        del clones
        return set()


class Btrfs(Overlay):
    """A clone is a subvolume and is itself the root."""

    written_to = ""

    def is_used(self, clone):
        return os.path.exists(os.path.join(self.place, "clones", clone, "mark"))


class Zfs:
    """A clone is a dataset PARENT/TEMPLATE_TIME with the store's mark. Fresh ones are not mounted."""

    program = "zfs"
    programs = ("zfs", "isolate-zfs")  # those that can be killed
    commands = ("get", "clone", "destroy")  # those that leasing, reaping and refreshing run

    def __init__(self, place, template):
        self.place = place
        self.template = template
        self.state = os.path.join("/var/lib/isolate/zfs", place.replace("/", "%"), template)

    def clones(self):
        command = ["zfs", "list", "-H", "-d", "1", "-t", "filesystem", "-o", "name,isolate:clone", self.place]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        marked = (name for name, mark in (line.split("\t") for line in lines) if mark != "-")
        return {name[len(self.place) + 1 :] for name in marked}

    def is_used(self, clone):
        with self.mounted(clone, "ro") as root:
            return os.path.exists(os.path.join(root, "mark"))

    def use(self, clone):
        with self.mounted(clone, "rw") as root, open(os.path.join(root, "mark"), "w", encoding="ascii") as file:
            file.write("planted\n")

    @contextlib.contextmanager
    def mounted(self, clone, mode):
        """Mounts a clone where nobody else looks."""
        with tempfile.TemporaryDirectory() as root:
            subprocess.run(["mount", "-t", "zfs", "-o", mode + ",zfsutil", self.place + "/" + clone, root], check=True)
            try:
                yield root
            finally:
                subprocess.run(["umount", root], check=True)

    def left_beside(self, clones):
        """Returns mounts of clones, and directories whose clones are gone."""
        with open("/proc/self/mountinfo", encoding="ascii") as file:
            points = (line.split()[4] for line in file)
            mounted = {point for point in points if point.startswith(f"{MOUNTS}/{self.template}_")}
        return mounted | {name for name in names(MOUNTS) - clones if name.startswith(self.template + "_")}


KINDS = {"overlay": Overlay, "btrfs": Btrfs, "zfs": Zfs}
