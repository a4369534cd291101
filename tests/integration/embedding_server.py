"""A stand-in for a provider of embeddings that speaks OpenAI's API: it knows words and no meanings, so
a text is found by its words, and tests see what was asked of it."""
import hashlib
import http.server
import json
import math
import re
import threading

DIMENSION = 64


def vector(text):
    """A bag of hashed words, of unit length."""
    numbers = [0.0] * DIMENSION
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        for i in range(4):
            numbers[digest[2 * i] % DIMENSION] += 1.0 if digest[2 * i + 1] % 2 else -1.0
    length = math.sqrt(sum(n * n for n in numbers))
    return [n / length for n in numbers] if length else [1.0] + [0.0] * (DIMENSION - 1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **headers):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        owner = self.server.owner
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = request["input"]
        with owner.changed:
            owner.asked += 1
            owner.changed.notify_all()
            owner.changed.wait_for(lambda: not owner.hangs)
            if owner.is_closed:
                self.close_connection = True
                return
            if owner.retry_after:
                self.answer(429, {"error": {"message": "slow down", "type": "rate_limit"}},
                            Retry_After=owner.retry_after)
                return
            if any(word in text for text in texts for word in owner.refused):
                self.answer(owner.refusal, {"error": {"message": "the input is not allowed",
                                                      "type": "invalid_request_error"}})
                return
            owner.texts += texts
        self.answer(200, {"object": "list", "model": request["model"], "data": [
            {"object": "embedding", "index": i,
             "embedding": vector(text) + [0.0] * (owner.dimension - DIMENSION)}
            for i, text in enumerate(texts)]})


class EmbeddingServer:
    """`hangs`: requests wait; `retry_after`: all are answered with 429 and these seconds; `refused`:
    words for which a request is answered with the status `refusal`; `texts`: what was embedded;
    `asked`: requests, also those that wait."""

    def __init__(self):
        self.changed = threading.Condition()
        self.hangs = self.is_closed = False
        self.refused, self.texts, self.asked, self.retry_after = set(), [], 0, 0
        self.refusal, self.dimension = 400, DIMENSION
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def config(self, **more):
        """Section `embed`."""
        self.dimension = more.get("dimension", DIMENSION)
        return {"provider": "openai", "model": "words", "dimension": DIMENSION,
                "endpoint": f"http://127.0.0.1:{self.server.server_port}", **more}

    def set_hangs(self, hangs):
        with self.changed:
            self.hangs = hangs
            self.changed.notify_all()

    def close(self):
        with self.changed:
            self.is_closed, self.hangs = True, False
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
