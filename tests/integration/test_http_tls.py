"""The HTTP interface over TLS, and what it refuses to be without."""
import json
import socket
import ssl

import pytest

import web
from test_tls import certificates, make_certificate, openssl  # noqa: F401 (a fixture)

ANYWHERE = "0.0.0.0"


@pytest.fixture
def keys(folder, certificates):
    """Copies of the session's certificates, each key for its owner only."""
    made = folder / "keys"
    made.mkdir()
    for path in certificates.iterdir():
        copy = made / path.name
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o600)
    return made


def configure(stack, keys, name="server", key=None, **http):
    stack.write_config(http={"tls_cert": str(keys / f"{name}.pem"),
                             "tls_key": str(keys / f"{key or name}.key"), **http})


def trusting(keys, **versions):
    context = ssl.create_default_context(cafile=str(keys / "authority.pem"))
    for name, value in versions.items():
        setattr(context, name, value)
    return context


def ask(address, context, path, token=None):
    """(status, JSON, version of TLS)"""
    with socket.create_connection(address, 10) as plain, \
            context.wrap_socket(plain, server_hostname="localhost") as link:
        header = f"Authorization: Bearer {token}\r\n" if token else ""
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n"
                     .encode())
        answer = b""
        while piece := link.recv(65536):
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body), link.version()


def test_tls_from_its_certificate_and_nothing_below_it(stack, keys):
    stack.down()
    configure(stack, keys)
    stack.up()
    where = stack.json("status")["worker"]["http"]
    assert where.startswith("https://")
    address = web.address_of(stack)
    token = stack.json("token", "create", "--role", "operations_manager")["token"]

    assert ask(address, trusting(keys), "/healthz")[0] == 200
    assert ask(address, trusting(keys), "/v1/status")[0] == 401
    status, answer, version = ask(address, trusting(keys), "/v1/status", token)
    assert status == 200 and answer["collections"] and version == "TLSv1.3"
    assert ask(address, trusting(keys, maximum_version=ssl.TLSVersion.TLSv1_2), "/v1/status",
               token)[2] == "TLSv1.2"

    weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    weak.check_hostname, weak.verify_mode = False, ssl.CERT_NONE
    weak.set_ciphers("ALL:@SECLEVEL=0")
    weak.minimum_version, weak.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(address, weak, "/healthz")
    for ciphers in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA"):
        with pytest.raises((ssl.SSLError, ConnectionError)):  # no secrecy for later, or no AEAD
            context = trusting(keys, maximum_version=ssl.TLSVersion.TLSv1_2)
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
            ask(address, context, "/healthz")
    stranger = ssl.create_default_context(cafile=str(keys / "stranger.pem"))
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(address, stranger, "/healthz")
    with socket.create_connection(address, 10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(10)
        assert b"ok" not in plain.recv(65536), "nothing without TLS"
    assert stack.json("status")["worker"], "the Unix socket needs none"


def complaint(stack, *args):
    return stack.fails("serve", *args)


def expire(keys):
    openssl(keys, "x509", "-req", "-days", "-1", "-in", "server.csr", "-CA", "authority.pem",
            "-CAkey", "authority.key", "-CAcreateserial", "-out", "expired.pem")


def test_what_does_not_serve_is_told_at_start(stack, keys):
    stack.down()
    configure(stack, keys, "server", "elsewhere")
    assert "is not the key of the certificate" in complaint(stack)
    expire(keys)
    configure(stack, keys, "expired", "server")
    assert "expired at 20" in complaint(stack)
    (keys / "chain.pem").write_text((keys / "server.pem").read_text()
                                    + (keys / "expired.pem").read_text())
    configure(stack, keys, "chain", "server")
    assert "expired at 20" in complaint(stack), "of the chain"
    configure(stack, keys, "nowhere", "server")
    assert "http.tls_cert" in complaint(stack)
    (keys / "noise.pem").write_text("noise")
    configure(stack, keys, "noise", "server")
    assert "holds no certificate in PEM" in complaint(stack)
    (keys / "noise.key").write_text("noise")
    (keys / "noise.key").chmod(0o600)
    configure(stack, keys, "server", "noise")
    assert "holds no private key in PEM" in complaint(stack)
    (keys / "server.key").chmod(0o640)
    configure(stack, keys)
    assert "others than its owner may read the key" in complaint(stack)
    stack.config["http"].pop("tls_cert")
    stack.write_config()
    assert "TLS needs both" in complaint(stack)


def test_beyond_this_machine_it_encrypts_or_somebody_says_that_others_do(stack, keys):
    stack.down()
    stack.write_config(http={"listen": ANYWHERE})
    said = complaint(stack)
    assert "beyond this machine" in said and "http.plaintext" in said
    stack.write_config(http={"plaintext": True})
    stack.up()
    assert web.ask(("127.0.0.1", web.address_of(stack)[1]), "/healthz").status == 200
    stack.down()
    stack.write_config(http={"plaintext": False})
    configure(stack, keys)
    stack.up()
    port = web.address_of(stack)[1]
    assert ask(("127.0.0.1", port), trusting(keys), "/healthz")[0] == 200
