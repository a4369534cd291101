"""The HTTP interface: on loopback, behind a token, with limits."""
import re
import socket
import time

import pytest

import hostile
import web
from indexed import wait_for_meaning


@pytest.fixture
def address(stack):
    return web.address_of(stack)


@pytest.fixture
def token(stack):
    return web.token_of(stack)


def get(address, path, token=None, method="GET", headers=None, body=None):
    answer = web.ask(address, path, token, method, headers, body)
    return answer.status, answer.text


def test_health_and_readiness_need_no_token(address):
    assert get(address, "/healthz")[0] == 200
    assert get(address, "/readyz")[0] == 200


def test_not_ready_while_a_store_is_away(stack, address):
    stack.kill("mongodb")
    deadline = time.monotonic() + 30
    while get(address, "/readyz")[0] == 200 and time.monotonic() < deadline:
        stack.sql("UPDATE Products SET price = price + 1 LIMIT 1")
        time.sleep(0.5)
    assert get(address, "/readyz")[0] == 503
    assert get(address, "/healthz")[0] == 200, "it lives and waits"
    stack.up()


def test_metrics_want_the_token(address, token):
    for wrong in (None, "wrong", token[:-1], token + "x", ""):
        status, text = get(address, "/metrics", wrong)
        assert status == 401, wrong
        assert token not in text
    assert get(address, "/metrics", token)[0] == 200
    status, _ = get(address, "/metrics", headers={"Authorization": f"Basic {token}"})
    assert status == 401


def test_metrics_are_prometheus_text(stack, address, token):
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 20")
    stack.wait_synced()
    _, text = get(address, "/metrics", token)
    names = set()
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) [a-z_:][a-z0-9_:]* .+", line), line
        else:
            found = re.match(r"([a-z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (-?[0-9.e+-]+|NaN|\+Inf)$", line)
            assert found, line
            names.add(found.group(1))
    for word in ("lag", "dead_letter", "queue", "retr"):
        assert any(word in name for name in names), (word, sorted(names))
    assert any(name.endswith("_bucket") for name in names)


def test_unknown_routes(address, token):
    for path in ("/nothing", "/metrics/../secrets", "/%00", "/v1/unknown"):
        assert get(address, path, token)[0] in (400, 404), path
        assert get(address, path)[0] in (400, 401, 404), path


def test_a_wrong_method_is_refused(address, token):
    assert get(address, "/metrics", token, method="DELETE")[0] in (404, 405)


def raw(address, payload, wait=5):
    with socket.create_connection(address, wait) as connection:
        connection.settimeout(wait)
        try:
            connection.sendall(payload)
            return connection.recv(65536)
        except (ConnectionError, socket.timeout):
            return b""


def test_big_headers_and_bodies_are_refused(address, token):
    answer = raw(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000
                 + b"\r\n\r\n")
    assert b" 200 " not in answer.split(b"\r\n")[0]
    status = raw(address, (
        f"POST /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 1000000000\r\n\r\n").encode() + b"x" * 4_000_000)
    assert b" 200 " not in status.split(b"\r\n")[0]
    assert get(address, "/healthz")[0] == 200


def test_garbage_does_not_end_it(stack, address):
    pid = stack.worker_pid()
    for payload in (b"\x00" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 1000,
                    b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        raw(address, payload, 2)
    assert get(address, "/healthz")[0] == 200
    assert stack.worker_pid() == pid


def test_the_number_of_connections_is_limited_and_health_comes_back(address):
    held = []
    try:
        for _ in range(2000):
            held.append(socket.create_connection(address, 2))
            held[-1].sendall(b"GET /healthz HTTP/1.1\r\n")
    except OSError:
        pass
    finally:
        for connection in held:
            connection.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if get(address, "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("health does not answer after many connections")


def test_it_listens_on_loopback_only(address):
    assert get(address, "/healthz")[0] == 200
    with open("/proc/net/tcp") as table:
        for line in table:
            words = line.split()
            if len(words) > 3 and words[3] == "0A" and int(words[1].split(":")[1], 16) == \
                    address[1]:
                assert words[1].startswith("0100007F"), line


def test_the_unix_socket_is_for_the_owner_only(stack):
    import os
    import stat
    path = stack.var / "serve.sock"
    if path.exists():
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


# What a hostile request may get from a worker that keeps no index: what is wrong is found first.
HOSTILE_STATUSES = {400, 404, 414, 431, 501}


def test_hostile_requests_are_refused_and_harm_nothing(stack, address, token):
    pid = stack.worker_pid()
    seen = dict.fromkeys(HOSTILE_STATUSES, 0)
    with web.Session(address, token) as session:
        for path in hostile.requests():
            answer = session.ask(path)
            assert answer.status in HOSTILE_STATUSES, (path, answer.status, answer.text)
            if answer.status not in (414, 431):  # these the library refuses before there is a request
                web.assert_problem(answer)
            seen[answer.status] += 1
    assert seen[400] > 1000 and seen[501] > 8000, seen
    assert get(address, "/healthz")[0] == 200
    assert stack.worker_pid() == pid


# And from one that answers: hits, or what is wrong.
LIVE_STATUSES = {200, 400, 404, 414, 431}
SLOW_SECONDS = 1.0
GROWTH_MAX = 128 << 10  # KiB


def resident(pid):
    with open(f"/proc/{pid}/status") as text:
        return int(re.search(r"VmRSS:\s+(\d+) kB", text.read()).group(1))


def by_words(path, n):
    """Most of them without their meaning, which takes longer to work out than all else."""
    if n % 16 == 0 or not path.startswith("/v1/search?") or "mode" in path or "[" in path:
        return path
    return f"{path}&mode=lexical"


@pytest.mark.index
@pytest.mark.limit(600)
def test_hostile_requests_to_a_live_index_are_answered_in_time(stack, address, token):
    wait_for_meaning(stack)
    pid = stack.worker_pid()
    seen, slow, wrong, before = {}, [], [], 0
    with web.Session(address, token) as session:
        for n, path in enumerate(hostile.requests()):
            if n == 2000:
                before = resident(pid)
            since = time.monotonic()
            answer = session.ask(by_words(path, n))
            took = time.monotonic() - since
            if took > SLOW_SECONDS:
                slow.append((round(took, 2), path[:200]))
            if answer.status not in LIVE_STATUSES:
                wrong.append((answer.status, path[:200], answer.text[:200]))
            elif answer.status not in (200, 414, 431):
                web.assert_problem(answer)
            seen[answer.status] = seen.get(answer.status, 0) + 1
    assert not wrong, (len(wrong), wrong[:10], seen)
    assert seen[200] > 8000 and seen[400] > 1000, seen
    assert stack.worker_pid() == pid
    assert not slow, (len(slow), sorted(slow)[-10:])
    assert resident(pid) < before + GROWTH_MAX
