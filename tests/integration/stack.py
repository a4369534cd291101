"""A private stack of AetherMart in a folder of its own, driven through the command line only.

The tests look at the two servers with their own clients (pymysql, pymongo), as any user could,
with what `aethermart connection --json` says. Processes are found by the pid files in the stack's
folder.
"""
import contextlib
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

import bson
import pymongo
import pymysql
import yaml

import processes
from waiting import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("AETHERMART_BINARY", ROOT / "build" / "aethermart"))

# Small servers: many of them run side by side.
SERVERS = {"mariadb_memory": "64M", "mongodb_memory": "256M"}
SHOP = {"customers": 50, "orders": 200, "reviews": 150, "seed": 1, "defects": "0.1"}


class CommandFailed(AssertionError):
    """A command ended with another exit status than the test allows."""


def quoted(name):
    """A name of MariaDB in backquotes."""
    return "`" + name.replace("`", "``") + "`"


def environment(extra=None):
    """The tests' own environment without anything that would configure AetherMart."""
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("AETHERMART_", "MARIA_", "MONGO_", "GEMINI_"))}
    env.update(LC_ALL="C.UTF-8", TZ="UTC", NO_COLOR="1")
    env.update(extra or {})
    return env


@contextlib.contextmanager
def standard_input(text, typed):
    """A file that holds `text`; or a terminal at which a person types the lines `typed`."""
    if typed is None:
        with tempfile.TemporaryFile() as file:
            file.write((text or "").encode())
            file.seek(0)
            yield file
        return
    person, terminal = pty.openpty()
    try:
        os.write(person, "".join(f"{line}\n" for line in typed).encode() + b"\4")  # then Ctrl-D
        yield terminal
    finally:
        os.close(person)
        os.close(terminal)


def run_to_the_end(words, timeout, **options):
    """The exit status. As subprocess.run(), which looks for the end now and then; this is told."""
    with subprocess.Popen(words, **options) as child:
        with os.fdopen(os.pidfd_open(child.pid)) as end:
            poll = select.poll()
            poll.register(end, select.POLLIN)
            if not poll.poll(timeout * 1000):
                child.kill()
                raise subprocess.TimeoutExpired(words, timeout)
        return child.wait()


def run_binary(*args, check=True, timeout=120, env=None, cwd=None, input=None, typed=None):
    """Runs the product. Output goes through files: a daemon that kept a pipe open would hang us."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with standard_input(input, typed) as inp:
            words = [str(BINARY), *map(str, args)]
            status = run_to_the_end(words, timeout, stdin=inp, stdout=out, stderr=err, cwd=cwd,
                                    env=environment(env))
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    done = subprocess.CompletedProcess(words, status, *texts)
    if check and status != 0:
        raise CommandFailed(f"{' '.join(words)}: exit status {status}\n{done.stdout[-4000:]}"
                            f"{done.stderr[-4000:]}")
    return done


class Stack:
    """See the module. `config` is a dict of sections, written to `root`/aethermart.yaml."""

    has_embedded_servers = True

    def __init__(self, root, config):
        self.root = pathlib.Path(root)
        self.var = self.root / "var"
        self.config_path = self.root / "aethermart.yaml"
        self.config = config
        self.children = []  # processes started by this object in the foreground
        self._connection = None
        self._sql = None
        self._mongo = None
        self._seen = set()
        self.write_config()

    # --- configuration and commands ---------------------------------------------------------

    def write_config(self, **sections):
        for name, options in sections.items():
            self.config.setdefault(name, {}).update(options)
        self.config_path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        self.config_path.chmod(0o644)

    def run(self, *args, **options):
        """aethermart ARGS; raises CommandFailed unless exit status 0 or check=False."""
        options.setdefault("cwd", self.root)
        return run_binary("--config", self.config_path, *args, **options)

    def fails(self, *args, **options):
        """aethermart ARGS, which must fail; returns what it wrote to stderr."""
        done = self.run(*args, check=False, **options)
        assert done.returncode != 0, f"{' '.join(map(str, args))}: succeeded\n{done.stdout}"
        assert done.returncode > 0, f"{' '.join(map(str, args))}: died of a signal\n{done.stderr}"
        return done.stderr

    def json(self, *args, **options):
        """The JSON that `aethermart ARGS --json` prints, whatever its exit status when
        check=False."""
        done = self.run(*args, "--json", **options)
        return json.loads(done.stdout)

    def start(self, *args, env=None, config=None):
        """Starts a command that stays in the foreground; returns its Popen. `.log` is the path of
        its output."""
        log = self.root / f"child-{len(self.children)}.log"
        with open(log, "wb") as out:
            child = subprocess.Popen(
                [str(BINARY), "--config", str(config or self.config_path), *map(str, args)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=self.root, env=environment(env))
        child.log = log
        self.children.append(child)
        return child

    def up(self, *args, **options):
        options.setdefault("timeout", 180)
        done = self.run("up", "--yes", *args, **options)
        self.forget_clients()
        self.note_processes()
        return done

    def down(self):
        self.note_processes()
        self.forget_clients()
        return self.run("down")

    # --- clients -----------------------------------------------------------------------------

    def connection(self):
        if self._connection is None:
            self._connection = self.json("connection")
        return self._connection

    def forget_clients(self):
        with contextlib.suppress(Exception):
            if self._sql:
                self._sql.close()
        if self._mongo:
            self._mongo.close()
        self._connection = self._sql = self._mongo = None

    def open_sql(self, **options):
        """A new pymysql connection, autocommit, at +00:00."""
        where = self.connection()["mariadb"]
        reach = {"unix_socket": where["socket"]} if where.get("socket") else {
            "host": where.get("host") or "127.0.0.1", "port": int(where.get("port") or 3306)}
        password = where.get("password", "")
        if where.get("password_file"):
            password = pathlib.Path(where["password_file"]).read_text().strip()
        settings = {"autocommit": True, "charset": "utf8mb4", "read_timeout": 60,
                    "connect_timeout": 5, "init_command": "SET time_zone = '+00:00'"}
        settings.update(options)
        return pymysql.connect(user=where["user"], password=password,
                               database=where["database"], **reach, **settings)

    def sql(self, statement, args=None):
        """Runs one statement; rows as a list of tuples, or the number of rows changed."""
        if self._sql is None:
            self._sql = self.open_sql()
        with self._sql.cursor() as cursor:
            changed = cursor.execute(statement, args)
            return list(cursor.fetchall()) if cursor.description else changed

    def value(self, statement, args=None):
        """The first column of the first row."""
        return self.sql(statement, args)[0][0]

    def insert(self, table, **columns):
        """Inserts a row and returns its AUTO_INCREMENT id."""
        names = ", ".join(f"`{name}`" for name in columns)
        marks = ", ".join(["%s"] * len(columns))
        self.sql(f"INSERT INTO `{table}` ({names}) VALUES ({marks})", list(columns.values()))
        return self._sql.insert_id()

    def mongo(self):
        """The database of the documents."""
        if self._mongo is None:
            where = self.connection()["mongodb"]
            options = {"serverSelectionTimeoutMS": 5000, "tz_aware": False}
            uri = where["uri"]
            if where.get("user") and "@" not in uri:
                password = where.get("password", "")
                if where.get("password_file"):
                    password = pathlib.Path(where["password_file"]).read_text().strip()
                options.update(username=where["user"], password=password, authSource="admin")
            self._mongo = pymongo.MongoClient(uri, **options)
            self._mongo_name = where["database"]
        return self._mongo[self._mongo_name]

    def docs(self, collection):
        return self.mongo()[collection]

    def doc(self, collection, key):
        """The document without `_sync`, or None."""
        if isinstance(key, int):
            key = bson.int64.Int64(key)
        found = self.docs(collection).find_one({"_id": key})
        if found:
            found.pop("_sync", None)
        return found

    # --- being in step -----------------------------------------------------------------------

    def queues(self):
        return [row[0] for row in self.sql(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
            "AND TABLE_NAME LIKE '%\\_sync\\_queue' ORDER BY 1")]

    def pending(self, queues=None):
        """Rows of all queues together."""
        queues = queues or self.queues()
        assert queues, "there are no queues"
        return self.value("SELECT " + " + ".join(f"(SELECT COUNT(*) FROM {quoted(q)})" for q in queues))

    def wait_synced(self, timeout=30):
        """Until every queue is empty: what was committed before the call is acknowledged."""
        queues = []

        def is_empty():
            queues[:] = queues or self.queues()  # asking for them costs more than counting
            return self.pending(queues) == 0
        until(is_empty, timeout, what="the queues are empty")

    def wait_migrated(self, timeout=60):
        """Until every collection is live."""
        def is_live():
            states = {i["collection"]: i["state"] for i in self.collections()}
            return states and all(s == "live" for s in states.values())
        until(is_live, timeout, pause=0.1, what="every collection is live")

    def pause(self):
        """`sync pause`, and until a worker that looks at the switch once a second obeys. That it
        should be obeyed at once is a test of its own (test_control.py)."""
        self.run("sync", "pause")
        time.sleep(1.5)

    def collections(self):
        """The entries of `sync status --json`, one a collection."""
        status = self.json("sync", "status")
        return status.get("collections", status) if isinstance(status, dict) else status

    def collection_status(self, name):
        return next(i for i in self.collections() if i["collection"] == name)

    def dead_letters(self, *args):
        """The entries of `sync dead-letter list --json`."""
        answer = self.json("sync", "dead-letter", "list", *args)
        if isinstance(answer, list):
            return answer
        return answer.get("dead_letters", answer.get("items"))

    def verify(self, *args):
        """The report of `verify --json`, whatever its verdict; its exit status must agree."""
        done = self.run("verify", "--json", *args, check=False)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            raise CommandFailed(f"verify: exit status {done.returncode}, no report\n"
                                f"{done.stdout}{done.stderr}") from None
        assert (done.returncode == 0) == report["equal"], (done.returncode, report)
        for entry in report["collections"] + report["index"]["collections"]:
            for difference in entry["differences"]:
                paths = difference.get("paths") or []
                if isinstance(paths, str):
                    difference["paths"] = [p.strip() for p in paths.split(",")]
        return report

    def assert_in_step(self, timeout=30):
        """The queues drain, nothing is dead, our own second implementation of the mappings finds
        no difference, and `verify` says the same."""
        import oracle
        self.wait_synced(timeout)
        assert self.dead_letters() == []
        differences = oracle.compare(self)
        assert not differences, "\n".join(map(str, differences[:20]))
        report = self.verify()
        assert report["equal"], json.dumps(report, indent=1)[:4000]
        for entry in report["collections"] + report["index"]["collections"]:
            assert (entry["missing"], entry["extra"], entry["different"]) == (0, 0, 0), entry

    # --- processes ---------------------------------------------------------------------------

    def pids(self):
        return processes.of_pid_files(self.var)

    def foreign_pids(self):
        """Processes in the folder that are not this stack's to stop."""
        return set()

    def note_processes(self):
        self._seen.update(self.pids().values())

    def pid(self, which):
        """Its pid; a process that `up` has just started may not have its name yet."""
        return until(lambda: self.pids().get(which), 3, what=f"{which} runs")

    def worker_pid(self):
        return self.pid("worker")

    def signal(self, which, sign):
        """Sends a signal to "worker", "mariadb" or "mongodb"; returns its pid."""
        pid = self.pid(which)
        self._seen.add(pid)
        os.kill(pid, sign)
        return pid

    def kill(self, which):
        """SIGKILL, and waits until the process is gone."""
        pid = self.signal(which, signal.SIGKILL)
        processes.wait_gone(pid)
        if which == "mariadb" and self._sql:
            with contextlib.suppress(Exception):
                self._sql.close()
            self._sql = None
        return pid

    def stop(self, which):
        return self.signal(which, signal.SIGSTOP)

    def cont(self, which):
        return self.signal(which, signal.SIGCONT)

    # --- more than one worker ----------------------------------------------------------------

    def secret(self, *names):
        """The text of the first secret file whose name contains one of `names`."""
        for name in names:
            for path in sorted((self.var / "secrets").rglob("*")):
                if path.is_file() and name in path.name:
                    return path
        raise AssertionError(f"no secret like {names} in {self.var / 'secrets'}")

    def second_config(self):
        """A configuration of a second host: the same servers, named, and a folder of its own."""
        where = self.connection()
        second = dict(self.config)
        second["stack"] = {"dir": str(self.root / "var2")}
        maria = where["mariadb"]
        second["mariadb"] = {"user": maria["user"], "password_file": maria["password_file"],
                             "database": maria["database"]}
        if maria.get("socket"):
            second["mariadb"]["socket"] = maria["socket"]
        else:
            second["mariadb"]["hosts"] = [f"{maria['host']}:{maria['port']}"]
        parts = urllib.parse.urlsplit(where["mongodb"]["uri"])
        host = parts.netloc.rpartition("@")[2]
        second["mongodb"] = {"uri": f"mongodb://{host}/", "database": where["mongodb"]["database"]}
        user = where["mongodb"].get("user") or urllib.parse.unquote(parts.username or "")
        if user:
            second["mongodb"]["user"] = user
            password_file = where["mongodb"].get("password_file")
            if not password_file:
                password_file = self.root / "mongodb.password"
                password_file.write_text(urllib.parse.unquote(parts.password or ""))
                password_file.chmod(0o600)
            second["mongodb"]["password_file"] = str(password_file)
        path = self.root / "second.yaml"
        path.write_text(yaml.safe_dump(second, sort_keys=False))
        return path

    def start_second_worker(self):
        """A standby on the same servers, in the foreground; returns its Popen."""
        return self.start("serve", config=self.second_config())

    # --- the end -----------------------------------------------------------------------------

    def logs(self, lines=60):
        """The ends of all logs below the folder, for the report of a failed test."""
        found = {*self.root.glob("*.log"), *(self.var / "log").glob("*.log")}
        texts = []
        for path in sorted(found):
            with contextlib.suppress(OSError):
                tail = path.read_text("utf-8", "replace").splitlines()[-lines:]
                texts.append(f"== {path.relative_to(self.root)}\n" + "\n".join(tail))
        return "\n".join(texts)

    def close(self):
        """Stops everything with `aethermart down`; raises when a process is left. The folder is
        removed by whoever made it."""
        with contextlib.suppress(Exception):
            self.note_processes()
        for pid in processes.mentioning(self.root):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
                try:
                    child.wait(20)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.forget_clients()
        failure = None
        if self.has_embedded_servers and (self.var / "aethermart.home").exists():
            try:
                done = self.run("down", check=False, timeout=60)
                if done.returncode != 0:
                    failure = f"down: exit status {done.returncode}\n{done.stderr}"
            except (OSError, subprocess.TimeoutExpired) as error:
                failure = f"down: {error}"
        # By what they say of themselves, not by number: numbers are given out again.
        left = {pid: line for pid, line in processes.mentioning(self.root).items()
                if pid not in self.foreign_pids()}
        for pid in left:
            processes.end(pid)
        if left:
            failure = f"{failure or 'down succeeded'}; processes left: {left}"
        if failure:
            raise AssertionError(failure)


def remove_tree(path):
    """Removes a folder; a file that a dying process still makes is waited for."""
    for _ in range(50):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(0.05)
    raise AssertionError(f"could not remove {path}: {os.listdir(path)}")
