"""The texts that the benchmarks of embeddings and of the vector engine work on.

All are made from the repository's own catalogue (data/icecat, real products), by rules without
chance: which text goes where is decided by its SHA-256, so every machine has the same sets.

  products  one text a product: title, brand, category, specifications, description
  mixed     147,000 different texts: titles, descriptions, their sentences, attribute lines
  million   1,000,000 different short texts: brand or title with a run of attributes
  queries   what customers type, none a member of a base: the queries of the relevance judgements
            when a file of them is given, beginnings of titles, wishes ("... with ..."), and
            sentences of descriptions that are held out of `mixed`

Only the standard library and PyYAML are used; nothing here knows numpy.
"""
import csv
import gzip
import hashlib
import html
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "data" / "icecat" / "products.jsonl.gz"
CATEGORIES = ROOT / "rules" / "categories.yaml"

MIXED = 147_000
MILLION = 1_000_000
QUERIES = 2_000
PREFIXES, WISHES = 900, 500  # of the queries; what is left are sentences
HELD_OUT_OF = 50             # one sentence in so many never is a member of `mixed`

# Numbers of boxes and pallets and the like: real, but nobody reads them.
DULL = re.compile(r"^attr_._(package|master|pallet|quantity_per_(pallet|master)|products_per|"
                  r"harmonized|country_of_origin|intrastat)")


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def by_digest(texts):
    """Different texts in an order that has nothing to do with where they come from."""
    return sorted(set(texts), key=digest)


def plain(text):
    """Tags, written-out line ends and runs of spaces gone, entities as characters."""
    text = re.sub(r"<[^>]*>|\\n", " ", html.unescape(text))
    return " ".join(text.split())


def products(path=CATALOGUE):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


# --- categories: rules/categories.yaml, whose head says what the conditions mean --------------

def simple(text):
    return re.sub(r"[^a-z0-9]+", " ", text.translate(ASCII_LOWER)).strip(" ")


ASCII_LOWER = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}


def pattern(phrase):
    """What to look for in " text "."""
    if phrase.endswith("*"):
        return " " + simple(phrase[:-1])
    return f" {simple(phrase)} "


def head(title):
    words = simple(title).split()
    for at, word in enumerate(words):
        if word in ("for", "with"):
            return " ".join(words[:at] if at else words)
    return " ".join(words)


class Categories:
    def __init__(self, path=CATEGORIES):
        rules = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.fallback = rules["fallback"]
        self.rules = [(rule["to"], [(key, [self.condition(key, value) for value in values])
                                    for key, values in rule.items() if key != "to"])
                      for rule in rules["rules"]]

    @staticmethod
    def condition(key, value):
        value = str(value)
        if key == "type":
            return simple(value[:-1] if value.endswith("*") else value), value.endswith("*")
        if key == "brand":
            return simple(value)
        if key == "attr":
            name, _, phrase = value.partition("=")
            return name, pattern(phrase) if phrase else None
        return pattern(value)

    @staticmethod
    def holds(key, wanted, product, texts):
        if key == "type":
            kind = texts["type"]
            return any(kind.startswith(text) if begins else kind == text
                       for text, begins in wanted)
        if key == "brand":
            return texts["brand"] in wanted
        if key == "attr":
            return any(name in product and (
                phrase is None or (isinstance(product[name], str) and
                                   phrase in f" {simple(product[name])} "))
                       for name, phrase in wanted)
        if key == "not":
            return not any(phrase in texts["title"] for phrase in wanted)
        return any(phrase in texts[key] for phrase in wanted)

    def of(self, product):
        title = simple(product["title"])
        texts = {"type": simple(str(product.get("attr_t_product_type", ""))),
                 "brand": simple(product["supplier"]), "title": f" {title} ",
                 "head": f" {head(product['title'])} ",
                 "text": f" {title} {simple(product.get('short_description') or '')} "}
        for to, conditions in self.rules:
            if all(self.holds(key, wanted, product, texts) for key, wanted in conditions):
                return to
        return self.fallback


# --- pieces of a product ------------------------------------------------------------------------

def attributes(product):
    """["processor family: Intel Core 2 Duo", ...] in the order of the feed."""
    result = []
    for key, value in product.items():
        if not key.startswith("attr_") or DULL.match(key) or value in (None, "", False):
            continue
        name = " ".join(key[len("attr_t_"):].replace("_", " ").split())
        if value is True:
            result.append(name)
        elif isinstance(value, float):
            result.append(f"{name}: {value:g}")
        else:
            result.append(f"{name}: {plain(str(value))[:80]}")
    return result


def description(product):
    return plain(product.get("short_description") or "")


def sentences(text):
    """Sentences, and the parts of lists, that are long enough to say something."""
    parts = re.split(r"(?<=[.!?;])\s+|\s+[-•|]\s+", text)
    return [part for part in parts if len(part) >= 20]


def runs(items, length):
    """Every `length` neighbours joined; a shorter list whole."""
    if len(items) <= length:
        return [", ".join(items)] if items else []
    return [", ".join(items[at:at + length]) for at in range(0, len(items) - length + 1)]


# --- the sets -----------------------------------------------------------------------------------

def product_text(product, category):
    parts = [plain(product["title"]), product["supplier"], category,
             ", ".join(attributes(product)[:6]), description(product)[:300]]
    return ". ".join(part for part in parts if part)


def product_texts(rows):
    categories = Categories()
    return [product_text(row, categories.of(row)) for row in rows]


def is_held_out(text):
    return digest(text)[0] * 256 + digest(text)[1] < 65536 // HELD_OUT_OF


def all_sentences(rows):
    return by_digest(part for row in rows for part in sentences(description(row)))


def mixed_texts(rows, count=MIXED):
    """All titles, descriptions and sentences (but those held out); attribute lines fill up."""
    chosen = {plain(row["title"]) for row in rows} | {description(row) for row in rows}
    chosen |= set(all_sentences(rows))
    chosen = {text for text in chosen if text and not is_held_out(text)}
    lines = by_digest(line for row in rows for line in runs(attributes(row), 3))
    for line in lines:
        if len(chosen) >= count:
            break
        chosen.add(line)
    return by_digest(chosen)[:count]


def million_texts(rows, count=MILLION):
    """A run of one to four attributes after the brand, then after the title's first words."""
    chosen = set()
    for words in (0, 3, 5):
        for length in (3, 2, 4, 1):
            for row in rows:
                title = " ".join(plain(row["title"]).split()[:words])
                start = title or row["supplier"]
                chosen.update(f"{start}: {run}" for run in runs(attributes(row), length))
            if len(chosen) >= count:
                return by_digest(chosen)[:count]
    raise ValueError(f"the catalogue gives only {len(chosen)} of {count} different texts")


def judged_queries(path):
    with open(path, encoding="utf-8", newline="") as file:
        return sorted({row["query"] for row in csv.DictReader(file)})


def prefixes(rows):
    """The first two to five words of a title, as somebody types them."""
    result = []
    for row in rows:
        words = plain(row["title"]).split()
        count = 2 + digest(row["id"])[0] % 4
        if len(words) > count:
            result.append(" ".join(words[:count]).lower())
    return by_digest(result)


def wishes(rows, categories):
    result = []
    for row in rows:
        specs = [spec for spec in attributes(row) if ": " in spec and len(spec) < 60]
        leaf = categories.of(row).split(" > ")[-1]
        if len(specs) >= 2:
            at = digest(row["id"])[1] % (len(specs) - 1)
            values = " and ".join(spec.replace(": ", " ") for spec in specs[at:at + 2])
            result.append(f"{leaf.lower()} with {values}")
    return by_digest(result)


def query_texts(rows, members, judgements=None, count=QUERIES):
    """Queries of which none is in `members`."""
    categories = Categories()
    held_out = [text for text in all_sentences(rows) if is_held_out(text)]
    result = judged_queries(judgements) if judgements else []
    for source, limit in ((prefixes(rows), PREFIXES), (wishes(rows, categories), WISHES),
                          (held_out, count)):
        seen = set(result) | members
        fresh = [text for text in source if text not in seen]
        result += fresh[:min(limit, count - len(result))]
    return result
