"""`aethermart vector`: the engine on files of vectors without any database, and in another program."""
import json
import math
import pathlib
import random
import struct
import subprocess

import pytest

from stack import BINARY

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DIMENSION = 24


def run(folder, *words, check=True):
    done = subprocess.run([str(BINARY), "vector", *map(str, words)], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    assert not check or done.returncode == 0, done.stderr
    return done


def answer(folder, *words):
    return json.loads(run(folder, *words, "--json").stdout)


def some_vectors(n, seed):
    generator = random.Random(seed)
    centers = [[generator.gauss(0, 1) for _ in range(DIMENSION)] for _ in range(10)]
    return [[c + generator.gauss(0, 0.6) for c in generator.choice(centers)] for _ in range(n)]


def write_npy(path, rows):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    header = header.ljust(117) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                     b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows))


def write_fvecs(path, rows):
    path.write_bytes(b"".join(struct.pack(f"<i{len(row)}f", len(row), *row) for row in rows))


def write_ids(path, ids):
    path.write_text("".join(f"{i}\n" for i in ids))


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(
        sum(x * x for x in a) * sum(y * y for y in b))


def nearest(rows, query, k, allowed=None):
    """The truth: (score, id), best first, by comparing with all."""
    scored = [(cosine(row, query), i) for i, row in enumerate(rows)
              if allowed is None or i in allowed]
    return sorted(scored, reverse=True)[:k]


@pytest.fixture(name="index")
def make_index(tmp_path):
    rows, queries = some_vectors(800, 1), some_vectors(10, 2)
    write_npy(tmp_path / "base.npy", rows)
    write_fvecs(tmp_path / "queries.fvecs", queries)
    run(tmp_path, "build", "shop.index", "--vectors", "base.npy", "--precision", "f32")
    return tmp_path, rows, queries


def assert_nearest(folder, rows, queries, *words, allowed=None):
    lines = run(folder, "query", "shop.index", "--queries", "queries.fvecs", "--k", 5, *words,
                "--json").stdout.splitlines()
    assert len(lines) == len(queries)
    found = wanted = 0
    for line, query in zip(map(json.loads, lines), queries):
        truth = nearest(rows, query, 5, allowed)
        assert len(line["hits"]) == len(truth)
        wanted += len(truth)
        found += sum(hit["score"] >= truth[-1][0] - 1e-5 for hit in line["hits"])
        for hit in line["hits"]:
            assert math.isclose(hit["score"], cosine(rows[hit["id"]], query), abs_tol=1e-5)
    assert found >= 0.97 * wanted


def test_what_was_built_is_found(index):
    folder, rows, queries = index
    assert_nearest(folder, rows, queries)
    assert_nearest(folder, rows, queries, "--exact")


def test_a_filter_leaves_what_it_allows(index):
    folder, rows, queries = index
    for allowed in ([3], range(0, 800, 100), range(0, 800, 2)):
        write_ids(folder / "allowed", allowed)
        assert_nearest(folder, rows, queries, "--filter", "allowed", allowed=set(allowed))


def test_deleted_ids_are_gone_and_the_index_is_whole(index):
    folder, rows, queries = index
    write_ids(folder / "gone", [*range(0, 400), 5000])
    assert answer(folder, "delete", "shop.index", "--ids", "gone") == {"deleted": 400, "absent": 1}
    assert_nearest(folder, rows, queries, allowed=set(range(400, 800)))
    assert answer(folder, "check", "shop.index")["problems"] == 0
    assert answer(folder, "info", "shop.index")["vectors"] == 400


def test_given_ids_are_used_and_replaced(index):
    folder, rows, _ = index
    write_npy(folder / "one.npy", [rows[3]])
    write_ids(folder / "ids", [4000000000])
    run(folder, "build", "shop.index", "--vectors", "one.npy", "--ids", "ids")
    done = run(folder, "query", "shop.index", "--queries", "one.npy", "--k", 2)
    assert sorted(int(line.split("\t")[1]) for line in done.stdout.splitlines()) == [3, 4000000000]
    write_npy(folder / "one.npy", [rows[7]])
    assert answer(folder, "build", "shop.index", "--vectors", "one.npy", "--ids",
                  "ids")["vectors"] == 801


@pytest.mark.parametrize("words, said", [
    (("query", "none", "--queries", "queries.fvecs"), 'there is no vector index in "none"'),
    (("build", "other.index", "--vectors", "none.npy"), 'could not open "none.npy"'),
    (("build", "other.index", "--vectors", "text"), '"text" is no set of vectors'),
    (("build", "other.index"), "--vectors FILE"),
    (("build", "other.index", "--vectors", "base.npy", "--metric", "cosin"), 'such as "cosine"'),
    (("build", "shop.index", "--vectors", "queries.fvecs", "--model", "x"), 'of the model ""'),
    (("build", "other.index", "--vectors", "base.npy", "--ids", "ids"), '"ids" has 2 ids'),
    (("build", "other.index", "--vectors", "base.npy", "--ids", "text"), "text:1"),
    (("build", "small.index", "--vectors", "base.npy", "--memory", "64K"), "the index is full"),
])
def test_mistakes_are_named(index, words, said):
    folder = index[0]
    (folder / "text").write_text("no vectors here\n")
    (folder / "ids").write_text("1\n2\n")
    done = run(folder, *words, check=False)
    assert done.returncode != 0 and said in done.stderr


def test_a_damaged_index_is_refused_by_name(index):
    folder = index[0]
    graph = folder / "shop.index" / "graph"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    done = run(folder, "info", "shop.index", check=False)
    assert done.returncode == 6 and '"shop.index/graph" is damaged' in done.stderr


def test_an_open_index_is_not_opened_twice(index):
    folder = index[0]
    lock = subprocess.Popen(["flock", "shop.index/lock", "sh", "-c", "echo locked; read line"],
                            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert lock.stdout.readline() == b"locked\n"
        done = run(folder, "info", "shop.index", check=False)
        assert done.returncode == 4 and "open in another process" in done.stderr
    finally:
        lock.communicate(b"\n")


def test_bench_prints_what_machines_read(index):
    folder = index[0]
    result = answer(folder, "bench", "--vectors", "base.npy", "--queries", "queries.fvecs", "--k", 5,
                    "--recall", "0.9,0.99", "--threads", 2, "--filter-share", 0.05, "--churn", 2)
    assert list(result)[:5] == ["n", "dimension", "build_seconds", "bytes_per_vector", "targets"]
    assert (result["n"], result["dimension"]) == (800, DIMENSION)
    for target in result["targets"]:
        assert list(target) == ["target", "recall", "ef", "qps", "p50_us", "p99_us"]
        assert target["recall"] >= target["target"] and target["qps"] > 0
    assert result["filters"][0]["short"] == 0 and result["filters"][0]["recall"] > 0.99
    assert len(result["churn"]) == 3
    assert not list(folder.glob("aethermart-bench-*"))


def test_the_engine_in_another_program(tmp_path):
    done = subprocess.run([ROOT / "build" / "example_nearest", tmp_path / "map"], check=True,
                          stdout=subprocess.PIPE, encoding="utf-8")
    assert done.stdout.splitlines() == [
        "all: market (0.01) castle (0.40)",
        "mill and station only: station (1.04) mill (10.76)",
        "without the market: castle (0.40) station (1.04)",
        "opened again: castle (0.40) station (1.04)",
    ]
