"""`verify` compares the index as a third store: what is not in it as it should be is named."""
import contextlib
import json
import sqlite3

import pytest

from indexed import (change_behind_its_back, find, insert_found_product, insert_product, status,
                     wait_for_meaning, wait_for_words)
from workload import writers

pytestmark = pytest.mark.index


def entry(report, collection="product_catalog"):
    return next(e for e in report["index"]["collections"] if e["collection"] == collection)


def test_equal_stores_are_called_equal(stack):
    wait_for_meaning(stack)
    report = stack.verify()
    assert report["equal"] and report["index"]["compared"]
    found = {e["collection"]: e for e in report["index"]["collections"]}
    assert set(found) == {"customer_profiles", "product_catalog", "reviews"}
    for one in found.values():
        assert one["rows"] == one["documents"] > 0
        assert (one["missing"], one["extra"], one["different"], one["pending"], one["late"]) == (
            0, 0, 0, 0, 0), one
    assert "in the index" in stack.run("verify").stdout


def test_missing_extra_and_different_are_told_and_repaired(stack):
    gone = insert_found_product(stack, "Soon gone quartzlight")
    different = insert_found_product(stack, "Formerly quartzlight")
    wait_for_meaning(stack)
    assert set(find(stack, "quartzlight")) == {str(gone), str(different)}
    made = []

    def change():
        stack.sql("DELETE FROM Products WHERE product_id = %s", (gone,))
        stack.sql("UPDATE Products SET product_name = 'Now zebrawood' WHERE product_id = %s",
                  (different,))
        made.append(insert_product(stack, "New zebrawood"))
    change_behind_its_back(stack, change)
    wait_for_meaning(stack)
    report = stack.verify()
    assert not report["equal"]
    assert all(not c["differences"] for c in report["collections"]), "MongoDB has them"
    one = entry(report)
    assert (one["missing"], one["extra"], one["different"], one["pending"]) == (1, 1, 1, 0), one
    assert {(d["kind"], str(d["key"])) for d in one["differences"]} == {
        ("missing", str(made[0])), ("extra", str(gone)), ("different", str(different))}
    text = stack.run("verify", check=False)
    assert text.returncode == 14 and "the index do not agree" in text.stderr
    assert f"extra in the index of product_catalog {gone}" in text.stdout
    stack.run("verify", "--repair")
    assert set(find(stack, "zebrawood")) == {str(different), str(made[0])}
    assert find(stack, "quartzlight") == []
    assert stack.verify()["equal"]


def test_changes_in_flight_are_no_difference(stack):
    wait_for_words(stack)
    with writers(stack, 2):
        for _ in range(3):
            done = stack.run("verify", "--json", "--wait", "2", check=False)
            report = json.loads(done.stdout)
            for one in report["index"]["collections"] + report["collections"]:
                assert (one["missing"], one["extra"], one["different"]) == (0, 0, 0), one
    assert stack.verify()["equal"]


def test_a_vector_of_another_text_is_told_and_made_again(stack):
    wait_for_meaning(stack)
    stack.kill("worker")
    with contextlib.closing(sqlite3.connect(next((stack.var / "index").glob("g*/state.db")))) as db:
        changed = db.execute("UPDATE document SET made_of = made_of + 1 WHERE key = (SELECT MIN(key)"
                             " FROM document WHERE collection = (SELECT id FROM collection WHERE"
                             " name = 'reviews')) AND collection = (SELECT id FROM collection WHERE"
                             " name = 'reviews')").rowcount
        db.commit()
    assert changed == 1
    stack.up()
    wait_for_meaning(stack)
    one = entry(stack.verify(), "reviews")
    assert (one["missing"], one["extra"], one["different"]) == (0, 0, 1), one
    assert one["differences"][0]["paths"] == ["vector"]
    stack.run("verify", "--repair")
    assert stack.verify()["equal"]


def test_what_has_no_vector_yet_is_late_and_no_difference(stack, provider):
    stack.write_config(embed=provider.config(pii="remote", timeout="2s", retries=0))
    stack.up()
    wait_for_meaning(stack)
    provider.set_hangs(True)
    numbers = [insert_product(stack, f"Late {i} quartzlight") for i in range(5)]
    stack.wait_synced()
    report = stack.verify("--wait", "3")
    assert report["equal"], report["index"]
    assert entry(report)["late"] == len(numbers)
    assert "no vector" in stack.run("verify", "--wait", "3").stdout
    provider.set_hangs(False)
    wait_for_meaning(stack, 90)
    assert entry(stack.verify())["late"] == 0


def test_without_a_worker_or_an_index_that_is_said(stack):
    wait_for_words(stack)
    stack.kill("worker")
    report = stack.verify()
    assert report["equal"] and not report["index"]["compared"] and report["index"]["reason"]
    assert "the index was not compared: " in stack.run("verify").stdout
    stack.write_config(index={"enabled": False})
    stack.up()
    report = stack.verify()
    assert report["equal"] and report["index"]["reason"] == "index.enabled is false"


def test_an_index_by_other_rules_is_no_equal_one(stack):
    wait_for_words(stack)
    stack.write_config(index={"rules": "search.yaml"})
    (stack.root / "search.yaml").write_text(
        "collections:\n  reviews:\n    texts: [{parts: [{field: title}]}]\n"
        "    fields: {title: {parts: [{field: title}]}}\n")
    message = stack.fails("verify", "--wait", "1")
    assert "other rules" in message and "index rebuild" in message
    stack.up()
    wait_for_words(stack, names=["reviews"])
    report = stack.verify()
    assert report["equal"], report["index"]
    assert [e["collection"] for e in report["index"]["collections"]] == ["reviews"]
    assert status(stack)["words"]["ok"]
