"""Two thousand hostile requests: the worker lives, answers none with an error of its own, shows
nothing of a person and no secret, does nothing for them, and takes no more memory."""
import collections
import concurrent.futures
import contextlib
import re
import socket
import time

import pytest

import hostile_http
import web
from indexed import wait_for_words
from test_http import resident
from waiting import until

CLIENTS = 32
SILENCE_SECONDS = 10  # until a client gives up waiting for an answer
GROWTH_MAX = 64 << 10  # KiB
FAILURES = {500, 502, 504}  # those of the worker itself
PLANTED = {"first_name": "Quentinaxa", "last_name": "Zorblaxian", "email": "q.zorblaxian@planted.example",
           "phone_number": "+1-555-0199-77"}


def exchange(address, number, hostile):
    """All that comes back. Each client has an address of its own, so that none is slowed for what
    another one did."""
    source = (f"127.{1 + number // 60000}.{1 + number // 250 % 240}.{1 + number % 250}", 0)
    answer = b""
    with contextlib.suppress(OSError):  # reset, closed before we did, silent
        with socket.create_connection(address, SILENCE_SECONDS, source) as link:
            link.sendall(hostile.data)
            if hostile.ends == "close":
                return answer
            if hostile.ends == "half":
                link.shutdown(socket.SHUT_WR)
            while piece := link.recv(65536):
                answer += piece
    return answer


def statuses(answer):
    return [int(s) for s in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def make_tokens(stack):
    def make(*words):
        return stack.json("token", "create", *words)["token"]

    tokens = {"masked": make("--role", "marketing_analyst", "--rate", "100000/s"),
              "customer": make("--role", "public_customer", "--customer", "2", "--rate", "100000/s"),
              "expired": make("--role", "db_admin", "--expires", "1s"),
              "revoked": make("--role", "db_admin"), "operator": web.token_of(stack)}
    stack.run("token", "revoke", tokens["revoked"][3:11])
    until(lambda: stack.value("SELECT COUNT(*) FROM Access_Tokens WHERE expires_at < UTC_TIMESTAMP(3)"))
    return tokens


def plant(stack):
    """A customer and a review whose every word is known; all that may not be seen of anybody."""
    customer = stack.insert("Customers", registration_date="2024-01-01", **PLANTED)
    product = stack.value("SELECT MIN(product_id) FROM Products")
    stack.insert("Reviews", product_id=product, customer_id=customer, rating=4, review_date="2024-02-02",
                 review_title="Plantedtitle", review_text="Plantedtext of a review")
    stack.wait_synced()
    wait_for_words(stack)
    hidden = {*PLANTED.values(), "Plantedtitle", "Plantedtext"}
    hidden.update(row[0] for row in stack.sql("SELECT email FROM Customers WHERE email IS NOT NULL"))
    hidden.update(row[0] for row in stack.sql("SELECT phone_number FROM Customers WHERE phone_number IS NOT NULL"))
    hidden.update(row[0][:40] for row in stack.sql("SELECT review_text FROM Reviews WHERE LENGTH(review_text) > 30"))
    for path in [stack.var / "http.token", *(stack.var / "secrets").rglob("*")]:
        if path.is_file():
            hidden.add(path.read_text(errors="replace").strip().splitlines()[0])
    return {text.encode() for text in hidden if len(text) >= 8}


def orders(stack):
    return stack.sql("SELECT COUNT(*), MAX(order_id) FROM Orders WHERE customer_id <> 2")


@pytest.mark.index
@pytest.mark.limit(600)
def test_two_thousand_hostile_requests_harm_nothing_and_learn_nothing(stack):
    stack.down()
    stack.write_config(http={"visitor": True, "timeout": "1s", "visitor_rate": "1000/s"})
    stack.up()
    address = web.address_of(stack)
    hidden = plant(stack)
    tokens = make_tokens(stack)
    control = web.ask(address, "/v1/search?q=Zorblaxian&in=customers", tokens["operator"]).text
    assert PLANTED["last_name"] in control, "who may see it finds it"
    pid, before = stack.worker_pid(), orders(stack)
    made = hostile_http.requests(tokens)
    assert len(made) >= hostile_http.COUNT
    first = made[:400]  # what a warm worker takes is not counted

    def run(numbered):
        return exchange(address, *numbered)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(run, enumerate(first)))
        size = resident(pid)
        answers += clients.map(run, enumerate(made[400:], 400))

    seen, wrong = collections.Counter(), []
    for hostile, answer in zip(made, answers):
        seen.update(statuses(answer) or ["none"])
        why = []
        if FAILURES & set(statuses(answer)):
            why.append("an error of the worker's")
        leaks = [text for text in hidden if text in answer and text not in hostile.data]
        if leaks:
            why.append(f"shows {leaks[:3]}")
        heads = b"\n".join(re.findall(rb"(?s)HTTP/1\.[01] \d{3}.*?\r\n\r\n", answer))
        if hostile_http.INJECTED.lower().encode() + b":" in heads.lower():
            why.append("a header came through")
        if b'"collections"' in answer or b'"documents":[' in answer or b"aethermart_sync" in answer:
            why.append("shows the worker's state")
        if why:
            wrong.append((hostile.kind, why, hostile.data[:300], answer[:300]))
    assert not wrong, (len(wrong), wrong[:5], seen)
    assert seen[200] > 100 and seen[401] > 300 and seen[400] > 300 and seen[403] > 20, seen

    assert stack.worker_pid() == pid
    assert web.ask(address, "/healthz").status == 200
    assert resident(pid) < size + GROWTH_MAX
    assert orders(stack) == before, "no order for anybody else"
    for log in stack.var.rglob("*.log"):
        text = log.read_text(errors="replace")
        assert not [t for t in tokens.values() if t in text], log
    audit = repr(stack.sql("SELECT * FROM Audit_Events")) + repr(stack.sql("SELECT details FROM Audit_Details"))
    assert not [t for t in tokens.values() if t in audit or t[12:] in audit]
    assert stack.value("SELECT COUNT(*) FROM Audit_Events WHERE action_name = 'http.token'") > 0
    assert stack.json("audit", "verify")["events"] > 0
    stack.assert_in_step()


def dribble(link, seconds):
    """Whether it is cut off, though there is never silence for long."""
    until = time.monotonic() + seconds
    link.settimeout(0.2)
    while time.monotonic() < until:
        try:
            link.sendall(b"x")
            if not link.recv(65536):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


def test_a_client_that_never_ends_its_request_is_cut_off(stack):
    stack.down()
    stack.write_config(http={"timeout": "1s"})
    stack.up()
    address, token = web.address_of(stack), web.token_of(stack)
    for begun in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ",
                  b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nX: ",
                  b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n"
                  b"Authorization: Bearer " + token.encode() + b"\r\n\r\n{"):
        with contextlib.closing(socket.create_connection(address, 10)) as link:
            link.sendall(begun)
            assert dribble(link, 20), begun
    with contextlib.closing(socket.create_connection(address, 10)) as link:
        link.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                     + token.encode() + b"\r\n\r\n")
        link.settimeout(30)
        seen = b""
        while seen.count(b"heartbeat") < 1:
            piece = link.recv(65536)
            assert piece, "the feed has no end"
            seen += piece


SLOW_CLIENTS = 40


def test_slow_and_silent_clients_are_cut_off_and_in_nobodys_way(stack):
    stack.down()
    stack.write_config(http={"timeout": "2s"})
    stack.up()
    address, token = web.address_of(stack), web.token_of(stack)
    held = [socket.create_connection(address, 10, (f"127.9.9.{n + 1}", 0)) for n in range(SLOW_CLIENTS)]
    try:
        for n, link in enumerate(held):
            link.sendall((b"", b"GET /v1/st", b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                          b"Authorization: Bearer " + token.encode() + b"\r\n\r\n{")[n % 3])
        since = time.monotonic()
        assert web.ask(address, "/v1/status", token).status == 200
        assert time.monotonic() - since < 1
        for link in held:
            link.settimeout(20)
            with contextlib.suppress(ConnectionError):
                while link.recv(65536):
                    pass
        assert time.monotonic() - since < 15
    finally:
        for link in held:
            link.close()
