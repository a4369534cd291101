"""Configuration: every mistake is named with file, line, column and what is allowed; values come
from file, environment and flags in that order."""
import json
import os
import pathlib
import subprocess

import pytest

from stack import BINARY

MISTAKES = {
    "unknown-section": ("stak:\n  dir: var\n", 1, 1, ["stak", "stack"]),
    "unknown-key": ("stack:\n  dir: var\n  mariadb_memry: 64M\n", 3, 3,
                    ["mariadb_memry", "mariadb_memory"]),
    "wrong-type": ("http:\n  port: many\n", 2, 9, ["many", "http.port"]),
    "out-of-range": ("http:\n  port: 70000\n", 2, 9, ["70000", "65535"]),
    "not-a-choice": ("log:\n  level: loud\n", 2, 10, ["loud", "warn"]),
    "not-a-map": ("stack: var\n", 1, 8, ["stack"]),
    "broken-yaml": ("stack:\n  dir: [var\n", None, None, []),
    "key-twice": ("log:\n  level: info\n  level: warn\n", 3, 3, ["level"]),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("verb", [("config", "check"), ("status",)], ids=" ".join)
def test_a_mistake_is_named_with_its_place(new_stack, name, verb):
    text, line, column, words = MISTAKES[name]
    new_stack.config_path.write_text(text)
    message = new_stack.fails(*verb)
    where = f"aethermart.yaml:{line}:{column}" if line else "aethermart.yaml:"
    assert where in message, message
    for word in words:
        assert word in message, message
    assert "Traceback" not in message and len(message.splitlines()) < 12


def test_a_check_names_every_mistake(new_stack):
    new_stack.config_path.write_text(
        "stak:\n  dir: var\nhttp:\n  port: 70000\n  prt: 1\nlog:\n  level: loud\n")
    places = ["yaml:1:1: ", "yaml:4:9: ", "yaml:5:3: ", "yaml:7:10: "]
    message = new_stack.fails("config", "check")
    found = [message.index(place) for place in places]
    assert found == sorted(found) and "4 mistakes" in message
    done = new_stack.run("config", "check", "--json", check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 2 and answer["ok"] is False
    assert all(place in one["message"] for place, one in zip(places, answer["mistakes"]))
    assert len(answer["mistakes"]) == len(places)
    message = new_stack.fails("config", "show")  # others stop at the first
    assert places[0] in message and places[1] not in message


def test_a_check_looks_for_the_files_that_are_named(new_stack):
    new_stack.config_path.write_text(
        "stack: {dir: not-made-yet}\nmariadb:\n  password_file: gone.txt\n  socket: later.sock\n"
        "http:\n  tls_cert: /nonexist\nshop:\n  data: [aethermart.yaml, none]\n")
    found = new_stack.json("config", "check", check=False)["mistakes"]
    assert [one["code"] for one in found] == ["NOT_FOUND"] * 3, found
    for place, option, name, one in zip(
            ("yaml:3:18: ", "yaml:6:13: ", "yaml:8:9: "),
            ("mariadb.password_file", "http.tls_cert", "shop.data"),
            ("gone.txt", "/nonexist", "none"), found):
        assert place in one["message"] and option in one["message"], one
        assert f'{name}": No such file' in one["message"], one
    assert new_stack.run("config", "show").returncode == 0  # nobody reads them
    message = new_stack.fails("config", "check", "--http.tls_key", "/absent")
    assert "--http.tls_key: http.tls_key: could not read \"/absent\"" in message, message


def test_a_good_file_passes(new_stack):
    assert "valid" in new_stack.run("config", "check").stdout
    assert new_stack.json("config", "check")["mistakes"] == []


def test_order_of_origins(new_stack):
    def level(*flags, env=None):
        text = new_stack.run("config", "show", "--origin", *flags, env=env).stdout
        return next(line for line in text.splitlines() if "log.level" in line or
                    line.strip().startswith("level"))
    assert "default" in level()
    new_stack.write_config(log={"level": "warn"})
    line = level()
    assert "warn" in line and "aethermart.yaml:" in line
    line = level("--log.level", "error")
    assert "error" in line and "flag" in line


def test_a_file_that_is_not_there(new_stack):
    new_stack.config_path.unlink()
    message = new_stack.fails("config", "check")
    assert str(new_stack.config_path) in message


def test_secrets_are_not_shown(new_stack):
    env = {"MARIA_DB_PASS": "do-not-show-me", "MONGO_PASS": "do-not-show-me-either"}
    for verb in (("config", "show"), ("config", "show", "--origin"), ("config", "show", "--json")):
        done = new_stack.run(*verb, env=env)
        assert "do-not-show-me" not in done.stdout + done.stderr


def test_a_secret_is_refused_in_flags(new_stack):
    message = new_stack.fails("config", "show", "--mariadb.password", "do-not-show-me")
    assert "mariadb.password" in message and "do-not-show-me" not in message


@pytest.mark.parametrize("uri", [
    "mongodb://me:do-not-show-me@db.example.net/", "mongodb+srv://me:do/not-show-me@db/?tls=true",
    "mongodb://me:do-not?show-me@db/"])
def test_a_password_in_a_uri_is_refused_and_not_shown(new_stack, uri):
    new_stack.write_config(mongodb={"uri": uri})
    for verb in (["config", "show"], ["config", "check"], ["status"], ["connection"], ["up"]):
        done = new_stack.run(*verb, check=False)
        assert done.returncode == 2, done
        assert "mongodb.uri holds a password" in done.stderr and "mongodb.user" in done.stderr
        assert "aethermart.yaml:" in done.stderr
        assert "show-me" not in done.stdout + done.stderr, done
    del new_stack.config["mongodb"]
    new_stack.write_config()
    done = new_stack.run("config", "show", "--mongodb.uri", uri, check=False)
    assert done.returncode == 2 and "show-me" not in done.stdout + done.stderr, done


def test_config_show_json_lists_every_option(new_stack):
    answer = json.loads(new_stack.run("config", "show", "--json").stdout)
    text = json.dumps(answer)
    for name in ("stack", "mariadb", "mongodb", "http", "sync", "mapping", "log"):
        assert name in text


def test_a_reader_that_goes_away_ends_the_program_quietly(new_stack):
    for verb in ("config show", "config show --json", "version --json"):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as out:
            done = subprocess.run([str(BINARY), "--config", str(new_stack.config_path),
                                   *verb.split()], stdout=out, stderr=subprocess.PIPE)
        assert (done.returncode, done.stderr) == (141, b""), verb
    with open("/dev/full", "wb") as out:
        done = subprocess.run([str(BINARY), "version", "--json"], stdout=out,
                              stderr=subprocess.PIPE)
    assert done.returncode == 15 and b"No space left" in done.stderr


def test_a_killed_process_leaves_nothing_in_shared_memory(new_stack):
    """MongoDB's driver makes a file there when it is loaded, long before anything asks for it."""
    env = {k: v for k, v in os.environ.items() if k != "MONGOC_DISABLE_SHM"}
    fifo = new_stack.root / "never-written"
    os.mkfifo(fifo)
    child = subprocess.Popen([str(BINARY), "--config", str(fifo), "config", "check"], env=env)
    try:
        with open(fifo, "w"):  # it reads its configuration now
            assert not pathlib.Path(f"/dev/shm/mongoc-{child.pid}").exists()
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("words, wanted", [
    (["staus"], ["staus", "status"]),
    (["sync", "statsu"], ["statsu", "status"]),
    (["verify", "--colection", "reviews"], ["--colection", "--collection"]),
    (["load"], ["load"]),
    (["doc", "reviews"], ["doc"]),
    (["generate", "--customers", "many"], ["--customers", "many"]),
])
def test_a_wrong_command_line_names_the_word_and_the_nearest(new_stack, words, wanted):
    done = new_stack.run(*words, check=False)
    assert done.returncode == 2, done
    assert done.stdout == ""
    for word in wanted:
        assert word in done.stderr, done.stderr
    assert "--help" in done.stderr


def test_options_that_exclude_each_other_are_refused(new_stack):
    for verb in ("up", "reset"):
        message = new_stack.fails(verb, "--yes", "--with-shop", "--no-shop")
        assert "exclude each other" in message
    assert not new_stack.var.exists()


VERBS = [
    "up", "down", "reset", "status", "doctor", "connection", "shell", "logs", "doc", "watch",
    "load", "generate", "schema", "schema apply", "schema status", "schema graph", "mapping",
    "mapping check", "mapping show", "mapping sql", "mapping triggers", "mapping sample",
    "migrate", "sync", "sync run", "sync status", "sync pause", "sync resume", "sync drain",
    "sync install", "sync uninstall", "sync check", "sync dead-letter", "sync dead-letter list",
    "sync dead-letter show", "sync dead-letter replay", "sync dead-letter drop", "verify",
    "serve", "config", "config show", "config check",
]


def test_every_command_has_a_help(new_stack):
    for verb in VERBS:
        done = new_stack.run(*verb.split(), "--help")
        assert verb.split()[-1] in done.stdout and len(done.stdout) > 60, verb


def test_without_a_stack_commands_say_what_to_do(new_stack):
    """Nothing runs: no hang, no crash, a remedy."""
    for verb in (["status"], ["verify"], ["migrate"], ["sync", "status"], ["connection"],
                 ["doc", "reviews", "1"], ["load", str(new_stack.config_path)], ["watch"]):
        done = new_stack.run(*verb, check=False, timeout=30)
        if verb != ["status"]:
            assert done.returncode > 0, (verb, done)
            assert "aethermart up" in done.stderr, (verb, done.stderr)
    new_stack.run("down")
