"""A worker: a process that answers each line of JSON on its input with one on its output.

Both sides of it: `Process` asks, `serve` answers.
"""
import ctypes
import gc
import json
import pathlib
import re
import subprocess
import sys

import environment


class Process:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, do, **request):
        """The answer of its method `do`; BenchError when the process ended instead."""
        request = {key: str(value) if isinstance(value, pathlib.Path) else value
                   for key, value in request.items()}
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; there is no answer to read either
        line = self.process.stdout.readline()
        if not line:
            raise environment.BenchError(f"the peer {self.name} ended with status "
                                         f"{self.process.wait()} at \"{do}\"\n"
                                         "hint: what it says stands above")
        return json.loads(line)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already, which is what is wanted
        self.process.wait()


def serve(worker):
    """Answers each request by the method of the worker that it names, to the end of the input."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


def anonymous_bytes():
    """Memory of the process that no file backs."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Anonymous:\s+(\d+) kB", file.read(), re.MULTILINE)[1]) * 1024
