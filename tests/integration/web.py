"""HTTP requests to a worker, and what its answers have to look like."""
import collections
import http.client
import json
import urllib.parse

Answer = collections.namedtuple("Answer", "status headers text")

PROBLEM = "application/problem+json"


def address_of(stack):
    """(host, port) of the worker's HTTP interface."""
    url = urllib.parse.urlsplit(stack.json("status")["worker"]["http"])
    return url.hostname, url.port


def token_of(stack):
    return (stack.var / "http.token").read_text().strip()


class Session:
    """One connection for many requests, opened anew where the worker closed it."""

    def __init__(self, address, token=None):
        self.connection = http.client.HTTPConnection(*address, timeout=10)
        self.token = token

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def ask(self, path, method="GET", headers=None, body=None, reads=True):
        """`reads` is false for a stream: then the text is empty, and the connection ends."""
        headers = dict(headers or {})
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, body=body, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read().decode("utf-8", "replace") if reads else ""
        if not reads:
            self.connection.close()
        return Answer(answer.status, answer.headers, text)


def ask(address, path, token=None, method="GET", headers=None, body=None, reads=True):
    with Session(address, token) as session:
        return session.ask(path, method, headers, body, reads)


def assert_problem(answer, status=None):
    """A problem of RFC 9457, complete and consistent; returns it."""
    assert answer.headers["Content-Type"] == PROBLEM, answer
    problem = json.loads(answer.text)
    assert problem["status"] == answer.status, answer
    assert status in (None, answer.status), answer
    for name in ("type", "title", "detail", "code"):
        assert problem[name] and isinstance(problem[name], str), answer
    assert problem["type"] == "urn:aethermart:problem:" + problem["code"].lower().replace("_", "-")
    for error in problem.get("errors", []):
        assert set(error) == {"parameter", "detail"}, answer
    return problem
