# find_secret.py HEX: says where other processes or users can find these bytes, or their hexadecimal form: in the
# arguments and environments of all processes, and in files in /tmp, /run and /dev/shm that everybody may read.
import glob, os, stat, sys

text = sys.argv[1]
forms = [bytes.fromhex(text), text.encode()]
found = []


def look(path, own_pid):
    try:
        with open(path, "rb") as file:
            content = file.read(1 << 20)
    except OSError:
        return
    if own_pid not in path.split("/") and any(form in content for form in forms):
        found.append(path)


own = str(os.getpid())
for pattern in ("/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"):
    for path in glob.glob(pattern):
        look(path, own)
for root in ("/tmp", "/run", "/dev/shm"):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode) and mode & 0o044:
                look(path, own)
if found:
    sys.exit("found in " + " ".join(found))
