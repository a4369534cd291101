"""The sync engine on any schema: servers that AetherMart did not start, tables and mappings that a
test writes, and the worker in the foreground."""
import pathlib
import textwrap

import stack as stack_module
from waiting import until

DATABASE = "anything"
DOCUMENTS = "anything_documents"


class Engine(stack_module.Stack):
    has_embedded_servers = False

    def __init__(self, servers):
        self.servers = servers
        root = pathlib.Path(servers.root)
        self.mapping_dir = root / "mapping"
        self.mapping_dir.mkdir()
        connection = servers.open_sql()
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{DATABASE}`")
            cursor.execute("CREATE USER tester@'%' IDENTIFIED BY 'a-test-password'")
            cursor.execute("GRANT ALL ON *.* TO tester@'%' WITH GRANT OPTION")
        connection.close()
        self.password_file = root / "mariadb.password"
        self.password_file.write_text("a-test-password\n")
        self.password_file.chmod(0o600)
        super().__init__(root, {
            "stack": {"dir": "var"},
            "mariadb": {"hosts": [f"127.0.0.1:{servers.maria_port}"], "user": "tester",
                        "password_file": str(self.password_file), "database": DATABASE},
            "mongodb": {"uri": f"mongodb://127.0.0.1:{servers.mongo_port}/",
                        "database": DOCUMENTS},
            "mapping": {"dir": str(self.mapping_dir)},
            "index": {"enabled": False},
        })

    def connection(self):
        return {
            "mariadb": {"socket": str(self.servers.socket), "user": "root",
                        "database": DATABASE},
            "mongodb": {"uri": f"mongodb://127.0.0.1:{self.servers.mongo_port}/",
                        "database": DOCUMENTS},
        }

    def mongo(self):
        if self._mongo is None:
            self._mongo = self.servers.mongo_client(tz_aware=False)
        return self._mongo[DOCUMENTS]

    def mapping(self, name, text):
        """Writes mapping/NAME.yaml."""
        path = self.mapping_dir / f"{name}.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    def live(self, timeout=30):
        """Installs, starts the worker, migrates, and waits until all is in step."""
        self.run("sync", "install")
        worker = self.start("serve")
        self.run("migrate", timeout=timeout)
        until(lambda: worker.poll() is None and self.pending() == 0, timeout,
              what="the worker runs and the queues are empty")
        return worker

    def foreign_pids(self):
        return {child.pid for child in self.servers.processes.values()}

    def kill(self, which):
        raise NotImplementedError("the servers of an Engine are ended by its `servers`")
