"""Every kind of change reaches its documents: also those that a common hand-written sync loses."""
import contextlib
import decimal

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from waiting import until


@pytest.fixture
def product(stack):
    """A new product without reviews or orders; its key."""
    category, supplier = stack.sql(
        "SELECT category_id, supplier_id FROM Products ORDER BY product_id LIMIT 1")[0]
    number = stack.insert("Products", category_id=category, supplier_id=supplier,
                          product_name="Lamp", price="10.00", stock_quantity=1,
                          product_description="bright", model_name="L1")
    stack.wait_synced()
    return number


@pytest.fixture
def customer(stack):
    number = stack.insert("Customers", first_name="Ada", last_name="Byron",
                          email="ada@example.org", registration_date="2026-01-02 03:04:05")
    stack.wait_synced()
    return number


def field(stack, collection, key, path):
    value = stack.doc(collection, key)
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


TEXTS = {
    "NULL to text and back": ["bright", None, "bright"],
    "NULL is not the empty text": [None, "", None],
    "a change of case only": ["bright", "BRIGHT", "Bright"],
    "trailing spaces": ["bright", "bright ", "bright  ", "bright"],
    "letters that a collation calls equal": ["straße", "strasse", "STRASSE"],
    "composed and decomposed": ["e\u0301", "\u00e9"],
    "odd characters": ["a\u0000b", "tab\there", "line\nend", "quote'\"\\", "🙂"],
}


@pytest.mark.parametrize("column, path", [("product_description", "description"),
                                          ("model_name", "model_name")])
def test_texts_arrive_exactly(stack, product, column, path):
    for what, values in TEXTS.items():
        for value in values:
            stack.sql(f"UPDATE Products SET {column} = %s WHERE product_id = %s", (value, product))
            stack.wait_synced()
            assert field(stack, "product_catalog", product, path) == value, what
    stack.assert_in_step()


def test_change_of_case_of_a_joined_name_reaches_all_documents(stack):
    customer, first, last = stack.sql(
        "SELECT customer_id, first_name, last_name FROM Customers WHERE customer_id IN"
        " (SELECT customer_id FROM Reviews) ORDER BY 1 LIMIT 1")[0]
    stack.sql("UPDATE Customers SET first_name = UPPER(first_name) WHERE customer_id = %s",
              (customer,))
    stack.wait_synced()
    wanted = f"{first.upper()} {last}"
    assert field(stack, "customer_profiles", customer, "full_name") == wanted
    names = stack.docs("reviews").distinct("customer.full_name", {"customer_id": Int64(customer)})
    assert names == [wanted]
    stack.assert_in_step()


def test_a_renamed_category_changes_all_its_products(stack):
    """Also those of the categories below it, whose path holds the name."""
    parent = stack.value(
        "SELECT c.parent_id FROM Categories c JOIN Products p USING (category_id)"
        " WHERE c.parent_id IS NOT NULL GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1")
    stack.sql("UPDATE Categories SET category_name = 'Renamed' WHERE category_id = %s", (parent,))
    stack.wait_synced()
    below = stack.value("SELECT COUNT(*) FROM Products p JOIN Categories c USING (category_id)"
                        " WHERE c.parent_id = %s OR c.category_id = %s", (parent, parent))
    found = stack.docs("product_catalog").count_documents({"category_path": "Renamed"})
    assert found >= below > 0
    leaf = stack.value("SELECT category_id FROM Products GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1")
    stack.sql("UPDATE Categories SET category_name = LOWER(CONCAT(category_name, ' '))"
              " WHERE category_id = %s", (leaf,))
    stack.assert_in_step()


def test_a_category_that_moves_in_the_tree_changes_the_paths_below(stack):
    child = stack.value("SELECT category_id FROM Categories WHERE parent_id IS NOT NULL AND"
                        " category_id IN (SELECT category_id FROM Products) ORDER BY 1 LIMIT 1")
    stack.sql("UPDATE Categories SET parent_id = NULL WHERE category_id = %s", (child,))
    stack.assert_in_step()
    path = stack.docs("product_catalog").find_one({"category.category_id": Int64(child)})
    assert len(path["category_path"]) == 1


def test_a_renamed_supplier_changes_products_and_reviews(stack):
    supplier = stack.value("SELECT supplier_id FROM Products JOIN Reviews USING (product_id)"
                           " GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1")
    stack.sql("UPDATE Suppliers SET supplier_name = 'New Name' WHERE supplier_id = %s", (supplier,))
    stack.assert_in_step()
    assert stack.docs("reviews").count_documents({"product.supplier.name": "New Name"}) > 0
    assert stack.docs("product_catalog").count_documents({"supplier.name": "New Name"}) > 0


def test_a_review_moved_to_another_product_changes_both(stack, product):
    review, old = stack.sql("SELECT review_id, product_id FROM Reviews ORDER BY 1 LIMIT 1")[0]
    before = field(stack, "product_catalog", old, "review_summary.count")
    stack.sql("UPDATE Reviews SET product_id = %s WHERE review_id = %s", (product, review))
    stack.wait_synced()
    assert field(stack, "product_catalog", product, "review_summary.count") == 1
    assert field(stack, "product_catalog", old, "review_summary.count") == before - 1
    assert field(stack, "reviews", review, "product.name") == "Lamp"
    stack.assert_in_step()


def test_an_order_moved_to_another_customer_changes_both(stack, customer):
    order, old = stack.sql("SELECT order_id, customer_id FROM Orders WHERE order_status <> "
                           "'cancelled' ORDER BY order_date DESC LIMIT 1")[0]
    stack.sql("UPDATE Orders SET customer_id = %s WHERE order_id = %s", (customer, order))
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "recent_orders.0.order_id") == order
    ids = [o["order_id"] for o in field(stack, "customer_profiles", old, "recent_orders")]
    assert order not in ids
    stack.assert_in_step()


def newest_items(stack):
    """Two orders, of different customers, that their profiles show; an item of the first."""
    return stack.sql(
        "SELECT i.order_item_id, o.order_id, o.customer_id FROM Order_Items i"
        " JOIN Orders o USING (order_id) ORDER BY o.order_date DESC, o.order_id DESC LIMIT 1")[0]


def test_an_order_line_repriced_is_in_the_profile(stack):
    item, order, customer = newest_items(stack)
    stack.sql("UPDATE Order_Items SET price = 1234.56 WHERE order_item_id = %s", (item,))
    stack.wait_synced()
    prices = [i["price"] for o in field(stack, "customer_profiles", customer, "recent_orders")
              for i in o["items"] if i["order_item_id"] == item]
    assert prices == [Decimal128("1234.56")]
    stack.assert_in_step()


def test_an_order_line_moved_changes_both_customers(stack, customer):
    item, order, old = newest_items(stack)
    new = stack.insert("Orders", customer_id=customer, order_date="2026-11-01")
    stack.sql("UPDATE Order_Items SET order_id = %s WHERE order_item_id = %s", (new, item))
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer,
                 "recent_orders.0.items.0.order_item_id") == item
    stack.assert_in_step()


def test_a_renamed_product_is_renamed_in_orders_and_reviews(stack):
    item, order, customer = newest_items(stack)
    product = stack.value("SELECT product_id FROM Order_Items WHERE order_item_id = %s", (item,))
    stack.sql("UPDATE Products SET product_name = 'Renamed Product' WHERE product_id = %s",
              (product,))
    stack.wait_synced()
    names = [i["product"]["name"]
             for o in field(stack, "customer_profiles", customer, "recent_orders")
             for i in o["items"] if i["order_item_id"] == item]
    assert names == ["Renamed Product"]
    stack.assert_in_step()


def test_deletes_reach_their_documents_and_those_around(stack):
    review, product, customer = stack.sql(
        "SELECT review_id, product_id, customer_id FROM Reviews ORDER BY 1 LIMIT 1")[0]
    stack.sql("DELETE FROM Reviews WHERE review_id = %s", (review,))
    stack.wait_synced()
    assert stack.doc("reviews", review) is None
    stack.sql("DELETE FROM Reviews WHERE product_id = %s OR customer_id = %s", (product, customer))
    stack.sql("DELETE i FROM Order_Items i WHERE product_id = %s", (product,))
    stack.sql("DELETE FROM Service_Details WHERE product_id = %s", (product,))
    stack.sql("DELETE FROM Product_Price_History WHERE product_id = %s", (product,))
    stack.sql("DELETE FROM Products WHERE product_id = %s", (product,))
    stack.sql("DELETE i FROM Order_Items i JOIN Orders USING (order_id) WHERE customer_id = %s",
              (customer,))
    stack.sql("DELETE FROM Orders WHERE customer_id = %s", (customer,))
    stack.sql("DELETE FROM Customer_Addresses WHERE customer_id = %s", (customer,))
    stack.sql("DELETE FROM Customers WHERE customer_id = %s", (customer,))
    stack.wait_synced()
    assert stack.doc("product_catalog", product) is None
    assert stack.doc("customer_profiles", customer) is None
    stack.assert_in_step()


@pytest.mark.parametrize("parent_first", [False, True])
def test_deletes_of_either_side_converge(stack, customer, product, parent_first):
    """In one transaction, in both orders (foreign keys off: as a replica or a repair would)."""
    review = stack.insert("Reviews", product_id=product, customer_id=customer, rating=5,
                          review_date="2026-01-01")
    stack.wait_synced()
    statements = [("DELETE FROM Reviews WHERE review_id = %s", review),
                  ("DELETE FROM Products WHERE product_id = %s", product)]
    connection = stack.open_sql(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for statement, key in reversed(statements) if parent_first else statements:
            cursor.execute(statement, (key,))
    connection.commit()
    connection.close()
    stack.wait_synced()
    assert stack.doc("reviews", review) is None and stack.doc("product_catalog", product) is None
    stack.assert_in_step()


def test_delete_and_insert_again_in_one_transaction_is_an_update(stack, customer):
    stack.docs("customer_profiles").update_one(
        {"_id": Int64(customer)}, {"$set": {"customer_preferences.colour": "green"}})
    connection = stack.open_sql(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM Customers WHERE customer_id = %s", (customer,))
        cursor.execute("INSERT INTO Customers (customer_id, first_name, last_name,"
                       " registration_date) VALUES (%s, 'Grace', 'Hopper', '2026-01-01')",
                       (customer,))
    connection.commit()
    connection.close()
    stack.wait_synced()
    document = stack.doc("customer_profiles", customer)
    assert document["full_name"] == "Grace Hopper"
    assert document["customer_preferences"] == {"colour": "green"}
    stack.assert_in_step()


def test_a_rolled_back_change_is_no_change(stack, product):
    connection = stack.open_sql(autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE Products SET price = 99999 WHERE product_id = %s", (product,))
    connection.rollback()
    connection.close()
    stack.assert_in_step()
    assert field(stack, "product_catalog", product, "price") == Decimal128("10.00")


def test_keys_above_32_bit_and_beyond_int64(stack, product):
    category, supplier = stack.sql("SELECT category_id, supplier_id FROM Products WHERE"
                                   " product_id = %s", (product,))[0]
    keys = {key: Int64(key) for key in (2**31, 2**32 + 1, 2**53 + 1, 2**63 - 1)}
    keys[2**63 + 5] = Decimal128(str(2**63 + 5))
    for key in keys:
        stack.insert("Products", product_id=key, category_id=category, supplier_id=supplier,
                     product_name=f"Big {key}", price=1, stock_quantity=1)
    stack.wait_synced()
    for key, identity in keys.items():
        document = stack.docs("product_catalog").find_one({"_id": identity})
        assert document["name"] == f"Big {key}" and type(document["_id"]) is type(identity)
    stack.sql("UPDATE Products SET price = 2 WHERE product_id >= %s", (2**31,))
    stack.assert_in_step()
    stack.sql("DELETE FROM Products WHERE product_id >= %s", (2**31,))
    stack.assert_in_step()
    assert not stack.docs("product_catalog").find_one({"_id": {"$in": list(keys.values())}})


def test_a_field_has_the_same_type_whether_migrated_or_synced(stack):
    """Every document is written again by a change of a value and back; types must not change."""
    def types():
        return {
            name: {d["_id"]: shape(d) for d in stack.docs(name).find()}
            for name in ("customer_profiles", "product_catalog", "reviews")}

    def shape(value):
        from oracle.compare import type_name
        if isinstance(value, dict):
            return {k: shape(v) for k, v in value.items() if k != "_sync"}
        if isinstance(value, list):
            return [shape(v) for v in value]
        if isinstance(value, Decimal128):
            return "decimal", value.to_decimal().as_tuple().exponent
        return type_name(value)

    migrated = types()
    for table, column in (("Customers", "last_name"), ("Products", "product_name"),
                          ("Reviews", "review_title")):
        stack.sql(f"UPDATE {table} SET {column} = CONCAT({column}, '~')"
                  f" WHERE CHAR_LENGTH({column}) < 60")
        stack.wait_synced()
        stack.sql(f"UPDATE {table} SET {column} = LEFT({column}, CHAR_LENGTH({column}) - 1)"
                  f" WHERE {column} LIKE '%%~'")
    stack.wait_synced(60)
    assert types() == migrated
    stack.assert_in_step()


def test_decimals_keep_their_scale(stack, product):
    for text in ("10.00", "10.50", "0.00", "9999999999.99", "0.01"):
        stack.sql("UPDATE Products SET price = %s WHERE product_id = %s",
                  (decimal.Decimal(text), product))
        stack.wait_synced()
        price = field(stack, "product_catalog", product, "price")
        assert isinstance(price, Decimal128) and str(price) == text
    found = stack.docs("product_catalog").find_one({"_id": Int64(product), "price": {"$lt": 100}})
    assert found, "a plain number finds a Decimal128"


def test_json_numbers_keep_their_types(stack, product):
    stack.sql("UPDATE Products SET specifications = %s WHERE product_id = %s",
              ('{"n": 1, "f": 1.0, "big": 9007199254740993, "t": [true, null, "x", {"a": []}]}',
               product))
    stack.wait_synced()
    document = field(stack, "product_catalog", product, "specifications")
    assert isinstance(document["n"], Int64) and isinstance(document["f"], float)
    assert document["big"] == 9007199254740993
    assert document["t"] == [True, None, "x", {"a": []}]
    stack.assert_in_step()


def test_dates_are_utc_whatever_the_time_zone_of_the_writer(stack, customer):
    connection = stack.open_sql(init_command="SET time_zone = '+09:00'")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE Customers SET registration_date = '2026-03-04 05:06:07',"
                       " date_of_birth = '1815-12-10' WHERE customer_id = %s", (customer,))
    connection.close()
    stack.wait_synced()
    document = stack.doc("customer_profiles", customer)
    assert document["registration_date"].isoformat() == "2026-03-04T05:06:07"
    assert document["date_of_birth"].isoformat() == "1815-12-10T00:00:00"
    stack.assert_in_step()


def test_the_default_address_is_the_location(stack, customer):
    first = stack.insert("Customer_Addresses", customer_id=customer, is_default=0, street="A",
                         city="Berlin", zip="1", country="DE")
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "location") is None
    second = stack.insert("Customer_Addresses", customer_id=customer, is_default=1, street="B",
                          city="Paris", zip="2", country="FR")
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "location") == {
        "city": "Paris", "state": None, "zip": "2"}
    stack.sql("UPDATE Customer_Addresses SET is_default = 1 WHERE address_id = %s", (first,))
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "location.city") == "Berlin"
    stack.sql("DELETE FROM Customer_Addresses WHERE address_id IN (%s, %s)", (first, second))
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "location") is None
    assert field(stack, "customer_profiles", customer, "addresses") == []
    stack.assert_in_step()


def test_a_cancelled_order_leaves_the_summary_but_not_the_list(stack, customer):
    order = stack.insert("Orders", customer_id=customer, order_date="2026-05-05",
                         total_amount="12.34", external_id="of-a-feed")
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "order_summary.total_spent") == Decimal128(
        "12.34")
    stack.sql("UPDATE Orders SET order_status = 'cancelled' WHERE order_id = %s", (order,))
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "order_summary") == {
        "order_count": 0, "total_spent": Decimal128("0.00"), "average_order": None,
        "first_order": None, "last_order": None}
    assert field(stack, "customer_profiles", customer, "recent_orders.0.status") == "cancelled"
    stack.assert_in_step()


def test_service_details_come_and_go(stack, product):
    stack.sql("UPDATE Products SET product_kind = 'service', stock_quantity = NULL"
              " WHERE product_id = %s", (product,))
    stack.insert("Service_Details", product_id=product, service_type="repair",
                 duration_minutes=30, delivery_mode="remote")
    stack.wait_synced()
    assert field(stack, "product_catalog", product, "service.duration_minutes") == 30
    stack.sql("DELETE FROM Service_Details WHERE product_id = %s", (product,))
    stack.wait_synced()
    assert field(stack, "product_catalog", product, "service") is None
    stack.assert_in_step()


def test_stock_and_rating_do_not_fan_out(stack):
    """A review shows the product's name, not its stock: its document is not written."""
    product = stack.value("SELECT product_id FROM Reviews GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT"
                          " 1")
    before = {d["_id"]: d["_sync"] for d in stack.docs("reviews").find({"product_id": product})}
    assert before
    stack.pause()
    stack.sql("UPDATE Products SET stock_quantity = COALESCE(stock_quantity, 0) + 1,"
              " current_rating = 1.23 WHERE product_id = %s AND product_kind = 'physical'",
              (product,))
    assert stack.value("SELECT COUNT(*) FROM review_sync_queue") == 0
    assert stack.value("SELECT COUNT(*) FROM customer_sync_queue") == 0
    assert stack.value("SELECT COUNT(*) FROM product_sync_queue") > 0
    stack.run("sync", "resume")
    stack.wait_synced()
    after = {d["_id"]: d["_sync"] for d in stack.docs("reviews").find({"product_id": product})}
    assert after == before
    stack.assert_in_step()


def test_a_change_that_changes_nothing_writes_nothing(stack, product):
    """`_sync` is written only when an owned field changes."""
    mark = stack.docs("product_catalog").find_one({"_id": Int64(product)})["_sync"]
    stack.pause()
    stack.sql("UPDATE Products SET price = 11 WHERE product_id = %s", (product,))
    stack.sql("UPDATE Products SET price = 10 WHERE product_id = %s", (product,))
    assert stack.pending() > 0
    stack.run("sync", "resume")
    stack.wait_synced()
    assert stack.docs("product_catalog").find_one({"_id": Int64(product)})["_sync"] == mark


def test_many_changes_that_concern_no_other_document_share_transactions(stack):
    """A new product may be in reviews and orders, where it never is: to find that out for each of a
    bulk with a transaction of its own took longer than the bulk."""
    before = stack.value("SELECT COUNT(*) FROM Products")

    def commits():
        return int(stack.sql("SHOW GLOBAL STATUS LIKE 'Com_commit'")[0][1])
    first = commits()
    stack.sql("INSERT INTO Products (category_id, supplier_id, product_name, price, stock_quantity)"
              " SELECT category_id, supplier_id, CONCAT('Bulk ', seq), 1, 1 FROM seq_1_to_5000,"
              " (SELECT category_id, supplier_id FROM Products LIMIT 1) p")
    stack.wait_synced(60)
    assert commits() - first < 1000, "three queues had 5,000 rows each"
    assert stack.docs("product_catalog").count_documents({}) == before + 5000
    report = stack.verify()
    assert report["equal"]


def test_one_big_transaction(stack):
    stack.sql("UPDATE Products SET price = price + 1, product_name = CONCAT('x', product_name)")
    stack.sql("UPDATE Customers SET last_name = CONCAT(last_name, 'x')")
    stack.assert_in_step(60)


def test_load_data_and_multi_table_updates_fire_too(stack, customer):
    stack.sql("UPDATE Orders o JOIN Order_Items i USING (order_id) SET o.total_amount ="
              " o.total_amount + 1, i.price = i.price + 1")
    stack.sql("INSERT INTO Orders (customer_id, order_date, total_amount)"
              " SELECT %s, order_date, total_amount FROM Orders LIMIT 20", (customer,))
    stack.sql("REPLACE INTO Customer_Addresses (address_id, customer_id, street, city, country)"
              " VALUES (900001, %s, 's', 'c', 'DE')", (customer,))
    stack.sql("REPLACE INTO Customer_Addresses (address_id, customer_id, street, city, country)"
              " VALUES (900001, %s, 's', 'd', 'DE')", (customer,))
    stack.sql("INSERT INTO Customers (customer_id, first_name, last_name, registration_date)"
              " VALUES (%s, 'x', 'y', NOW()) ON DUPLICATE KEY UPDATE first_name = 'Dup'",
              (customer,))
    stack.wait_synced()
    assert field(stack, "customer_profiles", customer, "first_name") == "Dup"
    stack.assert_in_step(60)


def test_until_is_not_fooled():
    """The waiting of these tests fails when the condition never holds."""
    with pytest.raises(AssertionError):
        until(lambda: False, 0.05)


def test_what_somebody_has_not_committed_holds_up_no_other_change(stack):
    """The acknowledgement looks up its own rows of the queue, and no others."""
    products = [row[0] for row in stack.sql("SELECT product_id FROM Products ORDER BY 1 LIMIT 40")]
    with contextlib.closing(stack.open_sql(autocommit=False)) as db, db.cursor() as cursor:
        cursor.execute("UPDATE Products SET price = price + 1 WHERE product_id = %s", (products[0],))
        for product in products[1:]:
            stack.sql("UPDATE Products SET price = 4711 WHERE product_id = %s", (product,))
        until(lambda: stack.value("SELECT COUNT(*) FROM product_sync_queue") == 0, 30,
              what="all others are acknowledged")
        db.rollback()
    stack.assert_in_step()
