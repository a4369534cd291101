"""More like this, suggestions while typing, recommendations: live, explained, and never what may not
be shown."""
import json
import urllib.parse

import pytest

import web
from indexed import insert_product, search, wait_for_meaning, wait_for_words
from waiting import until

pytestmark = pytest.mark.index

NOBODY = "Zyxwvut"  # a name that only a person has


def similar(stack, key, *args):
    return stack.json("similar", key, *args)


def ids(answer):
    return [hit["id"] for hit in answer["hits"]]


def products(stack, n, where="1 = 1"):
    return [row[0] for row in stack.sql(
        f"SELECT product_id FROM Products WHERE {where} ORDER BY CRC32(product_id) LIMIT {n}")]


def recommend(stack, *args):
    return stack.json("recommend", *args)


def insert_customer(stack, **columns):
    return stack.insert("Customers", first_name="A", last_name="B", registration_date="2024-01-01",
                        **columns)


def insert_order(stack, customer, *products_, status="delivered"):
    order = stack.insert("Orders", customer_id=customer, order_date="2026-11-01", order_status=status)
    for product in products_:
        stack.insert("Order_Items", order_id=order, product_id=product, quantity=1, price=1,
                     stock_taken=0)  # history: sold whatever is in stock
    return order


def suggestions(stack, typed, *args):
    return stack.json("suggest", typed, *args)["suggestions"]


def wait_for_suggestions(stack, typed, text, timeout=30):
    return until(lambda: [s for s in suggestions(stack, typed) if s["text"] == text], timeout,
                 pause=0.2, what=f'"{typed}" suggests "{text}"')


# --- more like this ---------------------------------------------------------------------------


def test_a_document_is_never_like_itself_and_each_hit_says_why(stack):
    wait_for_meaning(stack)
    for key in products(stack, 20):
        answer = similar(stack, key)
        assert answer["by"] == "meaning" and len(answer["hits"]) == 10, answer
        assert key not in ids(answer)
        assert len(set(ids(answer))) == 10
        assert all(hit["reason"] for hit in answer["hits"]), answer
        scores = [hit["score"] for hit in answer["hits"]]
        assert scores == sorted(scores, reverse=True)
    services = products(stack, 3, "product_kind = 'service'")
    for key in services:
        assert all(hit["kind"] == "service"
                   for hit in similar(stack, key, "--in", "services")["hits"])
    review = stack.value("SELECT MIN(review_id) FROM Reviews")
    found = similar(stack, review, "--in", "reviews", "--limit", "3")
    assert len(found["hits"]) == 3 and review not in ids(found)


def test_a_new_product_is_compared_at_once_and_a_deleted_one_is_gone(stack):
    wait_for_words(stack)
    lamp = insert_product(stack, "Quartzlight reading lamp for desks",
                          product_description="a lamp made of quartzlight and zebrawood")
    other = insert_product(stack, "Zebrawood shelf with quartzlight",
                           product_description="shelf made of zebrawood")

    def is_alike():
        done = stack.run("similar", str(lamp), "--json", check=False)
        return done.returncode == 0 and other in ids(json.loads(done.stdout))
    until(is_alike, 3, what="the new one is like the other new one")
    wait_for_meaning(stack)
    until(lambda: similar(stack, lamp)["by"] == "meaning", 10)
    assert other in ids(similar(stack, lamp))
    stack.sql("DELETE FROM Product_Price_History WHERE product_id = %s", (other,))
    stack.sql("DELETE FROM Products WHERE product_id = %s", (other,))
    until(lambda: other not in ids(similar(stack, lamp)), 5, what="the deleted one is gone")
    assert "there is no document" in stack.fails("similar", str(other))


def test_variants_of_one_thing_are_shown_once(stack):
    wait_for_meaning(stack)
    cup = insert_product(stack, "Quartzlight tea cup with handle")
    mugs = [insert_product(stack, f"Zebrawood coffee mug with lid {size} ml")
            for size in (200, 300, 400)]

    def is_one():
        found = [hit for hit in similar(stack, cup, "--limit", "30")["hits"]
                 if hit["id"] in mugs or set(hit["variants"]) & set(mugs)]
        return len(found) == 1 and {found[0]["id"], *found[0]["variants"]} == set(mugs)
    until(is_one, 15, pause=0.2, what="three mugs are one hit")
    # Of itself they are variants, and no hits.
    answer = similar(stack, mugs[0], "--limit", "30")
    assert set(answer["variants"]) == set(mugs[1:]) and not set(ids(answer)) & set(mugs)


def collapsed(stack, words, *args):
    return search(stack, words, args=["--mode", "lexical", "--collapse", *map(str, args)])


def test_a_search_can_show_variants_once(stack):
    wait_for_words(stack)
    mugs = [insert_product(stack, f"Zebrawood coffee mug with lid {size} ml")
            for size in (200, 300, 400)]
    other = insert_product(stack, "Zebrawood tea cup with handle")
    until(lambda: search(stack, "zebrawood", args=["--mode", "lexical"])["total"] == 4, 15)
    answer = collapsed(stack, "zebrawood mug")
    assert answer["total"] == 4, "all of them are counted"
    assert [{hit["id"], *hit["variants"]} for hit in answer["hits"]] == [set(mugs), {other}]
    assert "and 2 variants of it" in stack.run("search", "zebrawood mug", "--collapse").stdout
    assert "variants" not in search(stack, "zebrawood mug")["hits"][0]


@pytest.mark.parametrize("words", ("keyboard", "hp ink cartridge", "cable 2 m", "laptop"))
def test_variants_are_put_together_in_the_order_of_the_hits(stack, words):
    wait_for_words(stack)
    plain = search(stack, words, args=["--mode", "lexical", "--limit", "100"])
    order = ids(plain)
    answer = collapsed(stack, words, "--limit", 8)
    assert answer["total"] == plain["total"] and answer["facets"] == plain["facets"]
    shown = ids(answer)
    assert shown == [i for i in order if i in shown], "the best of each stands for it"
    assert shown
    covered = order if len(shown) < 8 else order[:order.index(shown[-1]) + 1]
    found = [i for hit in answer["hits"] for i in (hit["id"], *hit["variants"])]
    assert sorted(found) == sorted(covered), "none is lost, none is shown twice"
    pages = ids(collapsed(stack, words, "--limit", 3)) + ids(
        collapsed(stack, words, "--limit", 5, "--offset", 3))
    assert pages == shown


def test_the_query_for_customers_like_one_equals_the_verb(stack):
    wait_for_meaning(stack)
    for customer in (1, 15, 33):
        verb = stack.json("similar", "--customer", customer)
        assert verb["hits"] and customer not in ids(verb)
        for query in (f"customer similar to {customer}", f"  Customers  LIKE #{customer} "):
            answer = search(stack, query, args=["--in", "customers"])
            assert answer["hits"] == verb["hits"], query
            assert answer["parsed"]["similar"]["id"] == customer
        for way in ("--literal", "--without=0"):
            answer = search(stack, f"customer similar to {customer}", args=["--in", "customers", way])
            assert "similar" not in answer["parsed"], way
    answer = search(stack, "customer similar to 99999999", args=["--in", "customers"])
    assert "similar" not in answer["parsed"], "there is none: these are words"


# --- suggestions ------------------------------------------------------------------------------


def test_suggestions_follow_the_catalogue_and_hold_nothing_personal(stack):
    wait_for_words(stack)
    for i in range(3):
        insert_product(stack, f"Quartzlight lamp {'abc'[i]}")
    insert_customer(stack, email=f"{NOBODY}@example.com")
    stack.sql("UPDATE Customers SET first_name = %s, last_name = %s LIMIT 5", (NOBODY, NOBODY))
    stack.sql("UPDATE Reviews SET review_title = %s, review_text = %s LIMIT 5", (NOBODY, NOBODY))
    found = wait_for_suggestions(stack, "quartzli", "quartzlight lamp")
    assert found[0]["documents"] == 3 and found[0]["kind"] == "word"
    assert "quartzlight lamp" in {s["text"] for s in suggestions(stack, "quartzlihgt la")}
    stack.wait_synced()
    wait_for_words(stack)
    assert suggestions(stack, NOBODY[:5].lower()) == []
    for s in suggestions(stack, "a", "--limit", "20"):
        assert s["documents"] > 0 and s["text"] and s["kind"], s
        assert ("filter" in s) == (s["kind"] in ("brand", "category", "scope")), s
    # Each filter is one that search takes, and leads to as many documents.
    brand = next(s for letter in "abcdefghkmops" for s in suggestions(stack, letter)
                 if s["kind"] == "brand")
    answer = search(stack, "", args=["--filter", brand["filter"]])
    assert answer["total"] == brand["documents"]


# --- recommendations --------------------------------------------------------------------------


def test_what_was_bought_together_is_recommended_with_the_reason(stack):
    wait_for_meaning(stack)
    lamp = insert_product(stack, "Quartzlight lamp")
    bulb = insert_product(stack, "Zebrawood bulb")
    gone = insert_product(stack, "Sold out shade", stock_quantity=0)
    retired = insert_product(stack, "Retired socket", product_status="retired")
    dropped = insert_product(stack, "Cancelled switch")
    for _ in range(6):
        insert_order(stack, insert_customer(stack), lamp, bulb, gone, retired)
        insert_order(stack, insert_customer(stack), lamp, dropped, status="cancelled")
    customer = insert_customer(stack)
    insert_order(stack, customer, lamp)
    until(lambda: bulb in ids(recommend(stack, customer)), 10, pause=0.2)
    beside = recommend(stack, "--product", lamp)
    assert beside["hits"][0]["id"] == bulb
    assert beside["hits"][0]["reason"] == "bought together with Quartzlight lamp (6 orders)"
    for answer in (beside, recommend(stack, customer, "--limit", "100")):
        assert not {lamp, gone, retired} & set(ids(answer)), "bought, sold out, not sold any more"
        assert all(hit["reason"] for hit in answer["hits"])
    named = {h["id"]: h["reason"] for h in recommend(stack, customer, "--limit", "100")["hits"]}
    assert "bought" not in named.get(dropped, ""), "cancelled orders do not count"
    # What is bought or sold out is recommended no more, at once.
    insert_order(stack, customer, bulb)
    assert bulb not in ids(recommend(stack, customer, "--limit", "100"))
    stack.sql("UPDATE Products SET stock_quantity = 0 WHERE product_id = %s", (bulb,))
    until(lambda: bulb not in ids(recommend(stack, "--product", lamp)), 5)


def test_who_bought_nothing_yet_gets_what_is_popular(stack):
    wait_for_words(stack)
    hits = recommend(stack, insert_customer(stack))["hits"]
    assert len(hits) == 10
    assert all(hit["reason"].startswith("popular: in ") for hit in hits), hits
    assert all(hit["in_stock"] is not False for hit in hits)


def test_recommendations_are_measured_on_orders_that_are_held_back(stack):
    wait_for_meaning(stack)
    report = stack.json("eval", "--recommendations", "--customers", 30)
    assert 0 < report["customers"] <= 30
    for name in ("hit_rate_at_10", "hit_rate_at_10_popular"):
        assert 0 <= report[name] <= 1
    # As of before an order, it and what came later is not known.
    customer, order = stack.sql("SELECT customer_id, MAX(order_id) FROM Orders WHERE order_status <> "
                                "'cancelled' GROUP BY customer_id HAVING COUNT(*) = 1 LIMIT 1")[0]
    with web.Session(web.address_of(stack), web.token_of(stack)) as session:
        before = json.loads(session.ask(f"/v1/recommendations?customer={customer}&before={order}").text)
    assert all(hit["reason"].startswith("popular: ") for hit in before["hits"]), "nothing was bought"


# --- over HTTP --------------------------------------------------------------------------------


def test_http_tells_what_is_wrong(stack):
    wait_for_words(stack)
    with web.Session(web.address_of(stack), web.token_of(stack)) as session:
        def status(path):
            answer = session.ask(path)
            if answer.status != 200:
                web.assert_problem(answer, answer.status)
            return answer.status
        assert status("/v1/similar/1") in (200, 404)
        assert status("/v1/similar/no-such-key") == 404
        assert status("/v1/similar/1?in=nowhere") == 400
        assert status("/v1/similar/1?limit=0") == 400
        assert status("/v1/similar/1?limit=101") == 400
        assert status("/v1/similar/1?frobnicate=1") == 400
        assert status("/v1/similar/" + urllib.parse.quote("1' OR '1'='1")) == 404
        assert status("/v1/suggest") == 400
        assert status("/v1/suggest?q=") == 400
        assert status("/v1/suggest?q=key&limit=21") == 400
        assert status("/v1/suggest?q=" + urllib.parse.quote("key\u202e %_'\"\\")) == 200
        assert status("/v1/recommendations") == 400
        assert status("/v1/recommendations?customer=1&product=1") == 400
        assert status("/v1/recommendations?customer=1&before=-1") == 400
        for key in ("0", "-1", "1e3", "1 OR 1", "99999999999999999999999", "x" * 1000):
            for what in ("customer", "product"):
                path = f"/v1/recommendations?{what}=" + urllib.parse.quote(key)
                assert status(path) == 404, path
