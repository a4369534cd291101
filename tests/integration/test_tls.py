"""Encrypted connections to servers that AetherMart did not start: both ends are checked, or nothing
is sent."""
import subprocess

import pymongo
import pytest

import engine as engine_module
import servers
from waiting import until

MAPPING = """
    collection: items
    table: Items
    key: id
    queue: items_sync_queue
    fields: {name: name}
"""


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)


def make_authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def make_certificate(folder, name, authority, names):
    """name.pem and name.key, signed by the authority for these names."""
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout",
            f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    openssl(folder, "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-extfile", f"{name}.ext", "-out",
            f"{name}.pem")


@pytest.fixture(scope="session")
def certificates(session_folder):
    """server.pem is for this machine, elsewhere.pem for another one; both of authority.pem."""
    import conftest
    folder = session_folder / "tls"
    with conftest.built_once(folder) as mine:
        if mine:
            folder.mkdir()
            make_authority(folder, "authority")
            make_authority(folder, "stranger")
            make_certificate(folder, "server", "authority", "DNS:localhost,IP:127.0.0.1")
            make_certificate(folder, "elsewhere", "authority", "DNS:db.example.com")
    return folder


@pytest.fixture
def start(folder, empty_mariadb, certificates):
    """start(NAME): servers with that certificate which take nothing unencrypted, and a worker's
    configuration that trusts authority.pem."""
    made = []

    def run(name):
        both = servers.Servers(folder, empty_mariadb)
        made.append(both)
        key, cert = certificates / f"{name}.key", certificates / f"{name}.pem"
        both.maria_options = [f"--ssl-key={key}", f"--ssl-cert={cert}"]
        both.mongo_options = ["--tls-key-file", str(key), "--tls-cert-file", str(cert)]
        both.mongo_client_options = {"tls": True, "tlsCAFile": str(certificates / "authority.pem"),
                                     "tlsAllowInvalidHostnames": True}
        engine = engine_module.Engine(both.start())
        made.insert(0, engine)
        engine.sql("ALTER USER tester@'%' REQUIRE SSL")
        engine.write_config(
            mariadb={"tls": True, "tls_ca": str(certificates / "authority.pem")},
            mongodb={"tls_ca": str(certificates / "authority.pem")})
        engine.sql("CREATE TABLE Items (id INT PRIMARY KEY, name VARCHAR(20))")
        engine.sql("INSERT INTO Items VALUES (1, 'lamp')")
        engine.mapping("items", MAPPING)
        return engine

    yield run
    for each in made:
        each.close()


def is_real_mongod():
    return servers.mongodb_program().endswith("/mongod")


pytestmark = pytest.mark.skipif("is_real_mongod()", reason="the options are secantusd's")


def test_changes_travel_encrypted(start):
    engine = start("server")
    engine.live()
    engine.sql("UPDATE Items SET name = 'desk lamp'")
    until(lambda: engine.docs("items").find_one({"_id": 1})["name"] == "desk lamp", 10)
    assert engine.run("verify").returncode == 0
    with pytest.raises(pymongo.errors.PyMongoError):
        pymongo.MongoClient("127.0.0.1", engine.servers.mongo_port, tls=False,
                            serverSelectionTimeoutMS=500).admin.command("ping")


def test_an_authority_alone_means_an_encrypted_connection(start):
    engine = start("server")
    del engine.config["mariadb"]["tls"]
    engine.write_config()
    engine.run("sync", "install")  # the account takes nothing else
    engine.write_config(mariadb={"tls": False})
    message = engine.fails("sync", "install")
    assert "mariadb.tls is false" in message and "mariadb.tls_ca" in message, message


def test_an_unknown_authority_is_refused(start, certificates):
    engine = start("server")
    engine.write_config(mariadb={"tls_ca": str(certificates / "stranger.pem")})
    message = engine.fails("sync", "install")
    assert "issuer certificate" in message, message
    engine.write_config(mariadb={"tls_ca": str(certificates / "authority.pem")},
                        mongodb={"tls_ca": str(certificates / "stranger.pem"), "timeout": "2s"})
    message = engine.fails("sync", "install")
    assert "MongoDB" in message and "issuer certificate" in message, message


def test_the_systems_authorities_are_used_when_none_is_named(start):
    engine = start("server")
    del engine.config["mariadb"]["tls_ca"]
    engine.write_config()
    assert "issuer certificate" in engine.fails("sync", "install")


def test_a_certificate_of_another_host_is_refused(start):
    engine = start("elsewhere")
    assert "certificate" in engine.fails("sync", "install")
    for option in ("hosts", "tls_ca"):
        engine.config["mariadb"].pop(option)
    engine.write_config(mariadb={"socket": str(engine.servers.socket), "user": "root",
                                 "tls": False}, mongodb={"timeout": "2s"})
    engine.config["mariadb"].pop("password_file")
    engine.write_config()
    message = engine.fails("sync", "install")
    assert "MongoDB" in message and "certificate verify failed" in message, message


def test_a_file_that_is_no_certificate_is_named(start, tmp_path):
    engine = start("server")
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate\n")
    engine.write_config(mariadb={"tls_ca": str(broken)})
    assert "no certificate" in engine.fails("sync", "install")
