"""Tokens of the HTTP interface: made, used, expired, revoked; what each role may ask for; how often;
what becomes of tokens that are none; visitors."""
import json
import pathlib
import re
import time
import urllib.parse

import pytest
import yaml

import web
from indexed import wait_for_words
from waiting import until

SEARCH_RULES = pathlib.Path(__file__).resolve().parents[2] / "rules" / "search.yaml"
FORM = re.compile(r"am_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}\Z")
KNOWN_SECONDS = 1  # how long the worker trusts what it knows of a token
SLACK_SECONDS = 1  # for a machine that is busy


@pytest.fixture
def address(stack):
    return web.address_of(stack)


def create(stack, role, *args):
    made = stack.json("token", "create", "--role", role, *args)
    assert FORM.match(made["token"]) and made["id"] == made["token"][3:11]
    return made["token"]


def status_of(address, path, token=None, **options):
    answer = web.ask(address, path, token, **options)
    if answer.status >= 400:
        web.assert_problem(answer)
    return answer.status


def listed(stack, token):
    return next(t for t in stack.json("token", "list") if t["id"] == token[3:11])


def restart(stack, **http):
    stack.down()
    stack.write_config(http=http)
    stack.up()
    return web.address_of(stack)


# --- a token's life --------------------------------------------------------------------------


def test_a_token_is_shown_once_and_kept_as_a_hash(stack, address):
    token = create(stack, "operations_manager", "--name", "till 7")
    assert status_of(address, "/v1/status", token) == 200
    rows = stack.sql("SELECT * FROM Access_Tokens")
    assert len(rows) == 1 and len(stack.value("SELECT token_hash FROM Access_Tokens")) == 32
    secret = token[12:]
    assert secret not in repr(rows)
    assert secret not in json.dumps(stack.json("token", "list"))
    assert secret not in repr(stack.sql("SELECT * FROM Audit_Events"))
    assert secret not in repr(stack.sql("SELECT * FROM Audit_Details"))
    for path in stack.var.rglob("*.log"):
        assert secret not in path.read_text(errors="replace"), path
    entry = listed(stack, token)
    assert (entry["state"], entry["role"], entry["name"]) == ("valid", "operations_manager",
                                                              "till 7")
    assert entry["last_used_at"], "its use is noted, to the hour"


def test_a_token_with_another_secret_or_another_id_is_none(stack, address):
    token, other = (create(stack, "operations_manager") for _ in range(2))
    changed = token[:-1] + ("a" if token[-1] != "a" else "b")
    for wrong in (changed, token[:12] + other[12:], token.lower(), token + "x"):
        assert status_of(address, "/v1/status", wrong) == 401, wrong
    assert status_of(address, "/v1/status", token) == 200


def test_a_revoked_token_opens_nothing_a_second_later(stack, address):
    token = create(stack, "operations_manager")
    assert status_of(address, "/v1/status", token) == 200
    stack.run("token", "revoke", token[3:11])
    since = time.monotonic()
    until(lambda: status_of(address, "/v1/status", token) == 401, KNOWN_SECONDS + 5)
    assert time.monotonic() - since < KNOWN_SECONDS + SLACK_SECONDS
    assert listed(stack, token)["state"] == "revoked"
    stack.run("token", "revoke", token[3:11])
    assert "there is no token" in stack.fails("token", "revoke", "00000000")


def test_a_token_expires(stack, address):
    token = create(stack, "operations_manager", "--expires", "2s")
    assert status_of(address, "/v1/status", token) == 200
    until(lambda: status_of(address, "/v1/status", token) == 401, 10)
    assert listed(stack, token)["state"] == "expired"


def test_a_token_whose_role_is_gone_opens_nothing(stack, address):
    token = create(stack, "operations_manager")
    stack.sql("UPDATE Access_Tokens SET role_name = 'gone'")
    assert status_of(address, "/v1/status", token) == 401
    assert listed(stack, token)["state"] == "role gone"
    checks = stack.json("doctor", check=False)["checks"]
    assert [c for c in checks if "the roles of 1 are not in the rules" in c["what"]], checks


@pytest.mark.parametrize("words, complaint", [
    ([], "--role ROLE or --person"),
    (["--role", "nobody"], "there is no role"),
    (["--role", "schema_architect"], "may ask for nothing over HTTP"),
    (["--role", "public_customer"], "--customer N"),
    (["--person", "nobody"], "no person"),
    (["--person", "maria", "--role", "db_admin"], "not \"db_admin\""),
    (["--role", "agent", "--expires", "soon"], "no time to live"),
    (["--role", "agent", "--rate", "10"], "no rate"),
    (["--role", "agent", "--name", "x" * 65], "at most 64"),
])
def test_what_is_no_token_is_not_made(new_stack, words, complaint):
    assert complaint in new_stack.fails("token", "create", *words)


def test_making_and_revoking_stand_in_the_audit(stack):
    token = stack.json("token", "create", "--person", "customer_user")["token"]
    stack.run("token", "revoke", token[3:11])
    events = [(e["action"], e["object"], e["role"]) for e in stack.json("audit", "list")]
    assert events[:2] == [("token.revoke", token[3:11], "public_customer"),
                          ("token.create", token[3:11], "public_customer")]
    assert [e["action"] for e in stack.json("audit", "who-saw", "1")] == ["token.create"]
    assert stack.json("audit", "verify")["events"] >= 2


# --- roles and routes ------------------------------------------------------------------------

CATALOGUE = ["GET /v1/search?q=a", "GET /v1/search?in=services", "GET /v1/suggest?q=a",
             "GET /v1/products/1", "GET /v1/similar/1", "GET /v1/recommendations?product=1"]
REVIEWS = ["GET /v1/search?q=a&in=reviews", "GET /v1/similar/1?in=reviews"]
CUSTOMERS = ["GET /v1/search?q=a&in=customers", "GET /v1/similar/1?in=customers",
             "GET /v1/recommendations?customer=1"]
ORDERS = ["POST /v1/orders"]
STATUS = ["GET /v1/status", "GET /v1/index/status"]
METRICS = ["GET /metrics"]
INDEX = ["POST /v1/index/rebuild?collection=no", "POST /v1/index/forget",
         "GET /v1/index/query?collection=reviews&text=a", "GET /v1/index/inventory?collection=reviews"]
OPERATOR = ["GET /v1/changes"]
EVERY = CATALOGUE + REVIEWS + CUSTOMERS + ORDERS + STATUS + METRICS + INDEX + OPERATOR

MAY = {
    "db_admin": CATALOGUE + REVIEWS + CUSTOMERS + ORDERS + STATUS + METRICS + INDEX,
    "operations_manager": CATALOGUE + REVIEWS + CUSTOMERS + ORDERS + STATUS,
    "customer_relations_manager": CATALOGUE + REVIEWS + CUSTOMERS + ORDERS,
    "marketing_analyst": CATALOGUE,
    "agent": CATALOGUE,
    "public_customer": CATALOGUE + ["POST /v1/orders"],
    "shop_visitor": CATALOGUE,
}


def order(customer, product):
    return json.dumps({"customer_id": customer,
                       "lines": [{"product_id": product, "quantity": 1}]}).encode()


def ask(address, request, token, endless=False):
    method, path = request.split()
    body = order(2, 999999999) if method == "POST" and "orders" in path else None
    return status_of(address, path, token, method=method, body=body,
                     headers={"Idempotency-Key": "k"}, reads=not endless)


@pytest.mark.index
def test_each_role_may_ask_for_what_the_rules_say_and_nothing_else(stack, address):
    wait_for_words(stack)
    for role, may in MAY.items():
        customer = ["--customer", "2"] if role == "public_customer" else []
        token = create(stack, role, *customer)
        for request in EVERY:
            status = ask(address, request, token)
            assert (status == 403) != (request in may), (role, request, status)
            assert status != 401 and (status < 500 or status == 503), (role, request, status)
    for request in EVERY:
        assert ask(address, request, None) == 401, request
        endless = request in OPERATOR
        assert ask(address, request, web.token_of(stack), endless) not in (401, 403), request


@pytest.mark.index
def test_a_customer_orders_and_is_recommended_for_alone(stack, address):
    wait_for_words(stack)
    mine, other = (row[0] for row in stack.sql("SELECT customer_id FROM Customers LIMIT 2"))
    product = stack.value("SELECT product_id FROM Products WHERE product_kind = 'physical' AND"
                          " product_status = 'active' AND stock_quantity > 5 LIMIT 1")
    token = create(stack, "public_customer", "--customer", str(mine))

    def place(customer, key):
        return status_of(address, "/v1/orders", token, method="POST", body=order(customer, product),
                         headers={"Idempotency-Key": key})

    before = stack.value(f"SELECT COUNT(*) FROM Orders WHERE customer_id = {other}")
    assert place(mine, "a") == 201
    assert sights(stack, mine) == [], "what customers do themselves"
    clerk = create(stack, "operations_manager", "--name", "till 4")
    for body, status in (order(mine, product), 201), (order(mine, 999999999), 404):
        assert status_of(address, "/v1/orders", clerk, method="POST", body=body,
                         headers={"Idempotency-Key": f"m{status}"}) == status
    assert [(e["action"], e["role"], e["purpose"], e["rows"], e["outcome"]) for e in
            sights(stack, mine)] == [("http.order", "operations_manager", "till 4", 1, "begun")] * 2
    assert place(other, "b") == 403
    assert stack.value(f"SELECT COUNT(*) FROM Orders WHERE customer_id = {other}") == before
    assert status_of(address, f"/v1/recommendations?customer={mine}", token) == 200
    for path in f"customer={mine}", f"product={product}":  # what an order adds is that order
        assert status_of(address, f"/v1/recommendations?{path}&before=5", token) == 403
    assert status_of(address, f"/v1/recommendations?customer={other}", token) == 403
    assert status_of(address, f"/v1/recommendations?customer={other}%20", token) == 403


@pytest.mark.index
def test_what_rules_of_the_search_show_by_mistake_is_not_shown(stack, folder):
    """The catalogue shows the titles of reviews, which are somebody's words: then only who sees
    everything plain may look in it."""
    rules = folder / "search.yaml"
    text = yaml.safe_load(SEARCH_RULES.read_text())
    text["collections"]["product_catalog"]["shown"]["said"] = {
        "field": "recent_reviews.title", "limit": 3}
    rules.write_text(yaml.safe_dump(text, sort_keys=False))
    stack.down()
    stack.write_config(index={"rules": str(rules)})
    stack.up()
    address = web.address_of(stack)
    wait_for_words(stack)
    masked, full = create(stack, "marketing_analyst"), create(stack, "operations_manager")
    assert status_of(address, "/v1/search?q=a", full) == 200
    for request in CATALOGUE:
        assert ask(address, request, masked) == 403, request


# --- what was seen ---------------------------------------------------------------------------


def sights(stack, subject):
    """Newest first: what the audit has of what the API showed of a customer."""
    return [e for e in stack.json("audit", "who-saw", str(subject))
            if e["action"].startswith("http.")]


@pytest.mark.index
def test_whom_a_token_saw_stands_in_the_audit(stack, address):
    wait_for_words(stack)
    token = create(stack, "customer_relations_manager", "--name", "support desk")
    hits = json.loads(web.ask(address, "/v1/search?in=customers&limit=3", token).text)["hits"]
    assert len(hits) == 3
    for hit in hits:
        event, = sights(stack, hit["id"])
        assert (event["action"], event["object"], event["actor"], event["role"], event["purpose"],
                event["rows"], event["outcome"]) == (
            "http.search", "customers", "token:" + token[3:11], "customer_relations_manager",
            "support desk", 1, "done")
    first = hits[0]["id"]
    assert status_of(address, f"/v1/similar/{first}?in=customers&limit=1", token) == 200
    assert status_of(address, f"/v1/recommendations?customer={first}", token) == 200
    assert [e["action"] for e in sights(stack, first)] == ["http.recommend", "http.similar",
                                                           "http.search"]
    assert stack.json("audit", "verify")["erased"] == 0, "the chain holds"


def latest(stack):
    """The events of the API, the newest first."""
    return [e for e in stack.json("audit", "list") if e["action"].startswith("http.")]


@pytest.mark.index
def test_of_whom_totals_and_facets_tell_was_seen_though_not_shown(stack, address):
    wait_for_words(stack)
    token = create(stack, "operations_manager")
    first, last = stack.sql("SELECT first_name, last_name FROM Customers WHERE customer_id = 7")[0]
    name = urllib.parse.quote(f'"{first} {last}"')
    asked = f"/v1/search?in=customers&mode=lexical&q={name}"
    answer = json.loads(web.ask(address, asked + "&limit=0", token).text)
    assert answer["hits"] == [] and 1 <= answer["total"] <= 100
    assert [(e["object"], e["rows"]) for e in sights(stack, 7)] == [("customers", 1)]
    assert len(latest(stack)) == answer["total"]
    # One that the filter takes away is still counted by the facet of what is filtered.
    gone = json.loads(web.ask(address, asked + "&filter=country%3DNowhere&facets=country", token).text)
    assert gone["total"] == 0 and gone["facets"][0]["values"]
    assert len(sights(stack, 7)) == 2
    explained = json.loads(web.ask(address, asked + "&explain=true&facets=city&filter=country%3DNowhere", token).text)
    assert explained["total"] == 0 and explained["explain"]["terms"] == [], "nor is it told that there is one"
    many = json.loads(web.ask(address, "/v1/search?in=reviews&limit=1", token).text)
    assert many["total"] > 100
    author = stack.value("SELECT customer_id FROM Reviews WHERE review_id = %s", many["hits"][0]["id"])
    assert [(e["subject"], e["rows"]) for e in latest(stack)[:2]] == [(str(author), 1),
                                                                      ("", many["total"])]


@pytest.mark.index
def test_who_reads_reviews_saw_their_authors(stack, address):
    wait_for_words(stack)
    token = create(stack, "operations_manager")
    hits = json.loads(web.ask(address, "/v1/search?in=reviews&limit=100", token).text)["hits"]
    numbers = ",".join(str(hit["id"]) for hit in hits)
    authors = stack.sql(f"SELECT customer_id, COUNT(*) FROM Reviews WHERE review_id IN ({numbers})"
                        " GROUP BY customer_id")
    assert sum(n for _, n in authors) == 100 and len(authors) < 100
    for author, n in authors[:5] + [max(authors, key=lambda row: row[1])]:
        assert [(e["object"], e["rows"]) for e in sights(stack, author)] == [("reviews", n)]
    written = stack.sql("SELECT audit_id FROM Audit_Events WHERE action_name = 'http.search'")
    assert len(written) == len(authors) + 1, "and that there were more"


@pytest.mark.index
def test_what_is_nobodys_or_ones_own_is_no_sight(stack, address):
    wait_for_words(stack)
    full, own = create(stack, "db_admin"), create(stack, "public_customer", "--customer", "1")
    for path in ("/v1/search?q=a", "/v1/similar/1", "/v1/recommendations?product=1"):
        assert status_of(address, path, full) in (200, 404)
    assert status_of(address, "/v1/recommendations?customer=1", own) == 200
    assert status_of(address, "/v1/search?in=customers", own) == 403
    assert not [e for e in stack.json("audit", "list") if e["action"].startswith("http.")]
    assert status_of(address, "/v1/search?in=customers&q=nobodyiscalledthis&mode=lexical",
                     full) == 200
    event, = [e for e in stack.json("audit", "list") if e["action"].startswith("http.")]
    assert (event["rows"], event["object"], event["subject"]) == (0, "customers", "")


@pytest.mark.index
def test_what_cannot_be_written_down_is_not_shown(stack, address):
    wait_for_words(stack)
    token = create(stack, "db_admin")
    path = "/v1/search?in=customers&limit=1"
    assert '"hits"' in web.ask(address, path, token).text
    stack.sql("RENAME TABLE Audit_Head TO Audit_Away")
    try:
        answer = web.ask(address, path, token)
        assert answer.status >= 400 and '"hits"' not in answer.text, answer
        assert stack.fails("search", "--in", "customers", "a")
        assert status_of(address, "/v1/search?q=a", token) == 200, "nobody is in there"
    finally:
        stack.sql("RENAME TABLE Audit_Away TO Audit_Head")
    assert stack.json("search", "--in", "customers")["hits"]
    newest = stack.json("audit", "list")[0]
    assert (newest["action"], newest["actor"]) == ("http.search", "operator")


# --- limits ----------------------------------------------------------------------------------


def test_a_token_has_a_rate_of_its_own(stack, address):
    slow = create(stack, "operations_manager", "--rate", "3/h")
    quick = create(stack, "operations_manager")
    assert [status_of(address, "/v1/status", slow) for _ in range(5)] == [200] * 3 + [429] * 2
    answer = web.ask(address, "/v1/status", slow)
    assert 1000 < int(answer.headers["Retry-After"]) <= 1200
    assert status_of(address, "/v1/status", quick) == 200, "others are not in its way"


def test_the_usual_rate_is_configured(stack):
    address = restart(stack, rate="2/m")
    token = create(stack, "operations_manager")
    assert [status_of(address, "/v1/status", token) for _ in range(3)] == [200, 200, 429]
    operator = web.token_of(stack)
    assert all(status_of(address, "/v1/status", operator) == 200 for _ in range(10))


def test_tokens_that_are_none_are_slowed_and_told(stack, address):
    took = []
    for n in range(5):
        since = time.monotonic()
        assert status_of(address, "/v1/status", f"am_00000000_{n:043d}") == 401
        took.append(time.monotonic() - since)
    assert took[0] >= 0.09 and took[4] > 1, took
    since = time.monotonic()
    assert status_of(address, "/healthz") == 200
    assert status_of(address, "/v1/status", create(stack, "operations_manager")) == 200
    assert status_of(address, "/v1/status", web.token_of(stack)) == 200
    events = until(lambda: [e for e in stack.json("audit", "list") if e["action"] == "http.token"]
                   if stack.value("SELECT SUM(row_count) FROM Audit_Events"
                                  " WHERE action_name = 'http.token'") == 5 else None, 20)
    assert len(events) <= 5 and {e["outcome"] for e in events} == {"PERMISSION"}
    details = repr(stack.sql("SELECT details FROM Audit_Details"))
    assert "127.0.0.1" in details and "am_" not in details
    metrics = web.ask(address, "/metrics", web.token_of(stack)).text
    assert "aethermart_http_token_failures_total 5" in metrics
    assert 'aethermart_http_refusals_total{reason="wrong_token"} 5' in metrics


def test_without_mariadb_nobody_is_let_in_and_nobody_is_told_to_go(stack, address):
    token = create(stack, "operations_manager")
    assert status_of(address, "/v1/status", token) == 200
    stack.stop("mariadb")  # it hangs: worse than one that is gone
    try:
        until(lambda: status_of(address, "/v1/status", token) == 503, 30)
        answer = web.ask(address, "/v1/status", token)
        assert answer.status == 503 and answer.headers["Retry-After"] == "1"
        assert status_of(address, "/v1/status", web.token_of(stack)) == 200
        assert status_of(address, "/healthz") == 200
    finally:
        stack.cont("mariadb")
    until(lambda: status_of(address, "/v1/status", token) == 200, 30)


# --- visitors --------------------------------------------------------------------------------


@pytest.mark.index
def test_a_visitor_sees_the_public_catalogue_alone(stack):
    address = restart(stack, visitor=True)
    wait_for_words(stack)
    for request in EVERY:
        status = ask(address, request, None)
        assert (status == 401) != (request in CATALOGUE), (request, status)
    assert status_of(address, "/v1/search?q=a", "am_00000000_" + "0" * 43) == 401, "no visitor"
    text = web.ask(address, "/v1/search?q=a&limit=100").text
    for email, in stack.sql("SELECT email FROM Customers WHERE email IS NOT NULL"):
        assert email not in text


@pytest.mark.index
def test_visitors_from_one_address_have_a_limit(stack):
    address = restart(stack, visitor=True, visitor_rate="3/h")
    wait_for_words(stack)
    assert [status_of(address, "/v1/products/1") for _ in range(4)][3] == 429
    assert status_of(address, "/v1/products/1", create(stack, "agent")) in (200, 404)
