"""The index by meaning: in step with MariaDB, whatever is killed, hangs, refuses or changes."""
import contextlib
import json
import signal
import sqlite3
import time

import pytest

import processes
import stack as stack_module
from indexed import TABLES, insert_product, status, wait_for_vectors
from waiting import until

pytestmark = pytest.mark.index

def generation(stack, which="serving"):
    return status(stack)[which]


def collection(stack, name, which="serving"):
    return next(c for c in generation(stack, which)["collections"] if c["collection"] == name)


def hits(stack, name, text, k=10):
    return stack.json("index", "query", name, text, "--k", k)["hits"]


def found(stack, name, text, k=10):
    return [hit["key"] for hit in hits(stack, name, text, k)]


def keys_in_index(stack, name):
    """All keys of a collection: a query returns the nearest k, and k is above their number."""
    return set(found(stack, name, "anything", 1000))


def assert_index_holds_the_documents(stack, names=tuple(TABLES)):
    for name in names:
        table, key = TABLES[name]
        rows = {str(row[0]) for row in stack.sql(f"SELECT {key} FROM {table}")}
        assert len(rows) < 1000, "a query returns at most 1000"
        until(lambda: keys_in_index(stack, name) == rows, 15,  # noqa: B023
              what=f"the index of {name} holds the {len(rows)} documents")
        until(lambda: collection(stack, name)["vectors"] == len(rows), 15,  # noqa: B023
              what=f"the status of {name} counts them")


def cached_owners(stack):
    with contextlib.closing(sqlite3.connect(stack.var / "index" / "embeddings.db")) as db:
        return {bytes(row[0]).decode() for row in db.execute("SELECT owner FROM uses")}


def state_value(path, question, *params):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(question, params).fetchone()[0]


def scans(stack, name):
    """How many times a collection was read, or begun to be, from its first document on."""
    path = next((stack.var / "index").glob("g*/state.db"))
    return state_value(path, "SELECT scan FROM collection WHERE name = ?", name)


def restart(stack, **sections):
    """With another configuration."""
    stack.write_config(**sections)
    stack.up()


# --- in step ----------------------------------------------------------------------------------


def test_every_document_is_in_the_index(stack):
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)
    shown = stack.run("index", "status").stdout
    assert "local/all-MiniLM-L6-v2" in shown and "product_catalog" in shown
    assert "by meaning" in stack.run("status").stdout
    assert "search: live by words" in stack.run("doctor", check=False).stdout


def test_a_query_finds_by_meaning(stack):
    """No word of the query stands in the text."""
    wait_for_vectors(stack)
    number = insert_product(stack, "Feline scratching post", product_description="")
    until(lambda: found(stack, "product_catalog", "toy for kittens", 1) == [str(number)], 10)
    best = hits(stack, "product_catalog", "toy for kittens", 3)
    assert best[0]["title"] == "Feline scratching post"
    assert best[0]["score"] > best[1]["score"]


def test_a_changed_name_is_found_within_seconds_and_the_old_one_no_longer(stack):
    wait_for_vectors(stack)
    number = insert_product(stack, "Feline scratching post", product_description="")
    until(lambda: found(stack, "product_catalog", "cat furniture", 1) == [str(number)], 10)
    score = hits(stack, "product_catalog", "cat furniture", 1)[0]["score"]
    stack.sql("UPDATE Products SET product_name = 'Espresso machine with milk frother'"
              " WHERE product_id = %s", (number,))
    until(lambda: found(stack, "product_catalog", "make a cappuccino", 1) == [str(number)], 5)
    again = {h["key"]: h["score"] for h in hits(stack, "product_catalog", "cat furniture", 1000)}
    assert again[str(number)] < score - 0.2


def test_what_is_deleted_leaves_the_index(stack):
    wait_for_vectors(stack)
    review = stack.value("SELECT MIN(review_id) FROM Reviews")
    assert str(review) in keys_in_index(stack, "reviews")
    stack.sql("DELETE FROM Reviews WHERE review_id = %s", (review,))
    until(lambda: str(review) not in keys_in_index(stack, "reviews"), 5)
    assert_index_holds_the_documents(stack)


def test_a_changed_key_moves_the_document(stack):
    wait_for_vectors(stack)
    old = insert_product(stack, "Feline scratching post")
    until(lambda: str(old) in keys_in_index(stack, "product_catalog"), 10)
    stack.sql("UPDATE Products SET product_id = product_id + 7000000000 WHERE product_id = %s",
              (old,))
    assert_index_holds_the_documents(stack)
    assert str(old + 7000000000) in keys_in_index(stack, "product_catalog")


def test_a_change_of_another_table_reaches_the_texts_that_it_is_in(stack):
    """A customer's text names the products that were bought."""
    wait_for_vectors(stack)
    customer, product = stack.sql(
        "SELECT o.customer_id, i.product_id FROM Orders o JOIN Order_Items i USING (order_id)"
        " ORDER BY o.order_date DESC LIMIT 1")[0]
    stack.sql("UPDATE Products SET product_name = 'Grand piano of polished ebony'"
              " WHERE product_id = %s", (product,))
    until(lambda: str(customer) in found(stack, "customer_profiles", "plays a musical instrument",
                                         20), 10)


def test_a_change_that_no_text_shows_embeds_nothing(stack):
    wait_for_vectors(stack)
    before = collection(stack, "product_catalog")["embedded"]
    stack.sql("UPDATE Products SET stock_quantity = stock_quantity + 1 LIMIT 50")
    stack.wait_synced()
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_handoff") == 0, 10)
    assert collection(stack, "product_catalog")["embedded"] == before


def test_the_index_follows_writers_that_change_what_they_can(stack):
    wait_for_vectors(stack)
    numbers = [row[0] for row in stack.sql("SELECT product_id FROM Products LIMIT 30")]
    for turn in range(3):
        for number in numbers:
            stack.sql("UPDATE Products SET product_name = %s WHERE product_id = %s",
                      (f"Thing {turn} of {number}", number))
        added = [insert_product(stack, f"Added {turn} {i}") for i in range(10)]
        stack.sql(f"DELETE FROM Products WHERE product_id IN ({','.join(map(str, added[::2]))})")
    assert_index_holds_the_documents(stack)
    for number in numbers:
        until(lambda: {h["key"]: h["title"]  # noqa: B023
                       for h in hits(stack, "product_catalog", "Thing", 1000)}[str(number)]
              == f"Thing 2 of {number}", 10)


# --- killed -----------------------------------------------------------------------------------


def embedded_twice(provider):
    """How many texts were. `a` is the harmless text of search_take.c."""
    texts = [t for t in provider.texts if t != "a"]
    return len(texts) - len(set(texts))


def test_a_killed_build_goes_on_and_embeds_nothing_twice(stack, provider):
    restart(stack, index={"batch": 8}, embed=provider.config(pii="remote", batch=8))
    rows = sum(stack.value(f"SELECT COUNT(*) FROM {t}") for t, _ in TABLES.values())
    for share in (0.1, 0.3, 0.5, 0.7):
        until(lambda: len(provider.texts) > rows * share / 2, 30, pause=0.005)  # noqa: B023
        stack.kill("worker")
        stack.up()
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)
    # A request that was under way when the worker was killed may be asked again: one a kill.
    assert embedded_twice(provider) <= 4 * 8
    before = len(provider.texts)
    stack.kill("worker")
    stack.up()
    wait_for_vectors(stack)
    stack.run("index", "rebuild")
    assert len(provider.texts) == before, "a restart and a rebuild embed nothing"


def test_changes_while_the_worker_is_dead_are_found_after_it(stack):
    wait_for_vectors(stack)
    stack.kill("worker")
    number = insert_product(stack, "Feline scratching post", product_description="")
    review = stack.value("SELECT MAX(review_id) FROM Reviews")
    stack.sql("DELETE FROM Reviews WHERE review_id = %s", (review,))
    stack.up()
    until(lambda: found(stack, "product_catalog", "toy for kittens", 1) == [str(number)], 20)
    assert_index_holds_the_documents(stack)


def test_killed_again_and_again_under_load_it_converges(stack):
    wait_for_vectors(stack)
    for turn in range(4):
        for i in range(40):
            stack.sql("UPDATE Products SET product_name = %s WHERE product_id %% 40 = %s",
                      (f"Thing {turn}", i)) if i % 8 == 0 else insert_product(stack, f"New {i}")
        stack.sql("DELETE FROM Products WHERE product_name LIKE 'New %' ORDER BY RAND() LIMIT 20")
        time.sleep(0.1 * turn)  # another moment each time
        stack.kill("worker")
        stack.up()
    stack.wait_synced()
    assert_index_holds_the_documents(stack)


# --- dropped, removed, damaged ----------------------------------------------------------------


def test_a_dropped_consumer_reads_everything_again(stack):
    wait_for_vectors(stack)
    stack.signal("worker", signal.SIGSTOP)
    consumer = stack.value("SELECT consumer FROM sync_consumer WHERE kind = 'search'")
    stack.run("sync", "consumer", "drop", consumer)
    number = insert_product(stack, "Feline scratching post")
    stack.signal("worker", signal.SIGCONT)
    until(lambda: str(number) in keys_in_index(stack, "product_catalog"), 30)
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)


def test_a_consumer_that_never_comes_back_is_told(stack):
    stack.sql("INSERT INTO sync_consumer (consumer, kind, seen_at)"
              " VALUES ('gone', 'search', NOW() - INTERVAL 3 DAY)")
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 1")
    stack.assert_in_step()
    said = stack.run("doctor", check=False).stdout
    assert '"gone" (search) was not there for 72h' in said, said
    assert "documents that wait for it: 1" in said
    assert "sync consumer drop gone" in said
    stack.run("sync", "consumer", "drop", "gone")
    assert "gone" not in stack.run("doctor", check=False).stdout


def test_a_removed_index_is_made_again_as_the_same_consumer(stack):
    wait_for_vectors(stack)
    before = stack.sql("SELECT consumer FROM sync_consumer")
    stack.down()
    for path in sorted((stack.var / "index").glob("g*")):
        stack_module.remove_tree(path)
    stack.up()
    wait_for_vectors(stack)
    assert stack.sql("SELECT consumer FROM sync_consumer") == before
    assert_index_holds_the_documents(stack)
    assert all(c["embedded"] == 0 for c in generation(stack)["collections"]), "from the cache"


def test_a_damaged_index_is_made_again(stack):
    wait_for_vectors(stack)
    stack.down()
    state = next((stack.var / "index").glob("g*/state.db"))
    state.write_bytes(b"this is no database " * 100)
    stack.up()
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)


# --- rules ------------------------------------------------------------------------------------


def test_rules_of_ones_own_make_other_texts(stack):
    wait_for_vectors(stack)
    rules = stack.root / "search.yaml"
    rules.write_text("collections:\n  product_catalog:\n    title: name\n    texts:\n"
                     "      - parts: [{say: an item of}, {field: supplier.name}]\n")
    restart(stack, index={"rules": "search.yaml"})
    number = stack.value("SELECT MIN(product_id) FROM Products")
    supplier = stack.value("SELECT supplier_name FROM Products JOIN Suppliers USING (supplier_id)"
                           " WHERE product_id = %s", (number,))
    text = stack.json("index", "text", "product_catalog", number)
    assert text["text"] == f"an item of. {supplier}" and text["pii"] is None
    wait_for_vectors(stack)
    assert [c["collection"] for c in generation(stack)["collections"]] == ["product_catalog"]
    assert_index_holds_the_documents(stack, ["product_catalog"])
    owners = cached_owners(stack)
    assert owners and all(o.startswith("product_catalog:") for o in owners), "others are forgotten"
    assert "is not indexed" in stack.fails("index", "query", "reviews", "x")
    rules.write_text(rules.read_text().replace("an item of", "a thing of"))
    stack.run("index", "rebuild")
    assert collection(stack, "product_catalog")["embedded"] > 0


def test_changes_while_the_rules_are_broken_are_not_lost(stack):
    """A rebuild reads rules that lack a chosen collection: nothing may be dropped meanwhile, nor is
    the request forgotten when the worker dies."""
    rules = stack.root / "search.yaml"
    good = ("collections:\n"
            "  product_catalog: {title: name, texts: [{parts: [{field: name}]}]}\n"
            "  reviews: {texts: [{parts: [{field: title}, {field: text}]}]}\n")
    rules.write_text(good)
    restart(stack, index={"rules": "search.yaml", "collections": ["product_catalog", "reviews"]})
    wait_for_vectors(stack)
    review = stack.value("SELECT MIN(review_id) FROM Reviews")
    assert f"reviews:{review}" in cached_owners(stack)
    stack.sql("UPDATE Reviews SET review_title = '', review_text = '' WHERE review_id = %s",
              (review,))
    until(lambda: collection(stack, "reviews")["left_out_empty"] == 1, 10)
    assert f"reviews:{review}" not in cached_owners(stack), "nor is its former text's vector kept"
    before = scans(stack, "product_catalog")
    rules.write_text("".join(good.splitlines(True)[:2]))
    stack.run("index", "rebuild", "--no-wait")
    until(lambda: "index.collections names" in (generation(stack)["error"] or ""), 10)
    number = insert_product(stack, "Feline scratching post")
    stack.wait_synced()
    time.sleep(3)  # some rounds
    assert "index.collections names" in generation(stack)["error"]
    assert stack.value("SELECT COUNT(*) FROM sync_handoff") > 0
    assert scans(stack, "product_catalog") == before
    stack.kill("worker")
    rules.write_text(good)
    stack.up()
    until(lambda: str(number) in keys_in_index(stack, "product_catalog"), 30)
    until(lambda: scans(stack, "product_catalog") == before + 1, 10)
    wait_for_vectors(stack)
    assert scans(stack, "product_catalog") == before + 1, "once"


def test_a_mistake_in_the_rules_is_shown_and_holds_up_nothing(stack):
    rules = stack.root / "search.yaml"
    rules.write_text("collections:\n  reviews:\n    texts:\n      - parts: [{field: xtitle}]\n")
    restart(stack, index={"rules": "search.yaml"})
    text = until(lambda: (status(stack)["serving"] or status(stack)["building"])["error"],
                 15)
    assert "search.yaml:4:" in text and 'did you mean "title"?' in text
    assert 'did you mean "title"?' in stack.fails("index", "text", "reviews", "1")
    stack.sql("UPDATE Products SET product_name = 'Still synced' LIMIT 1")
    stack.wait_synced()
    assert stack.docs("product_catalog").count_documents({"name": "Still synced"}) == 1
    assert stack.run("doctor", check=False).returncode != 0


# --- providers --------------------------------------------------------------------------------


def test_a_provider_that_hangs_delays_no_document(stack, provider):
    restart(stack, embed=provider.config(pii="remote", timeout="3s", retries=0))
    wait_for_vectors(stack)
    gone = insert_product(stack, "Soon gone")
    until(lambda: str(gone) in keys_in_index(stack, "product_catalog"), 10)
    wait_for_vectors(stack)
    vectors = collection(stack, "product_catalog")["vectors"]
    provider.set_hangs(True)
    asked = provider.asked
    insert_product(stack, "Feline scratching post")
    until(lambda: provider.asked > asked, 10, what="the provider hangs")
    for i in range(20):
        number = insert_product(stack, f"Quick {i}")
        until(lambda: stack.doc("product_catalog", number), 2, what="the document")  # noqa: B023
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_handoff") > 10, 10)
    until(lambda: generation(stack)["error"], 20, what="status says that it waits")
    assert "waits" in stack.run("index", "status").stdout
    until(lambda: collection(stack, "product_catalog")["waiting"] > 10, 20,
          what="status says how much waits")
    stack.sql("DELETE FROM Products WHERE product_id = %s", (gone,))
    until(lambda: collection(stack, "product_catalog")["vectors"] < vectors, 30,
          what="what is deleted does not wait for the provider")
    provider.set_hangs(False)
    wait_for_vectors(stack, 90)
    assert_index_holds_the_documents(stack)


def test_a_provider_that_asks_for_time_is_left_alone(stack, provider):
    restart(stack, embed=provider.config(pii="remote"))
    wait_for_vectors(stack)
    before, asked = collection(stack, "reviews")["vectors"], provider.asked
    provider.retry_after = 600
    insert_product(stack, "Feline scratching post")
    until(lambda: provider.asked > asked, 10)
    asked = provider.asked
    stack.sql("DELETE FROM Reviews LIMIT 1")  # needs no vector
    until(lambda: collection(stack, "reviews")["vectors"] == before - 1, 20)
    time.sleep(4)  # by its own pace the worker would have asked again
    assert "asked to be left alone" in generation(stack)["error"]
    assert "asked to be left alone" in stack.fails("index", "query", "reviews", "something new")
    assert provider.asked == asked


def test_down_does_not_wait_for_a_provider_that_hangs(stack, provider):
    restart(stack, embed=provider.config(pii="remote", timeout="60s"))
    wait_for_vectors(stack)
    provider.set_hangs(True)
    asked = provider.asked
    insert_product(stack, "Feline scratching post")
    until(lambda: provider.asked > asked, 10, what="the provider hangs")
    worker, since = stack.worker_pid(), time.monotonic()
    done = stack.down()
    assert time.monotonic() - since < 20
    assert "killed" not in done.stderr
    processes.wait_gone(worker)


def test_down_does_not_wait_for_a_query_whose_provider_hangs(stack, provider):
    restart(stack, embed=provider.config(pii="remote", timeout="60s"))
    wait_for_vectors(stack)
    provider.set_hangs(True)
    asked = provider.asked
    query = stack.start("index", "query", "reviews", "never asked before")
    until(lambda: provider.asked > asked, 10, what="the provider hangs")
    since = time.monotonic()
    done = stack.down()
    assert time.monotonic() - since < 20
    assert "killed" not in done.stderr
    assert query.wait(10) != 0


@pytest.mark.parametrize("code", [400, 500], ids=["refuses", "fails-at"])
def test_a_text_that_the_provider_refuses_is_set_aside_and_the_others_go_on(stack, provider, code):
    provider.refused.add("Unspeakable")
    provider.refusal = code
    restart(stack, embed=provider.config(pii="remote", retries=0))
    wait_for_vectors(stack)
    bad = insert_product(stack, "Unspeakable thing")
    good = [insert_product(stack, f"Good thing {i}") for i in range(10)]
    until(lambda: {str(n) for n in good} <= keys_in_index(stack, "product_catalog"), 10)
    entry = until(lambda: next((c for c in generation(stack)["collections"] if c["set_aside"]), None),
                  10)
    assert entry["set_aside"] == 1 and "not allowed" in json.dumps(entry["reasons"])
    assert str(bad) not in keys_in_index(stack, "product_catalog")
    assert "Unspeakable" not in json.dumps(status(stack)), "a reason holds no values"
    assert "could not be indexed" in stack.run("doctor", check=False).stdout
    stack.sql("UPDATE Products SET product_name = 'Fine' WHERE product_id = %s", (bad,))
    until(lambda: str(bad) in keys_in_index(stack, "product_catalog"), 10)
    until(lambda: collection(stack, "product_catalog")["set_aside"] == 0, 10)


def test_personal_texts_do_not_leave_the_machine(stack, provider):
    restart(stack, embed=provider.config())
    reviews = stack.value("SELECT COUNT(*) FROM Reviews")
    secret = "A very secret remark about my neighbour"
    stack.sql("UPDATE Reviews SET review_text = %s ORDER BY review_id LIMIT 1", (secret,))
    wait_for_vectors(stack)
    until(lambda: collection(stack, "reviews")["left_out_pii"] == reviews, 10)
    assert keys_in_index(stack, "reviews") == set()
    assert not any("secret remark" in text for text in provider.texts)
    assert_index_holds_the_documents(stack, ["product_catalog", "customer_profiles"])
    assert "free_text" in stack.run("index", "status").stdout
    assert "made from personal data do not" in stack.run("doctor", check=False).stdout
    restart(stack, embed={"pii": "remote"})
    wait_for_vectors(stack)
    until(lambda: collection(stack, "reviews")["vectors"] == reviews, 60)


# --- another model ----------------------------------------------------------------------------


def test_the_old_index_answers_until_the_new_one_has_all(stack, provider):
    wait_for_vectors(stack)
    provider.set_hangs(True)
    restart(stack, embed=provider.config(pii="remote", timeout="2s", retries=0))
    until(lambda: provider.asked, 20, what="the new model is asked")
    now = status(stack)
    assert now["serving"]["model"].startswith("local/")
    assert now["building"]["model"] == "openai/words"
    number = insert_product(stack, "Feline scratching post", product_description="")
    until(lambda: found(stack, "product_catalog", "toy for kittens", 1) == [str(number)], 15,
          what="the old index is kept up to date")
    assert "openai/words), which will take over" in stack.run("status").stdout
    stack.run("index", "rebuild", "--no-wait")
    asked = [state_value(path, "SELECT value FROM meta WHERE name = 'rebuild:product_catalog'")
             for path in (stack.var / "index").glob("g2/state.db")]
    assert asked == [1], "the one that is being built has to read the rules again, too"
    provider.set_hangs(False)
    until(lambda: generation(stack)["model"] == "openai/words", 90, pause=0.1)
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)
    until(lambda: len(list((stack.var / "index").glob("g*"))) == 1, 10)
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_consumer") == 2, 60, pause=0.5)
    restart(stack, embed={"provider": "local", "model": None, "dimension": None})
    until(lambda: generation(stack)["model"].startswith("local/"), 60, pause=0.1)
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)
    assert not embedded_twice(provider)


def test_a_killed_model_change_goes_on(stack, provider):
    wait_for_vectors(stack)
    restart(stack, index={"batch": 8}, embed=provider.config(pii="remote", batch=8))
    for _ in range(3):
        before = len(provider.texts)
        until(lambda: len(provider.texts) > before + 20  # noqa: B023
              or generation(stack)["model"] == "openai/words", 30)
        stack.kill("worker")
        stack.up()
    until(lambda: generation(stack)["model"] == "openai/words", 60, pause=0.1)
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)
    assert len(list((stack.var / "index").glob("g*"))) == 1


# --- refusals ---------------------------------------------------------------------------------


def test_an_index_that_is_switched_off_gathers_nothing_and_comes_back(stack):
    wait_for_vectors(stack)
    restart(stack, index={"enabled": False})
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_consumer") == 0, 20)
    number = insert_product(stack, "Feline scratching post")
    stack.wait_synced()
    assert stack.value("SELECT COUNT(*) FROM sync_handoff") == 0
    restart(stack, index={"enabled": True})
    until(lambda: str(number) in keys_in_index(stack, "product_catalog"), 30)
    wait_for_vectors(stack)
    assert_index_holds_the_documents(stack)


def test_without_an_index_the_verbs_say_so(stack):
    restart(stack, index={"enabled": False})
    assert "keeps no index" in stack.fails("index", "status")
    assert "keeps no index" in stack.fails("index", "query", "reviews", "x")
    stack.down()
    assert "no server listens" in stack.fails("index", "rebuild")


def test_without_the_models_files_all_else_works(stack):
    restart(stack, embed={"dir": str(stack.root), "model": "mine"})
    text = until(lambda: status(stack)["error"], 15)
    assert "opening the local model" in text
    assert "tools/setup" in stack.run("index", "status").stdout
    assert "is not there yet" in stack.fails("index", "query", "reviews", "x")
    insert_product(stack, "Synced all the same")
    stack.assert_in_step()


def test_queries_are_checked(stack):
    wait_for_vectors(stack)
    assert "is not indexed" in stack.fails("index", "query", "nothing", "x")
    assert "is longer than 4096 bytes" in stack.fails("index", "query", "reviews", "x" * 5000)
    assert "of 1 to 4096 bytes" in stack.fails("index", "query", "reviews", " ")
    assert len(found(stack, "reviews", "x", 3)) == 3


def test_memory_is_bounded_and_the_refusal_is_shown(stack, provider):
    restart(stack, index={"memory_max": "1M"}, embed=provider.config(dimension=2048))
    wait_for_vectors(stack)
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products LIMIT 1")[0]
    stack.sql("INSERT INTO Products (category_id, supplier_id, product_name, price, stock_quantity)"
              f" SELECT {category}, {supplier}, CONCAT('Thing ', seq), 1, 1 FROM seq_1_to_700")
    until(lambda: collection(stack, "product_catalog")["set_aside"], 30)
    stack.wait_synced()
    entry = collection(stack, "product_catalog")
    assert entry["memory_bytes"] <= 1 << 20
    assert "the index is full" in json.dumps(entry["reasons"])
    assert found(stack, "reviews", "anything", 1) == [], "personal: it does not leave the machine"
    assert len(found(stack, "product_catalog", "Thing 1", 5)) == 5, "what is in still answers"
