"""`verify` finds what is missing, extra and different, names the fields, and repairs."""
import json
import time

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from workload import writers


def entry(report, collection):
    return next(e for e in report["collections"] if e["collection"] == collection)


def spoil(stack):
    """One missing, one extra and one different document in product_catalog; their keys."""
    products = stack.docs("product_catalog")
    keys = [d["_id"] for d in products.find({}, {"_id": 1}).sort("_id", 1).limit(3)]
    missing, extra, different = keys[0], Int64(keys[1] + 10**12), keys[2]
    document = products.find_one({"_id": keys[1]})
    products.delete_one({"_id": missing})
    products.insert_one({**document, "_id": extra, "product_id": extra},
                        bypass_document_validation=True)
    products.update_one({"_id": different}, {
        "$set": {"price": Decimal128("1.000"), "category.name": "wrong", "stock_quantity": 7.0},
        "$unset": {"ean": ""}}, bypass_document_validation=True)
    return missing, extra, different


def test_equal_stores_are_called_equal(stack):
    report = stack.verify()
    assert report["equal"] is True
    assert {e["collection"] for e in report["collections"]} == {
        "customer_profiles", "product_catalog", "reviews"}
    for one in report["collections"]:
        assert one["rows"] == one["documents"] > 0
        assert (one["missing"], one["extra"], one["different"], one["pending"]) == (0, 0, 0, 0)
        assert one["differences"] == []
    assert stack.run("verify").returncode == 0


def test_missing_extra_and_different_are_told_with_field_paths(stack):
    missing, extra, different = spoil(stack)
    report = stack.verify()
    one = entry(report, "product_catalog")
    assert (one["missing"], one["extra"], one["different"]) == (1, 1, 1)
    found = {(d["kind"], str(d["key"])): d for d in one["differences"]}
    assert set(found) == {("missing", str(missing)), ("extra", str(extra)),
                          ("different", str(different))}
    paths = set(found["different", str(different)]["paths"])
    assert paths == {"price", "category.name", "stock_quantity", "ean"}, paths
    for other in ("customer_profiles", "reviews"):
        assert entry(report, other)["differences"] == []
    text = stack.run("verify", check=False)
    assert text.returncode != 0 and "category.name" in text.stdout


def test_repair_mends_all_of_it(stack):
    spoil(stack)
    stack.run("verify", "--repair", check=False)
    stack.assert_in_step()


def test_one_collection_only(stack):
    spoil(stack)
    report = stack.verify("--collection", "reviews")
    assert [e["collection"] for e in report["collections"]] == ["reviews"]
    assert report["equal"]
    message = stack.fails("verify", "--collection", "revews")
    assert "revews" in message and "reviews" in message


def test_a_type_is_a_difference(stack):
    review = stack.docs("reviews").find_one()
    stack.docs("reviews").update_one({"_id": review["_id"]},
                                     {"$set": {"rating": int(review["rating"])}},  # int32
                                     bypass_document_validation=True)
    assert entry(stack.verify(), "reviews")["differences"][0]["paths"] == ["rating"]


def test_an_empty_collection_is_all_missing(stack):
    rows = stack.value("SELECT COUNT(*) FROM Reviews")
    stack.docs("reviews").drop()
    one = entry(stack.verify(), "reviews")
    assert (one["rows"], one["documents"], one["missing"]) == (rows, 0, rows)
    stack.run("verify", "--repair", check=False)
    stack.assert_in_step()


def test_changes_in_flight_are_no_difference(stack):
    """Keys that change all the time may stay undecided (pending), but are never called different."""
    with writers(stack, 2):
        for _ in range(2):
            done = stack.run("verify", "--json", "--wait", "2", check=False)
            for one in json.loads(done.stdout)["collections"]:
                assert (one["missing"], one["extra"], one["different"]) == (0, 0, 0), one
    assert stack.verify()["equal"]


def test_a_true_difference_is_told_from_changes_in_flight(stack):
    quiet = stack.value("SELECT MAX(product_id) FROM Products")
    stack.docs("product_catalog").update_one({"_id": Int64(quiet)}, {"$set": {"name": "wrong"}})
    with writers(stack, 3, only=["review_new", "review_change", "order_new", "customer_field"]):
        report = stack.verify()
    one = entry(report, "product_catalog")
    assert [(str(d["key"]), d["paths"]) for d in one["differences"]] == [(str(quiet), ["name"])]


def test_verify_while_paused_does_not_hang_and_tells_what_is_pending(stack):
    stack.pause()
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 3")
    done = stack.run("verify", "--json", "--wait", 3, check=False, timeout=60)
    assert done.returncode != 0
    assert "pending" in done.stdout or "pause" in done.stderr
    stack.run("sync", "resume")
    stack.assert_in_step()


def test_status_knows_the_last_verification(stack):
    stack.verify()
    text = stack.run("status", "--json").stdout
    assert "verif" in text
