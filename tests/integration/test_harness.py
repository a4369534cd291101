"""The tests' own tools do what the tests rely on."""
import subprocess

from bson.decimal128 import Decimal128
from bson.int64 import Int64

import oracle
import stack as stack_module
from oracle.mappings import value


def test_the_oracle_tells_types_and_exponents_apart():
    pairs = [
        (Int64(5), 5), (Int64(5), 5.0), (Int64(1), True), (None, 0), ("", None), ([], None),
        (Decimal128("1.50"), Decimal128("1.5")), (Decimal128("1"), Int64(1)), ({}, []),
    ]
    for one, other in pairs:
        assert list(oracle.differences_of({"a": one}, {"a": other})), (one, other)
        assert not list(oracle.differences_of({"a": one}, {"a": one}))


def test_the_oracle_names_the_path_of_a_difference():
    wanted = {"a": {"b": [{"c": Int64(1)}, {"c": Int64(2)}]}, "d": "x"}
    found = {"a": {"b": [{"c": Int64(1)}, {"c": Int64(3)}]}, "e": "x"}
    paths = [path for path, _, _ in oracle.differences_of(wanted, found)]
    assert paths == ["a.b.1.c", "d", "e"]


def test_keys_beyond_int64_are_decimals():
    assert value(2**63 - 1) == Int64(2**63 - 1)
    assert value(2**63) == Decimal128(str(2**63))


def test_servers_that_the_product_did_not_start_answer(bare_servers):
    with bare_servers.open_sql().cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        assert "MariaDB" in cursor.fetchone()[0]
    client = bare_servers.mongo_client()
    client.t.c.insert_one({"_id": Int64(1), "d": Decimal128("0.00")})
    found = client.t.c.find_one()
    assert isinstance(found["_id"], Int64) and str(found["d"]) == "0.00"
    with client.start_session() as session, session.start_transaction():
        client.t.c.update_one({"_id": 1}, {"$set": {"x": 1}}, session=session)


def test_layer_check_names_file_line_and_reason(tmp_path):
    (tmp_path / "src/base").mkdir(parents=True)
    (tmp_path / "src/store").mkdir()
    (tmp_path / "src/base/x.h").write_text("/* */\n#include \"store/y.h\"\n")
    (tmp_path / "src/store/broken.h").write_text("#pragma once\n/*\n * a\n *broken one\n */\n")
    (tmp_path / "src/store/y.c").write_text("#include \"base/x.h\"\n#include \"mapping/z.h\"\n")
    (tmp_path / "src/store/long.h").write_text("#pragma once\n" * 1001)
    done = subprocess.run([stack_module.ROOT / "tools/check-layers", tmp_path],
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "src/base/x.h:1: no `#pragma once`",
        'src/base/x.h:2: "store/y.h" is above base/; a layer includes only lower ones',
        "src/store/broken.h:4: clang-format broke this comment: shorten its lines by hand",
        "src/store/long.h:1001: 1001 lines; above 1000 a file is split",
        'src/store/y.c:2: "mapping/z.h" is above store/; a layer includes only lower ones',
        "src/store/y.c:2: the last include is not base/banned.h",
    ]


def test_layer_check_takes_an_exception_with_a_reason(tmp_path):
    for folder in ("http", "cli"):
        (tmp_path / "src" / folder).mkdir(parents=True)
    (tmp_path / "src/cli/serve.c").write_text(
        '#include "http/server.h"\n\n#include "base/banned.h"\n')
    check = [stack_module.ROOT / "tools/check-layers", tmp_path]
    assert subprocess.run(check, stdout=subprocess.DEVNULL).returncode == 1
    (tmp_path / "ARCHITECTURE.md").write_text("- `cli` includes `http`: `serve` wires it\n")
    assert subprocess.run(check, stdout=subprocess.DEVNULL).returncode == 0
