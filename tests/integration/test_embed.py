"""`aethermart embed`: lines to vectors without any database, and the encoder in another program."""
import gzip
import json
import math
import os
import pathlib
import struct
import subprocess

import pytest

from stack import BINARY

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
MODEL = CACHE / "aethermart" / "all-MiniLM-L6-v2-53aa5117"
LINES = ["gps watch", "running shoes for women", "", "caf\u00e9 \u65e0\u7ebf\u9f20\u6807 \U0001f3a7"]

needs_model = pytest.mark.skipif(not (MODEL / "model.safetensors").exists(),
                                 reason="the model is not there; tools/setup gets it")


def run(folder, *words, lines=None, check=True):
    text = None if lines is None else "".join(f"{line}\n" for line in lines)
    done = subprocess.run([str(BINARY), *map(str, words)], cwd=folder, input=text,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    assert not check or done.returncode == 0, done.stderr
    return done


def vectors(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def read_npy(path):
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length, = struct.unpack("<H", data[8:10])
    header = eval(data[10:10 + length])  # the format is a Python literal
    assert (10 + length) % 64 == 0 and data[9 + length] == 0x0A
    assert header["descr"] == "<f4" and header["fortran_order"] is False
    rows, columns = header["shape"]
    body = data[10 + length:]
    assert len(body) == rows * columns * 4
    numbers = struct.unpack(f"<{rows * columns}f", body)
    return [numbers[i * columns:(i + 1) * columns] for i in range(rows)]


@needs_model
def test_a_line_becomes_a_line_with_its_vector(tmp_path):
    answers = vectors(run(tmp_path, "embed", lines=LINES))
    assert [a["text"] for a in answers] == LINES
    for answer in answers:
        assert list(answer) == ["text", "vector"]
        assert len(answer["vector"]) == 384
        assert math.isclose(dot(answer["vector"], answer["vector"]), 1, abs_tol=1e-5)
    bare = vectors(run(tmp_path, "embed", "--no-text", lines=LINES))
    assert [list(a) for a in bare] == [["vector"]] * len(LINES)


@needs_model
def test_vectors_are_the_oracles(tmp_path):
    golden = [json.loads(line) for line in (ROOT / "tests/data/minilm/golden.jsonl").open()]
    golden = [g for g in golden if "\n" not in g["text"]][:20]
    answers = vectors(run(tmp_path, "embed", "--embed.precision", "f32",
                          lines=[g["text"] for g in golden]))
    for one, answer in zip(golden, answers, strict=True):
        assert dot(one["embedding"], answer["vector"]) > 0.99999, one["text"]


@needs_model
def test_bytes_mean_what_floats_mean_on_the_catalogue(tmp_path):
    """The least that `embed.precision: int8` may do; docs/embed.md has what it does."""
    with gzip.open(ROOT / "data" / "icecat" / "products.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line, _ in zip(file, range(3000))][::10]
    lines = [" ".join(f"{row['title']}. {row.get('short_description', '')}".split()) for row in rows]
    floats, small = ([a["vector"] for a in vectors(run(
        tmp_path, "embed", "--no-text", "--embed.precision", precision, lines=lines))]
        for precision in ("f32", "int8"))
    cosines = [dot(a, b) for a, b in zip(floats, small)]
    assert len(cosines) == 300
    assert sum(cosines) / len(cosines) >= 0.993
    assert min(cosines) >= 0.98


@needs_model
def test_what_is_alike_is_near(tmp_path):
    a, b, c = (x["vector"] for x in vectors(run(
        tmp_path, "embed", lines=["wireless headphones", "bluetooth earbuds", "garden hose"])))
    assert dot(a, b) > dot(a, c) + 0.2


@needs_model
def test_a_matrix_holds_the_same_vectors(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(LINES[:2]) + "\n")
    (tmp_path / "b.txt").write_text("\n".join(LINES[2:]))  # the last line has no newline
    out = tmp_path / "out.npy"
    out.write_text("old")
    done = run(tmp_path, "embed", "a.txt", "b.txt", "--output", out)
    assert done.stdout == ""
    answers = vectors(run(tmp_path, "embed", lines=LINES))
    rows = read_npy(out)
    assert len(rows) == len(LINES)
    for row, answer in zip(rows, answers):
        assert all(abs(x - y) < 1e-7 for x, y in zip(row, answer["vector"]))


@needs_model
def test_a_failure_leaves_the_older_matrix(tmp_path):
    out = tmp_path / "out.npy"
    out.write_text("old")
    (tmp_path / "good.txt").write_text("one\n")
    (tmp_path / "long.txt").write_text("two\n" + "x" * (1 << 21) + "\n")
    done = run(tmp_path, "embed", "good.txt", "long.txt", "--output", out, check=False)
    assert done.returncode == 8 and "long.txt:2:" in done.stderr
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["good.txt", "long.txt", "out.npy"]


@needs_model
def test_who_waits_for_an_answer_gets_it(tmp_path):
    with subprocess.Popen([str(BINARY), "embed", "--task", "query"], cwd=tmp_path,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for text in ("first", "second"):
            child.stdin.write(text + "\n")
            child.stdin.flush()
            assert json.loads(child.stdout.readline())["text"] == text
        child.stdin.close()
        assert child.wait(20) == 0


def test_mistakes_are_named(tmp_path):
    done = run(tmp_path, "embed", "--embed.dir", "nowhere", "--embed.model", "mine", lines=["x"],
               check=False)
    assert done.returncode == 3
    assert "nowhere/config.json" in done.stderr and "tools/setup" in done.stderr
    done = run(tmp_path, "embed", "--task", "both", lines=["x"], check=False)
    assert done.returncode == 2 and "both" in done.stderr
    done = run(tmp_path, "embed", "bench", check=False)
    assert done.returncode == 2 and "--texts" in done.stderr


@needs_model
def test_a_missing_file_is_named(tmp_path):
    done = run(tmp_path, "embed", "absent.txt", check=False)
    assert done.returncode == 3 and "absent.txt" in done.stderr


@needs_model
def test_bench_has_its_figures(tmp_path):
    (tmp_path / "texts").write_text("\n".join(LINES * 5))
    words = ["embed", "bench", "--texts", "texts", "--seconds", "1"]
    answer = json.loads(run(tmp_path, *words, "--json", "--threads", "2").stdout)
    assert list(answer)[:4] == ["texts_per_second", "tokens_per_second", "single_p50_ms",
                                "single_p99_ms"]
    assert answer["tokens_per_second"] > 2 * answer["texts_per_second"] > 0
    assert 0 < answer["single_p50_ms"] <= answer["single_p99_ms"]
    assert "texts a second" in run(tmp_path, *words).stdout


@needs_model
def test_the_example_is_another_program(tmp_path):
    done = subprocess.run([ROOT / "build" / "example_encode", MODEL, "gps watch"], check=True,
                          input="smart watch with gps\ngarden hose\n", text=True,
                          stdout=subprocess.PIPE)
    near, far = (line.split(" ", 1) for line in done.stdout.splitlines())
    assert near[1] == "smart watch with gps" and far[1] == "garden hose"
    assert float(near[0]) > 0.6 > 0.4 > float(far[0])
