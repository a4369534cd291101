"""Processes of a folder: found by pid files and by what /proc says, stopped one by one."""
import os
import pathlib
import signal
import time


def arguments(pid):
    """The command line of a process as a list; empty when it is gone or a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split(
            "\0")[:-1]
    except OSError:
        return []


def is_alive(pid):
    """True for a process that still runs; a zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def program(pid):
    """What a process is: "worker", "mariadb", "mongodb" or None."""
    words = arguments(pid)
    if not words:
        return None
    name = os.path.basename(words[0])
    if name in ("mariadbd", "mysqld"):
        return "mariadb"
    if name in ("mongod", "secantusd-rs"):
        return "mongodb"
    if name == "aethermart":
        return "worker"
    return None


def of_pid_files(folder):
    """{program: pid} of the pid files below a folder that name a living process. Folders may go
    meanwhile, which os.walk() bears and rglob() does not."""
    found = {}
    paths = [pathlib.Path(where) / name for where, _, names in os.walk(folder) for name in names
             if name.endswith(".pid")]
    for path in sorted(paths):
        try:
            pid = int(path.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            continue
        kind = program(pid) if is_alive(pid) else None
        if kind:
            found[kind] = pid
    return found


def mentioning(folder):
    """Living processes, but for this one, with the folder on their command line or as their
    working folder. {pid: command line}"""
    folder = str(folder)
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        line = " ".join(arguments(entry))
        try:
            where = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            where = ""
        if (folder in line or where.startswith(folder)) and is_alive(entry):
            found[int(entry)] = line
    return found


def wait_gone(pid, timeout=20):
    deadline = time.monotonic() + timeout
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} ({' '.join(arguments(pid))}) still runs")
        time.sleep(0.01)


def end(pid, timeout=10):
    """Ends a process whatever its state."""
    for sign in (signal.SIGCONT, signal.SIGTERM):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
    try:
        wait_gone(pid, timeout)
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid, 5)
