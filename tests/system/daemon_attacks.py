#!/usr/bin/python3
"""Attacks by a member of the group `isolate`, with the descriptors of a lease.

    daemon_attacks.py ATTACK TEMPLATE [ARGUMENT...]

Prints a line for each attempt, "refused: WHAT: ERROR" or "succeeded: WHAT". Exit status 1 if all were refused, else 0.
"""

import ctypes
import errno
import fcntl
import os
import signal
import socket
import stat
import struct
import sys
import time

from varlink_client import MANAGER, Client, Closed, Lease, VarlinkError, call, hold, tell

LIBC = ctypes.CDLL(None, use_errno=True)
STAGE = "/run/isolate/stage"
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 32, 4096, 16384
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE, MNT_DETACH = -100, 0x1000, 0x8000, 2
SYS_OPEN_TREE, SYS_MOVE_MOUNT, SYS_MOUNT_SETATTR = 428, 429, 442
NS_GET_NSTYPE, NS_GET_OWNER_UID = 0xB703, 0xB704
succeeded = []


def got_through(what):
    succeeded.append(what)
    tell(f"succeeded: {what}")


def attempt(what, function, *arguments):
    """Tries the function. An OSError counts as refused."""
    try:
        result = function(*arguments)
    except OSError as error:
        tell(f"refused: {what}: {errno.errorcode.get(error.errno, error.errno)}")
        return None
    got_through(what)
    return result


def must(result, what):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def setns(descriptor, kind):
    must(LIBC.setns(descriptor, kind), "setns")


def unshare(flags):
    must(LIBC.unshare(flags), "unshare")


def mount(source, target, kind, flags, data=None):
    must(LIBC.mount(source, target.encode(), kind, ctypes.c_ulong(flags), data), "mount")


def set_attributes(descriptor, path, flags, cleared):
    attributes = struct.pack("QQQQ", 0, cleared, 0, 0)
    must(
        LIBC.syscall(SYS_MOUNT_SETATTR, descriptor, path.encode(), flags, attributes, len(attributes)), "mount_setattr"
    )


def copy_of_tree(path, flags=0):
    return must(LIBC.syscall(SYS_OPEN_TREE, AT_FDCWD, path.encode(), 1 | 0o2000000 | flags), "open_tree")


def enter(lease):
    setns(lease.user_namespace, CLONE_NEWUSER)
    setns(lease.mount_namespace, CLONE_NEWNS)
    os.chdir(STAGE)


def enter_new(template, userns=None):
    lease = Lease(template, userns)
    enter(lease)
    return lease


def raw_layers():
    """Returns what a lease should not show: an overlay's layers, and the clone's own directory."""
    return [name for name in ("l0", "c/upper", "parts/l0", "parts/c") if os.path.lexists(f"{STAGE}/{name}")]


def is_overlay(place="root"):
    return any(f"{place} overlay" in line for line in open("/proc/self/mounts", encoding="utf-8"))


def write_file(path):
    with open(path, "wb") as file:
        file.write(b"attacked")


# --- attacks ----------------------------------------------------------------------------------------------------------


def control(template):
    """Does what the owner of a lease may do: enter it, read the root, write to it."""
    enter_new(template)
    attempt("read the root", os.listdir, "root/etc")
    attempt("write to the root", write_file, "root/file")


def layers_in_reach(template):
    """Looks for layers, also after unmounting everything that can be, and in a nested namespace."""
    enter_new(template)
    if not is_overlay():
        raise SystemExit("this is no overlay")
    for name in raw_layers():
        got_through(f"{name} is there")
    LIBC.umount2(f"{STAGE}/root".encode(), MNT_DETACH)
    for name in raw_layers() + os.listdir(f"{STAGE}/root") + os.listdir(f"{STAGE}/parts"):
        got_through(f"{name} came to light")
    unshare(CLONE_NEWUSER | CLONE_NEWNS)
    for line in open("/proc/self/mountinfo", encoding="utf-8"):
        if "/layers/" in line or "/clones/" in line:
            got_through(f"it is mounted: {line}")
    tell("refused: no layer is in reach")


def clear_flags(template):
    enter_new(template)
    names = {ATTR_RDONLY: "read-only", ATTR_NOSUID: "nosuid", ATTR_NODEV: "nodev"}
    # A btrfs clone is a root by itself. Set-user-id files work there, for the ids inside, so nosuid is not set.
    target, flags = "root", (ATTR_NODEV,)
    for flag in flags:
        what = f"clear {names[flag]} of {target}"
        attempt(what, set_attributes, AT_FDCWD, f"{STAGE}/{target}", 0, flag)
        attempt(what + " and below", set_attributes, AT_FDCWD, f"{STAGE}/{target}", AT_RECURSIVE, flag)
        remaining = sum(other for other in flags if other != flag)
        attempt(what + " by a remount", mount, None, f"{STAGE}/{target}", None, MS_REMOUNT | MS_BIND | remaining)
        copy = copy_of_tree(f"{STAGE}/{target}")
        attempt(what + " in a copy", set_attributes, copy, "", AT_EMPTY_PATH, flag)
    # In a nested user namespace all mounts belong to the namespace above.
    unshare(CLONE_NEWUSER | CLONE_NEWNS)
    for flag in flags:
        what = f"clear {names[flag]} of {target} one namespace below"
        attempt(what, set_attributes, AT_FDCWD, f"{STAGE}/{target}", 0, flag)


def unmount(template):
    enter_new(template)
    before = set(os.listdir("/"))
    names = [] if is_overlay() else ["root"]
    for name in names + [""]:
        target = f"{STAGE}/{name}".rstrip("/").encode()
        attempt(f"unmount {target.decode()}", lambda path=target: must(LIBC.umount2(path, 0), "umount"))
    for target in (b"/run/isolate/mounts", b"/run", b"/proc", b"/dev"):
        attempt(f"unmount {target.decode()}", lambda path=target: must(LIBC.umount2(path, MNT_DETACH), "umount"))
    if set(os.listdir("/")) != before:
        got_through("another root came to light")


def devices(template, userns=None):
    """Tries to make device nodes, and in an overlay to open them."""
    enter_new(template, userns)
    for major, minor, kind in ((1, 1, stat.S_IFCHR), (1, 3, stat.S_IFCHR), (7, 0, stat.S_IFBLK), (8, 0, stat.S_IFBLK)):
        path = f"root/{kind}-{major}-{minor}"
        attempt(f"mknod {major}:{minor}", os.mknod, path, kind | 0o666, os.makedev(major, minor))


def shared_files():
    """Returns the names below the stage of a file of the template that every guest opens."""
    paths = [f"{STAGE}/{place}/etc/ld.so.cache" for place in ["root"] + raw_layers()]
    return [path for path in paths if os.path.exists(path)]


def file_leases(template):
    """Takes file leases on files that other guests open, prints how many, and never releases them."""
    enter_new(template)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    taken = []
    for path in shared_files():
        file = os.open(path, os.O_RDONLY)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        taken.append(file)
    tell("leases", len(taken))
    hold()


def watch(template, seconds):
    """Watches files that other guests open. It must see its own access."""
    enter_new(template)
    events = LIBC.inotify_init1(os.O_NONBLOCK)
    files = shared_files()
    programs = [file.replace("/etc/ld.so.cache", "/usr/bin") for file in files]
    for path in files + [os.path.dirname(file) for file in files] + programs:
        must(LIBC.inotify_add_watch(events, path.encode(), 0xFFF), "inotify_add_watch")
    with open(files[0], "rb") as file:
        file.read(1)
    if not os.read(events, 65536):
        raise SystemExit("its own reading is not seen")
    tell("watching")
    time.sleep(float(seconds))
    try:
        got_through(f"{len(os.read(events, 65536))} bytes of events")
    except BlockingIOError:
        tell("refused: nothing was seen")


def reach_out(template, *stores):
    """Tries to leave the stage, and to reach the stores by their paths on the host."""
    lease = enter_new(template)
    for store in stores:
        attempt(f"list {store}", os.listdir, store)
        for name in ("clones", "pools", "templates"):
            attempt(f"reach {store}/{name}", os.stat, f"{store}/{name}")
    attempt("list the ranges", os.listdir, "/run/isolate/ranges")
    attempt("list the ranges of members", os.listdir, "/run/isolate/ranges/members")
    attempt("list other mounted clones", os.listdir, "/run/isolate/mounts")
    for name in os.listdir(STAGE):
        if not os.path.samefile(f"{STAGE}/{name}/..", STAGE):
            got_through(f".. of {name} is not the stage")
    for number, descriptor in enumerate(lease.descriptors):
        for path in ("..", "../..", "."):
            attempt(f"{path} of descriptor {number}", open_at, descriptor, path)


def open_at(descriptor, path):
    return os.open(path, os.O_PATH, dir_fd=descriptor)


def kinds(template):
    """Fails unless the descriptors are the expected four kinds and read-only."""
    lease = Lease(template)
    wanted = [CLONE_NEWUSER, CLONE_NEWNS, None, None]
    for number, (descriptor, kind) in enumerate(zip(lease.descriptors, wanted)):
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        what = f"{number}: {os.readlink(f'/proc/self/fd/{descriptor}').split(':')[0].split('/')[-1]} "
        if access & os.O_ACCMODE != os.O_RDONLY or access & os.O_PATH:
            got_through(f"{what} has flags {access:o}")
        if kind:
            found = must(LIBC.ioctl(descriptor, NS_GET_NSTYPE), "NS_GET_NSTYPE")
        else:
            found = None if stat.S_ISREG(os.fstat(descriptor).st_mode) else -1
        if found != kind:
            got_through(f"{what} is of another kind: {found}")
    owner = ctypes.c_uint32()
    must(LIBC.ioctl(lease.user_namespace, NS_GET_OWNER_UID, ctypes.byref(owner)), "NS_GET_OWNER_UID")
    if owner.value != os.getuid():
        got_through(f"the namespace belongs to {owner.value}")
    tell("refused: none of the four is more than it should be")


def kinds_of_guest(lease):
    for descriptor, wanted in zip(lease.descriptors[4:], (CLONE_NEWUSER, CLONE_NEWNS)):
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        found = must(LIBC.ioctl(descriptor, NS_GET_NSTYPE), "NS_GET_NSTYPE")
        if flags & os.O_ACCMODE != os.O_RDONLY or flags & os.O_PATH or found != wanted:
            got_through(f"a descriptor of kind {found} with flags {flags:o}")
    owner = ctypes.c_uint32()
    must(LIBC.ioctl(lease.descriptors[4], NS_GET_OWNER_UID, ctypes.byref(owner)), "NS_GET_OWNER_UID")
    if owner.value != os.getuid():
        got_through(f"the guest's namespace belongs to {owner.value}")


def put_on_the_door(lease):
    """Mounts the finished root on the door as isolate does, here read-only."""
    enter(lease)
    tree = copy_of_tree(f"{STAGE}/root", AT_RECURSIVE)
    attributes = struct.pack("QQQQ", ATTR_RDONLY, 0, 0, 0)
    must(LIBC.syscall(SYS_MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, len(attributes)), "mount_setattr")
    must(LIBC.syscall(SYS_MOVE_MOUNT, tree, b"", AT_FDCWD, f"{STAGE}/door".encode(), 4), "move_mount")


def beside(template):
    """Attacks from the namespaces of a guest whose user namespace is beside that of its lease."""
    lease = Lease(template, nested={"locksMounts": True})
    kinds_of_guest(lease)
    child = os.fork()
    if child == 0:
        put_on_the_door(lease)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit("the root is not on the door")
    setns(lease.descriptors[4], CLONE_NEWUSER)
    setns(lease.descriptors[5], CLONE_NEWNS)
    os.chdir(STAGE)
    if "etc" not in os.listdir("door"):
        raise SystemExit("the root is not to be seen on the door")
    for flag, name in ((ATTR_RDONLY, "read-only"), (ATTR_NODEV, "nodev")):
        if flag == ATTR_NODEV and is_overlay("door"):
            continue
        attempt(f"clear {name}", set_attributes, AT_FDCWD, f"{STAGE}/door", 0, flag)
        attempt(f"clear {name} in a copy", set_attributes, copy_of_tree(f"{STAGE}/door"), "", AT_EMPTY_PATH, flag)
    attempt("clear read-only by a remount", mount, None, f"{STAGE}/door", None, MS_REMOUNT | MS_BIND)
    attempt("write to the root", write_file, "door/file")
    attempt("enter the lease's namespace", setns, lease.user_namespace, CLONE_NEWUSER)
    attempt("enter the lease's mounts", setns, lease.mount_namespace, CLONE_NEWNS)
    attempt("unmount the stage", lambda: must(LIBC.umount2(STAGE.encode(), MNT_DETACH), "umount"))
    for line in open("/proc/self/mountinfo", encoding="utf-8"):
        if "/layers/" in line:
            got_through(f"it is mounted: {line}")
    for name in raw_layers() + os.listdir("parts"):
        got_through(f"{name} is there")


def locks(template):
    lease = Lease(template)
    for what, descriptor in (("lease", lease.lock), ("range", lease.range_lock)):
        path = f"/proc/self/fd/{descriptor}"
        attempt(f"write the lock of the {what}", os.write, descriptor, b"attacked")
        attempt(f"write it at a place, {what}", os.pwrite, descriptor, b"attacked", 0)
        attempt(f"truncate it, {what}", os.ftruncate, descriptor, 0)
        attempt(f"chmod it, {what}", os.fchmod, descriptor, 0o666)
        attempt(f"chown it, {what}", os.fchown, descriptor, os.getuid(), os.getgid())
        attempt(f"change its times, {what}", os.utime, descriptor, (1, 1))
        attempt(f"open it again to write, {what}", os.open, path, os.O_RDWR)
        attempt(f"open it again to truncate, {what}", os.open, path, os.O_WRONLY | os.O_TRUNC)


def suid(template, store):
    """Makes a set-user-id file that belongs to root on disk, prints its path, and keeps the lease."""
    lease = enter_new(template)
    with open("root/usr/bin/id", "rb") as source, open("root/suid", "wb") as target:
        target.write(source.read())
    os.chmod("root/suid", 0o6755)
    tell(f"{store}/clones/{lease.reply['lease']}/upper/suid")
    hold()


def unlocked(template):
    """Releases both locks but keeps everything else of the lease. Prints the lease and its range."""
    lease = Lease(template)
    for descriptor in (lease.lock, lease.range_lock):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    tell(lease.reply["lease"], *lease.range())
    hold()


def shared(template):
    """Turns both locks into shared ones, and keeps them."""
    lease = Lease(template)
    for descriptor in (lease.lock, lease.range_lock):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    tell(lease.reply["lease"], os.getpid())
    hold()


def inside(template):
    """Closes all descriptors of the lease, and stays in its namespaces."""
    lease = enter_new(template)
    name = lease.reply["lease"]
    lease.close()
    tell(name, os.getpid())
    hold()


def kept_beside(template):
    """Keeps the lease, and a process in the guest's namespace that has another of the lease's ids and none of its
    descriptors."""
    lease = Lease(template, nested={"locksMounts": True})
    child = os.fork()
    if child == 0:
        setns(lease.descriptors[4], CLONE_NEWUSER)
        os.setgroups([])
        os.setresgid(5, 5, 5)
        os.setresuid(5, 5, 5)
        lease.close()
        hold()
    tell(lease.reply["lease"], child)
    hold()


def given(template, uid_a, uid_b, group):
    """As root: user A gets a lease and exits, while a process of user B has the descriptors."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        become(int(uid_a), [int(group)])
        lease = Lease(template)
        socket.send_fds(ours, [lease.reply["lease"].encode()], lease.descriptors)
        os._exit(0)
    become(int(uid_b), [int(group)])
    name, descriptors, _, _ = socket.recv_fds(theirs, 255, 4)
    tell(name.decode(), os.getpid())
    hold()
    os.close(descriptors[2])


def inherited(template):
    """Ends the client of a lease while its child still has the descriptors."""
    lease = Lease(template)
    if os.fork() != 0:
        os._exit(0)
    tell(lease.reply["lease"], os.getpid())
    hold()


def ranges(template, count):
    """Gets COUNT leases, prints their ranges, and keeps them."""
    held = [Lease(template) for _ in range(int(count))]
    for lease in held:
        tell(*lease.range())
    tell("all")
    hold()


def other_user(template, uid_a, uid_b, group):
    """As root: user A gets a lease and gives all four descriptors to a process of user B, which tries to use them."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        become(int(uid_a), [int(group)])
        lease = Lease(template)
        socket.send_fds(ours, [b"x"], lease.descriptors)
        ours.recv(1)
        os._exit(0)
    become(int(uid_b), [int(group)])
    _, descriptors, _, _ = socket.recv_fds(theirs, 1, 4)
    attempt("enter another user's user namespace", setns, descriptors[0], CLONE_NEWUSER)
    attempt("enter another user's mount namespace", setns, descriptors[1], CLONE_NEWNS)
    unshare(CLONE_NEWUSER)
    attempt("enter it from a user namespace", setns, descriptors[0], CLONE_NEWUSER)
    attempt("enter the mounts from a user namespace", setns, descriptors[1], CLONE_NEWNS)
    attempt("write the lock", os.write, descriptors[2], b"attacked")
    theirs.send(b"x")


def become(uid, groups):
    os.setgroups(groups)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def foreign_namespace(template):
    """Asks for a lease from a user namespace of the caller's own."""
    unshare(CLONE_NEWUSER)
    lease_attempt("lease from a user namespace", template)


def foreign_ranges(template, *bases):
    """Asks for ids of somebody else, or for all ids of the host."""
    for base in map(int, bases):
        lease_attempt(f"ids from {base} on", template, {"uidBase": base, "gidBase": base})
        lease_attempt(f"uids from {base} on", template, {"uidBase": base, "gidBase": 1342177280})


def lease_attempt(what, template, more=()):
    try:
        with Client() as client:
            client.call(MANAGER + "Lease", {"template": template, **dict(more)})
            got_through(f"{what}: {len(client.descriptors)} descriptors")
    except (VarlinkError, Closed, OSError) as error:
        tell(f"refused: {what}: {error}")


def past_the_socket(template, uid, *groups):
    """As root: gets past the socket's mode with the ids of a user outside the group, who must get no answer."""
    os.setgroups([int(group) for group in groups])
    os.setresgid(int(uid), int(uid), 0)
    os.setresuid(int(uid), int(uid), 0)
    raise_override()
    client = Client()
    for method, parameters in (("org.varlink.service.GetInfo", {}), (MANAGER + "Lease", {"template": template})):
        try:
            client.call(method, parameters)
            got_through(method)
        except VarlinkError as error:
            got_through(f"an answer: {error}")
        except Closed as error:
            tell(f"refused: {method}: {error}")


def raise_override():
    """Makes CAP_DAC_OVERRIDE effective again."""
    header = struct.pack("Ii", 0x20080522, 0)
    sets = ctypes.create_string_buffer(24)
    must(LIBC.capget(header, sets), "capget")
    values = list(struct.unpack("IIIIII", sets.raw))
    values[0] |= 1 << 1
    must(LIBC.capset(header, struct.pack("IIIIII", *values)), "capset")


def requests_of_root(template):
    try:
        call(MANAGER + "ResizePool", {"template": template, "size": 0})
        got_through("resize")
    except VarlinkError as error:
        tell(f"refused: resize: {error}")


def lease_of_root(template):
    lease_attempt("lease as root", template)


def squat(template):
    """Tries to replace or write the files below /run/isolate."""
    del template
    place = "/run/isolate"
    attempt("make a file", write_file, f"{place}/attacked")
    attempt("remove the socket", os.unlink, f"{place}/org.isolate.Manager")
    attempt("rename the socket", os.rename, f"{place}/org.isolate.Manager", f"{place}/old")
    attempt("a link over the socket", os.symlink, "/etc/passwd", f"{place}/org.isolate.Manager")
    attempt("chmod the socket", os.chmod, f"{place}/org.isolate.Manager", 0o777)
    attempt("write the daemon's lock", write_file, f"{place}/isolated.lock")
    attempt("remove the daemon's lock", os.unlink, f"{place}/isolated.lock")
    for directory, names, files in os.walk(place):
        if os.access(directory, os.W_OK):
            got_through(f"{directory} is writable")
        for name in files:
            path = os.path.join(directory, name)
            if name != "org.isolate.Manager" and os.access(path, os.W_OK, follow_symlinks=False):
                got_through(f"{path} is writable")


def main():
    name, *arguments = sys.argv[1:]
    attacks = {
        function.__name__: function
        for function in (control, layers_in_reach, clear_flags, unmount, devices, file_leases, watch, reach_out)
        + (kinds, beside, locks, suid, unlocked, shared, inside, kept_beside, given)
        + (inherited, ranges, foreign_ranges, other_user, foreign_namespace, past_the_socket, requests_of_root, lease_of_root, squat)
    }
    attacks[name](*arguments)
    sys.exit(0 if succeeded else 1)


main()
