"""The three mappings of the shop, written a second time: row by row, from plain tables, in
another language, sharing nothing with the product. It reads MariaDB and MongoDB and writes nothing.

    expected(connection, collection)  yields (key, document) in key order
    compare(stack)                    lists what MongoDB holds differently

Types are strict: int64 is not double, Decimal128("1.50") is not Decimal128("1.5"), a date is not a
text. Ignored are `_sync`, top-level fields that no mapping speaks of, the order of fields, and
documents without `_sync` that no row has (they are somebody else's).
"""
from oracle.compare import Difference, compare, differences_of
from oracle.mappings import COLLECTIONS, MONGODB_OWN, expected

__all__ = ["COLLECTIONS", "MONGODB_OWN", "Difference", "compare", "differences_of", "expected"]
