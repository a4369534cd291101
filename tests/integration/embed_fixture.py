"""A server that speaks the two APIs of embeddings, gives deterministic vectors, and has faults.

    with Fixture(dimension=8) as server:
        server.faults = [fault("status", status=429, headers={"Retry-After": "1"})]
        ...
        server.requests       # what came: path, headers, body

The shapes are those that Google, OpenAI, vLLM, TEI and Ollama document. Each request takes the next
fault of the list, `None` among them meaning none; when the list is empty, all is well. The vector of
a text is made of its SHA-256 and deliberately not of unit length.
"""
import contextlib
import hashlib
import http.server
import json
import math
import socket
import ssl
import struct
import threading
import time

KEY = "test-key-0123456789"


def vector(text, dimension):
    """What the server answers for a text."""
    numbers = []
    block = 0
    while len(numbers) < dimension:
        digest = hashlib.sha256(f"{block}:{text}".encode()).digest()
        numbers += [n / 2**31 - 1 for n in struct.unpack("<8I", digest)]
        block += 1
    return numbers[:dimension]


def unit(text, dimension):
    """What a caller gets for it."""
    numbers = vector(text, dimension)
    norm = math.sqrt(sum(n * n for n in numbers))
    return [n / norm for n in numbers]


def fault(kind, **arguments):
    """
    status      an answer with that status, headers and body
    change      the right answer, passed through change(answer)
    raw         these bytes as the answer's body, with status 200
    cut         only that part of the right body, with the whole one's Content-Length
    silent      no answer for that many seconds
    drip        the right body, a byte each `seconds`
    reset       the connection is reset in the middle of the answer
    """
    return {"kind": kind, **arguments}


def google_error(status, code, *details):
    return json.dumps({"error": {"code": status, "message": "m", "status": code,
                                 "details": list(details)}})


def openai_error(code, message="m", kind="invalid_request_error"):
    return json.dumps({"error": {"message": message, "type": kind, "code": code}})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=None, length=None):
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fixture = self.server.fixture
        with fixture.lock:
            fixture.requests.append({"path": self.path, "headers": dict(self.headers),
                                     "body": json.loads(body), "at": time.monotonic()})
            now = fixture.faults.pop(0) if fixture.faults else None
            fixture.active += 1
            fixture.most_active = max(fixture.most_active, fixture.active)
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                time.sleep(fixture.delay)
                self.respond(fixture, json.loads(body), now)
        finally:
            with fixture.lock:
                fixture.active -= 1

    def respond(self, fixture, request, now):
        kind = now["kind"] if now else None
        if kind == "status":
            return self.answer(now["status"], now.get("body", ""), now.get("headers"))
        if kind == "raw":
            return self.answer(200, now["body"])
        if kind == "silent":
            fixture.stopping.wait(now["seconds"])
            self.close_connection = True
            return None
        status, content = fixture.dialogue(self.path, dict(self.headers), request)
        if kind == "change" and status == 200:
            content = now["change"](content)
        return self.send_part(fixture, status, json.dumps(content).encode(), now)

    def send_part(self, fixture, status, body, now):
        kind = now["kind"] if now else None
        if kind == "cut":
            self.close_connection = True
            return self.answer(status, body[:len(body) // 2], length=len(body))
        if kind == "reset":
            self.answer(status, body[:len(body) // 2], length=len(body))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return None
        if kind == "drip":
            self.answer(status, b"", length=len(body))
            for byte in body:
                self.wfile.write(bytes([byte]))
                if fixture.stopping.wait(now["seconds"]):
                    break
            self.close_connection = True
            return None
        return self.answer(status, body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    fixture = None


class Fixture:
    def __init__(self, dimension=8, has_batch=True, takes_dimensions=True, texts_max=2048,
                 certificate=None):
        self.dimension = dimension  # the model's own
        self.has_batch = has_batch
        self.takes_dimensions = takes_dimensions
        self.texts_max = texts_max
        self.delay = 0
        self.faults = []
        self.requests = []
        self.active = self.most_active = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.fixture = self
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def port(self):
        return self.server.server_address[1]

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def paths(self):
        return [request["path"] for request in self.requests]

    # --- the two APIs --------------------------------------------------------------------------

    def dialogue(self, path, headers, request):
        """(status, answer) of a well-formed or a wrong request."""
        if path.endswith("/embeddings"):
            return self.openai(headers, request)
        if path.startswith("/v1beta/models/") and path.endswith(":embedContent"):
            return self.gemini(headers, [request], lambda v: {"embedding": v[0]})
        if path.startswith("/v1beta/models/") and path.endswith(":batchEmbedContents"):
            if not self.has_batch:
                return 404, json.loads(google_error(404, "NOT_FOUND"))
            if set(request) != {"requests"} or len(request["requests"]) > 100:
                return 400, json.loads(google_error(400, "INVALID_ARGUMENT"))
            return self.gemini(headers, request["requests"], lambda v: {"embeddings": v})
        return 404, {"error": {"message": "no such path"}}

    def gemini(self, headers, requests, shape):
        if headers.get("x-goog-api-key") != KEY:
            return 400, json.loads(google_error(400, "INVALID_ARGUMENT", {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID"}))
        answers = []
        for one in requests:
            parts = one["content"]["parts"]
            known = {"model", "content", "embedContentConfig", "taskType",
                     "outputDimensionality"}
            if set(one) - known or len(parts) != 1 or not parts[0]["text"]:
                return 400, json.loads(google_error(400, "INVALID_ARGUMENT"))
            wanted = one.get("embedContentConfig", one).get("outputDimensionality",
                                                            self.dimension)
            answers.append({"values": vector(parts[0]["text"], wanted)})
        return 200, shape(answers)

    def openai(self, headers, request):
        if headers.get("Authorization") not in (f"Bearer {KEY}", None):
            return 401, json.loads(openai_error("invalid_api_key",
                                                f"Incorrect API key provided: {KEY}"))
        texts = request["input"]
        if request.get("encoding_format") != "float" or not all(texts):
            return 400, json.loads(openai_error(None, "'$.input' is invalid"))
        if len(texts) > self.texts_max:
            return 413, {"error": f"batch size {len(texts)} > maximum allowed batch size "
                                  f"{self.texts_max}", "error_type": "Validation"}
        if "dimensions" in request and not self.takes_dimensions:
            return 400, {"object": "error", "type": "BadRequestError", "code": 400,
                         "message": "does not support matryoshka representation"}
        dimension = request.get("dimensions", self.dimension)
        data = [{"object": "embedding", "index": i, "embedding": vector(text, dimension)}
                for i, text in enumerate(texts)]
        data.reverse()  # the order is the index's
        return 200, {"object": "list", "data": data, "model": request["model"],
                     "usage": {"prompt_tokens": 1, "total_tokens": 1}}
