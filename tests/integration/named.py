"""A shop on servers that AetherMart did not start: the configuration names them."""
import stack as stack_module

DATABASE = "named_db"
DOCUMENTS = "named_profiles"


class Named(stack_module.Stack):
    """`up` starts only the worker. `servers` are the test's, and end with it."""

    def __init__(self, servers, shop, mariadb=True, mongodb=True):
        self.servers = servers
        config = {"stack": {"dir": "var", **stack_module.SERVERS}, "shop": shop,
                  "sync": {"lease": "2s"}, "index": {"enabled": False}}
        if mariadb:
            config["mariadb"] = {"socket": str(servers.socket), "user": "root",
                                 "database": DATABASE}
        if mongodb:
            config["mongodb"] = {"uri": f"mongodb://127.0.0.1:{servers.mongo_port}/",
                                 "database": DOCUMENTS}
        super().__init__(servers.root, config)

    def make_database(self, name=DATABASE):
        with self.servers.open_sql() as link, link.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")

    def tables(self):
        return {row[0] for row in self.sql("SHOW TABLES")}

    def foreign_pids(self):
        return {child.pid for child in self.servers.processes.values()}
