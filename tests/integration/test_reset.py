"""`reset` on servers of the configuration: what AetherMart made goes, all else stays."""
import shutil

import pytest

from named import DATABASE, DOCUMENTS, Named
from stack import ROOT, SHOP

FOREIGN = {
    "Products": "CREATE TABLE Products (id INT PRIMARY KEY, name TEXT)",
    "Orders": "CREATE TABLE Orders (id INT PRIMARY KEY)",
    "Reviews": "CREATE TABLE Reviews (id INT PRIMARY KEY)",
    "schema_migrations":
        "CREATE TABLE schema_migrations (version VARCHAR(255) NOT NULL PRIMARY KEY)",
}


def reset(stack, *typed, **options):
    return stack.run("reset", *options.pop("flags", ["--no-shop"]), typed=typed, timeout=180,
                     **options)


def test_a_database_that_another_program_uses_is_left_alone(named):
    named.make_database()
    for statement in FOREIGN.values():
        named.sql(statement)
    named.sql("INSERT INTO Products VALUES (1, 'mine')")
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert named.tables() == set(FOREIGN)
    assert named.sql("SELECT * FROM Products") == [(1, "mine")]
    assert done.returncode == 4 and "schema_migrations" in done.stderr, done.stderr
    named.sql("DROP TABLE schema_migrations")
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert named.tables() == set(FOREIGN) - {"schema_migrations"}
    assert done.returncode == 4 and '"Products"' in done.stderr, done.stderr


def test_what_was_made_is_dropped_and_a_table_beside_it_stays(named):
    named.up("--no-shop")
    made = named.tables()
    named.sql("CREATE TABLE mine (id INT PRIMARY KEY)")
    named.sql("INSERT INTO Suppliers (supplier_name) VALUES ('gone')")
    # As after a run that stopped within a file: what follows was not made by us.
    named.sql("DROP TABLE Staging_Reviews")
    named.sql("CREATE TABLE Staging_Reviews (id INT PRIMARY KEY)")
    named.sql("UPDATE schema_migrations SET finished_at = NULL,"
              " statements_done = statements_done - 1 WHERE migration_name = '055-staging.sql'")
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert done.returncode == 4 and '"Staging_Reviews"' in done.stderr, done.stderr
    assert named.tables() == {"mine", "Staging_Reviews"}
    named.sql("DROP TABLE Staging_Reviews")
    named.up("--no-shop")
    assert named.tables() == made | {"mine"}
    assert named.value("SELECT COUNT(*) FROM Suppliers") == 0


def test_the_warehouse_goes_with_the_shop_and_a_table_beside_it_stays(named):
    named.up("--no-shop")
    named.run("warehouse", "refresh")
    named.sql("CREATE TABLE aethermart_dw.mine (id INT PRIMARY KEY)")
    done = reset(named, DATABASE, DOCUMENTS)
    assert '"aethermart_dw"' in done.stderr + done.stdout
    assert named.value("SELECT COUNT(*) FROM aethermart_dw.Etl_Runs") == 0  # made anew
    assert named.sql("SELECT * FROM aethermart_dw.mine") == []
    assert named.sql("SELECT * FROM sync_consumer") == []
    named.sql("CALL sp_run_etl_pipeline()")
    assert named.json("warehouse", "check")["equal"]


def mongo_objects(stack):
    """Roles, views, and the account of the one who has everything."""
    database = stack.mongo()
    users = database.client.admin.command("usersInfo", 1)["users"]
    return ({r["role"] for r in database.command("rolesInfo", 1)["roles"]} |
            {v["name"] for v in database.list_collections(filter={"type": "view"})} |
            {u["user"] for u in users if u["user"] == "alex"})


def test_roles_accounts_and_masked_views_go_and_those_of_others_stay(named):
    named.up("--no-shop")
    made = named.tables()
    named.sql("CREATE USER maria2 IDENTIFIED BY 'x'")
    named.run("access", "apply", "--yes")
    names = named.sql("SELECT object_name FROM Access_Objects"
                      " WHERE object_kind IN ('role', 'account')")
    assert mongo_objects(named), "MongoDB has roles and views, too"
    assert len(names) == 18 and len(named.tables()) > len(made)
    reset(named, DATABASE, DOCUMENTS)
    assert named.tables() == made
    left = {row[0] for row in named.sql("SELECT User FROM mysql.global_priv")}
    assert not left & {name.split("@")[0] for name, in names} and "maria2" in left
    assert not mongo_objects(named)
    named.run("access", "apply", "--yes")
    named.run("access", "check")


def test_a_forged_record_drops_no_account_of_the_system(named):
    named.up("--no-shop")
    named.run("access", "apply", "--yes")
    named.sql("CREATE USER mongo_sync_user IDENTIFIED BY 'x'")
    admin = named.mongo().client.admin
    admin.command("createUser", "mongo_sync_user", pwd="x", roles=[])
    named.sql("INSERT INTO Access_Objects (object_kind, object_name) VALUES ('account', 'root@localhost'),"
              " ('account', 'mongo_sync_user@%'), ('mongo_account', 'admin.mongo_sync_user')")
    named.run("access", "apply", "--yes")
    reset(named, DATABASE, DOCUMENTS)
    assert {row[0] for row in named.sql("SELECT User FROM mysql.global_priv WHERE Host IN ('localhost', '%')")
            } >= {"root", "mongo_sync_user"}
    assert "mongo_sync_user" in {u["user"] for u in admin.command("usersInfo", 1)["users"]}


def test_a_new_audit_is_not_measured_by_the_end_of_the_former_one(named):
    named.up("--no-shop")
    named.run("access", "apply", "--yes")
    named.run("audit", "verify")
    head = named.var / "audit.head"
    assert head.read_text().startswith("2 ")
    reset(named, DATABASE, DOCUMENTS)
    assert named.json("audit", "verify")["events"] == 0
    # What cannot be forgotten is told, and not passed over.
    head.unlink()
    head.mkdir()
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert done.returncode != 0 and "audit.head" in done.stderr, done.stderr
    head.rmdir()


def test_a_newer_program_s_database_is_not_taken_apart(named):
    named.up("--no-shop")
    before = named.tables()
    named.sql("INSERT INTO schema_migrations (migration_number, migration_name, checksum)"
              " VALUES (999, '999-future.sql', REPEAT('0', 64))")
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert done.returncode == 13 and "999-future.sql" in done.stderr, done.stderr
    assert {"Products", "schema_migrations"} <= named.tables() <= before


def test_mappings_that_cannot_be_read_stop_it_before_anything_is_deleted(named):
    folder = named.root / "mapping"
    shutil.copytree(ROOT / "mapping", folder)
    named.write_config(mapping={"dir": str(folder)})
    named.up("--no-shop")
    named.insert("Suppliers", supplier_name="kept")
    before = named.tables()
    (folder / "broken.yaml").write_text("collection: [\n")
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert done.returncode > 0 and "broken.yaml" in done.stderr, done.stderr
    assert named.tables() == before
    assert named.value("SELECT COUNT(*) FROM Suppliers") == 1


def test_tables_that_are_gone_already_leave_nothing_of_the_sync_behind(named):
    named.up("--no-shop")
    named.insert("Customers", first_name="A", last_name="B", registration_date="2026-01-01")
    named.wait_synced()
    made = named.tables()
    named.sql("SET foreign_key_checks = 0")
    named.sql("DROP TABLE Reviews")
    named.sql("DROP TABLE Customers")
    reset(named, DATABASE, DOCUMENTS)
    assert named.tables() == made
    assert named.docs("customer_profiles").count_documents({}) == 0


def test_a_database_that_is_not_there_is_no_obstacle(named):
    reset(named, DATABASE, DOCUMENTS)
    assert "Customers" in named.tables()


@pytest.mark.limit(240)
def test_an_embedded_mariadb_that_does_not_run_is_started(bare_servers, catalogue):
    stack = Named(bare_servers, {"data": [str(catalogue)], **SHOP}, mariadb=False)
    try:
        stack.up("--no-shop")
        stack.insert("Customers", first_name="A", last_name="B", registration_date="2026-01-01")
        stack.wait_synced()
        assert stack.docs("customer_profiles").count_documents({}) == 1
        stack.down()
        reset(stack, DOCUMENTS, flags=["--no-shop", "--yes"])
        assert stack.docs("customer_profiles").count_documents({}) == 0
    finally:
        stack.close()


@pytest.mark.parametrize("typed", [(), ("wrong",), (DATABASE, "wrong")])
def test_without_the_names_nothing_is_deleted(named, typed):
    named.make_database()
    done = reset(named, *typed, check=False)
    assert done.returncode == 11 and "nothing was deleted" in done.stderr
    assert not named.var.exists()


def add_strangers(named):
    named.sql("CREATE TABLE notes (note_id INT PRIMARY KEY, customer_id INT)")
    named.sql("INSERT INTO notes VALUES (1, 1), (2, 1)")
    named.docs("customer_profiles").insert_one({"_id": "a stranger", "name": "not ours"})
    named.docs("letters").insert_one({"_id": 1})


def assert_strangers(named):
    assert named.sql("SELECT * FROM notes ORDER BY 1") == [(1, 1), (2, 1)]
    assert named.docs("customer_profiles").find_one({"_id": "a stranger"})["name"] == "not ours"
    assert named.docs("letters").count_documents({}) == 1


def test_reset_leaves_what_it_did_not_create(named):
    named.run("up", "--yes")
    named.insert("Customers", first_name="A", last_name="B", registration_date="2026-01-01")
    named.wait_synced()
    assert named.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 1
    add_strangers(named)

    refusals = [
        named.run("reset", "--yes", check=False),  # nobody types the names
        reset(named, "anything_else", check=False, flags=["--yes"]),
        reset(named, DATABASE, "anything_else", check=False, flags=["--yes"]),
        reset(named, DATABASE + " ", "", check=False),
    ]
    for done in refusals:
        assert done.returncode == 11 and "nothing was deleted" in str(done), done
    assert named.value("SELECT COUNT(*) FROM Customers") == 1
    assert named.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 1

    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert done.returncode == 0, done.stderr
    assert named.value("SELECT COUNT(*) FROM Customers") == 0
    assert named.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 0
    assert_strangers(named)
    named.insert("Customers", first_name="C", last_name="D", registration_date="2026-01-01")
    named.wait_synced()
    assert named.docs("customer_profiles").count_documents({"_sync": {"$exists": True}}) == 1


def test_reset_leaves_tables_that_only_have_the_same_names(named):
    named.make_database()
    named.sql("CREATE TABLE Customers (customer_id INT PRIMARY KEY, mine TEXT)")
    named.sql("INSERT INTO Customers VALUES (7, 'kept')")
    done = named.run("up", "--yes", check=False)
    assert done.returncode != 0 and "Customers" in done.stderr, done.stderr
    done = reset(named, DATABASE, DOCUMENTS, check=False)
    assert done.returncode != 0 and "Customers" in done.stderr, done.stderr
    assert named.sql("SELECT * FROM Customers") == [(7, "kept")]
