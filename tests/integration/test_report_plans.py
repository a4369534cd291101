"""How the server reads what the reports ask for, in a shop of 100,000 orders: a whole view reads
each large table once, and one row of it, asked for by its key, only what belongs to it.

Plans are read with what they really did (ANALYZE FORMAT=JSON), rows of each table as the server
counts them (TABLE_STATISTICS).
"""
import json

import pytest

import ordering

ORDERS, ARCHIVED = 100000, 30000  # the archived are among them, and the oldest
PRODUCTS, CUSTOMERS, SUPPLIERS, TOPS, LEAVES = 2000, 4000, 100, 10, 200
SALES = ("Orders", "Order_Items", "TR_Orders_Archive", "TR_Order_Items_Archive")
LARGE = 5000  # rows: only the tables of sales have more
FEW = 0.03  # of all rows of sales

FILL = [
    f"INSERT INTO Suppliers (supplier_name) SELECT CONCAT('Many ', seq) FROM seq_1_to_{SUPPLIERS}",
    "INSERT INTO Categories (category_name, category_slug)"
    f" SELECT CONCAT('Top ', seq), CONCAT('many-', seq) FROM seq_1_to_{TOPS}",
    "INSERT INTO Categories (category_name, category_slug, parent_id) SELECT CONCAT('Leaf ', seq),"
    f" CONCAT(category_slug, '/', seq), category_id FROM Categories JOIN seq_1_to_{LEAVES // TOPS}"
    " WHERE category_slug LIKE 'many-%'",
    "SET @supplier = (SELECT MIN(supplier_id) FROM Suppliers WHERE supplier_name = 'Many 1')",
    "SET @leaf = (SELECT MIN(category_id) FROM Categories WHERE category_slug LIKE 'many-%/%')",
    "INSERT INTO Products (supplier_id, category_id, product_name, price, stock_quantity)"
    f" SELECT @supplier + seq % {SUPPLIERS}, @leaf + seq DIV 10 % {LEAVES}, 'Thing', 10, seq % 200"
    f" FROM seq_1_to_{PRODUCTS}",
    "SET @product = LAST_INSERT_ID()",
    "INSERT INTO Customers (first_name, last_name, registration_date)"
    f" SELECT 'Ada', seq, '2023-01-01' FROM seq_1_to_{CUSTOMERS}",
    "SET @customer = LAST_INSERT_ID()",
    "INSERT INTO Customer_Addresses (customer_id, is_default, street, city, state, zip, country)"
    f" SELECT @customer + seq - 1, 1, '1 Main St', 'X', CONCAT('S', seq % 100), '1', 'US'"
    f" FROM seq_1_to_{CUSTOMERS}",
    "SET @address = LAST_INSERT_ID()",
    # History of a feed: its lines take no stock and its totals are told.
    "INSERT INTO Orders (order_id, external_id, customer_id, address_id, order_date, order_status,"
    " total_amount, currency)"
    f" SELECT seq, CONCAT('many-', seq), @customer + seq * 7919 % {CUSTOMERS},"
    f" @address + seq * 7919 % {CUSTOMERS}, '2023-01-01' + INTERVAL seq * 15 MINUTE,"
    " ELT(1 + seq % 10, 'pending', 'paid', 'paid', 'shipped', 'delivered', 'delivered',"
    " 'delivered', 'delivered', 'cancelled', 'returned'), 25, IF(seq % 4, 'USD', 'EUR')"
    f" FROM seq_{ARCHIVED + 1}_to_{ORDERS}",
    "INSERT INTO Order_Items (order_id, product_id, quantity, price, stock_taken)"
    f" SELECT order_id, @product + (order_id * 31 + seq * 577) % {PRODUCTS}, 1 + seq, 10, 0"
    " FROM Orders JOIN seq_0_to_3 WHERE seq < 1 + order_id % 4",
    "INSERT INTO TR_Orders_Archive (order_id, external_id, customer_id, address_id, order_date,"
    " order_status, total_amount, currency, sales_channel, payment_status, refunded_amount)"
    f" SELECT seq, CONCAT('many-', seq), @customer + seq * 7919 % {CUSTOMERS},"
    f" @address + seq * 7919 % {CUSTOMERS}, '2023-01-01' + INTERVAL seq * 15 MINUTE,"
    " ELT(1 + seq % 5, 'delivered', 'delivered', 'delivered', 'cancelled', 'returned'), 25,"
    f" IF(seq % 4, 'USD', 'EUR'), 'import', 'paid', 0 FROM seq_1_to_{ARCHIVED}",
    "INSERT INTO TR_Order_Items_Archive (order_item_id, order_id, product_id, quantity, price,"
    " returned_quantity, order_date)"
    f" SELECT 1000000 + order_id * 4 + seq, order_id, @product + (order_id * 31 + seq * 577) %"
    f" {PRODUCTS}, 1 + seq, 10, 0, order_date FROM TR_Orders_Archive JOIN seq_0_to_3"
    " WHERE seq < 1 + order_id % 4",
    "INSERT INTO Reviews (product_id, customer_id, rating, review_date) SELECT"
    f" @product + seq % {PRODUCTS}, @customer + seq, 1 + seq % 5, '2024-01-01' FROM seq_1_to_3000",
    "ANALYZE TABLE Suppliers, Categories, Products, Customers, Customer_Addresses, Orders,"
    " Order_Items, TR_Orders_Archive, TR_Order_Items_Archive, Reviews, Product_Rating_Summary",
    "SET GLOBAL userstat = 1",
]


class Many(ordering.Client):
    def __init__(self, servers):
        super().__init__(servers)
        for statement in FILL:
            self.sql(statement)
        self.keys = {name: self.value(f"SELECT @{name} + 5") for name in ("product", "customer")}
        self.keys["supplier"] = self.value("SELECT supplier_id FROM Products WHERE product_id = %s",
                                           self.keys["product"])
        self.keys["leaf"] = self.value("SELECT @leaf + 5")
        self.keys["top"] = self.value("SELECT parent_id FROM Categories WHERE category_id = %s",
                                      self.keys["leaf"])
        self.rows = sum(self.value(f"SELECT COUNT(*) FROM {table}") for table in SALES)

    def plan(self, query):
        """What it did; it is run to its end."""
        return json.loads(self.value(f"ANALYZE FORMAT=JSON {query}"))

    def rows_read(self, query):
        """{table: rows} of the tables of sales. It has to have an answer."""
        self.sql("FLUSH TABLE_STATISTICS")
        assert self.sql(query), query
        return {name: int(rows) for name, rows in self.sql(
            "SELECT TABLE_NAME, ROWS_READ FROM information_schema.TABLE_STATISTICS"
            " WHERE TABLE_SCHEMA = DATABASE()") if name in SALES}

    def rows_touched(self, query):
        """Of all tables, those of the archive's partitions too, which TABLE_STATISTICS leaves out."""
        self.sql("FLUSH STATUS")
        assert self.sql(query), query
        return sum(int(n) for _, n in self.sql("SHOW SESSION STATUS LIKE 'Handler_read_%'"))


@pytest.fixture(scope="module")
def many(shop_server):
    made = Many(shop_server)
    yield made
    made.close()


def tables(part, is_buffered=False):
    """(table, whether it is compared with each row of a join buffer) of all below a plan."""
    if isinstance(part, list):
        for one in part:
            yield from tables(one, is_buffered)
    elif isinstance(part, dict):
        for name, below in part.items():
            if name == "table" and "access_type" in below:
                yield below, is_buffered
                yield from tables({k: v for k, v in below.items() if isinstance(v, dict)})
            else:
                yield from tables(below, is_buffered or name == "block-nl-join")


def is_scan(table):
    """The whole of a table or index; of what the server made itself, too."""
    return table["access_type"] in ("ALL", "index")


def rows_of(table):
    """Found by each read."""
    return table.get("r_rows") or 0


def check_joins(plan):
    """No table is read from its begin to its end for each row of another one."""
    for table, is_buffered in tables(plan):
        name = table["table_name"]
        if is_scan(table) and (table.get("r_loops") or 0) > 1:
            assert rows_of(table) * table["r_loops"] <= LARGE, f"{name} is read again and again"
        assert not is_buffered or rows_of(table) <= SUPPLIERS + LEAVES, f"{name} has no index"


def scans(plan):
    """Whole large tables, by their aliases, as often as they are read."""
    return [f"{table['table_name']}, {rows_of(table)} rows" for table, _ in tables(plan)
            if is_scan(table) and rows_of(table) > LARGE and table["table_name"][0] != "<"]


def test_the_shop_is_as_large_as_it_should_be(many):
    assert many.value("SELECT COUNT(*) FROM V_Customer_Order_History") == ORDERS
    assert sum(many.value(f"SELECT COUNT(*) FROM {table}")
               for table in ("Order_Items", "TR_Order_Items_Archive")) == 250000
    assert many.value("SELECT COUNT(*) FROM Stock_Movements") == PRODUCTS, "no line took stock"
    assert not many.sql("SELECT 1 FROM Orders WHERE total_amount <> 25 LIMIT 1")


def test_a_bad_plan_is_seen(many):
    """The checks below would find a table without an index, and a large one that is read twice."""
    with pytest.raises(AssertionError, match="no index"):
        check_joins(many.plan("SELECT COUNT(*) FROM Products p STRAIGHT_JOIN Orders o"
                              " ON o.total_amount = p.price AND p.product_id % 100 = 0"))
    assert len(scans(many.plan("SELECT (SELECT COUNT(total_amount) FROM Orders),"
                               " (SELECT SUM(total_amount) FROM Orders)"))) == 2


# Each is known only when all sales are read: the place of a product among all; a category with what
# stands below it, of which the server does not know how little it is before it has put the tree
# together; a quarter, a state of orders and a country, which are worked out of columns that are too
# coarse for an index. More would need a table of sums, kept by triggers: lines of one product
# would wait for each other. All are read once.
ALL = ["v_QuarterlySales", "v_TopProducts", "v_LowStock", "v_CategoryRevenue",
       "V_Public_Product_Catalog", "V_Sales_And_Reviews_Summary", "V_Supplier_Performance_Review",
       "V_Customer_Value_Summary", "V_Customer_Order_History", "V_Order_Status_Dashboard",
       "V_Geographic_Sales_Report", "V_Order_Balance_Sheet",
       "v_QuarterlySales WHERE sales_year = 2024 AND sales_quarter = 2",
       "v_TopProducts WHERE product_id = {product}", "v_CategoryRevenue WHERE category_id = {leaf}",
       "v_CategoryRevenue WHERE category_id = {top}",
       "V_Order_Status_Dashboard WHERE order_status = 'paid'",
       "V_Geographic_Sales_Report WHERE country = 'US'"]


@pytest.mark.parametrize("view", ALL)
def test_a_view_reads_each_large_table_once(many, view):
    query = f"SELECT * FROM {view.format(**many.keys)}"
    plan = many.plan(query)
    check_joins(plan)
    # Of orders and lines one is read, the other found by its index: live ones and archived ones.
    assert len(scans(plan)) <= 2, scans(plan)


@pytest.mark.parametrize("view", ["v_LowStock", "V_Public_Product_Catalog"])
def test_what_is_no_figure_of_sales_reads_no_sales(many, view):
    assert many.rows_read(f"SELECT * FROM {view}") == {}


@pytest.mark.parametrize("view", [
    "v_Sold_Lines WHERE product_id = {product}",
    "v_LowStock WHERE product_id = (SELECT MIN(product_id) FROM v_LowStock)",
    "V_Public_Product_Catalog WHERE product_id = {product}",
    "V_Sales_And_Reviews_Summary WHERE product_id = {product}",
    "V_Supplier_Performance_Review WHERE supplier_id = {supplier}",
    "V_Customer_Value_Summary WHERE customer_id = {customer}",
    "V_Customer_Order_History WHERE customer_id = {customer}",
    "V_Customer_Order_History WHERE order_id = 77777",
    "V_Customer_Order_History WHERE order_id = 7777",
    "V_Order_Balance_Sheet WHERE order_id = 77777", "V_Order_Balance_Sheet WHERE order_id = 7777",
    "V_Order_Balance_Sheet WHERE customer_id = {customer}"])
def test_one_row_of_a_view_reads_what_belongs_to_it(many, view):
    query = f"SELECT * FROM {view.format(**many.keys)}"
    plan = many.plan(query)
    check_joins(plan)
    assert not scans(plan)
    read = many.rows_read(query)
    assert sum(read.values()) < FEW * many.rows, read


@pytest.mark.parametrize("query", [
    "CALL sp_get_orders_by_state('S7')", "CALL sp_get_orders_in_month(2025, 3)",
    "CALL sp_get_orders_in_month(2023, 3)",
    "SELECT f_get_order_total(77777)", "SELECT f_get_order_total(7777)",
    "SELECT f_get_customer_lifetime_value({customer}, 'USD')"])
def test_what_is_asked_of_few_orders_reads_few(many, query):
    assert 0 < many.rows_touched(query.format(**many.keys)) < FEW * many.rows
