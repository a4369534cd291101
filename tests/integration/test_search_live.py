"""Search by words while everything changes: what is found is what MariaDB holds, at once, and after
whatever was killed, damaged, full or changed."""
import contextlib
import json
import os
import random
import signal
import subprocess
import time

import pytest
import yaml

import stack as stack_module
from indexed import (assert_totals, find, insert_found_product, insert_product, search, status, total,
                     wait_for_meaning, wait_for_words, words)
from waiting import until
from workload import writers

pytestmark = pytest.mark.index


def assert_equal(stack):
    """In the end: nothing waits, `verify` finds no difference, and search counts what there is."""
    stack.wait_synced()
    wait_for_words(stack)
    report = stack.verify()
    assert report["equal"] and report["index"]["compared"], json.dumps(report["index"])[:2000]
    assert_totals(stack)


# --- at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["hangs", "fails"])
def test_a_new_product_is_found_by_its_words_while_the_provider(stack, provider, way):
    stack.write_config(embed=provider.config(pii="remote", timeout="5s", retries=0))
    stack.up()
    wait_for_meaning(stack)
    if way == "hangs":
        provider.set_hangs(True)
    else:
        provider.close()
    for i in range(5):
        number = insert_product(stack, f"Quartzlight{i} lamp")
        until(lambda: find(stack, f"quartzlight{i}") == [str(number)], 3,  # noqa: B023
              what="the product is found by its words")
    answer = search(stack, "quartzlight3", args=["--literal"])
    assert [h["id"] for h in answer["hits"]][:1] == [number - 1]
    if way == "fails":
        assert "meaning had no part in it" in " ".join(answer["notes"]), answer


def test_a_changed_description_changes_what_is_found(stack):
    wait_for_words(stack)
    number = insert_product(stack, "Thing", product_description="made of quartzlight")
    until(lambda: find(stack, "quartzlight") == [str(number)], 5)
    stack.sql("UPDATE Products SET product_description = 'made of zebrawood' WHERE product_id = %s",
              (number,))
    until(lambda: find(stack, "zebrawood") == [str(number)], 5)
    assert find(stack, "quartzlight") == []


def test_a_changed_price_moves_it_across_a_filter_and_embeds_nothing(stack):
    def under_100():
        return find(stack, "quartzlight", args=["--mode", "lexical", "--filter", "price<100"])

    def embedded():
        return sum(c["embedded"] for c in status(stack)["serving"]["collections"])
    wait_for_meaning(stack)
    before = embedded() + 1
    number = insert_found_product(stack, "Quartzlight lamp", price=50)
    until(lambda: embedded() == before, 20, what="the new product has a vector")
    assert under_100() == [str(number)]
    stack.sql("UPDATE Products SET price = 150 WHERE product_id = %s", (number,))
    until(lambda: under_100() == [], 5)
    assert search(stack, "quartzlight", args=["--mode", "lexical"])["hits"][0]["price"] == 150
    stack.sql("UPDATE Products SET price = 99.99 WHERE product_id = %s", (number,))
    until(lambda: under_100() == [str(number)], 5)
    assert embedded() == before


def test_a_change_is_found_before_it_is_acknowledged(stack):
    """While the acknowledgement waits for the lease's row, there is no hand-off."""
    number = insert_found_product(stack, "Quartzlight lamp", price=50)
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_handoff") == 0, 20)
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute("SELECT * FROM sync_lease FOR UPDATE")
        stack.sql("UPDATE Products SET price = 150 WHERE product_id = %s", (number,))
        until(lambda: find(stack, "quartzlight", args=["--mode", "lexical", "--filter", "price>100"])
              == [str(number)], 3)
        assert stack.value("SELECT COUNT(*) FROM product_sync_queue") > 0
        assert stack.value("SELECT COUNT(*) FROM sync_handoff") == 0
        db.rollback()
    assert_equal(stack)


def test_a_new_text_is_embedded_before_it_is_acknowledged(stack):
    """The vectors, too, are made of what the worker has read."""
    def embedded():
        return sum(c["embedded"] for c in status(stack)["serving"]["collections"])
    number = insert_found_product(stack, "Quartzlight lamp")
    wait_for_meaning(stack)
    until(lambda: stack.value("SELECT COUNT(*) FROM sync_handoff") == 0, 20)
    before = embedded()
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute("SELECT * FROM sync_lease FOR UPDATE")
        stack.sql("UPDATE Products SET product_description = 'of zebrawood' WHERE product_id = %s",
                  (number,))
        until(lambda: embedded() == before + 1, 3)
        assert stack.value("SELECT COUNT(*) FROM sync_handoff") == 0
        db.rollback()
    assert_equal(stack)


def test_a_new_brand_is_understood_after_a_moment(stack):
    def filters():
        return [f["attribute"] for f in search(stack, "lamp by wobblecorp")["parsed"]["filters"]]
    assert filters() == []
    supplier = stack.insert("Suppliers", supplier_name="Wobblecorp")
    for i in range(3):  # fewer might be a mistake
        number = insert_found_product(stack, f"Quartzlight{i} lamp")
        stack.sql("UPDATE Products SET supplier_id = %s WHERE product_id = %s", (supplier, number))
    until(lambda: filters() == ["brand"], 20)


def test_what_is_deleted_is_found_no_more(stack):
    wait_for_words(stack)
    number = insert_product(stack, "Quartzlight lamp")
    until(lambda: find(stack, "quartzlight") == [str(number)], 5)
    before = total(stack, "products")
    stack.sql("DELETE FROM Products WHERE product_id = %s", (number,))
    until(lambda: find(stack, "quartzlight") == [], 5)
    assert total(stack, "products") == before - 1


# --- killed -----------------------------------------------------------------------------------


@pytest.mark.limit(240)
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_under_writes_it_is_equal_again(stack, seed):
    chance = random.Random(seed)
    wait_for_words(stack)
    with writers(stack, 3):
        for _ in range(6):
            time.sleep(chance.uniform(0, 1.2))
            stack.kill("worker")
            stack.up()
    assert_equal(stack)


@pytest.mark.limit(240)
def test_killed_during_the_first_scan_it_is_equal_again(stack):
    wait_for_words(stack)
    chance = random.Random(3)
    stack.run("index", "rebuild", "--no-wait")
    for turn in range(5):
        if turn % 2:
            stack_module.remove_tree(stack.var / "index" / "words")
        stack.kill("worker")
        stack.up()
        time.sleep(chance.uniform(0, 0.4))
    assert_equal(stack)


def test_a_restart_reads_no_documents_again(stack, record_property):
    wait_for_meaning(stack)
    stack.kill("worker")
    since = time.monotonic()
    stack.up()
    started = time.monotonic()
    until(lambda: stack.run("search", "", "--limit", "1", check=False).returncode == 0, 10, pause=0.01)
    record_property("answers_after_up_ms", round((time.monotonic() - started) * 1000))
    record_property("answers_after_kill_ms", round((time.monotonic() - since) * 1000))
    for _ in range(20):
        for one in status(stack)["words"]["collections"]:
            assert "scan" not in one and one["state"] != "indexing", one
        time.sleep(0.02)
    assert_totals(stack)


def test_changes_while_the_worker_is_dead_are_found_after_it(stack):
    gone = insert_found_product(stack, "Soon gone quartzlight")
    stack.kill("worker")
    stack.sql("DELETE FROM Products WHERE product_id = %s", (gone,))
    number = insert_product(stack, "Quartzlight lamp")
    stack.up()
    until(lambda: find(stack, "quartzlight") == [str(number)], 10)
    assert_equal(stack)


def test_two_workers_in_one_folder_take_turns(stack):
    wait_for_words(stack)
    second = stack.start("serve")
    until(lambda: "another process has the index" in second.log.read_text(), 20,
          what="the second one stands by")
    number = insert_product(stack, "Quartzlight lamp")
    until(lambda: find(stack, "quartzlight") == [str(number)], 5)
    stack.kill("worker")
    late = insert_product(stack, "Quartzlight chair")
    until(lambda: set(find_or_none(stack, "quartzlight")) == {str(number), str(late)}, 40,
          what="the second one has the index")
    assert_equal(stack)


def find_or_none(stack, *what):
    """While nobody answers: nothing."""
    with contextlib.suppress(stack_module.CommandFailed):
        return find(stack, *what)
    return []


# --- rules ------------------------------------------------------------------------------------


def rules_of_its_own(stack, change):
    """The shipped rules, changed."""
    rules = yaml.safe_load((stack_module.ROOT / "rules" / "search.yaml").read_text())
    change(rules)
    path = stack.root / "search.yaml"
    path.write_text(yaml.safe_dump(rules, sort_keys=False))
    return path


def test_other_rules_answer_when_they_have_all_and_the_former_ones_until_then(stack):
    """A description that is searched for no more."""
    number = insert_product(stack, "Thing", product_description="made of quartzlight")
    rules_of_its_own(stack, lambda rules: None)
    stack.write_config(index={"rules": "search.yaml", "batch": 2})
    stack.up()
    wait_for_words(stack)
    assert find(stack, "quartzlight") == [str(number)]
    rules_of_its_own(stack, lambda rules: rules["collections"]["product_catalog"]["fields"].pop(
        "description", None) or rules["collections"]["product_catalog"]["fields"].pop("text", None))
    asked, seen = 0, set()
    stack.run("index", "rebuild", "--no-wait")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        seen.add(tuple(find(stack, "quartzlight")))
        asked += 1
        if "scan" not in words(stack, "product_catalog") and () in seen:
            break
    assert seen == {(str(number),), ()}, "the whole old answer, then the whole new one"
    wait_for_words(stack)
    assert find(stack, "quartzlight") == []
    assert_totals(stack)


def test_a_mistake_in_the_rules_is_shown_and_the_former_answers_go_on(stack):
    rules_of_its_own(stack, lambda rules: None)
    stack.write_config(index={"rules": "search.yaml"})
    stack.up()
    number = insert_found_product(stack, "Quartzlight lamp")
    (stack.root / "search.yaml").write_text("collections: {reviews: {texts: nonsense}}\n")
    stack.run("index", "rebuild", "--no-wait")
    until(lambda: "search.yaml:1:" in (status(stack)["words"]["error"] or ""), 10)
    assert find(stack, "quartzlight") == [str(number)]
    assert stack.run("doctor", check=False).returncode != 0
    assert "search.yaml:1:" in stack.run("index", "status").stdout
    late = insert_product(stack, "Quartzlight chair")
    stack.wait_synced()
    rules_of_its_own(stack, lambda rules: None)
    until(lambda: set(find(stack, "quartzlight")) == {str(number), str(late)}, 40)
    assert_equal(stack)


def test_another_mapping_is_taken_while_it_runs(stack):
    """One that is not indexed: the rules stay as they are, and what they are bound to does not."""
    wait_for_words(stack)
    folder = stack.root / "mapping"
    subprocess.run(["cp", "-r", str(stack_module.ROOT / "mapping"), str(folder)], check=True)
    stack.write_config(mapping={"dir": str(folder)})
    stack.down()
    stack.up()
    wait_for_words(stack)
    (folder / "suppliers.yaml").write_text(
        "collection: supplier_list\ntarget: none\nqueue: supplier_sync_queue\ntable: Suppliers\n"
        "key: supplier_id\nfields: {supplier_id: supplier_id}\n")
    done = stack.run("sync", "install", check=False)
    assert done.returncode == 0, done.stderr
    time.sleep(6)  # a reader looks every five seconds
    stack.run("index", "rebuild")
    number = insert_product(stack, "Quartzlight lamp")
    until(lambda: find(stack, "quartzlight") == [str(number)], 10)
    assert_equal(stack)


def test_only_the_collections_that_are_named_are_searched(stack):
    stack.write_config(index={"collections": ["product_catalog"]})
    stack.up()
    wait_for_words(stack, names=["product_catalog"])
    assert total(stack, "products") > 0
    assert "is not indexed" in stack.fails("search", "--in", "reviews", "x")
    report = stack.verify()
    assert report["equal"]
    assert [c["collection"] for c in report["index"]["collections"]] == ["product_catalog"]
    stack.write_config(index={"collections": None})
    stack.down()
    stack.up()
    assert_equal(stack)


# --- damaged, full ----------------------------------------------------------------------------


def flip(path, places):
    data = bytearray(path.read_bytes())
    for place in places:
        data[int(place * (len(data) - 1))] ^= 0x55
    path.write_bytes(data)


DAMAGES = {
    "header": lambda path: flip(path, [0]),
    "early": lambda path: flip(path, [0.02]),
    "middle": lambda path: flip(path, [0.5]),
    "everywhere": lambda path: flip(path, [i / 17 for i in range(17)]),
    "last-byte": lambda path: flip(path, [1]),
    "cut": lambda path: os.truncate(path, path.stat().st_size * 2 // 3),
    "empty": lambda path: os.truncate(path, 0),
    "garbage": lambda path: path.write_bytes(b"this is no file of records " * 1000),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_made_again(stack, damage):
    number = insert_found_product(stack, "Quartzlight lamp")
    stack.kill("worker")
    for path in (stack.var / "index" / "words").glob("*.records*"):
        DAMAGES[damage](path)
    stack.up()
    until(lambda: find_or_none(stack, "quartzlight") == [str(number)], 20)
    assert_equal(stack)
    wait_for_meaning(stack)
    stack.kill("worker")
    stack.up()
    assert_equal(stack)


def test_damage_under_a_running_worker_is_mended(stack):
    number = insert_found_product(stack, "Quartzlight lamp", product_description="zebrawood " * 50)
    path = stack.var / "index" / "words" / "product_catalog.records"
    data = path.read_bytes()
    at = data.rindex(b"zebrawood zebrawood")
    with open(path, "r+b") as file:
        file.seek(at - 300)
        file.write(b"\xff" * 300)
    stack.sql("UPDATE Products SET product_description = 'oak', price = price + 1"
              " WHERE product_id = %s", (number,))
    until(lambda: find_or_none(stack, "quartzlight", "oak") == [str(number)], 30)
    assert_equal(stack)


def can_mount(folder):
    return os.getuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], check=False,
        capture_output=True).returncode == 0 and subprocess.run(
            ["umount", str(folder)], check=False).returncode == 0


def test_a_full_disk_stops_indexing_and_nothing_else(stack):
    folder = stack.var / "index" / "words"
    if not can_mount(folder):
        pytest.skip("cannot mount")
    stack.down()
    stack_module.remove_tree(folder)
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "none", str(folder)], check=True)
    try:
        stack.up()
        wait_for_words(stack)
        filler = folder / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        pid = stack.worker_pid()
        numbers = [insert_product(stack, f"Quartzlight {i}", product_description="zebrawood " * 200)
                   for i in range(40)]
        stack.wait_synced()
        until(lambda: "No space left" in (status(stack)["words"]["error"] or ""), 20)
        assert "make room" in stack.run("index", "status").stdout
        until(lambda: words(stack, "product_catalog")["waiting"] > 0, 10)
        assert total(stack, "products") > 0, "what is there still answers"
        assert stack.run("doctor", check=False).returncode != 0
        filler.unlink()
        until(lambda: set(find(stack, "zebrawood", args=["--mode", "lexical", "--limit", "100"]))
              == set(map(str, numbers)), 40)
        assert stack.worker_pid() == pid
        assert_equal(stack)
        stack.kill("worker")
        stack.up()
        assert_equal(stack)
    finally:
        stack.down()
        subprocess.run(["umount", str(folder)], check=True)


# --- erased -----------------------------------------------------------------------------------


def holders(folder, text):
    """Files that hold a text, in any case."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and text.lower() in path.read_bytes().lower():
                found.append(str(path.relative_to(folder)))
    return sorted(found)


@pytest.mark.limit(180)
def test_what_is_deleted_is_in_no_file_after_a_while(stack):
    stack.write_config(index={"forget_after": "2s"})
    stack.up()
    number = insert_product(stack, "Quartzlight lamp", product_description="of finest zebrawood")
    review = stack.value("SELECT MAX(review_id) FROM Reviews")
    stack.sql("UPDATE Reviews SET review_text = 'I am Xanthippe Quarrelsome, write to me'"
              " WHERE review_id = %s", (review,))
    customer = stack.insert("Customers", first_name="Wilhelmina", last_name="Vandersloot",
                            email="wilhelmina.vandersloot@example.org",
                            registration_date="2024-01-02")
    wait_for_meaning(stack)
    folder = stack.var / "index"
    secrets = [b"zebrawood", b"xanthippe", b"quarrelsome", b"vandersloot"]
    until(lambda: find(stack, "zebrawood") == [str(number)], 10)
    assert holders(folder, b"zebrawood") and holders(folder, b"xanthippe")
    stack.sql("DELETE FROM Products WHERE product_id = %s", (number,))
    stack.sql("UPDATE Reviews SET review_text = 'Fine' WHERE review_id = %s", (review,))
    stack.sql("DELETE FROM Customers WHERE customer_id = %s", (customer,))
    stack.wait_synced()
    for secret in secrets:
        until(lambda: holders(folder, secret) == [], 60, pause=0.5,  # noqa: B023
              what=f"{secret} is in none of {holders(folder, secret)}")
    again = insert_product(stack, "Zebrawood chair")
    until(lambda: find(stack, "zebrawood") == [str(again)], 5, what="the word is known again")
    stack.kill("worker")
    stack.up()
    until(lambda: find_or_none(stack, "zebrawood") == [str(again)], 10)
    assert_equal(stack)
