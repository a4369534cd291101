"""Expected documents against those in MongoDB, field by field and type by type."""
import collections

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from oracle.mappings import COLLECTIONS, MONGODB_OWN, expected

# kind: "missing", "extra" or "different" (then `path`, `expected` and `found` say where)
Difference = collections.namedtuple("Difference", "collection key kind path expected found")


def type_name(value):
    """The BSON type that a value read by pymongo had."""
    if isinstance(value, Int64):
        return "int64"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int32"
    if isinstance(value, dict):
        return "document"
    if isinstance(value, list):
        return "array"
    return type(value).__name__


def same(one, other):
    """Equal in type and value; decimals also in their exponent."""
    if type_name(one) != type_name(other):
        return False
    if isinstance(one, Decimal128):
        return one.bid == other.bid
    return one == other


def differences_of(wanted, found, path=""):
    """Yields (path, wanted, found) for every leaf that differs; an absent field reads "(absent)".
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in [*wanted, *(n for n in found if n not in wanted)]:
            here = f"{path}.{name}" if path else name
            if name not in found:
                yield here, wanted[name], "(absent)"
            elif name not in wanted:
                yield here, "(absent)", found[name]
            else:
                yield from differences_of(wanted[name], found[name], here)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found)):
            yield from differences_of(one, other, f"{path}.{index}")
    elif not same(wanted, found):
        yield path, describe(wanted), describe(found)


def describe(value):
    return f"{type_name(value)} {value!r}"


def owned_part(wanted, document):
    """The fields of the document that the mapping speaks of; all other top-level fields are
    MongoDB's own, and whatever they hold is right."""
    return {name: value for name, value in document.items() if name in wanted}


def compare_collection(connection, database, name):
    found = {}
    for document in database[name].find():
        found[key_of(document["_id"])] = document
    for key, wanted in expected(connection, name):
        document = found.pop(key_of(key), None)
        if document is None:
            yield Difference(name, key, "missing", None, None, None)
            continue
        for path, one, other in differences_of(wanted, owned_part(wanted, document)):
            yield Difference(name, key, "different", path, one, other)
        for field in MONGODB_OWN[name]:
            if field not in document:
                yield Difference(name, key, "different", field, "(anything)", "(absent)")
    for document in found.values():
        if "_sync" in document:
            yield Difference(name, document["_id"], "extra", None, None, None)


def key_of(key):
    """Hashable and strict in type: Int64(5) is not 5.0."""
    return type_name(key), str(key)


def compare(stack, collections_=None):
    """All differences of a stack (see tests/integration/stack.py), as a list."""
    connection = stack.open_sql()
    try:
        return [
            difference
            for name in collections_ or COLLECTIONS
            for difference in compare_collection(connection, stack.mongo(), name)
        ]
    finally:
        connection.close()
