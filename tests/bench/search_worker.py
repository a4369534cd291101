"""One peer of the search in a process of its own; requests and answers as JSON lines.

Usage: search_worker.py NAME SETTINGS.json, in the environment of the benchmarks: NAME is one of
search_peers.PEERS; the settings have the file of products, the folder of ONNX models, and how
MariaDB is reached.
"""
import json
import os
import pathlib
import sys
import time
import traceback

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                 "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import environment  # noqa: E402
import process  # noqa: E402
import search_peers  # noqa: E402


def keep(texts, make):
    """The vectors of texts, made once and then kept: by this encoder, they are data."""
    import numpy
    environment.STORE.mkdir(parents=True, exist_ok=True)
    path = environment.STORE / f"search-int8-{environment.digest(*texts)}.npy"
    if not path.exists():
        print(f"encoding {len(texts):,} products by ONNX Runtime", file=sys.stderr, flush=True)
        part = path.with_suffix(".part.npy")
        numpy.save(part, make(texts))
        part.replace(path)
    return numpy.load(path)


class Worker:
    def __init__(self, name, settings):
        self.name = name
        self.settings = json.loads(pathlib.Path(settings).read_text(encoding="utf-8"))
        self.peer = None

    def build(self):
        """{"failed": why} when it cannot: a package that is not there takes no other with it."""
        try:
            return self.build_it()
        except Exception as error:  # whatever a peer's package throws, the report has it
            traceback.print_exc()
            return {"failed": f"{type(error).__name__}: {error}"}

    def build_it(self):
        with open(self.settings["products"], encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        self.peer = search_peers.PEERS[self.name]({**self.settings, "keep": keep})
        if hasattr(self.peer, "prepare"):
            self.peer.prepare(rows)
        before = process.anonymous_bytes()
        start = time.perf_counter()
        self.peer.build(rows)
        seconds = time.perf_counter() - start
        is_server = isinstance(self.peer, search_peers.MariaDB)
        return {"build_seconds": seconds,
                "bytes": None if is_server else process.anonymous_bytes() - before}

    def answers(self, queries, k):
        """[[(row number, score), ...], ...], best first."""
        return [[(int(n), float(score)) for n, score in self.peer.search(query, k)]
                for query in queries]

    def latency(self, queries, k):
        """Microseconds of each query, from the text to rows and scores."""
        for query in queries[:search_peers.WARM_UP]:
            self.peer.search(query, k)
        times = []
        for query in queries:
            start = time.perf_counter_ns()
            self.peer.search(query, k)
            times.append((time.perf_counter_ns() - start) / 1e3)
        return times

    def close(self):
        if hasattr(self.peer, "close"):
            self.peer.close()


if __name__ == "__main__":
    worker = Worker(*sys.argv[1:])
    try:
        process.serve(worker)
    finally:
        worker.close()
