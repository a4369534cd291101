"""What MongoDB's own users add is theirs: the sync neither changes nor deletes it."""
from bson.int64 import Int64


def test_fields_of_mongodb_begin_with_their_initial_values(stack):
    number = stack.insert("Customers", first_name="New", last_name="One",
                          registration_date="2026-01-01")
    stack.wait_synced()
    document = stack.doc("customer_profiles", number)
    assert document["recent_activity_log"] == []
    assert document["customer_preferences"] == {} and document["social_media_handles"] == {}


def test_fields_of_mongodb_survive_updates_and_migration(stack):
    number = stack.value("SELECT MIN(customer_id) FROM Customers")
    theirs = {"recent_activity_log": [{"clicked": "lamp"}], "customer_preferences": {"a": 1},
              "something_of_their_own": [1, 2.5, None]}
    stack.docs("customer_profiles").update_one({"_id": Int64(number)}, {"$set": theirs})
    stack.sql("UPDATE Customers SET last_name = 'Changed' WHERE customer_id = %s", (number,))
    stack.wait_synced()
    document = stack.doc("customer_profiles", number)
    assert document["last_name"] == "Changed"
    assert {name: document[name] for name in theirs} == theirs
    stack.run("migrate")
    stack.wait_synced()
    document = stack.doc("customer_profiles", number)
    assert {name: document[name] for name in theirs} == theirs
    assert stack.verify()["equal"], "fields of MongoDB's own are no difference"


def test_a_key_change_takes_the_fields_of_mongodb_along(stack):
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products LIMIT 1")[0]
    old = stack.insert("Products", category_id=category, supplier_id=supplier, price=1,
                       product_name="Moves", stock_quantity=1)
    stack.wait_synced()
    stack.docs("product_catalog").update_one(
        {"_id": Int64(old)}, {"$set": {"media_attachments": ["a.png"], "theirs": {"x": 1}}})
    new = old + 7_000_000_000
    stack.sql("UPDATE Products SET product_id = %s WHERE product_id = %s", (new, old))
    stack.wait_synced()
    assert stack.doc("product_catalog", old) is None
    document = stack.doc("product_catalog", new)
    assert document["product_id"] == new and document["name"] == "Moves"
    assert document["media_attachments"] == ["a.png"] and document["theirs"] == {"x": 1}
    stack.assert_in_step()


def test_a_chain_of_key_changes_in_one_transaction(stack):
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products LIMIT 1")[0]
    first = stack.insert("Products", category_id=category, supplier_id=supplier, price=1,
                         product_name="Chain", stock_quantity=1)
    stack.wait_synced()
    stack.docs("product_catalog").update_one({"_id": Int64(first)}, {"$set": {"theirs": 1}})
    connection = stack.open_sql(autocommit=False)
    with connection.cursor() as cursor:
        for step in range(3):
            cursor.execute("UPDATE Products SET product_id = product_id + 1000000"
                           " WHERE product_id = %s", (first + step * 1000000,))
    connection.commit()
    connection.close()
    stack.wait_synced()
    assert stack.doc("product_catalog", first + 3000000)["theirs"] == 1
    assert stack.doc("product_catalog", first) is None
    assert stack.doc("product_catalog", first + 1000000) is None
    stack.assert_in_step()


def test_foreign_documents_are_reported_and_never_deleted(stack):
    reviews = stack.docs("reviews")
    theirs = [{"_id": "written by hand", "note": "theirs"}, {"_id": Int64(10**12), "x": 1}]
    reviews.insert_many([dict(d) for d in theirs], bypass_document_validation=True)
    stack.sql("UPDATE Reviews SET rating = 3")
    stack.run("migrate")
    stack.wait_synced()
    report = stack.verify()
    assert report["equal"], report
    stack.run("verify", "--repair")
    stack.run("migrate")
    for document in theirs:
        assert reviews.find_one({"_id": document["_id"]}) == document
    stack.assert_in_step()


def test_an_owned_field_changed_by_hand_is_found_and_repaired(stack):
    number = stack.value("SELECT MIN(product_id) FROM Products")
    stack.docs("product_catalog").update_one({"_id": Int64(number)},
                                             {"$set": {"name": "by hand"}})
    assert not stack.verify("--collection", "product_catalog")["equal"]
    stack.run("verify", "--collection", "product_catalog", "--repair", check=False)
    stack.assert_in_step()


def test_other_indexes_and_other_collections_stay(stack):
    stack.docs("product_catalog").create_index("specifications_extra.of_our_own")
    stack.docs("of_our_own").insert_one({"_id": 1})
    stack.run("sync", "install")
    stack.run("migrate")
    assert any("of_our_own" in name for name in stack.docs("product_catalog").index_information())
    assert stack.docs("of_our_own").find_one()
    stack.run("sync", "check")
