"""Roles hold: what rules/access.yaml says is what MariaDB grants, and no way leads around it.

What is expected is worked out here from the file once more, in another way than the program's."""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import pty
import random
import re
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pymysql
import pytest
import yaml

import ordering
import stack as stack_module
from ordering import DATABASE
from waiting import until

RULES = yaml.safe_load((stack_module.ROOT / "rules" / "access.yaml").read_text())
DENIED = {1142, 1143, 1044, 1045, 1227, 1370, 1290, 1419, 1356}
PEOPLE = sorted(RULES["people"])
FULL = {"personal"}
SECRET = {"first_name": "Quentina", "last_name": "Zyxmann", "email": "quentina@zyxmail.example",
          "phone_number": "+49 30 5550123", "date_of_birth": "1985-03-09"}
STREET = "Wolpertingergasse 17"


class Access:
    """The program's verbs on a server of the test's own, and its people as clients."""

    def __init__(self, root, servers):
        self.root, self.servers = pathlib.Path(root), servers
        self.rules = self.root / "access.yaml"
        self.config = self.root / "aethermart.yaml"
        self.config.write_text(
            f"mariadb:\n  socket: {servers.socket}\n  user: root\n  database: {DATABASE}\n"
            f"access:\n  rules: {self.rules}\nstack:\n  dir: {self.root}/var\n")
        self.write(RULES)
        self.shop = ordering.Shop(servers)
        self.links = []

    def close(self):
        self.shop.close()
        for link in self.links:
            link.close()

    def write(self, rules):
        self.rules.write_text(yaml.safe_dump(rules, sort_keys=False))

    def command(self, *args):
        return [str(stack_module.BINARY), "access", *args, "--config", str(self.config)]

    def run(self, *args, check=True):
        return subprocess.run(self.command(*args), check=check, capture_output=True, text=True,
                              timeout=300, env=stack_module.environment())

    def apply(self, *args):
        return json.loads(self.run("apply", "--yes", "--json", *args).stdout)["changes"]

    def privacy(self, *args, status=0):
        answer = subprocess.run([str(stack_module.BINARY), "privacy", *args, "--json", "--config",
                                 str(self.config)], capture_output=True, text=True, timeout=300,
                                env=stack_module.environment())
        assert answer.returncode == status, answer.stderr
        return json.loads(answer.stdout) if status in (0, 14) else None

    def named_rows(self, person, statement):
        with self.link(person).cursor() as cursor:
            cursor.execute(statement)
            names = [c[0] for c in cursor.description]
            return [(names, row) for row in cursor.fetchall()]

    def differences(self):
        answer = self.run("check", "--json", check=False)
        found = {(d["state"], d["what"]) for d in json.loads(answer.stdout)} if answer.stdout else None
        assert answer.returncode == (14 if found else 0), answer.stderr
        return found

    def secret(self, name):
        return (self.root / "var" / "secrets" / name).read_text().strip()

    def link(self, person, **options):
        link = pymysql.connect(unix_socket=str(self.servers.socket), user=person, autocommit=True,
                               password=self.secret(f"mariadb-{person}"), database=DATABASE, **options)
        self.links.append(link)
        if len(self.links) > 20:
            self.links.pop(0).close()
        return link

    def rows(self, person, statement):
        with self.link(person).cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def customer(self, **columns):
        return self.shop.insert("Customers", registration_date="2024-01-01", **columns)


@pytest.fixture(scope="module")
def applied(session_folder, shop_mariadb):
    """One server for the tests that change no rights."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=session_folder))
    root.chmod(0o755)
    with ordering.running(root, shop_mariadb) as servers:
        made = Access(root, servers)
        made.first = made.customer(**SECRET)
        made.shop.insert("Customer_Addresses", customer_id=made.first, street=STREET, city="Zyxstadt",
                         state="Zyxland", zip="98765", country="DE", is_default=1)
        made.apply()
        try:
            yield made
        finally:
            made.close()
    stack_module.remove_tree(root)


@pytest.fixture
def own(folder, shop_mariadb):
    with ordering.running(folder, shop_mariadb) as servers:
        made = Access(folder, servers)
        made.first = made.customer(**SECRET)
        try:
            yield made
        finally:
            made.close()


# --- what the file says ----------------------------------------------------------------------


def members(names):
    return {member for name in names for member in RULES["objects"].get(name, [name])}


def role_of(person):
    return RULES["roles"][RULES["people"][person]["role"]]


def own_view(table, clearance):
    return f"v_{re.sub('^[vV]_', '', table)}_{clearance}".lower()


def may_read(person, table, views):
    """Names that the role may select from, for one object of its list."""
    clearance = role_of(person)["clearance"]
    if clearance in FULL:
        return {table}
    is_open = set(RULES["columns"].get(table, {}).values()) <= {"open", *(
        c for c, mask in RULES["clearances"][clearance].items() if mask == "plain")}
    return {table} if table in views and is_open else {own_view(table, clearance)}


def readable(person, views):
    return {name for table in members(role_of(person).get("read", []))
            for name in may_read(person, table, views)}


# --- the matrix ------------------------------------------------------------------------------


def denied(cursor, statement):
    """PREPARE asks for rights and does nothing."""
    try:
        cursor.execute("PREPARE asked FROM %s", (statement,))
    except pymysql.Error as error:
        if error.args[0] in DENIED:
            return True
        assert error.args[0] in (1064, 1288, 1347, 1348, 1394, 1471), (statement, error)
    return False


@pytest.mark.parametrize("person", PEOPLE)
def test_each_role_may_do_what_the_file_says_with_each_table_and_view(applied, person):
    rows = applied.shop.sql("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES"
                            " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'SEQUENCE'")
    views = {name for name, kind in rows if kind == "VIEW"}
    columns = dict(applied.shop.sql("SELECT TABLE_NAME, MAX(COLUMN_NAME) FROM information_schema.COLUMNS"
                                    " WHERE TABLE_SCHEMA = DATABASE() GROUP BY TABLE_NAME"))
    role = role_of(person)
    may = {"SELECT": readable(person, views)}
    for verb in ("insert", "update", "delete"):
        may[verb.upper()] = members(role.get(verb, []))
    assert len(rows) > 70
    with applied.link(person).cursor() as cursor:
        for name, _ in rows:
            statements = {"SELECT": f"SELECT 1 FROM {name}",
                          "INSERT": f"INSERT INTO {name} () VALUES ()",
                          "DELETE": f"DELETE FROM {name}",
                          "UPDATE": f"UPDATE {name} SET {columns[name]} = NULL"}
            for verb, statement in statements.items():
                if name in views and verb != "SELECT":
                    continue  # no role has more than SELECT on a view
                expected = name in may[verb] or (role.get("everything", False) and (
                    verb == "SELECT" or name not in RULES["records"]))
                assert denied(cursor, statement) != expected, (person, statement)


@pytest.mark.parametrize("person", sorted(set(PEOPLE) - {"alex"}))
def test_only_who_has_everything_changes_what_tables_are(applied, person):
    link = applied.link(person)
    for statement in ("DROP TABLE Reviews", "TRUNCATE TABLE Reviews", "ALTER TABLE Reviews ADD x INT",
                      "CREATE TABLE mine (x INT)", "CREATE VIEW mine AS SELECT 1",
                      "CREATE OR REPLACE VIEW v_customers_masked AS SELECT 1",
                      "CREATE TRIGGER mine BEFORE INSERT ON Reviews FOR EACH ROW SET @x = 1",
                      "CREATE PROCEDURE mine() SELECT 1", "CREATE INDEX mine ON Reviews (rating)",
                      "DROP DATABASE " + DATABASE, "CREATE USER mine", "CREATE ROLE mine",
                      "GRANT SELECT ON Customers TO " + person, "SET ROLE db_admin",
                      "RENAME TABLE Reviews TO mine", "LOCK TABLES Customers READ",
                      "DROP VIEW v_customers_masked", "SET GLOBAL general_log = 1",
                      "CREATE TEMPORARY TABLE mine (x INT)", "FLUSH TABLES"):
        with link.cursor() as cursor, pytest.raises(pymysql.Error) as refused:
            cursor.execute(statement)
        assert refused.value.args[0] in DENIED | {1410, 1959, 1064}, (statement, refused.value)


def test_who_has_everything_makes_no_code_that_the_owner_would_run(applied):
    link = applied.link("alex")
    for statement in ("CREATE OR REPLACE PROCEDURE sp_CancelOrder(IN x INT) SQL SECURITY INVOKER SELECT 1",
                      "ALTER PROCEDURE sp_CancelOrder SQL SECURITY INVOKER",
                      "DROP PROCEDURE sp_CancelOrder", "CREATE PROCEDURE mine() SELECT 1",
                      "CREATE FUNCTION mine() RETURNS INT RETURN 1",
                      "CREATE OR REPLACE VIEW v_customers_masked AS SELECT 1", "CREATE VIEW mine AS SELECT 1",
                      "CREATE TRIGGER mine BEFORE INSERT ON Reviews FOR EACH ROW SET @x = 1",
                      "CREATE EVENT mine ON SCHEDULE EVERY 1 DAY DO SELECT 1"):
        with link.cursor() as cursor, pytest.raises(pymysql.Error) as refused:
            cursor.execute(statement)
        assert refused.value.args[0] in DENIED, (statement, refused.value)


@pytest.mark.parametrize("person", PEOPLE)
def test_each_role_may_call_what_the_file_says(applied, person):
    routines = applied.shop.sql("SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES"
                                " WHERE ROUTINE_SCHEMA = DATABASE()")
    role = role_of(person)
    allowed = members(role.get("call", []))
    assert allowed <= {name for name, _ in routines}
    with applied.link(person).cursor() as cursor:
        for name, kind in routines:
            # Too many arguments: who may call it is told that, and nothing is done.
            marks = ", ".join(["NULL"] * 20)
            with pytest.raises(pymysql.Error) as told:
                cursor.execute(f"CALL {name}({marks})" if kind == "PROCEDURE"
                               else f"SELECT {DATABASE}.{name}({marks})")
            expected = role.get("everything", False) or name in allowed
            assert (told.value.args[0] not in DENIED) == expected, (person, name, told.value)


# --- masks -----------------------------------------------------------------------------------


def pseudonym(applied, column, value):
    key = hashlib.blake2b(applied.secret("pseudonym").encode(), digest_size=32).digest()
    return hmac.new(key, column.encode() + b"\0" + str(value).encode(), "sha256").hexdigest()[:32]


def test_masks_show_what_they_are_meant_to_and_no_more(applied):
    row = applied.rows("maria", "SELECT customer_id, first_name, last_name, email, phone_number,"
                                " date_of_birth, registration_date FROM v_customers_masked"
                                " WHERE first_name LIKE 'Q%'")[0]
    assert row == (pseudonym(applied, "customer_id", applied.first), "Q***", "Z***", "q***@z***.example",
                   "***23", "1980-1989", "2024-01")
    address = applied.rows("maria", "SELECT * FROM v_customer_addresses_masked")[0]
    assert address[2] == row[0] and address[-2:] == ("Zyxland", "DE")
    assert STREET not in address and "98765" not in address and "Zyxstadt" not in address


@pytest.mark.parametrize("value, masked", [
    ("a@b.de", "***"), ("x", "***"), ("ab@longname.com", "***"), ("abc@de.com", "***"),
    ("abc@def.com", "a***@d***.com"), ("abc@def.co.uk", "a***@d***.uk"), ("", "***"), (None, None),
    ("Zoë.ß@straße.de", "Z***@s***.de")])
def test_a_short_address_is_hidden_whole(applied, value, masked):
    statement = applied.shop.sql("SHOW CREATE VIEW v_customers_masked")[0][1]
    mask = re.search("AS `last_name`,(.*) AS `email`", statement).group(1)
    assert applied.shop.value(f"SELECT {mask} FROM (SELECT %s AS email) t", value) == masked


@pytest.mark.parametrize("born, band", [("1939-12-31", "before 1940"), ("1940-01-01", "1940-1949"),
                                        ("1989-12-31", "1980-1989"), ("2030-01-01", "2030-2039"), (None, None)])
def test_a_birthday_is_the_decade_of_birth_and_of_the_oldest_one_band(applied, born, band):
    statement = applied.shop.sql("SHOW CREATE VIEW v_customers_masked")[0][1]
    mask = re.search("AS `phone_number`,(.*) AS `date_of_birth`", statement).group(1)
    assert applied.shop.value(f"SELECT {mask} FROM (SELECT CAST(%s AS DATE) AS date_of_birth) t", born) == band


def test_a_pseudonym_joins_what_is_one_and_tells_apart_what_is_not(applied):
    order = applied.shop.order(applied.first)
    assert applied.rows("maria", "SELECT COUNT(*) FROM v_customers_masked JOIN v_orders_masked"
                                 " USING (customer_id)") == [(applied.shop.value(
                                     "SELECT COUNT(*) FROM Orders"),)]
    in_orders = applied.rows("finance", f"SELECT customer_id FROM v_orders_figures WHERE order_id = {order}")
    assert in_orders == [(pseudonym(applied, "customer_id", applied.first),)]
    assert pseudonym(applied, "address_id", applied.first) != in_orders[0][0]


def test_what_nobody_has_classed_is_not_seen(own):
    own.shop.sql("ALTER TABLE Customers ADD favourite_colour VARCHAR(20) DEFAULT 'mauve'")
    own.shop.sql("ALTER TABLE Suppliers ADD contact_person VARCHAR(40) DEFAULT 'Quentina Zyxmann'")
    own.apply()
    assert "contact_person" not in [row[0] for row in own.rows("maria", "SHOW COLUMNS FROM v_suppliers_masked")]
    assert found_in(own, "Suppliers") == {"contact_person": ("name", True)}
    assert "favourite_colour" not in [
        c for c, in own.rows("maria", "SELECT COLUMN_NAME FROM information_schema.COLUMNS")]
    assert own.rows("sarah", "SELECT favourite_colour FROM Customers")[0] == ("mauve",)


def texts(applied, person, name):
    return [dict(zip(names, row)) for names, row in applied.named_rows(person, f"SELECT * FROM {name}")]


@pytest.mark.parametrize("person", sorted(p for p in PEOPLE if role_of(p)["clearance"] not in FULL))
def test_nothing_that_a_masked_role_reads_shows_whom_it_is_about(applied, person):
    """Every table and view of it, with a row of the person in all of them."""
    shop = applied.shop
    if not shop.value("SELECT COUNT(*) FROM TR_Orders_Archive"):
        address = shop.value("SELECT MIN(address_id) FROM Customer_Addresses")
        for order in range(2):
            shop.place(applied.first, [{"product_id": shop.product("10.00", 5), "quantity": 1}],
                       f"seen{order}", address)
        shop.insert("Reviews", customer_id=applied.first, product_id=shop.product(), rating=5,
                    review_text=f"Yours, {SECRET['first_name']}", review_date="2024-01-01")
        shop.sql("INSERT INTO TR_Orders_Archive (order_id, customer_id, address_id, order_date,"
                 " order_status, total_amount, currency, sales_channel, payment_status,"
                 " refunded_amount, ship_street) VALUES (9000001, %s, %s, '2019-05-05', 'delivered',"
                 " 10, 'USD', 'web', 'paid', 0, %s)", applied.first, address, STREET)
    views = {name for name, in shop.sql("SELECT TABLE_NAME FROM information_schema.VIEWS"
                                        " WHERE TABLE_SCHEMA = DATABASE()")}
    looked = 0
    for name in readable(person, views):
        for row in texts(applied, person, name):
            looked += 1
            for column in ("customer_id", "address_id"):
                assert row.get(column) is None or re.fullmatch("[0-9a-f]{32}", row[column]), (name, row)
            told = str(row)
            for value in (*SECRET.values(), STREET, "98765", "Zyxstadt"):
                assert value not in told, (name, row)
    assert looked or person in ("customer_user", "visitor", "david")


def test_every_column_that_looks_personal_is_classed(applied):
    assert applied.privacy("detect") == []


def test_what_looks_personal_is_found_by_its_name_and_by_its_values(own):
    shop = own.shop
    shop.sql("CREATE TABLE Suspects (suspect_id INT PRIMARY KEY, note VARCHAR(99), mobile_no VARCHAR(30),"
             " dob DATE, bank VARCHAR(40), host VARCHAR(40), colour VARCHAR(20), few VARCHAR(60))")
    for number in range(10):
        shop.insert("Suspects", suspect_id=number, note=f"user{number}@post.example",
                    mobile_no="0", dob="1990-01-01", bank="DE89 3704 0044 0532 0130 00",
                    host=f"10.0.0.{number}", colour="red",
                    few=f"a{number}@b.example" if number < 4 else "none")
    answer = own.privacy("detect", status=14)
    found = {(f["column"], f["looks_like"], f["by_name"]) for f in answer if f["table"] == "Suspects"}
    assert found == {("note", "email", False), ("mobile_no", "phone", True), ("dob", "birth_date", True),
                     ("bank", "financial", False), ("host", "identifier", False)}


def found_in(own, table):
    return {f["column"]: (f["looks_like"], f["by_name"]) for f in own.privacy("detect", status=14)
            if f["table"] == table}


def test_what_looks_personal_is_found_in_other_forms_and_tongues(own):
    shop = own.shop
    columns = ["mail", "tel", "telefon", "lastname", "vorname", "prenom", "apellidos", "username",
               "ssn_no", "plz", "zip", "geburtstag", "sender", "caller", "reached_at", "digits",
               "host6", "notes", "ean", "written_on", "version_no", "colour"]
    shop.sql(f"CREATE TABLE Suspects (id INT PRIMARY KEY, payload JSON, ip INET6,"
             f" {', '.join(c + ' VARCHAR(120)' for c in columns)})")
    for n in range(20):
        plain = dict.fromkeys(columns[:12], "x")
        shop.insert("Suspects", id=n, payload=json.dumps({"who": {"reach": f"ada{n}@example.org"}}),
                    ip="::1", sender=f"Ada Byron <ada{n}@example.org>", caller=f"0171 12345{n:02}",
                    reached_at=f"+49 (30) 5550{n:03}", digits=f"55501000{n:02}", host6=f"fe80::{n:x}:1",
                    notes=f"called, then wrote to ada{n}@example.org again", ean=f"40123456789{n:02}",
                    written_on=f"2024-01-{n + 1:02}", version_no=f"10.{n}.1", colour=" red", **plain)
    names = {"mail": "email", "tel": "phone", "telefon": "phone", "lastname": "name", "vorname": "name",
             "prenom": "name", "apellidos": "name", "username": "identifier", "ssn_no": "identifier",
             "plz": "address", "zip": "address", "geburtstag": "birth_date", "ip": "identifier"}
    values = {"sender": "email", "caller": "phone", "reached_at": "phone", "digits": "phone",
              "host6": "identifier", "notes": "email", "payload": "email"}
    assert found_in(own, "Suspects") == {**{c: (p, True) for c, p in names.items()},
                                         **{c: (p, False) for c, p in values.items()}}


def test_what_looks_personal_is_found_at_both_ends_and_in_the_warehouse(own):
    shop = own.shop
    shop.sql("CREATE DATABASE aethermart_dw")
    for table in ("Suspects", "aethermart_dw.Leads"):
        shop.sql(f"CREATE TABLE {table} (id INT PRIMARY KEY, word VARCHAR(60))")
        shop.sql(f"INSERT INTO {table} SELECT seq, IF(seq > 1200, CONCAT('a', seq, '@b.example'), 'none')"
                 " FROM seq_1_to_2500")
    for table in ("Suspects", "aethermart_dw.Leads"):
        assert found_in(own, table) == {"word": ("email", False)}


def test_one_record_looks_as_each_role_sees_it(applied):
    applied.shop.order(applied.first)
    seen = {role: {(v["table"], v["column"]): v["value"]
                   for v in applied.privacy("show", str(applied.first), "--as", role) if v["row"] == 1}
            for role in ("operations_manager", "marketing_analyst", "finance_analyst", "shop_visitor")}
    email, street = ("Customers", "email"), ("Customer_Addresses", "street")
    assert seen["operations_manager"][email] == SECRET["email"]
    assert seen["operations_manager"][street] == STREET
    assert seen["marketing_analyst"][email] == "q***@z***.example"
    assert seen["marketing_analyst"][street] is None
    masked = applied.rows("maria", "SELECT * FROM v_customers_masked WHERE first_name LIKE 'Q%'")[0]
    assert masked[0] == seen["marketing_analyst"]["Customers", "customer_id"]
    views = {name for name, in applied.shop.sql("SELECT TABLE_NAME FROM information_schema.VIEWS")}
    for role, shown in seen.items():  # nothing of what it may not read
        person = next(p for p in PEOPLE if RULES["people"][p]["role"] == role)
        for table in {table for table, _ in shown}:
            assert may_read(person, table, views) <= readable(person, views), (role, table)
    assert "Orders" in {t for t, _ in seen["finance_analyst"]} and seen["shop_visitor"] == {}
    assert "V_Customer_Order_History" in {t for t, _ in seen["marketing_analyst"]}
    assert applied.privacy("show", "99999999", "--as", "agent", status=3) is None


# --- the dictionary --------------------------------------------------------------------------


def test_the_dictionary_tells_of_each_column_what_it_is_and_who_reads_it(applied):
    shop = applied.shop
    assert shop.value("SELECT COUNT(*) FROM data_dictionary") == shop.value(
        "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND"
        " TABLE_NAME NOT IN (SELECT object_name FROM Access_Objects WHERE object_kind = 'view')")
    for table, column, pii, fields in (
            ("Customers", "email", "email", "customer_profiles.email"),
            ("Customers", "first_name", "name", "customer_profiles.full_name,"
             " customer_profiles.first_name, reviews.customer.full_name"),
            ("Customer_Addresses", "street", "address", "customer_profiles.addresses.street"),
            ("Customer_Addresses", "state", "region", "customer_profiles.location.state,"
             " customer_profiles.addresses.state"),
            ("Products", "price", "open", "product_catalog.price"),
            ("Access_Keys", "inner_pad", None, "")):
        found = shop.sql("SELECT pii_class, document_fields, readers FROM data_dictionary"
                         " WHERE table_name = %s AND column_name = %s", table, column)[0]
        assert found[:2] == (pii, fields), (table, column, found)
        readers = dict(r.split() for r in found[2].split(", "))
        expected = {}
        for name, role in RULES["roles"].items():
            masks = RULES["clearances"][role["clearance"]]
            mask = ("plain" if role["clearance"] in FULL or pii == "open" else masks.get(pii, "hidden"))
            if mask != "hidden" and (role.get("everything") or table in members(role.get("read", []))):
                expected[name] = mask
        assert readers == expected, (table, column)
    assert applied.rows("david", "SELECT COUNT(*) FROM v_data_dictionary_public")[0][0] > 500


# --- ways around -----------------------------------------------------------------------------

BYPASSES = [
    "SELECT * FROM v_customers_masked HAVING email LIKE 'quentina@%%'",
    "SELECT * FROM v_customers_masked WHERE email = 'quentina@zyxmail.example'",
    "SELECT * FROM v_customers_masked WHERE MD5(email) = MD5('quentina@zyxmail.example')",
    "SELECT * FROM v_customers_masked ORDER BY street",
    "SELECT * FROM v_customers_masked ORDER BY (SELECT email FROM Customers LIMIT 1)",
    "SELECT first_name FROM v_customers_masked UNION SELECT email FROM Customers",
    "SELECT (SELECT email FROM Customers LIMIT 1)",
    "SELECT c.* FROM v_customers_masked v JOIN Customers c ON c.email = v.email",
    "SELECT t.email, k.* FROM v_customers_masked t JOIN Access_Keys k",
    "SELECT v.k.outer_pad FROM v_customers_masked v",
    "SELECT k.inner_pad FROM v_customers_masked",
    "SELECT * FROM Customers", "SELECT * FROM Customers c NATURAL JOIN v_customers_masked",
    "SELECT * FROM Access_Keys", "SELECT * FROM Access_People",
    "WITH c AS (SELECT * FROM Customers) SELECT * FROM c",
    "EXPLAIN SELECT * FROM Customers WHERE email = 'quentina@zyxmail.example'",
    "EXPLAIN EXTENDED SELECT * FROM v_customers_masked", "EXPLAIN FORMAT=JSON SELECT * FROM v_customers_masked",
    "ANALYZE FORMAT=JSON SELECT * FROM v_customers_masked", "ANALYZE TABLE Customers",
    "SHOW CREATE TABLE Customers", "SHOW CREATE VIEW v_customers_masked", "SHOW COLUMNS FROM Customers",
    "SHOW INDEX FROM Customers", "SHOW TABLE STATUS LIKE 'Customers'", "CHECK TABLE Customers",
    "CHECKSUM TABLE Customers",
    "SELECT * FROM information_schema.COLUMNS WHERE TABLE_NAME = 'Customers'",
    "SELECT * FROM information_schema.STATISTICS WHERE TABLE_NAME = 'Customers'",
    "SELECT VIEW_DEFINITION FROM information_schema.VIEWS WHERE VIEW_DEFINITION LIKE '%%Customers%%'",
    "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS",
    "SELECT ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_DEFINITION LIKE '%%email%%'",
    "SELECT * FROM information_schema.INNODB_TRX", "SHOW ENGINE INNODB STATUS", "SHOW BINLOG EVENTS",
    "SHOW BINARY LOGS", "SELECT * FROM mysql.column_stats", "SELECT * FROM mysql.proc",
    "SELECT * FROM mysql.global_priv", "SELECT * FROM mysql.general_log",
    "HANDLER Customers OPEN", "HANDLER v_customers_masked OPEN",
    "SELECT * FROM v_customers_masked INTO OUTFILE '/tmp/am-masked'",
    "SELECT LOAD_FILE('/etc/hostname')",
    "SELECT EXTRACTVALUE(1, CONCAT('~', (SELECT email FROM Customers LIMIT 1)))",
    "SELECT EXTRACTVALUE(1, CONCAT('~', (SELECT email FROM v_customers_masked WHERE first_name LIKE 'Q%%')))",
    "SELECT COUNT(*), CONCAT((SELECT email FROM v_customers_masked LIMIT 1), FLOOR(RAND(0)*2)) x"
    " FROM v_categories_masked GROUP BY x",
    "SELECT email + 1 FROM v_customers_masked", "SELECT ~0 + customer_id FROM v_customers_masked",
    "PREPARE s FROM 'SELECT email FROM Customers'",
    "EXECUTE IMMEDIATE 'SELECT email FROM Customers'",
    "SET STATEMENT sql_mode = '' FOR SELECT email FROM Customers",
    "DO (SELECT email FROM Customers INTO @x)",
    "CALL sp_MyProfile()", "CALL sp_get_orders_by_state('Zyxland')",
    "SELECT f_my_customer_id()", "SELECT f_get_customer_lifetime_value(1, 'USD')",
    "UPDATE v_customers_masked SET first_name = 'x'", "DELETE FROM v_customers_masked",
    "INSERT INTO v_customers_masked (email) VALUES ('quentina@zyxmail.example')",
    "SELECT * FROM V_Customer_Value_Summary", "SELECT * FROM V_Customer_Order_History",
    "SELECT * FROM V_Order_Balance_Sheet", "SELECT * FROM v_Sales",
    "SELECT * FROM v_customers_masked PROCEDURE ANALYSE()",
    "SELECT JSON_ARRAYAGG(email) FROM v_customers_masked",
    "SELECT * FROM v_customers_masked FOR UPDATE",
    "LOAD DATA INFILE '/etc/hostname' INTO TABLE Customers",
    "SHOW GRANTS FOR root@localhost", "SET ROLE operations_manager", "SET ROLE db_admin",
    "SHOW PROCESSLIST",
]


@pytest.mark.parametrize("statement", BYPASSES)
def test_no_statement_of_a_masked_role_shows_what_is_masked(applied, statement):
    link = applied.link("maria")
    with link.cursor() as cursor:
        try:
            cursor.execute(statement.replace("%%", "%"))
            told = str(cursor.fetchall())
        except pymysql.Error as error:
            told = str(error).replace("quentina@zyxmail.example'", "")
        cursor.execute("SHOW WARNINGS")
        told += str(cursor.fetchall())
    pads = applied.shop.sql("SELECT HEX(inner_pad), HEX(outer_pad) FROM Access_Keys")[0]
    for value in (*SECRET.values(), STREET, "98765", "Zyxstadt", *pads):
        assert value not in told, told
    assert not re.search(rf"\b{applied.first}\b.*Q\*\*\*", told), told


def test_an_equal_guess_finds_nobody(applied):
    for guess in ("email = 'quentina@zyxmail.example'", "first_name = 'Quentina'",
                  f"customer_id = '{applied.first}'", "phone_number LIKE '%5550%'",
                  "date_of_birth = '1985-03-09'"):
        assert applied.rows("maria", f"SELECT 1 FROM v_customers_masked WHERE {guess}") == [], guess


# What a session can set that statements may depend on.
SESSIONS = [
    "timestamp = 2082844800", "timestamp = 86400", "time_zone = '+13:00'", "time_zone = '-12:00'",
    "lc_time_names = 'de_DE'", "default_week_format = 3", "div_precision_increment = 0",
    "div_precision_increment = 30", "group_concat_max_len = 4", "collation_connection = 'utf8mb4_bin'",
    "collation_connection = 'latin1_german2_ci'", "character_set_client = 'latin1'",
    "character_set_database = 'ascii'", "default_regex_flags = 'MULTILINE,DOTALL,EXTENDED,UNGREEDY'",
    "sql_auto_is_null = 1", "insert_id = 7", "sql_mode = ''", "sql_mode = 'ORACLE'", "sql_mode = 'ANSI'",
    "sql_mode = 'TRADITIONAL,PAD_CHAR_TO_FULL_LENGTH,NO_UNSIGNED_SUBTRACTION'",
    "sql_mode = 'NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,TIME_ROUND_FRACTIONAL,EMPTY_STRING_IS_NULL'",
    "old_mode = 'ZERO_DATE_TIME_CAST,COMPAT_5_1_CHECKSUM'", "old_mode = ''", "old_passwords = 1",
]
CALLS = {"finance": ["sp_get_total_revenue()", "sp_get_monthly_revenue(2019)", "sp_get_monthly_revenue(2024)",
                     "sp_calculate_running_sales_total('2019-01-01', '2030-01-01')"],
         "customer_user": ["sp_MyProfile()", "sp_MyAddresses()", "sp_MyOrders()", "sp_MyOrderLines(1)",
                           "sp_MyReviews()"]}


def seen_in(applied, person, names, setting):
    """All rows that a role sees in a session with a setting, from another database."""
    link = applied.link(person)
    seen = {}
    with link.cursor() as cursor:
        if setting:
            cursor.execute("USE information_schema")
            cursor.execute(f"SET {setting}")
        for name in names:
            cursor.execute(f"SELECT * FROM {DATABASE}.{name}")
            # Types of views' columns the server works out anew in each session: they are no data.
            seen[name] = sorted(repr(row) for row in cursor.fetchall()
                                if name != "v_Schema_Columns" or row[0][:2].lower() != "v_")
        for call in CALLS.get(person, []):
            cursor.execute(f"CALL {DATABASE}.{call}")
            seen[call] = list(map(repr, cursor.fetchall()))
            while cursor.nextset():
                pass
    return seen


@pytest.fixture(scope="module")
def varied(applied):
    """Rows by which a dependence would show."""
    shop = applied.shop
    address = shop.value("SELECT MIN(address_id) FROM Customer_Addresses")
    for number, price in enumerate(("10.00", "10.01", "10.01")):  # an average that does not end
        shop.sql("INSERT INTO TR_Orders_Archive (order_id, customer_id, address_id, order_date, order_status,"
                 " total_amount, currency, sales_channel, payment_status, refunded_amount, ship_country) VALUES"
                 " (%s, %s, %s, '2019-12-31 23:30:00', 'delivered', %s, 'EUR', 'web', 'paid', 0, 'DE')",
                 9100000 + number, applied.first, address, price)
    product = shop.product("10.00", 5)
    for rating in (5, 4, 4):
        shop.insert("Reviews", customer_id=applied.first, product_id=product, rating=rating,
                    review_date="2024-01-01")
    shop.insert("Customers", registration_date="2024-01-31", date_of_birth="1985-11-28", first_name="",
                last_name="B", email="line\nada@example.org", phone_number=None)
    shop.sql("UPDATE Products SET ean = '40123455' WHERE product_id = %s", product)
    applied.privacy("show", str(applied.first), "--as", "agent")  # stands in the audit
    return applied


@pytest.mark.parametrize("person", sorted(p for p in PEOPLE if role_of(p)["clearance"] not in FULL))
def test_what_a_masked_role_sees_does_not_depend_on_its_session(varied, person):
    views = {name for name, in varied.shop.sql("SELECT TABLE_NAME FROM information_schema.VIEWS"
                                               " WHERE TABLE_SCHEMA = DATABASE()")}
    names = sorted(readable(person, views))
    usual = seen_in(varied, person, names, None)
    for setting in SESSIONS:
        seen = seen_in(varied, person, names, setting)
        assert {name: sorted(set(seen[name]) ^ set(rows)) for name, rows in usual.items()
                if seen[name] != rows} == {}, setting


# --- what is theirs --------------------------------------------------------------------------


def test_a_customer_sees_and_cancels_what_is_theirs_alone(applied):
    shop = applied.shop
    other, product = shop.customer(), shop.product("10.00", 50)
    theirs = shop.place(other, [{"product_id": product, "quantity": 1}], "theirs").order
    profile = applied.rows("customer_user", "CALL sp_MyProfile()")
    assert [row[0] for row in profile] == [applied.first] and profile[0][3] == SECRET["email"]
    with applied.link("customer_user").cursor() as cursor:
        cursor.execute("CALL sp_MyOrder(NULL, %s, 'mine', NULL)",
                       (json.dumps([{"product_id": product, "quantity": 2}]),))
        mine = cursor.fetchone()[0]
    assert shop.value("SELECT customer_id FROM Orders WHERE order_id = %s", mine) == applied.first
    orders = [row[0] for row in applied.rows("customer_user", "CALL sp_MyOrders()")]
    assert mine in orders and theirs not in orders
    assert applied.rows("customer_user", f"CALL sp_MyOrderLines({theirs})") == []
    assert len(applied.rows("customer_user", f"CALL sp_MyOrderLines({mine})")) == 1
    said = []
    for order in (theirs, theirs + 1000000):
        with pytest.raises(pymysql.Error) as refused:
            applied.rows("customer_user", f"CALL sp_CancelMyOrder({order})")
        said.append(refused.value.args[1].replace(str(order), "N"))
    assert said[0] == said[1] == "order N does not exist"
    applied.rows("customer_user", f"CALL sp_CancelMyOrder({mine})")
    assert shop.value("SELECT order_status FROM Orders WHERE order_id = %s", mine) == "cancelled"
    assert shop.value("SELECT order_status FROM Orders WHERE order_id = %s", theirs) == "pending"


def test_a_session_decides_neither_the_number_of_an_order_nor_its_time(applied):
    """Or one customer's order could have the last number that there is, and no other would follow."""
    shop = applied.shop
    product = shop.product("10.00", 50)
    lines = json.dumps([{"product_id": product, "quantity": 1}])
    last = shop.value("SELECT MAX(order_id) FROM Orders") or 0
    with applied.link("customer_user").cursor() as cursor:
        for key, setting in (("n", "insert_id = 18446744073709551614"),
                             ("i", "auto_increment_increment = 65535"),
                             ("o", "auto_increment_offset = 60000"), ("t", "timestamp = 1000000000")):
            cursor.execute(f"SET {setting}")
            cursor.execute("CALL sp_MyOrder(NULL, %s, %s, NULL)", (lines, key))
            order = cursor.fetchone()[0]
            assert last < order <= last + 3, setting
            last = order
            cursor.execute("SET insert_id = 18446744073709551614")
            cursor.execute("CALL sp_CancelMyOrder(%s)", (order,))
    assert shop.value("SELECT MAX(order_event_id) < 1000000 FROM Order_Events") == 1
    assert shop.value("SELECT COUNT(*) FROM Orders WHERE order_id = %s AND order_date >"
                      " UTC_TIMESTAMP() - INTERVAL 1 HOUR", last) == 1


# --- apply and check -------------------------------------------------------------------------


def test_applying_twice_changes_nothing(own):
    assert own.apply() > 200
    assert own.differences() == set()
    assert own.apply() == 0
    assert own.run("diff").stdout == ""


def test_every_difference_is_named_and_mended_but_for_those_of_strangers(own):
    own.apply()
    shop = own.shop
    shop.sql("GRANT SELECT ON Customers TO marketing_analyst")
    shop.sql("GRANT SELECT (email) ON Customers TO finance_analyst")
    shop.sql(f"GRANT DROP ON {DATABASE}.* TO david@'%'")
    shop.sql("GRANT RELOAD ON *.* TO david@'%'")
    shop.sql("GRANT EXECUTE ON PROCEDURE sp_ChangePrice TO agent")
    shop.sql("GRANT operations_manager TO maria@'%'")
    shop.sql("SET DEFAULT ROLE NONE FOR sarah@'%'")
    shop.sql("REVOKE SELECT ON v_orders_figures FROM finance_analyst")
    shop.sql("CREATE OR REPLACE VIEW v_customers_masked AS SELECT * FROM Customers")
    shop.sql("CREATE USER bob IDENTIFIED BY 'x'")
    shop.sql("GRANT SELECT ON Orders TO bob")
    shop.sql(f"GRANT SELECT ON `{DATABASE[:2]}%`.* TO bob")
    shop.sql("GRANT marketing_analyst TO bob")
    mended = {
        ("beyond", "marketing_analyst may SELECT on TABLE Customers"),
        ("beyond", "finance_analyst may SELECT on COLUMN Customers.email"),
        ("beyond", f"david@% may DROP on DATABASE {DATABASE}"),
        ("beyond", "david@% may RELOAD on SERVER"),
        ("beyond", "agent may EXECUTE on PROCEDURE sp_ChangePrice"),
        ("beyond", "maria@% has role operations_manager"),
        ("missing", "sarah@% begins as operations_manager"),
        ("missing", "finance_analyst may SELECT on TABLE v_orders_figures"),
        ("missing", "view v_customers_masked")}
    strange = {("foreign", "bob@% may SELECT on TABLE Orders"),
               ("foreign", f"bob@% may SELECT on DATABASE {DATABASE[:2]}%"),
               ("foreign", "bob@% has role marketing_analyst")}
    assert own.differences() == mended | strange
    assert own.apply() == len(mended)
    assert own.differences() == strange
    assert own.rows("maria", "SELECT first_name FROM v_customers_masked") == [("Q***",)]


def test_rights_on_other_databases_and_the_right_to_grant_are_taken_back(own):
    own.apply()
    shop = own.shop
    shop.sql("CREATE DATABASE elsewhere")
    shop.sql("CREATE VIEW elsewhere.v_all AS SELECT 1 AS x")
    shop.sql("GRANT SELECT, UPDATE ON mysql.* TO maria@'%'")
    shop.sql("GRANT SELECT ON elsewhere.v_all TO maria@'%'")
    shop.sql("GRANT SELECT (x) ON elsewhere.v_all TO marketing_analyst")
    shop.sql("GRANT USAGE ON *.* TO maria@'%' WITH GRANT OPTION")
    shop.sql("GRANT RELOAD ON *.* TO david@'%' WITH GRANT OPTION")
    found = own.differences()
    assert found == {
        ("beyond", "david@% may RELOAD on SERVER"),
        ("beyond", "maria@% may SELECT on DATABASE mysql"),
        ("beyond", "maria@% may UPDATE on DATABASE mysql"),
        ("beyond", "maria@% may SELECT on TABLE elsewhere.v_all"),
        ("beyond", "marketing_analyst may SELECT on COLUMN elsewhere.v_all.x"),
        ("beyond", "maria@% may GRANT OPTION on SERVER"),
        ("beyond", "david@% may GRANT OPTION on SERVER")}
    assert own.apply() == len(found)
    assert own.differences() == set()


def test_what_everybody_has_and_who_could_be_anybody_is_named(own):
    own.apply()
    shop = own.shop
    shop.sql("CREATE DATABASE leak")
    shop.sql("CREATE TABLE leak.copy (x INT)")
    shop.sql("GRANT SELECT ON leak.* TO PUBLIC")
    shop.sql("GRANT SELECT ON leak.copy TO PUBLIC")
    shop.sql("CREATE USER mia IDENTIFIED BY 'x'")
    shop.sql("GRANT INSERT, UPDATE ON mysql.* TO mia")
    shop.sql("GRANT DELETE ON mysql.global_priv TO mia")
    shop.sql("GRANT SUPER, CREATE USER, SLAVE MONITOR ON *.* TO mia")
    shop.sql("GRANT SELECT ON leak.* TO mia")  # none of our concern
    assert own.differences() == {("foreign", what) for what in (
        "PUBLIC may SELECT on DATABASE leak", "PUBLIC may SELECT on TABLE leak.copy",
        "mia@% may INSERT on DATABASE mysql", "mia@% may UPDATE on DATABASE mysql",
        "mia@% may DELETE on TABLE mysql.global_priv", "mia@% may SUPER on SERVER",
        "mia@% may CREATE USER on SERVER", "mia@% may SLAVE MONITOR on SERVER")}
    assert own.apply() == 0


def test_every_right_on_the_server_has_its_name_and_is_taken_back_by_it(own):
    own.apply()
    names = {row[0].upper() for row in own.shop.sql("SHOW PRIVILEGES")} - {
        "GRANT OPTION", "USAGE", "PROXY", "SHOW CREATE ROUTINE"}
    most = sorted(names)[1:]  # without one of them it is not ALL PRIVILEGES
    for right in most:
        own.shop.sql(f"GRANT {right} ON *.* TO maria@'%'")
    assert {what for _, what in own.differences()} == {f"maria@% may {right} on SERVER" for right in most}
    assert own.apply() == len(most) and own.differences() == set()
    own.shop.sql("GRANT ALL ON *.* TO maria@'%'")
    assert own.differences() == {("beyond", "maria@% may ALL PRIVILEGES on SERVER")}
    assert own.apply() == 1 and own.differences() == set()


def test_another_key_of_pseudonyms_than_that_of_the_file_is_named_and_put_back(own):
    before = {("missing", "the key of pseudonyms in Access_Keys is not there")}
    assert before <= own.differences() and not (own.root / "var" / "secrets" / "pseudonym").exists()
    own.apply()
    seen = own.rows("maria", "SELECT customer_id FROM v_customers_masked")
    own.shop.sql("UPDATE Access_Keys SET outer_pad = inner_pad")
    other = {("missing", "the key of pseudonyms in Access_Keys is not that of its file")}
    assert own.differences() == other
    pad = own.shop.value("SELECT HEX(inner_pad) FROM Access_Keys")
    told = own.run("diff").stdout + own.run("check", check=False).stdout
    assert "Access_Keys" in told and pad[:16].lower() not in told.lower() and own.secret("pseudonym") not in told
    assert own.apply() == 1
    assert own.differences() == set()
    assert own.rows("maria", "SELECT customer_id FROM v_customers_masked") == seen


def test_who_holds_the_lock_is_named(own):
    link = own.shop.value("SELECT CONNECTION_ID()")
    own.shop.sql("SELECT GET_LOCK(CONCAT('aethermart access ', DATABASE()), 0)")
    refused = own.run("apply", "--yes", check=False)
    assert refused.returncode == 4 and f"connection {link} of MariaDB" in refused.stderr


def test_only_the_whole_name_of_an_account_makes_it_one_of_the_system(own):
    own.apply()
    own.shop.sql("CREATE USER `root@x`@'%' IDENTIFIED BY 'x'")
    own.shop.sql("GRANT SELECT ON Orders TO `root@x`@'%'")
    assert own.differences() == {("foreign", "root@x@% may SELECT on TABLE Orders")}


def test_who_leaves_the_file_leaves_the_server(own):
    own.apply()
    less = json.loads(json.dumps(RULES))
    del less["people"]["finance"], less["roles"]["finance_analyst"], less["people"]["customer_user"]
    own.write(less)
    own.apply()
    assert own.differences() == set()
    assert own.shop.sql("SELECT User FROM mysql.global_priv"
                        " WHERE User IN ('finance', 'finance_analyst', 'customer_user')") == []
    assert own.shop.sql("SHOW TABLES LIKE '%%_figures'") == []
    assert own.shop.sql("SELECT * FROM Access_People") == []
    assert own.rows("maria", "SELECT COUNT(*) FROM v_customers_masked") == [(1,)]


def test_an_account_that_was_there_is_taken_over_only_on_request(own):
    own.shop.sql("CREATE USER maria IDENTIFIED BY 'hers'")
    own.shop.sql("GRANT SELECT ON Suppliers TO maria")
    refused = own.run("apply", "--yes", check=False)
    assert refused.returncode == 4 and '"maria@%" is on the server' in refused.stderr
    assert own.shop.sql("SELECT * FROM Access_Objects") == []
    own.apply("--adopt")
    assert own.differences() == set()
    assert not (own.root / "var" / "secrets" / "mariadb-maria").exists()
    link = pymysql.connect(unix_socket=str(own.servers.socket), user="maria", password="hers",
                           database=DATABASE)
    own.links.append(link)
    with link.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM v_customers_masked")
        with pytest.raises(pymysql.Error):
            cursor.execute("SELECT * FROM Suppliers")


def test_a_killed_apply_goes_on(own):
    dice = random.Random(7)
    for _ in range(8):
        child = subprocess.Popen(own.command("apply", "--yes"), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=stack_module.environment())
        time.sleep(dice.uniform(0.02, 0.25))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    own.apply()
    assert own.differences() == set()
    assert own.rows("maria", "SELECT first_name FROM v_customers_masked") == [("Q***",)]


@pytest.mark.parametrize("change, told", [
    (("roles", "agent", "clearance", "high"), 'there is no clearance "high"'),
    (("roles", "agent", "read", ["Custumers"]), 'there is no table or view "Custumers"'),
    (("roles", "agent", "read", ["Order_Requests_"]), "there is no table or view"),
    (("roles", "agent", "call", ["sp_nothing"]), 'there is no procedure "sp_nothing"'),
    (("subject", "erase", "sp_EraseCustomre"),
     'there is no procedure "sp_EraseCustomre"\nhint: did you mean "sp_EraseCustomer"?'),
    (("roles", "agent", "clearance", "maskd"), 'there is no clearance "maskd"; did you mean "masked"?'),
    (("people", "agent_user", "role", "agnet"), 'there is no role "agnet"; did you mean "agent"?'),
    (("clearances", "masked", "email", "partail"), 'there is no mask "partail"; did you mean "partial"?'),
    (("roles", "agent", "http", ["catalogues"]), 'there is no right over HTTP "catalogues"; did you mean "catalogue"?'),
    (("columns", "Suppliers", "contact_email", "emial"), 'there is no class "emial"; did you mean "email"?'),
    (("roles", "agent", "update", ["Reviews"]), "only a role that sees everything plain can update"),
    (("roles", "agent", "everything", True), "only a role that sees everything plain"),
    (("roles", "agent", "reads", []), 'reads'),
    (("people", "agent_user", "role", "king"), 'there is no role "king"'),
    (("people", "agent", {"role": "agent"}), '"agent" is a role already'),
    (("people", "Agnes", {"role": "agent"}), "a name has a to z"),
    (("clearances", "masked", "email", "blurred"), 'there is no mask "blurred"'),
    (("clearances", "masked", "colour", "plain"), "colour"),
    (("clearances", "masked", "name", "age_band"), "is no date: it has no age band"),
    (("clearances", "masked", "name", "month"), "is no date: it has no month"),
    (("columns", "Customers", "shoe_size", "open"), 'Customers has no column "shoe_size"'),
    (("columns", "Customers", "email", "open"), 'the mapping says that Customers.email is of class "email"'),
    (("columns", "Shoes", {"*": "open"}), 'there is no table or view "Shoes"'),
    (("roles", "operations_manager", "update", ["Access_People"]),
     "Access_People is a record that the program alone writes"),
    (("records", ["Access_Keyes"]), 'there is no table or view "Access_Keyes"'),
    (("system", ["@localhost"]), "an account has a name"),
    (("system", ["root@"]), "a host has 1 to 60 characters"),
    (("people", "root", {"role": "agent"}), '"root" is an account of the system'),
])
def test_a_mistake_is_told_with_its_place_and_changes_nothing(applied, change, told):
    wrong = json.loads(json.dumps(RULES))
    *way, last, value = change
    place = wrong
    for step in way:
        place = place[step]
    place[last] = value
    try:
        applied.write(wrong)
        answer = applied.run("apply", "--yes", check=False)
        assert answer.returncode == 2, answer.stderr
        assert told in answer.stderr and re.search(r"access\.yaml:\d+:\d+: ", answer.stderr)
    finally:
        applied.write(RULES)
    assert applied.differences() == set()


def test_a_mask_that_does_not_fit_is_told_at_its_own_line(applied):
    wrong = json.loads(json.dumps(RULES))
    wrong["clearances"]["masked"]["email"] = "month"
    try:
        applied.write(wrong)
        lines = applied.rules.read_text().splitlines()
        line = lines.index("    email: month") + 1
        answer = applied.run("check", check=False)
        assert f"access.yaml:{line}:12: Suppliers.contact_email is no date: it has no month" in answer.stderr
    finally:
        applied.write(RULES)


def test_two_tables_are_not_masked_by_one_view(own):
    own.shop.sql("CREATE TABLE LowStock (number INT PRIMARY KEY)")
    rules = json.loads(json.dumps(RULES))
    rules["columns"]["LowStock"] = {"*": "open"}
    rules["columns"]["v_LowStock"] = {"supplier_name": "name", "*": "open"}
    rules["roles"]["marketing_analyst"]["read"] += ["LowStock", "v_LowStock"]
    own.write(rules)
    answer = own.run("apply", "--yes", check=False)
    assert answer.returncode == 2 and "would be masked as v_lowstock_masked" in answer.stderr


def test_what_roles_read_through_masks_names_each_of_its_columns():
    for person in PEOPLE:
        for table in members(role_of(person).get("read", [])) if role_of(person)["clearance"] not in FULL else ():
            assert "*" not in RULES["columns"].get(table, {}), (person, table)


def test_show_tells_roles_and_what_one_of_them_sees(applied):
    shown = json.loads(applied.run("show", "--json").stdout)
    assert {p["person"]: p["role"] for p in shown["people"]} == {
        name: person["role"] for name, person in RULES["people"].items()}
    seen = {(c["object"], c["column"]): c["seen"]
            for c in json.loads(applied.run("show", "marketing_analyst", "--json").stdout)}
    assert seen["Customers", "email"] == "partial" and seen["Customers", "customer_id"] == "pseudonym"
    assert seen["Customer_Addresses", "street"] == "hidden" and seen["Products", "price"] == "plain"
    assert max(map(len, applied.run("show").stdout.splitlines())) <= 100

# --- what somebody changes by hand -----------------------------------------------------------


def test_an_account_of_the_system_is_one_on_its_host_alone(own):
    own.apply()
    own.shop.sql("CREATE USER mongo_sync_user@'10.%' IDENTIFIED BY 'x'")
    own.shop.sql("GRANT ALL ON *.* TO mongo_sync_user@'10.%'")
    own.shop.sql("CREATE USER mongo_sync_user IDENTIFIED BY 'x'")
    own.shop.sql("GRANT ALL ON *.* TO mongo_sync_user")
    found = own.differences()
    assert len(found) == 1 and all(state == "foreign" and what == "mongo_sync_user@10.% may ALL PRIVILEGES on SERVER"
                                   for state, what in found), found
    own.write(json.loads(json.dumps(RULES)) | {"system": RULES["system"] + ["mongo_sync_user@10.%"]})
    assert own.differences() == set()


def test_a_login_that_was_opened_or_shut_by_hand_is_named(own):
    own.shop.sql("CREATE USER sarah IDENTIFIED VIA unix_socket")
    own.apply("--adopt")
    assert own.differences() == set()
    own.shop.sql("ALTER USER maria ACCOUNT LOCK")
    own.shop.sql("ALTER USER finance IDENTIFIED BY ''")
    own.shop.sql("ALTER USER david IDENTIFIED VIA unix_socket")
    own.shop.sql("ALTER USER sarah IDENTIFIED VIA mysql_native_password USING PASSWORD('x')")
    own.shop.sql("ALTER USER clara IDENTIFIED BY 'her own'")
    own.shop.sql("ALTER USER agent_user IDENTIFIED VIA mysql_native_password USING PASSWORD('x')"
                 " OR unix_socket")
    locked = {("changed", "maria@% is locked")}
    assert own.differences() == locked | {
        ("beyond", "finance@% logs in without a password"),
        ("beyond", "david@% logs in by unix_socket"),
        ("beyond", "agent_user@% logs in by mysql_native_password, unix_socket"),
        ("beyond", "sarah@% logs in by mysql_native_password")}
    told = own.run("check", check=False)
    assert "ACCOUNT UNLOCK" in told.stderr + told.stdout
    assert own.apply() == 4
    assert own.differences() == locked, "who locked it had a reason"
    for person in ("finance", "david", "sarah", "agent_user"):
        assert own.rows(person, "SELECT 1") == [(1,)]
    own.shop.sql("ALTER USER maria ACCOUNT UNLOCK")
    assert own.differences() == set()


def test_views_and_routines_that_were_altered_by_hand_are_named(own):
    own.apply()
    shop = own.shop
    before = shop.sql("SHOW CREATE VIEW V_Public_Product_Catalog")[0][1]
    shop.sql("CREATE OR REPLACE VIEW V_Public_Product_Catalog AS SELECT * FROM Customers")
    shop.sql("CREATE OR REPLACE PROCEDURE sp_MyOrders() READS SQL DATA SELECT * FROM Orders")
    shop.sql("CREATE OR REPLACE FUNCTION f_my_customer_id() RETURNS BIGINT UNSIGNED RETURN 1")
    shop.sql("DROP VIEW v_TopProducts")
    shop.sql("CREATE VIEW v_Mine AS SELECT 1 AS x")
    changed = {("changed", "view V_Public_Product_Catalog was altered or dropped by hand"),
               ("changed", "procedure sp_MyOrders was altered or dropped by hand"),
               ("changed", "function f_my_customer_id was altered or dropped by hand")}
    rules = json.loads(json.dumps(RULES))
    rules["objects"]["sales_reports"].remove("v_TopProducts")
    del rules["columns"]["v_TopProducts"], rules["columns"]["V_Public_Product_Catalog"]
    rules["columns"]["V_Public_Product_Catalog"] = {"*": "open"}
    own.write(rules)
    gone = {("changed", "view v_TopProducts was altered or dropped by hand")}
    assert changed | gone <= own.differences()
    own.apply()
    assert own.differences() == changed | gone, "apply does not make it good by looking away"
    shop.sql(before.replace("CREATE ", "CREATE OR REPLACE ", 1))
    assert own.differences() == changed - {("changed", "view V_Public_Product_Catalog was altered or dropped by hand")} | gone
    own.run("apply", "--yes", "--accept")
    assert own.differences() == set()


def test_triggers_and_events_that_were_altered_by_hand_are_named(own):
    own.apply()
    shop = own.shop
    _, mode, kept, *_ = shop.sql("SHOW CREATE TRIGGER tr_audit_details_kept")[0]
    shop.sql("DROP TRIGGER tr_audit_kept")
    shop.sql("CREATE OR REPLACE TRIGGER tr_audit_details_kept BEFORE UPDATE ON Audit_Details FOR EACH ROW SET @x = 1")
    shop.sql("ALTER EVENT ev_release_carts DISABLE")
    shop.sql("DROP EVENT ev_archive_year")
    # As the synchronisation makes them, which takes them away itself.
    shop.sql("CREATE TRIGGER aethermart_reviews_Reviews_ai AFTER INSERT ON Reviews FOR EACH ROW SET @x = 1")
    named = {f"{what} was altered or dropped by hand" for what in (
        "trigger tr_audit_kept", "trigger tr_audit_details_kept", "event ev_release_carts", "event ev_archive_year")}
    assert own.differences() == {("changed", what) for what in named}
    assert own.apply() == 0
    shop.sql("DROP TRIGGER tr_audit_details_kept")
    shop.sql("SET sql_mode = %s", mode)
    shop.sql(kept)
    shop.sql("ALTER EVENT ev_release_carts ENABLE")
    shop.sql("DROP TRIGGER aethermart_reviews_Reviews_ai")
    assert {what.split()[1] for _, what in own.differences()} == {"tr_audit_kept", "ev_archive_year"}
    own.run("apply", "--yes", "--accept")
    assert own.differences() == set()


def test_what_a_migration_changes_is_not_told_as_changed_by_hand(own):
    """The last migration once more, as after an upgrade, with what somebody altered before."""
    own.apply()
    shop = own.shop
    shop.sql("CREATE OR REPLACE PROCEDURE sp_MyReviews() READS SQL DATA SELECT * FROM Reviews")
    shop.sql("CREATE OR REPLACE PROCEDURE sp_MyOrders() READS SQL DATA SELECT * FROM Orders")
    shop.sql("CREATE OR REPLACE PROCEDURE sp_ChangePrice() SELECT 1")
    shop.sql("UPDATE schema_migrations SET finished_at = NULL, statements_done = 1"
             " WHERE migration_number = 160")
    schema_apply(own)
    assert own.differences() == {("changed", "procedure sp_ChangePrice was altered or dropped by hand")}


def schema_apply(own, status=0):
    done = subprocess.run([str(stack_module.BINARY), "schema", "apply", "--config", str(own.config)], check=False,
                          capture_output=True, text=True, env=stack_module.environment())
    assert done.returncode == status, done.stderr


def test_migrations_that_were_cut_off_are_not_told_as_work_of_a_hand(own):
    own.apply()
    own.shop.sql("CREATE OR REPLACE PROCEDURE sp_ChangePrice() SELECT 1")
    own.shop.sql("UPDATE Access_Definitions d JOIN v_Access_Definitions v USING (object_kind, object_name)"
                 " SET d.before_hash = v.definition_hash")
    by_hand = {("changed", "procedure sp_ChangePrice was altered or dropped by hand")}
    for number in range(2):  # one before the kill, one after it
        own.shop.sql(f"CREATE OR REPLACE PROCEDURE sp_MyReviews() SELECT {number}")
        assert own.differences() == by_hand
    schema_apply(own)
    assert own.differences() == by_hand
    own.shop.sql("CREATE OR REPLACE PROCEDURE sp_MyReviews() SELECT 2")
    assert own.differences() == by_hand | {("changed", "procedure sp_MyReviews was altered or dropped by hand")}


def test_migrations_that_fail_hide_nothing_that_is_altered_later(own):
    own.apply()
    own.shop.sql("DELETE FROM schema_migrations WHERE migration_number = 165")
    schema_apply(own, status=4)  # its view is there
    own.shop.sql("CREATE OR REPLACE PROCEDURE sp_ChangePrice() SELECT 1")
    by_hand = {("changed", "procedure sp_ChangePrice was altered or dropped by hand")}
    assert own.differences() == by_hand
    own.shop.sql("DROP VIEW v_governance_summary_report")
    schema_apply(own)
    own.apply()  # the right on that view went with it, or not
    assert own.differences() == by_hand


def test_who_gives_up_waiting_for_anothers_migrations_settles_nothing(own):
    """The other one stands still between the begin and the end."""
    own.shop.sql("CREATE OR REPLACE PROCEDURE sp_MyReviews() READS SQL DATA SELECT * FROM Reviews")
    own.apply("--accept")
    own.shop.sql("UPDATE schema_migrations SET finished_at = NULL, statements_done = 1"
                 " WHERE migration_number = 160")
    holder = ordering.Client(own.servers)
    holder.sql("BEGIN")
    holder.sql("SELECT * FROM schema_migrations FOR UPDATE")
    command = [str(stack_module.BINARY), "schema", "apply", "--config", str(own.config)]
    with subprocess.Popen(command, env=stack_module.environment(), stdout=subprocess.DEVNULL) as other:
        until(lambda: own.shop.sql("SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state ="
                                   " 'LOCK WAIT'"), pause=0.3, what="the other one waits")
        own.shop.sql("SET GLOBAL max_statement_time = 1")  # not for a minute
        schema_apply(own, status=10)
        own.shop.sql("SET GLOBAL max_statement_time = 0")
        holder.close()
    assert other.returncode == 0
    assert own.differences() == set()


def test_views_and_routines_are_accepted_all_or_none(own):
    own.apply()
    own.shop.sql("DROP VIEW v_TopProducts")
    own.shop.sql("CREATE OR REPLACE PROCEDURE sp_MyOrders() READS SQL DATA SELECT * FROM Orders")
    rules = json.loads(json.dumps(RULES))
    rules["objects"]["sales_reports"].remove("v_TopProducts")
    del rules["columns"]["v_TopProducts"]
    own.write(rules)
    own.apply()
    by_hand = {("changed", "view v_TopProducts was altered or dropped by hand"),
               ("changed", "procedure sp_MyOrders was altered or dropped by hand")}
    assert own.differences() == by_hand
    # In the middle of it something is refused.
    own.shop.sql("CREATE TRIGGER refuse BEFORE DELETE ON Access_Definitions FOR EACH ROW"
                 " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'")
    refused = own.run("apply", "--yes", "--accept", check=False)
    assert refused.returncode != 0 and "not now" in refused.stderr
    assert own.differences() == by_hand
    own.shop.sql("DROP TRIGGER refuse")
    own.run("apply", "--yes", "--accept")
    assert own.differences() == set()


def test_a_shop_from_before_all_this_is_taken_as_it_is(own):
    own.apply()
    shop = own.shop
    shop.sql("DROP VIEW v_Access_Definitions")
    shop.sql("DROP TABLE Access_Definitions")
    shop.sql("DELETE FROM schema_migrations WHERE migration_number = 170")
    shop.sql("UPDATE Access_Objects SET found_hash = NULL WHERE object_kind = 'account'")
    shop.sql(f"GRANT INSERT, UPDATE, DELETE, DROP ON {DATABASE}.* TO db_admin")
    early = own.run("check", check=False)
    assert early.returncode == 2 and "schema apply" in early.stderr, early.stderr
    schema_apply(own)
    assert {what for _, what in own.differences()} == {
        f"db_admin may {right} on DATABASE {DATABASE}" for right in ("INSERT", "UPDATE", "DELETE", "DROP")}
    own.apply()
    assert own.differences() == set()
    shop.sql("ALTER USER david IDENTIFIED VIA unix_socket")
    assert own.differences() == {("beyond", "david@% logs in by unix_socket")}


def test_a_view_of_the_name_of_a_masked_one_is_taken_over_only_on_request(own):
    own.shop.sql("CREATE VIEW v_customers_masked AS SELECT 'mine' AS x")
    assert ("stranger", "view v_customers_masked") in own.differences()
    refused = own.run("apply", "--yes", check=False)
    assert refused.returncode == 4 and '"v_customers_masked" is on the server' in refused.stderr
    assert own.shop.sql("SELECT * FROM v_customers_masked") == [("mine",)]
    own.apply("--adopt")
    assert own.differences() == set()
    assert own.rows("maria", "SELECT first_name FROM v_customers_masked") == [("Q***",)]


def test_what_differs_in_mariadb_is_told_when_mongodb_is_away(own):
    own.apply()
    own.config.write_text(own.config.read_text() + "mongodb:\n  uri: mongodb://127.0.0.1:9/shop\n")
    answer = own.run("check", check=False)
    assert answer.stdout.startswith("MariaDB grants what the file says")
    assert answer.returncode not in (0, 14) and "MongoDB" in answer.stderr
    own.shop.sql("GRANT SELECT ON Customers TO marketing_analyst")
    answer = own.run("check", check=False)
    assert answer.stdout.split() == "MariaDB beyond marketing_analyst may SELECT on TABLE Customers".split()
    assert answer.returncode not in (0, 14) and "MongoDB" in answer.stderr
    answer = own.run("diff", check=False)
    assert answer.stdout.startswith("REVOKE SELECT ON") and answer.returncode not in (0, 14)


def on_terminal(applied, *words, columns=80):
    """What a verb prints, errors too, on a terminal as wide as that."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([str(stack_module.BINARY), *words, "--config", str(applied.config)], stdin=theirs,
                             stdout=theirs, stderr=theirs, env=stack_module.environment())
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # its end
        while piece := os.read(ours, 65536):
            told += piece
    os.close(ours)
    child.wait()
    return told.decode().splitlines()


def test_no_line_is_wider_than_the_terminal(own):
    own.apply()
    own.shop.sql("DROP TRIGGER tr_audit_kept")
    own.shop.sql("CREATE USER a_rather_long_name_of_somebody@'%.department.example.org' IDENTIFIED BY 'x'")
    own.shop.sql("GRANT SELECT ON Product_Rating_Summary TO a_rather_long_name_of_somebody@'%.department.example.org'")
    for words in (["access", "show"], ["access", "show", "marketing_analyst"], ["access", "check"], ["dictionary"],
                  ["dictionary", "Customers"], ["privacy", "anonymity", "--as", "marketing_analyst"]):
        lines = on_terminal(own, *words)
        assert len(lines) > 4 and [line for line in lines if len(line) > 80] == [], words
    whole = on_terminal(own, "dictionary", "Customers", columns=400)
    assert any(line.startswith("  readers") and len(line) > 100 for line in whole)


def test_strangers_are_named(own):
    own.shop.sql("CREATE USER maria IDENTIFIED BY 'hers'")
    own.shop.sql("CREATE ROLE agent")
    assert {("stranger", "account maria@%"), ("stranger", "role agent")} <= own.differences()


# --- the program's own records ---------------------------------------------------------------


def test_who_has_everything_writes_no_record_of_the_program(applied):
    applied.shop.sql("CREATE TABLE sync_audit_log (x INT)")  # the sync makes its tables later
    applied.apply()
    link = applied.link("alex")
    records = members(RULES["records"]) | {"Feed_Aliases", "Load_Runs", "Retention_Samples", "sync_audit_log"}
    assert len(records) > 10
    for name in records:
        for statement in (f"DELETE FROM {name}", f"TRUNCATE TABLE {name}", f"DROP TABLE {name}",
                          f"ALTER TABLE {name} ADD x INT", f"RENAME TABLE {name} TO mine",
                          f"CREATE INDEX mine ON {name} (x)", f"CREATE OR REPLACE TABLE {name} (x INT)",
                          f"INSERT INTO {name} () VALUES ()"):
            with link.cursor() as cursor, pytest.raises(pymysql.Error) as refused:
                cursor.execute(statement)
            assert refused.value.args[0] in DENIED, (statement, refused.value)
    for statement in ("UPDATE v_rbac_audit SET action = 'x'", "DELETE FROM v_rbac_audit",
                      "UPDATE v_Access_Definitions SET definition_hash = 'x'"):
        with link.cursor() as cursor, pytest.raises(pymysql.Error) as refused:
            cursor.execute(statement)
        assert refused.value.args[0] in DENIED, (statement, refused.value)
    with link.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM Access_Objects")
        cursor.execute("CREATE TABLE mine (x INT)")
    applied.apply()
    with link.cursor() as cursor:
        cursor.execute("INSERT INTO mine VALUES (1)")
        cursor.execute("DROP TABLE mine")
    applied.shop.sql("DROP TABLE sync_audit_log")
    applied.apply()


def audited(own):
    answer = subprocess.run([str(stack_module.BINARY), "audit", "list", "--json", "--config", str(own.config)],
                            capture_output=True, text=True, check=True, env=stack_module.environment())
    return [(e["action"], e["object"], e["outcome"], e["rows"]) for e in json.loads(answer.stdout)]


def test_a_long_type_of_a_column_stops_no_apply(own):
    values = ", ".join(f"'value number {number}'" for number in range(40))
    own.shop.sql(f"ALTER TABLE Customers ADD favourite ENUM({values})")
    assert len(own.shop.value("SELECT COLUMN_TYPE FROM information_schema.COLUMNS"
                              " WHERE COLUMN_NAME = 'favourite'")) > 600
    changes = own.apply()
    assert own.shop.value("SELECT column_type LIKE '%%number 39%%' FROM data_dictionary"
                          " WHERE column_name = 'favourite'") == 1
    assert audited(own) == [("access.apply", "MariaDB", "done", changes)]


def test_an_apply_that_fails_halfway_stands_in_the_audit(own):
    own.shop.sql("CREATE TABLE v_customers_masked (x INT)")
    refused = own.run("apply", "--yes", check=False)
    assert refused.returncode != 0
    (action, server, outcome, rows), = audited(own)
    assert (action, server) == ("access.apply", "MariaDB") and outcome != "done" and rows > 5
    own.shop.sql("DROP TABLE v_customers_masked")
    own.apply()
    own.shop.sql("DELETE FROM data_dictionary")
    own.shop.sql("ALTER TABLE data_dictionary MODIFY readers VARCHAR(1) NOT NULL")
    own.shop.sql("REVOKE SELECT ON v_orders_figures FROM finance_analyst")
    assert own.run("apply", "--yes", check=False).returncode != 0
    assert audited(own)[0] == ("access.apply", "MariaDB", "done", 1), "the right"
