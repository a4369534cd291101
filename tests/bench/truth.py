"""The right answer: the k nearest of each query, by numpy in f32 over every vector.

Usage: truth.py BASE.npy QUERIES.npy TRUTH.npz, in the environment of the benchmarks. Not a
measurement: it takes all the cores there are.
"""
import os
import sys

import numpy

K = 100
ROWS = 50_000


def nearest(base, queries, k):
    scores = numpy.full((len(queries), k), -numpy.inf, numpy.float32)
    ids = numpy.full((len(queries), k), -1, numpy.int64)
    for start in range(0, len(base), ROWS):
        part = queries @ base[start:start + ROWS].T
        both = numpy.concatenate([scores, part], axis=1)
        names = numpy.concatenate([ids, numpy.broadcast_to(
            numpy.arange(start, start + part.shape[1]), part.shape)], axis=1)
        best = numpy.argpartition(-both, k - 1, axis=1)[:, :k]
        scores, ids = (numpy.take_along_axis(values, best, 1) for values in (both, names))
    order = numpy.lexsort((ids, -scores), axis=1)
    return (numpy.take_along_axis(values, order, 1) for values in (ids, scores))


def main():
    base, queries = numpy.load(sys.argv[1], mmap_mode="r"), numpy.load(sys.argv[2])
    for vectors in (base[:1000], queries):
        assert numpy.allclose((vectors * vectors).sum(axis=1), 1, atol=1e-3), "not of unit length"
    ids, scores = nearest(base, queries, min(K, len(base)))
    temporary = sys.argv[3] + ".part.npz"
    numpy.savez(temporary, ids=ids, scores=scores)
    os.replace(temporary, sys.argv[3])


if __name__ == "__main__":
    main()
