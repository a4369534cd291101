"""One peer in a process of its own: builds, searches, filters and churns as it is told.

Usage: worker.py NAME BASE.npy QUERIES.npy TRUTH.npz, in the environment of the benchmarks. Each
line of standard input is a request as JSON, each line of standard output its answer. A process each
lets memory be told apart, and lets all peers wait with their index in memory while one at a time
is measured, in rounds.
"""
import os
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy  # noqa: E402

import curve  # noqa: E402
import peers  # noqa: E402
import process  # noqa: E402

K = 10
FILTER_QUERIES = 200  # of the filters that are made for each query


class Worker:
    def __init__(self, name, base, queries, truth):
        peers.faiss.omp_set_num_threads(1)
        self.base = numpy.load(base, mmap_mode="r")
        self.queries = numpy.load(queries)
        self.worst = numpy.load(truth)["scores"][:, K - 1].tolist()
        self.name = name
        self.peer = peers.PEERS[name](self.base.shape[1])

    def recall_of(self, found):
        """Of rows of ids, one a query; ids below 0 are none."""
        scores = []
        for query, ids in zip(self.queries, found):
            ids = numpy.unique(numpy.asarray(ids).astype(numpy.int64))
            ids = ids[(ids >= 0) & (ids < len(self.base))]
            scores.append((self.base[ids] @ query).tolist())
        return curve.recall(K, self.worst[:len(scores)], scores)

    def build(self):
        before = process.anonymous_bytes()
        start = time.perf_counter()
        self.peer.build(self.base)
        seconds = time.perf_counter() - start
        return {"build_seconds": seconds, "parameters": self.peer.parameters,
                "bytes_per_vector": (process.anonymous_bytes() - before) / len(self.base),
                "families": self.peer.families, "efforts": self.peer.efforts,
                "exact": self.peer.exact, "filters": self.peer.filters,
                "churns": hasattr(self.peer, "churn")}

    def all_at_once(self):
        start = time.perf_counter()
        found = self.peer.search_all(self.queries, K)
        return found, time.perf_counter() - start

    def recall(self, family, effort):
        """Only the recall, with the time of one batch as a rough figure."""
        self.peer.set(family, effort)
        found, seconds = self.all_at_once()
        return {"family": family, "effort": effort, "recall": self.recall_of(found),
                "qps": len(self.queries) / seconds}

    def point(self, family, effort):
        """One query at a time, and all in one call with one thread; the better is its figure."""
        self.peer.set(family, effort)
        nanoseconds = []
        for query in self.queries[:50]:
            self.peer.search_one(query, K)
        for query in self.queries:
            start = time.perf_counter_ns()
            self.peer.search_one(query, K)
            nanoseconds.append(time.perf_counter_ns() - start)
        found, seconds = self.all_at_once()
        single, batch = len(nanoseconds) * 1e9 / sum(nanoseconds), len(self.queries) / seconds
        return {"family": family, "effort": effort, "recall": self.recall_of(found),
                "qps": max(single, batch), "qps_single": single, "qps_batch": batch,
                "p50_us": curve.percentile(nanoseconds, 0.5) / 1e3,
                "p99_us": curve.percentile(nanoseconds, 0.99) / 1e3}

    def overhead(self):
        """What a call costs that has nothing to search: the binding and the loop of Python."""
        small = peers.PEERS[self.name](self.base.shape[1])
        if isinstance(small, peers.FaissIvfPq):  # cannot be trained on so few
            return {"overhead_us": None}
        small.build(numpy.array(self.base[:K]))
        small.set(small.families[0], K)
        times = []
        for query in numpy.tile(self.queries[:100], (10, 1)):
            start = time.perf_counter_ns()
            small.search_one(query, K)
            times.append(time.perf_counter_ns() - start)
        return {"overhead_us": curve.percentile(times, 0.5) / 1e3}

    def restart(self):
        """Seconds to have the index back from its file, which the system still has in memory."""
        with tempfile.TemporaryDirectory(prefix="am-bench-") as folder:
            self.peer.save(f"{folder}/index")
            start = time.perf_counter()
            loaded = self.peer.load(f"{folder}/index")
            seconds = time.perf_counter() - start
        del loaded
        return {"restart_seconds": seconds}

    # --- filters ---------------------------------------------------------------------------------

    def allowed_ids(self, share, kind):
        """A list of (query's number, ids allowed): one set for all, or one for each query."""
        count = max(K, round(len(self.base) * share))
        if kind == "random":
            chosen = numpy.random.default_rng(1).choice(len(self.base), count, replace=False)
            chosen.sort()
            return [(at, chosen) for at in range(len(self.queries))]
        result = []
        for at in range(min(FILTER_QUERIES, len(self.queries))):
            scores = self.base @ self.queries[at]
            scores = scores if kind == "far" else -scores
            chosen = numpy.argpartition(scores, count - 1)[:count]
            chosen.sort()
            result.append((at, chosen))
        return result

    def filter(self, share, kind, family, effort):
        """Recall, searches a second, and how many answers were short, with only some allowed."""
        self.peer.set(family, effort)
        prepared = mask = None
        recalls, short, seconds = [], 0, 0.0
        for at, allowed in self.allowed_ids(share, kind):
            if prepared is None or kind != "random":
                mask = numpy.zeros(len(self.base), bool)
                mask[allowed] = True
                prepared = self.peer.prepare(allowed, mask)
                vectors = numpy.array(self.base[allowed])
            start = time.perf_counter()
            found = self.peer.filtered(self.queries[at], prepared, K)
            seconds += time.perf_counter() - start
            best = numpy.partition(vectors @ self.queries[at], -K)[-K]
            ids = numpy.unique(numpy.asarray(found, numpy.int64))
            assert mask[ids].all(), f"{self.name} found what the filter forbids"
            recalls.append(curve.recall(K, [best], [(self.base[ids] @ self.queries[at]).tolist()]))
            short += len(ids) < K
        return {"share": share, "kind": kind, "effort": effort, "queries": len(recalls),
                "recall": sum(recalls) / len(recalls), "qps": len(recalls) / seconds,
                "short": int(short)}

    def exact_filter(self, share, kind):
        """The exact scan of the allowed rows by numpy in f32: the figure to beat.

        One set for all queries: its rows lie together, as somebody would keep them who asks often.
        `qps` is one query at a time; `qps_batch` all of them in one matrix product, which no server
        can do that is asked by one after the other: it is told beside. One set for each query: the
        rows have to be gathered first.
        """
        sets = self.allowed_ids(share, kind)
        result = {"share": share, "kind": kind, "queries": len(sets), "recall": 1.0, "short": 0}
        if kind != "random":
            base = numpy.array(self.base)  # gathered from memory, not through a mapping
            start = time.perf_counter()
            for at, allowed in sets:
                best_of(base[allowed] @ self.queries[at])
            return {**result, "qps": len(sets) / (time.perf_counter() - start)}
        vectors = numpy.array(self.base[sets[0][1]])
        start = time.perf_counter()
        for query in self.queries:
            best_of(vectors @ query)
        single = len(sets) / (time.perf_counter() - start)
        start = time.perf_counter()
        for part in range(0, len(self.queries), 256):
            best_of(self.queries[part:part + 256] @ vectors.T)
        return {**result, "qps": single, "qps_batch": len(sets) / (time.perf_counter() - start)}

    # --- churn -----------------------------------------------------------------------------------

    def churn(self, rounds, share, family, effort):
        """Recall after each round of deleting a share of the vectors and inserting them again.

        They come back with new ids, as rows of a table do; the index of the peer is used up.
        """
        count = len(self.base)
        id_of = numpy.arange(count)
        row_of = dict(enumerate(range(count)))
        random = numpy.random.default_rng(2)
        self.peer.set(family, effort)
        recalls = [self.recall_of(self.peer.search_all(self.queries, K))]
        next_id = count
        for _ in range(rounds):
            rows = random.choice(count, round(count * share), replace=False)
            fresh = numpy.arange(next_id, next_id + len(rows))
            next_id += len(rows)
            self.peer.churn(id_of[rows], numpy.array(self.base[rows]), fresh)
            id_of[rows] = fresh
            row_of.update(zip(fresh.tolist(), rows.tolist()))
            self.peer.set(family, effort)
            found = self.peer.search_all(self.queries, K)
            recalls.append(self.recall_of([[row_of.get(int(id_), -1) for id_ in ids]
                                           for ids in found]))
        return {"effort": effort, "share": share, "recall": recalls}


def best_of(scores):
    """The K best of each row, in order."""
    best = numpy.argpartition(scores, -K, axis=-1)[..., -K:]
    order = numpy.argsort(numpy.take_along_axis(scores, best, -1), axis=-1)[..., ::-1]
    return numpy.take_along_axis(best, order, -1)


if __name__ == "__main__":
    process.serve(Worker(*sys.argv[1:]))
