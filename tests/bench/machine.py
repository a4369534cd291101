"""What the figures of a benchmark depend on; no name of the machine."""
import os
import pathlib
import platform
import shutil


def first(path, key):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return None


def machine():
    memory = int(first("/proc/meminfo", "MemTotal").split()[0]) // 1024
    disk = shutil.disk_usage("/tmp")
    return {
        "cores": os.cpu_count(), "cpu": first("/proc/cpuinfo", "model name"),
        "memory_mib": memory, "kernel": platform.release(), "disk_total_gib": disk.total >> 30,
    }


def instructions():
    """The vector instructions among the flags of the processor: they decide which code runs."""
    flags = (first("/proc/cpuinfo", "flags") or "").split()
    return [flag for flag in flags if flag.startswith(("avx", "amx", "fma", "f16c"))]
