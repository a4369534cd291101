"""The libraries beside which the vector engine stands, all behind the same few methods.

Each peer is built and asked with one thread. What `families` gives is tried at rising efforts
(`efforts`), so that a peer is seen on its whole curve and not at one point of somebody's choice.
Parameters are those that its own documentation takes for vectors of this size; a larger M was
tried for each and is a peer of its own where it is better at a target.

Runs in the environment of the benchmarks (numpy, hnswlib, faiss, usearch).
"""
import ctypes
import importlib.metadata
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import faiss
import hnswlib
import numpy
from usearch.index import Index

EFFORTS = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]


class Peer:
    """A graph index whose effort is its ef."""
    families = [{}]
    efforts = EFFORTS
    exact = False

    def __init__(self, dimension):
        self.dimension = dimension

    def set(self, family, effort):
        """Settings of the searches that follow."""

    def search_one(self, query, k):
        """Ids of the nearest of one query: what a server does for a request."""
        return self.search_all(query[None, :], k)[0]

    filters = False  # has prepare() and filtered()

    def prepare(self, allowed, mask):
        """A filter in the form it likes best, made outside the time that counts."""

    def filtered(self, query, prepared, k):
        """Ids among the allowed; may be fewer than k."""


class HnswlibFilter:
    """Its filtered search without a function of Python in it; see hnswlib_filter.cpp."""

    def __init__(self, index, dimension):
        with tempfile.TemporaryDirectory(prefix="am-bench-") as folder:
            index.save_index(f"{folder}/index")
            self.library = ctypes.CDLL(self.build(folder))
            self.library.filter_open.restype = ctypes.c_void_p
            self.library.filter_search.restype = ctypes.c_size_t
            self.handle = self.library.filter_open(f"{folder}/index".encode(),
                                                   ctypes.c_size_t(dimension))
        assert self.handle, "hnswlib cannot read what its binding wrote"

    @staticmethod
    def build(folder):
        """Compiled as the binding is, against the headers of the installed version."""
        version = importlib.metadata.version("hnswlib")
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                        "--no-binary", "hnswlib", "--disable-pip-version-check", "--dest", folder,
                        f"hnswlib=={version}"], check=True, stdout=sys.stderr)
        with tarfile.open(f"{folder}/hnswlib-{version}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        source = pathlib.Path(__file__).with_name("hnswlib_filter.cpp")
        library = f"{folder}/filter.so"
        subprocess.run(["g++", "-O3", "-march=native", "-std=c++14", "-shared", "-fPIC",
                        f"-I{folder}/hnswlib-{version}", str(source), "-o", library], check=True,
                       stdout=sys.stderr)
        return library

    def search(self, query, k, ef, bits):
        ids = numpy.empty(k, numpy.int64)
        count = self.library.filter_search(
            ctypes.c_void_p(self.handle), ctypes.c_void_p(query.ctypes.data), ctypes.c_size_t(k),
            ctypes.c_size_t(ef), ctypes.c_void_p(bits.ctypes.data),
            ctypes.c_void_p(ids.ctypes.data))
        return ids[:count]


class Hnswlib(Peer):
    def __init__(self, dimension, m=16, construction=200):
        super().__init__(dimension)
        self.m, self.construction = m, construction
        self.parameters = {"M": m, "ef_construction": construction}
        self.filter = None

    def build(self, base):
        self.index = hnswlib.Index("ip", self.dimension)
        self.index.init_index(max_elements=len(base), M=self.m, random_seed=1,
                              ef_construction=self.construction, allow_replace_deleted=True)
        self.index.set_num_threads(1)
        self.index.add_items(base, num_threads=1)

    def set(self, family, effort):
        self.index.set_ef(effort)

    def search_all(self, queries, k):
        return self.index.knn_query(queries, k, num_threads=1)[0]

    filters = True

    def prepare(self, allowed, mask):
        if self.filter is None:
            self.filter = HnswlibFilter(self.index, self.dimension)
        return numpy.packbits(mask, bitorder="little")

    def filtered(self, query, prepared, k):
        return self.filter.search(query, k, self.index.ef, prepared)

    def save(self, path):
        self.index.save_index(path)

    def load(self, path):
        index = hnswlib.Index("ip", self.dimension)
        index.load_index(path)
        return index

    def churn(self, ids, vectors, fresh_ids):
        for id_ in ids:
            self.index.mark_deleted(int(id_))
        self.index.add_items(vectors, fresh_ids, num_threads=1, replace_deleted=True)


def bitmap_filter(mask):
    bits = numpy.packbits(mask, bitorder="little")
    selector = faiss.IDSelectorBitmap(bits)
    selector.kept_alive = bits  # it borrows them
    return selector


class Faiss(Peer):
    def save(self, path):
        faiss.write_index(self.index, path)

    def load(self, path):
        return faiss.read_index(path)


class FaissHnsw(Faiss):
    def __init__(self, dimension, kind="sq8", m=32, construction=80, refine=False):
        super().__init__(dimension)
        self.kind, self.m, self.construction, self.refine = kind, m, construction, refine
        self.parameters = {"M": m, "efConstruction": construction, "storage": kind}
        self.families = [{"k_factor": 2}, {"k_factor": 4}] if refine else [{}]

    def build(self, base):
        if self.kind == "sq8":
            graph = faiss.IndexHNSWSQ(self.dimension, faiss.ScalarQuantizer.QT_8bit, self.m,
                                      faiss.METRIC_INNER_PRODUCT)
        else:
            graph = faiss.IndexHNSWFlat(self.dimension, self.m, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self.construction
        self.graph, self.index = graph, graph
        if self.refine:
            self.index = faiss.IndexRefineFlat(graph)
        self.index.train(base)
        self.index.add(base)

    def set(self, family, effort):
        self.graph.hnsw.efSearch = effort
        if self.refine:
            self.index.k_factor = family["k_factor"]

    def search_all(self, queries, k):
        return self.index.search(queries, k)[1]

    filters = True

    def prepare(self, allowed, mask):
        return bitmap_filter(mask)

    def filtered(self, query, prepared, k):
        settings = faiss.SearchParametersHNSW(sel=prepared, efSearch=self.graph.hnsw.efSearch)
        found = self.graph.search(query[None, :], k, params=settings)[1][0]
        return found[found >= 0]


class FaissIvfPq(Faiss):
    """Fast scan over 4-bit product codes, then the exact vectors of the best k * k_factor."""
    families = [{"k_factor": 4}, {"k_factor": 10}, {"k_factor": 30}]
    efforts = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]

    def __init__(self, dimension):
        super().__init__(dimension)
        self.parameters = {}

    def build(self, base):
        lists = 1 << max(4, round(numpy.log2(2.5 * len(base) ** 0.5)))
        description = f"IVF{lists},PQ{self.dimension // 2}x4fs,RFlat"
        self.parameters = {"factory": description}
        self.index = faiss.index_factory(self.dimension, description, faiss.METRIC_INNER_PRODUCT)
        self.lists = faiss.extract_index_ivf(self.index)
        self.index.train(base)
        self.index.add(base)

    def set(self, family, effort):
        self.lists.nprobe = effort
        self.index.k_factor = family["k_factor"]

    def search_all(self, queries, k):
        return self.index.search(queries, k)[1]


class FaissFlat(Faiss):
    efforts = [1]
    exact = True

    def __init__(self, dimension):
        super().__init__(dimension)
        self.parameters = {}

    def build(self, base):
        self.index = faiss.IndexFlatIP(self.dimension)
        self.index.add(base)

    def search_all(self, queries, k):
        return self.index.search(queries, k)[1]

    filters = True

    def prepare(self, allowed, mask):
        return faiss.IDSelectorBatch(allowed)

    def filtered(self, query, prepared, k):
        found = self.index.search(query[None, :], k, params=faiss.SearchParameters(sel=prepared))
        return found[1][0][found[1][0] >= 0]


class Usearch(Peer):
    def __init__(self, dimension, kind, m=16, construction=128):
        super().__init__(dimension)
        self.kind, self.m, self.construction = kind, m, construction
        self.parameters = {"connectivity": m, "expansion_add": construction, "dtype": kind}

    def build(self, base):
        self.index = Index(ndim=self.dimension, metric="cos", dtype=self.kind,
                           connectivity=self.m, expansion_add=self.construction)
        self.index.add(numpy.arange(len(base), dtype=numpy.uint64), base, threads=1)

    def set(self, family, effort):
        self.index.expansion_search = effort

    def search_all(self, queries, k):
        return self.index.search(queries, k, threads=1).keys

    def search_one(self, query, k):
        return self.index.search(query, k, threads=1).keys

    def save(self, path):
        self.index.save(path)

    def load(self, path):
        return Index.restore(path)

    def churn(self, ids, vectors, fresh_ids):
        self.index.remove(ids.astype(numpy.uint64), threads=1)
        self.index.add(fresh_ids.astype(numpy.uint64), vectors, threads=1)


PEERS = {
    "hnswlib M16": lambda d: Hnswlib(d, 16, 200),
    "hnswlib M32": lambda d: Hnswlib(d, 32, 200),
    "FAISS HNSW-SQ8": lambda d: FaissHnsw(d, "sq8"),
    "FAISS HNSW-SQ8 refined": lambda d: FaissHnsw(d, "sq8", refine=True),
    "FAISS HNSW flat": lambda d: FaissHnsw(d, "flat"),
    "FAISS IVF-PQ-fastscan": FaissIvfPq,
    "FAISS flat (exact)": FaissFlat,
    "USearch bf16": lambda d: Usearch(d, "bf16"),
    "USearch i8": lambda d: Usearch(d, "i8"),
}
