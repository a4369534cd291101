"""The statements of src/*/sql: each is complete, fits the schema, says what it does, and is used."""

import contextlib
import functools
import pathlib
import re
import subprocess

import pymysql
import pytest

import servers
import stack as stack_module

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = sorted(ROOT.glob("src/*/sql/*.sql"))
TABLES = ROOT / "src" / "sync" / "sql" / "010-tables.sql"  # a script
WAREHOUSE = ROOT / "sql" / "warehouse" / "010-star.sql"
DATABASE = "statements"


def comment(path):
    """The lines of the comment that opens a file."""
    lines = path.read_text().splitlines()
    rest = next((i for i, line in enumerate(lines) if not line.startswith("-- ")), len(lines))
    return " ".join(line[3:] for line in lines[:rest])


def statement(path):
    """The text behind the comment; quoted texts and later comments are no part of it."""
    text = "\n".join(l for l in path.read_text().splitlines() if not l.startswith("--"))
    return re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", text)


def is_script(path):
    return ";" in statement(path)


@pytest.fixture
def link(folder, empty_mariadb):
    """A database with the shop's schema and the tables of the sync, both empty."""
    both = servers.Servers(folder, empty_mariadb)
    both.start_mariadb()
    try:
        config = folder / "aethermart.yaml"
        config.write_text(f"mariadb:\n  socket: {both.socket}\n  user: root\n"
                          f"  database: {DATABASE}\n")
        with both.open_sql() as made, made.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        subprocess.run([str(stack_module.BINARY), "schema", "apply", "--config", str(config)],
                       check=True, capture_output=True, env=stack_module.environment())
        for path in (TABLES, WAREHOUSE):
            with path.open() as script:
                subprocess.run([servers.find_program("mariadb", "mysql"), "--no-defaults",
                                f"--socket={both.socket}", "--user=root", DATABASE],
                               check=True, stdin=script)
        with contextlib.closing(both.open_sql(database=DATABASE, local_infile=True)) as opened:
            yield opened
    finally:
        both.close()


def prepare(link, text):
    with link.cursor() as cursor:
        cursor.execute("PREPARE s FROM %s", (text,))
        cursor.execute("DEALLOCATE PREPARE s")


def load_nothing(link, text, folder):
    """LOAD DATA is no statement to prepare: runs it with an empty file."""
    empty = folder / "empty"
    empty.touch()
    with link.cursor() as cursor:
        cursor.execute(re.sub(r"INFILE '[^']*'", f"INFILE '{empty}'", text))


def test_each_statement_fits_the_schema(link, folder):
    wrong = []
    for path in FILES:
        is_load = statement(path).lstrip().startswith("LOAD DATA")
        try:
            if is_load:
                load_nothing(link, path.read_text(), folder)
            elif not is_script(path):
                prepare(link, path.read_text())
        except pymysql.Error as error:
            wrong.append(f"{path.relative_to(ROOT)}: {error.args[1]}")
    assert not wrong, "\n".join(wrong)
    for text in ("SELECT holder, no_such FROM sync_lease",
                 "UPDATE Staging_Orders s SET s.no_such = ? WHERE s.stage_id = ?",
                 "INSERT INTO Feed_Aliases (entity, no_such) VALUES (?, ?)",
                 "DELETE FROM Load_Runs WHERE no_such = ?"):
        with pytest.raises(pymysql.Error, match="no_such"):  # the proof that this finds them
            prepare(link, text)


@functools.cache
def sources(module):
    return "\n".join(path.read_text() for path in module.glob("*.c"))


def findings(path):
    """What is wrong with a file, without a server."""
    words, module = comment(path), path.parent.parent
    symbol = f"{module.name}_sql_{re.sub('[^A-Za-z0-9_]', '_', path.stem)}"
    if not words.endswith("."):
        yield "opens without a comment on its purpose"
    if ("?" in statement(path)) != ("Parameter" in words):
        yield "the comment does not name the parameters, or there are none"
    if not re.search(rf"\b{symbol}\b", sources(module)):
        yield f"nothing uses {symbol}"


def test_a_file_says_what_it_is_for_and_is_used():
    assert FILES
    wrong = [f"{path.relative_to(ROOT)}: {what}" for path in FILES for what in findings(path)]
    assert not wrong, "\n".join(wrong)


def test_no_statement_stands_twice():
    seen = {}
    for path in FILES:
        lines = path.read_text().splitlines()
        text = " ".join(" ".join(l for l in lines if not l.startswith("--")).split()).lower()
        assert seen.setdefault(text, path) == path, f"{path} is {seen[text]}"


def test_a_script_is_the_exception():
    scripts = {f"{p.parent.parent.name}/{p.stem}" for p in FILES if is_script(p)}
    assert scripts == {"sync/010-tables", "cluster/bootstrap_accounts", "cluster/bootstrap_begin"}
