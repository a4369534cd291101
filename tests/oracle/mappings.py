"""Rows to documents, the plain way."""
import datetime
import decimal
import json

import pymysql.cursors
from bson.decimal128 import Decimal128
from bson.int64 import Int64

INT64_MAX = 2**63 - 1

# Fields that MongoDB owns, with the values that a new document gets.
MONGODB_OWN = {
    "customer_profiles": {
        "recent_activity_log": [],
        "customer_preferences": {},
        "social_media_handles": {},
    },
    "product_catalog": {"media_attachments": [], "specifications_extra": {}},
    "reviews": {"media_attachments": [], "upvotes": Int64(0)},
}


# --- values ----------------------------------------------------------------------------------


def value(sql_value):
    """A column's value as BSON: int64, Decimal128 with the column's scale, date, text, null."""
    if sql_value is None or isinstance(sql_value, str):
        return sql_value
    if isinstance(sql_value, int):
        return Int64(sql_value) if sql_value <= INT64_MAX else Decimal128(str(sql_value))
    if isinstance(sql_value, decimal.Decimal):
        return Decimal128(str(sql_value))
    if isinstance(sql_value, datetime.datetime):
        return sql_value.replace(microsecond=sql_value.microsecond // 1000 * 1000)
    if isinstance(sql_value, datetime.date):
        return datetime.datetime(sql_value.year, sql_value.month, sql_value.day)
    raise TypeError(f"no rule for {type(sql_value).__name__}")


def boolean(sql_value):
    return None if sql_value is None else bool(sql_value)


def nested(text):
    """A JSON column as a document."""
    return None if text is None else json_value(json.loads(text))


def json_value(parsed):
    if isinstance(parsed, dict):
        return {name: json_value(item) for name, item in parsed.items()}
    if isinstance(parsed, list):
        return [json_value(item) for item in parsed]
    if isinstance(parsed, int) and not isinstance(parsed, bool):
        return Int64(parsed) if -INT64_MAX - 1 <= parsed <= INT64_MAX else float(parsed)
    return parsed


# --- rows ------------------------------------------------------------------------------------


class Reader:
    """Tables in one consistent snapshot. Each is read once, whole and in the order of its first
    column, and its rows are then found by the exact value of a column (a number in all mappings)."""

    def __init__(self, connection):
        self.cursor = connection.cursor(pymysql.cursors.DictCursor)
        self.tables, self.found, self.averages = {}, {}, {}

    def query(self, statement):
        self.cursor.execute(statement)
        return list(self.cursor.fetchall())

    def table(self, name):
        if name not in self.tables:
            self.tables[name] = self.query(f"SELECT * FROM `{name}` ORDER BY 1")
        return self.tables[name]

    def rows(self, table, column, wanted):
        """The rows whose column has that value."""
        if (table, column) not in self.found:
            groups = self.found[table, column] = {}
            for row in self.table(table):
                groups.setdefault(row[column], []).append(row)
        return self.found[table, column].get(wanted, [])

    def row(self, table, key, key_value):
        """The one row with that key, or None."""
        if key_value is None:
            return None
        found = self.rows(table, key, key_value)
        assert len(found) <= 1, (table, key, key_value)
        return found[0] if found else None

    def average(self, column, table_and_condition, group, wanted):
        """What SQL makes of it: an average has four digits more than the column has."""
        statement = (f"SELECT `{group}` AS g, AVG(`{column}`) AS a FROM {table_and_condition}"
                     f" GROUP BY `{group}`")
        if statement not in self.averages:
            self.averages[statement] = {r["g"]: r["a"] for r in self.query(statement)}
        return self.averages[statement].get(wanted)


# --- customer_profiles -----------------------------------------------------------------------


def customer_profile(db, customer):
    number = customer["customer_id"]
    addresses = db.rows("Customer_Addresses", "customer_id", number)
    orders = db.rows("Orders", "customer_id", number) + db.rows("TR_Orders_Archive", "customer_id",
                                                                number)
    defaults = [a for a in addresses if a["is_default"] == 1]
    return {
        "_id": value(number),
        "customer_id": value(number),
        "full_name": customer["first_name"] + " " + customer["last_name"],
        "first_name": customer["first_name"],
        "last_name": customer["last_name"],
        "email": customer["email"],
        "phone_number": customer["phone_number"],
        "date_of_birth": value(customer["date_of_birth"]),
        "registration_date": value(customer["registration_date"]),
        "status": customer["customer_status"],
        "locale": customer["locale"],
        "location": location(defaults[0]) if defaults else None,
        "addresses": [address(a) for a in addresses],
        "order_summary": order_summary(db, number, orders),
        "recent_orders": recent_orders(db, orders),
    }


def location(row):
    return {"city": row["city"], "state": row["state"], "zip": row["zip"]}


def address(row):
    return {
        "address_id": value(row["address_id"]),
        "type": row["address_type"],
        "is_default": boolean(row["is_default"]),
        "street": row["street"],
        "city": row["city"],
        "state": row["state"],
        "zip": row["zip"],
        "country": row["country"],
    }


def order_summary(db, customer_id, orders):
    orders = [o for o in orders if o["order_status"] != "cancelled"]
    total = sum((o["total_amount"] for o in orders), decimal.Decimal("0.00"))
    dates = [o["order_date"] for o in orders]
    average = db.average("total_amount", "(SELECT customer_id, order_status, total_amount FROM Orders"
                         " UNION ALL SELECT customer_id, order_status, total_amount FROM"
                         " TR_Orders_Archive) o WHERE order_status <> 'cancelled'", "customer_id",
                         customer_id)
    return {
        "order_count": Int64(len(orders)),
        "total_spent": Decimal128(str(total)),
        "average_order": value(average),
        "first_order": value(min(dates)) if dates else None,
        "last_order": value(max(dates)) if dates else None,
    }


def recent_orders(db, orders):
    orders = sorted(orders, key=lambda o: (o["order_date"], o["order_id"]), reverse=True)
    return [
        {
            "order_id": value(o["order_id"]),
            "order_date": value(o["order_date"]),
            "status": o["order_status"],
            "total_amount": value(o["total_amount"]),
            "currency": o["currency"],
            "items": [order_item(db, i) for table in ("Order_Items", "TR_Order_Items_Archive")
                      for i in db.rows(table, "order_id", o["order_id"])],
        }
        for o in orders[:5]
    ]


def order_item(db, row):
    product = db.row("Products", "product_id", row["product_id"])
    return {
        "order_item_id": value(row["order_item_id"]),
        "quantity": value(row["quantity"]),
        "price": value(row["price"]),
        "product": {
            "product_id": value(product["product_id"]),
            "name": product["product_name"],
            "category": category(db, product["category_id"]),
        },
    }


# --- product_catalog -------------------------------------------------------------------------


def product(db, row):
    number = row["product_id"]
    reviews = db.rows("Reviews", "product_id", number)
    return {
        "_id": value(number),
        "product_id": value(number),
        "external_id": row["external_id"],
        "kind": row["product_kind"],
        "name": row["product_name"],
        "model_name": row["model_name"],
        "description": row["product_description"],
        "ean": row["ean"],
        "price": value(row["price"]),
        "currency": row["currency"],
        "stock_quantity": value(row["stock_quantity"]),
        "status": row["product_status"],
        "specifications": nested(row["specifications"]),
        "image_url": row["image_url"],
        "release_date": value(row["release_date"]),
        "current_rating": value(row["current_rating"]),
        "category": category(db, row["category_id"]),
        "category_path": category_path(db, row["category_id"]),
        "supplier": supplier(db, row["supplier_id"]),
        "review_summary": review_summary(db, number, reviews),
        "recent_reviews": recent_reviews(reviews),
        "service": service(db, number),
    }


def category(db, category_id):
    row = db.row("Categories", "category_id", category_id)
    return row and {"category_id": value(row["category_id"]), "name": row["category_name"]}


def category_path(db, category_id):
    """Names from the top of the tree to the leaf."""
    names = []
    while category_id is not None:
        row = db.row("Categories", "category_id", category_id)
        names.insert(0, row["category_name"])
        category_id = row["parent_id"]
    return names


def supplier(db, supplier_id):
    row = db.row("Suppliers", "supplier_id", supplier_id)
    return row and {
        "supplier_id": value(row["supplier_id"]),
        "name": row["supplier_name"],
        "country": row["country"],
    }


def review_summary(db, product_id, reviews):
    average = db.average("rating", "Reviews", "product_id", product_id)
    dates = [r["review_date"] for r in reviews]
    return {
        "count": Int64(len(reviews)),
        "average": value(average),
        "newest": value(max(dates)) if dates else None,
    }


def recent_reviews(reviews):
    reviews = sorted(reviews, key=lambda r: (r["review_date"], r["review_id"]), reverse=True)
    return [
        {
            "review_id": value(r["review_id"]),
            "rating": value(r["rating"]),
            "title": r["review_title"],
            "date": value(r["review_date"]),
        }
        for r in reviews[:3]
    ]


def service(db, product_id):
    row = db.row("Service_Details", "product_id", product_id)
    return row and {
        "type": row["service_type"],
        "duration_minutes": value(row["duration_minutes"]),
        "delivery_mode": row["delivery_mode"],
        "lead_time_days": value(row["lead_time_days"]),
    }


# --- reviews ---------------------------------------------------------------------------------


def review(db, row):
    customer = db.row("Customers", "customer_id", row["customer_id"])
    reviewed = db.row("Products", "product_id", row["product_id"])
    maker = db.row("Suppliers", "supplier_id", reviewed["supplier_id"])
    return {
        "_id": value(row["review_id"]),
        "review_id": value(row["review_id"]),
        "product_id": value(row["product_id"]),
        "customer_id": value(row["customer_id"]),
        "rating": value(row["rating"]),
        "title": row["review_title"],
        "text": row["review_text"],
        "date": value(row["review_date"]),
        "product": {
            "product_id": value(reviewed["product_id"]),
            "name": reviewed["product_name"],
            "supplier": {
                "supplier_id": value(maker["supplier_id"]),
                "name": maker["supplier_name"],
            },
        },
        "customer": {
            "customer_id": value(customer["customer_id"]),
            "full_name": customer["first_name"] + " " + customer["last_name"],
        },
        "source": "shop",
    }


# --- all of them -----------------------------------------------------------------------------

COLLECTIONS = {  # collection: (root table, key column, row to document)
    "customer_profiles": ("Customers", "customer_id", customer_profile),
    "product_catalog": ("Products", "product_id", product),
    "reviews": ("Reviews", "review_id", review),
}


def expected(connection, collection):
    """Yields (key, document) of every root row, in key order, from one consistent snapshot. The
    connection (pymysql, time zone +00:00) must not be used for anything else meanwhile."""
    table, key, build = COLLECTIONS[collection]
    db = Reader(connection)
    db.cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    db.cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    try:
        for row in db.table(table):
            if row.get("erased_at"):  # a customer who was erased has no document
                continue
            yield value(row[key]), build(db, row)
    finally:
        db.cursor.execute("ROLLBACK")
