"""Requests as no honest client sends them: two thousand, always the same, as bytes.

requests() yields Hostile(kind, data, ends): `ends` says what the client does behind the last byte:
it reads, closes at once, or half-closes. None of them has a right to anything but the public
catalogue; tokens that are valid belong to a role that is masked, or to a customer.
"""
import collections
import itertools
import json
import random

import hostile

Hostile = collections.namedtuple("Hostile", "kind data ends")

COUNT = 2000
PATHS = ["/v1/status", "/v1/changes", "/v1/index/status", "/v1/index/inventory?collection=customer_profiles",
         "/v1/index/query?collection=customer_profiles&text=a", "/v1/search?q=a&in=customers",
         "/v1/search?q=a&in=reviews", "/v1/similar/1?in=customers", "/v1/recommendations?customer=1",
         "/metrics"]
CATALOGUE = ["/v1/search?q=a", "/v1/suggest?q=a", "/v1/products/1", "/v1/similar/1"]
FILES = ["etc/passwd", "proc/self/environ", "proc/self/maps", "http.token", "secrets/pseudonym",
         "var/http.token", "aethermart.yaml", "rules/access.yaml"]
DOTS = ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e%252f", "....//", "..;/",
        "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "%uff0e%uff0e/", "\xff../", "./.././"]
INJECTED = "X-Injected"


def request(target, method="GET", headers=(), body=b"", version="HTTP/1.1", host="shop"):
    """Texts become Latin-1 bytes, so that any byte can be said."""
    lines = [f"{method} {target} {version}", f"Host: {host}", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def bearer(token):
    return f"Authorization: Bearer {token}"


def traversals(chance):
    for dots, name in itertools.product(DOTS, FILES):
        yield request("/" + dots * chance.randrange(1, 9) + name)
    for dots in DOTS:
        for path in ("/healthz/", "/v1/products/", "/v1/similar/", "/v1/openapi.json/"):
            yield request(path + dots * 3 + "v1/status")
            yield request(path + dots + chance.choice(FILES))


def encodings(chance):
    for path in PATHS:
        for changed in (path.upper(), "/" + path, path.replace("/", "//"), path.replace("/", "/./"),
                        path + "%00", path.replace("v1", "v%31"), path.replace("/", "%2f"), path + "#x",
                        path + ";jsessionid=1", path + "/", path + "%20", "http://shop" + path,
                        "http://127.0.0.1:1" + path, path.replace("s", "\u017f".encode().decode("latin-1"))):
            yield request(changed)
    for broken in hostile.BROKEN:
        text = broken.decode("latin-1")
        yield request("/v1/search?q=" + text)
        yield request("/v1/products/" + text)
        yield request("/" + text, headers=["X-Y: " + text, bearer(text)])


def injections(chance, tokens):
    values = [v for v in hostile.SQL + hostile.OTHERS if len(v) < 600]
    for value in values:
        quoted = hostile.quote(value)
        headers = chance.choice([[], [bearer(tokens["masked"])]])
        yield request(f"/v1/search?q={quoted}", headers=headers)
        yield request(f"/v1/search?q=a&in={quoted}", headers=headers)
        yield request(f"/v1/search?filter={quoted}&sort={quoted}", headers=headers)
        yield request(f"/v1/products/{quoted}", headers=headers)
        yield request(f"/v1/recommendations?customer={quoted}", headers=headers)
    for path in PATHS:
        yield request(path, headers=[bearer(tokens["masked"])])
        yield request(path, headers=[bearer(tokens["customer"])])


def methods(chance):
    for method in ("TRACE", "TRACK", "CONNECT", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get", "G E T",
                   "GET\t", "", "A" * 300, "\x00GET", "GET\x0b", "POST", "PRI", "HEAD"):
        for path in ("/v1/status", "/healthz", "/v1/search?q=a", "*"):
            yield request(path, method, ["X-Secret: mine", bearer("am_AAAAAAAA_" + "A" * 43)]
                          if method == "TRACE" else [])


def headers(chance, tokens):
    for size in (1000, 8000, 16000, 17000, 100000):
        yield request("/v1/search?q=a", headers=["X: " + "a" * size])
        yield request("/v1/search?q=a", headers=["a" * size + ": x"])
        yield request("/v1/search?q=a", headers=[bearer("a" * size)])
        yield request("/v1/search?q=" + "a" * size)
        yield request("/" + "a" * size)
        yield request("/v1/search?q=a", headers=[f"X-{n}: y" for n in range(size // 10)])
    for line in ("no colon", ": empty", " folded", "\tfolded", "X : space", "X\x00: y", "X: \x00", "X: a\rb",
                 "X: a\nb", "Content-Length: 0\x0b", "Host: other", "Host: a\x00b", "Connection: upgrade",
                 "Upgrade: h2c", "Upgrade: websocket", "Expect: 100-continue", "Expect: the-moon",
                 "X-Forwarded-For: 127.0.0.1", "X-Original-URL: /v1/status", "X-Rewrite-URL: /v1/status",
                 "X-HTTP-Method-Override: POST", "Forwarded: for=127.0.0.1", "Range: bytes=0-18446744073709551615",
                 "Accept-Encoding: " + "gzip," * 500, "Cookie: " + "a=b;" * 500, "Authorization:",
                 "Authorization: Bearer", "Authorization: Bearer  ", "Authorization: Basic cm9vdDo=",
                 "Authorization: Digest username=root", "Authorization: bearer\tx", "Proxy-Authorization: Bearer x"):
        for path in ("/v1/status", "/v1/search?q=a"):
            yield request(path, headers=[line])
            yield request(path, headers=[line, line])
    both = [bearer(tokens["masked"]), bearer("am_AAAAAAAA_" + "A" * 43)]
    for order in (both, both[::-1], both[:1] * 2):
        yield request("/v1/search?q=a&in=customers", headers=order)
    for split in ("\r\n", "\n", "\r", "%0d%0a", "%0a", "%0d", "\u560d\u560a".encode().decode("latin-1"), "%E5%98%8A"):
        for place in ("/v1/search?q=a{}", "/v1/products/{}", "/{}", "/v1/search?{}=1"):
            yield request(place.format(f"{split}{INJECTED}: yes{split}{split}<script>"))


def smuggling(chance):
    inner = "GET /v1/status HTTP/1.1\r\nHost: shop\r\n\r\n"
    lengths = ["0", "-1", "+4", "4 ", " 4", "0x4", "4,4", "4;4", "00000000004", "4.0", "1e1", "18446744073709551616",
               "18446744073709551615", "9" * 100, "4\t", "", "abc", "4\r\nContent-Length: 5", "5\r\nContent-Length: 0"]
    codings = ["chunked", "xchunked", " chunked", "chunked ", "\x0bchunked", "Chunked", "chunked, identity",
               "identity, chunked", "gzip, chunked", "chunked\r\nTransfer-Encoding: x", "\tchunked", "\"chunked\"",
               "chunk", "", "x\r\nTransfer-Encoding: chunked"]
    bodies = ["0\r\n\r\n" + inner, "4\r\nabcd\r\n0\r\n\r\n" + inner, "ffffffffffffffff\r\nabcd", "-1\r\nabcd\r\n",
              "0;x=" + "y" * 5000 + "\r\n\r\n" + inner, "4\nabcd\n0\n\n" + inner, "0x4\r\nabcd\r\n0\r\n\r\n",
              "4\r\nabcdef\r\n0\r\n\r\n" + inner, "1" * 100 + "\r\n", "g\r\n", "", inner, "0\r\nX: y\r\n\r\n" + inner]
    for method, path in (("POST", "/v1/orders"), ("GET", "/healthz"), ("POST", "/healthz")):
        for length in lengths:
            yield (f"{method} {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: {length}\r\n\r\nabcd{inner}"
                   .encode("latin-1"))
        for coding, body in itertools.product(codings, bodies):
            if chance.random() < 0.3:
                length = chance.choice(["", "Content-Length: 4\r\n", "Content-Length: 100\r\n"])
                yield (f"{method} {path} HTTP/1.1\r\nHost: shop\r\n{length}Transfer-Encoding: {coding}\r\n\r\n{body}"
                       .encode("latin-1"))


def forged(chance, tokens):
    """Tokens that are none, and those of others."""
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for path in ("/v1/search?q=a", "/v1/status", "/v1/search?q=a&in=customers"):
        for name in ("expired", "revoked"):
            yield request(path, headers=[bearer(tokens[name])])
        for token in (tokens["masked"], tokens["customer"], tokens["operator"]):
            for _ in range(6):
                at = chance.randrange(len(token))
                changed = token[:at] + chance.choice(letters.replace(token[at], "")) + token[at + 1:]
                yield request(path, headers=[bearer(changed)])
            for changed in (token[:-1], token + "0", token.swapcase(), token[::-1], "\"" + token + "\"", token * 2,
                            "-" + token[1:], token[:20] + "\x00" + token[21:]):
                yield request(path, headers=[bearer(changed)])
    for value in hostile.SQL[:8] + ["am_", "am__", "am_%_%", "am_" + "'" * 8 + "_" + "a" * 43, "null", "undefined",
                                    "{\"alg\":\"none\"}", "eyJhbGciOiJub25lIn0.eyJyb2xlIjoiZGJfYWRtaW4ifQ."]:
        yield request("/v1/status", headers=[bearer(value)])
    for query in ("access_token", "token", "authorization", "bearer", "api_key"):
        yield request(f"/v1/status?{query}={tokens['masked']}")
        yield request(f"/v1/search?q=a&{query}={tokens['masked']}")


def nested(n):
    return b"[" * n + b"]" * n


def bodies(chance, tokens):
    """Orders by a customer: of others, and what is none."""
    head = [bearer(tokens["customer"]), "Idempotency-Key: k"]
    line = {"product_id": 1, "quantity": 1}
    orders = [{"customer_id": c, "lines": [line]} for c in
              (1, 3, 0, -1, 2.0, "2", None, True, [2], {"$ne": 2}, 2 ** 63, 2 ** 64, 1e300, "2 OR 1=1")]
    orders += [{"customer_id": 2, "lines": lines} for lines in
               (None, [], {}, "x", [None], [[]], [{"product_id": "1"}], [{**line, "quantity": -1}],
                [{**line, "quantity": 2 ** 40}], [{**line, "price": "'; DROP TABLE Orders"}], [line] * 501,
                [{"product_id": 2 ** 70, "quantity": 1}], [{**line, "date": "2024-02-31"}])]
    orders += [{"customer_id": 2, "lines": [line], name: value} for name, value in
               (("address_id", 1), ("cart_id", 1), ("address_id", -1), ("channel", "x" * 9999), ("is_admin", True),
                ("__proto__", {}), ("quoted_prices", {"1": -5}), ("channel", {}), ("total_amount", 0))]
    for order in orders:
        yield request("/v1/orders", "POST", head, json.dumps(order).encode())
    twice = b'{"customer_id": 2, "customer_id": 1, "lines": [{"product_id": 1, "quantity": 1}]}'
    for body in (b"", b"null", b"2", b"\xff\xfe", b"{", b'{"a":' * 3000, nested(100), nested(100000), twice,
                 b'{"customer_id":2,"lines":[]}\x00{}', b"\xef\xbb\xbf{}", b"{\"a\":\"\\ud800\"}", b"9" * 100000,
                 b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>", b"customer_id=1"):
        yield request("/v1/orders", "POST", head, body)
        yield request("/v1/orders", "POST", [], body)
    for key in ("", "x" * 65, "\x01", "é", "' OR 1=1", "a\x00b"):
        yield request("/v1/orders", "POST", [bearer(tokens["customer"]), "Idempotency-Key: " + key],
                      json.dumps(orders[0]).encode())


def beginnings(chance):
    """What is no HTTP, or another one."""
    for data in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 512,
                 b"GET /v1/status\r\n\r\n", b"GET /v1/status HTTP/0.9\r\n\r\n", b"GET /v1/status HTTP/2.0\r\n\r\n",
                 b"GET /v1/status HTTP/1.1\n\n", b"\r\n\r\n\r\nGET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET  /v1/status  HTTP/1.1\r\nHost: x\r\n\r\n", b"GET\t/v1/status\tHTTP/1.1\r\n\r\n",
                 b"\0" * 5000, b"\xff" * 5000, b"SSH-2.0-x\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x04\x01\x00\x50",
                 b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 50, b"USER root\r\n", b"{}", b"\n" * 5000):
        yield data
    for _ in range(100):
        yield bytes(chance.randrange(256) for _ in range(chance.randrange(1, 400)))


def mutations(chance, tokens):
    """Right requests with some bytes changed, doubled or left out, until the end of time."""
    right = [request(path) for path in PATHS + CATALOGUE]
    right += [request(path, headers=[bearer(tokens["masked"])]) for path in PATHS]
    right.append(request("/v1/orders", "POST", [bearer(tokens["customer"]), "Idempotency-Key: k"],
                         b'{"customer_id":1,"lines":[{"product_id":1,"quantity":1}]}'))
    while True:
        data = bytearray(chance.choice(right))
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(data))
            way = chance.randrange(3)
            if way == 0:
                data[at] = chance.randrange(256)
            elif way == 1:
                data[at:at] = data[at:at + chance.randrange(1, 20)]
            else:
                del data[at:at + chance.randrange(1, 4)]
        yield bytes(data)


def requests(tokens, seed=7):
    """`tokens`: "masked", "customer" (of customer 2), "expired", "revoked", "operator"."""
    chance = random.Random(seed)
    kinds = {"traversal": traversals(chance), "encoding": encodings(chance), "injection": injections(chance, tokens),
             "method": methods(chance), "header": headers(chance, tokens), "smuggling": smuggling(chance),
             "forged": forged(chance, tokens), "body": bodies(chance, tokens), "beginning": beginnings(chance),
             "pollution": (request(f"/v1/search?{q}") for q in itertools.islice(hostile.pollution(chance), 0, None, 12)
                           if len(q) < 4000)}
    made = [Hostile(kind, data, "read") for kind, all_ in kinds.items() for data in all_]
    for n, data in enumerate(itertools.islice((h.data for h in made), 0, None, 19)):  # cut off in the middle
        made.append(Hostile("cut", data[:chance.randrange(1, len(data))], ("close", "half")[n % 2]))
    more = mutations(chance, tokens)
    while len(made) < COUNT:
        made.append(Hostile("mutation", next(more), "read"))
    chance.shuffle(made)
    return made
