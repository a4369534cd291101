"""A MariaDB and a MongoDB server that AetherMart did not start: for tests of the general engine on
schemas of its own, and of the configuration that names servers."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess

import pymongo
import pymysql

import processes
from waiting import until

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")


def find_program(*names):
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if found:
            return found
    return None


def mongodb_program():
    """mongod of the PATH, or SecantusDB's server from the cache folder."""
    found = find_program("mongod")
    if found:
        return found
    built = sorted((CACHE / "aethermart").glob("secantus-*/bin/secantusd-rs"))
    if built:
        return str(built[-1])
    given = os.environ.get("SECANTUSD")
    assert given, "no mongod on the PATH and no secantusd-rs in the cache: run tools/setup"
    return given


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Servers:
    """Both servers in one folder. `template`: a folder made by make_template()."""

    def __init__(self, root, template):
        self.root = pathlib.Path(root)
        self.datadir = self.root / "mariadb"
        self.socket = self.root / "m.sock"
        self.maria_port = free_port()
        self.mongo_port = free_port()
        self.maria_options = []
        self.mongo_options = []
        self.mongo_client_options = {}
        self.processes = {}
        shutil.copytree(template, self.datadir)
        (self.root / "mongodb").mkdir()

    def start_mariadb(self):
        log = open(self.root / "mariadb.log", "ab")
        self.processes["mariadb"] = subprocess.Popen(
            [find_program("mariadbd"), "--no-defaults", f"--datadir={self.datadir}", f"--tmpdir={self.root}",
             f"--socket={self.socket}", f"--port={self.maria_port}", "--bind-address=127.0.0.1",
             f"--pid-file={self.root}/mariadb.pid", "--innodb-buffer-pool-size=32M",
             "--innodb-log-file-size=16M", "--skip-name-resolve", "--character-set-server=utf8mb4",
             "--collation-server=utf8mb4_unicode_ci", "--user=root", "--log-warnings=1",
             *self.maria_options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        until(lambda: self.open_sql().close() or True, 30, 0.05, "mariadbd answers")

    def start_mongodb(self):
        log = open(self.root / "mongodb.log", "ab")
        program = mongodb_program()
        if os.path.basename(program) == "mongod":
            words = [program, "--dbpath", str(self.root / "mongodb"), "--replSet", "rs0",
                     "--bind_ip", "127.0.0.1", "--port", str(self.mongo_port),
                     "--wiredTigerCacheSizeGB", "0.25"]
        else:
            words = [program, "--host", "127.0.0.1", "--port", str(self.mongo_port),
                     "--storage-path", str(self.root / "mongodb"), "--cache-size", "64M",
                     "--log-file-max", "16MB", "--sync-on-commit"]
        self.processes["mongodb"] = subprocess.Popen(
            [*words, *self.mongo_options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.root)
        log.close()
        client = self.mongo_client()
        if words[0].endswith("mongod"):
            direct = pymongo.MongoClient("127.0.0.1", self.mongo_port, directConnection=True,
                                         serverSelectionTimeoutMS=20000)
            with contextlib.suppress(pymongo.errors.OperationFailure):
                direct.admin.command("replSetInitiate", {
                    "_id": "rs0",
                    "members": [{"_id": 0, "host": f"127.0.0.1:{self.mongo_port}"}]})
        until(lambda: client.admin.command("ping"), 30, 0.05, "the MongoDB server answers")
        client.close()

    def start(self):
        self.start_mariadb()
        self.start_mongodb()
        return self

    def open_sql(self, **options):
        settings = {"autocommit": True, "charset": "utf8mb4",
                    "init_command": "SET time_zone = '+00:00'", "connect_timeout": 5}
        settings.update(options)
        return pymysql.connect(unix_socket=str(self.socket), user="root", **settings)

    def mongo_client(self, **options):
        return pymongo.MongoClient("127.0.0.1", self.mongo_port,
                                   serverSelectionTimeoutMS=5000,
                                   **{**self.mongo_client_options, **options})

    def stop(self, which):
        child = self.processes.pop(which, None)
        if child and child.poll() is None:
            processes_end(child)

    def close(self):
        for which in list(self.processes):
            self.stop(which)


def processes_end(child):
    import signal
    child.send_signal(signal.SIGCONT)
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def make_template(folder):
    """An initialised, cleanly stopped MariaDB data folder whose root needs no password."""
    folder = pathlib.Path(folder)
    installer = find_program("mariadb-install-db", "mysql_install_db")
    assert installer, "mariadb-install-db is not installed: run tools/setup"
    subprocess.run(
        [installer, "--no-defaults", f"--datadir={folder}", "--user=root",
         "--auth-root-authentication-method=normal", "--skip-test-db",
         "--innodb-log-file-size=16M", "--cross-bootstrap"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT, timeout=120)
    assert not processes.mentioning(folder)
