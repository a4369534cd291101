"""Searches over products as shops have them without us: one class a peer.

Each has the same five fields of the same products (name, brand, category, description, attributes:
"key: value" of each specification) and weighs them as suits it best: the weights were chosen by
trying on the dev judgements, ours too. `build(rows)` takes dicts of these fields; `search(query,
k)` gives [(row number, score)], best first. A class imports its package when it is made, so that
one that is missing takes no other with it.
"""
import pathlib
import re
import sqlite3

WARM_UP = 20      # queries that nobody counts
FIELDS = ("name", "brand", "category", "description", "attributes")
CANDIDATES = 100  # that each half of a hybrid brings
RRF_K = 60        # of the paper of Cormack and others, what all engines default to
EF = 200          # of the graph: the best 100 are found nearly exactly


def words(query):
    """Lower-case words: nothing of a query is an operator of the peer."""
    return re.findall(r"\w+", query.lower())


# --- MariaDB ----------------------------------------------------------------------------------


class MariaDB:
    """A table of its own with the same rows, in the shop's own server.

    `reach` has socket, user and password_file. InnoDB indexes words of three letters and more.
    """
    DATABASE = "aethermart_bench"
    WEIGHTS = {"name": 4, "brand": 2, "category": 2, "description": 1, "attributes": 0.25}

    def __init__(self, reach):
        import pymysql
        self.connection = pymysql.connect(
            unix_socket=reach["socket"], user=reach["user"], autocommit=True, charset="utf8mb4",
            password=pathlib.Path(reach["password_file"]).read_text(encoding="utf-8").strip())
        self.cursor = self.connection.cursor()

    def build(self, rows):
        do = self.cursor.execute
        do(f"CREATE OR REPLACE DATABASE {self.DATABASE} CHARACTER SET utf8mb4"
           " COLLATE utf8mb4_unicode_ci")
        do(f"USE {self.DATABASE}")
        do("CREATE TABLE products (n INT PRIMARY KEY, name VARCHAR(255), brand VARCHAR(255),"
           " category VARCHAR(255), description TEXT, attributes MEDIUMTEXT) ENGINE=InnoDB")
        self.connection.begin()
        self.cursor.executemany(
            "INSERT INTO products VALUES (%s, %s, %s, %s, %s, %s)",
            [(n, *(row[field] for field in FIELDS)) for n, row in enumerate(rows)])
        self.connection.commit()
        self.index()

    def index(self):
        """LIKE with a % in front uses none."""

    def close(self):
        self.cursor.execute(f"DROP DATABASE IF EXISTS {self.DATABASE}")

    def rows(self, statement, arguments):
        self.cursor.execute(statement, arguments)
        return self.cursor.fetchall()


class Like(MariaDB):
    """Each word stands somewhere; ordered by the weights of the fields that have it."""
    DATABASE = "aethermart_bench_like"

    def search(self, query, k):
        patterns = ["%" + word.replace("_", r"\_") + "%" for word in words(query)]
        if not patterns:
            return []
        somewhere = " OR ".join(f"{field} LIKE %s" for field in FIELDS)
        where = " AND ".join(f"({somewhere})" for _ in patterns)
        score = " + ".join(f"{self.WEIGHTS[field]} * ({field} LIKE %s)"
                           for _ in patterns for field in FIELDS)
        each = [pattern for pattern in patterns for _ in FIELDS]
        return self.rows(f"SELECT n, {score} AS score FROM products WHERE {where}"
                         " ORDER BY score DESC, n LIMIT %s", (*each, *each, k))


class Fulltext(MariaDB):
    """Natural language mode. One index of all fields says what matches, those of each weigh it."""
    DATABASE = "aethermart_bench_natural"
    WEIGHTS = {"name": 4, "brand": 0, "category": 0, "description": 1, "attributes": 0}
    MODE = ""

    def index(self):
        for field in FIELDS:
            self.cursor.execute(f"ALTER TABLE products ADD FULLTEXT ({field})")
        self.cursor.execute(f"ALTER TABLE products ADD FULLTEXT everything ({', '.join(FIELDS)})")

    def asked(self, query):
        return " ".join(words(query))

    def search(self, query, k):
        text = self.asked(query)
        weighed = {field: weight for field, weight in self.WEIGHTS.items() if weight}
        score = " + ".join(f"{weight} * MATCH ({field}) AGAINST (%s{self.MODE})"
                           for field, weight in weighed.items())
        return self.rows(
            f"SELECT n, {score} AS score FROM products WHERE MATCH ({', '.join(FIELDS)})"
            f" AGAINST (%s{self.MODE}) ORDER BY score DESC, n LIMIT %s",
            (*[text] * (len(weighed) + 1), k))


class FulltextBoolean(Fulltext):
    """Every word, or one that begins with it."""
    DATABASE = "aethermart_bench_boolean"
    WEIGHTS = MariaDB.WEIGHTS
    MODE = " IN BOOLEAN MODE"

    def asked(self, query):
        return " ".join(f"+{word}*" for word in words(query))


# --- engines ------------------------------------------------------------------------------------


class Sqlite:
    WEIGHTS = {"name": 14, "brand": 1, "category": 1, "description": 3, "attributes": 1.5}

    def __init__(self):
        self.connection = sqlite3.connect(":memory:")

    def build(self, rows):
        do = self.connection.execute
        do(f"CREATE VIRTUAL TABLE products USING fts5({', '.join(FIELDS)}, content='',"
           " tokenize='porter unicode61 remove_diacritics 2')")
        self.connection.executemany(
            "INSERT INTO products(rowid, name, brand, category, description, attributes)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ((n, *(row[field] for field in FIELDS)) for n, row in enumerate(rows)))
        weights = ", ".join(str(float(self.WEIGHTS[field])) for field in FIELDS)
        do("INSERT INTO products(products, rank) VALUES ('rank', ?)", (f"bm25({weights})",))
        do("INSERT INTO products(products) VALUES ('optimize')")
        self.connection.commit()

    def search(self, query, k):
        asked = " OR ".join(f'"{word}"' for word in words(query))
        if not asked:
            return []
        return [(n, -score) for n, score in self.connection.execute(
            "SELECT rowid, rank FROM products WHERE products MATCH ? ORDER BY rank LIMIT ?",
            (asked, k))]


class Tantivy:
    """`total`: counts all matches, as a page of results says; else it may leave out what cannot be
    among the best. `tiered`: those with all words first, by a second search."""
    WEIGHTS = {"name": 2, "brand": 1, "category": 0.5, "description": 0.5, "attributes": 1}

    def __init__(self, total=False, tiered=False):
        import tantivy
        self.tantivy, self.total, self.tiered = tantivy, total, tiered

    def build(self, rows):
        schema = self.tantivy.SchemaBuilder()
        for field in FIELDS:
            schema.add_text_field(field, tokenizer_name="en_stem", index_option="freq")
        schema.add_unsigned_field("n", stored=True)
        self.index = self.tantivy.Index(schema.build())
        writer = self.index.writer(heap_size=1 << 30, num_threads=1)
        for n, row in enumerate(rows):
            writer.add_document(self.tantivy.Document(
                n=n, **{field: row[field] for field in FIELDS}))
        writer.commit()
        writer.wait_merging_threads()
        self.index.reload()
        self.searcher = self.index.searcher()
        everything = self.searcher.search(self.tantivy.Query.all_query(), len(rows), count=False)
        self.row_of = {(at.segment_ord, at.doc): self.searcher.doc(at)["n"][0]
                       for _, at in everything.hits}

    def matches(self, query, k, all_words):
        asked = self.index.parse_query(" ".join(words(query)), list(FIELDS),
                                       field_boosts=self.WEIGHTS,
                                       conjunction_by_default=all_words)
        found = self.searcher.search(asked, k, count=self.total)
        return [(self.row_of[at.segment_ord, at.doc], score) for score, at in found.hits]

    def search(self, query, k):
        if not self.tiered:
            return self.matches(query, k, False)
        first = self.matches(query, k, True)
        if len(first) == k:
            return first
        seen = {n for n, _ in first}
        return (first + [at for at in self.matches(query, k, False) if at[0] not in seen])[:k]


class Bm25s:
    """It knows no fields: what a field weighs is how often its text is repeated."""
    REPEATS = {"name": 2, "brand": 1, "category": 0, "description": 1, "attributes": 0}

    def __init__(self):
        import bm25s
        import Stemmer
        self.bm25s, self.stemmer = bm25s, Stemmer.Stemmer("english")

    def tokens(self, texts, **options):
        return self.bm25s.tokenize(texts, stopwords="en", stemmer=self.stemmer,
                                   show_progress=False, **options)

    def build(self, rows):
        self.model = self.bm25s.BM25()
        self.model.index(self.tokens([" ".join(row[field] for field in FIELDS
                                               for _ in range(self.REPEATS[field]))
                                      for row in rows]), show_progress=False)
        self.count = len(rows)

    def search(self, query, k):
        asked = self.tokens([query], return_ids=False)
        if not asked[0]:
            return []
        found, scores = self.model.retrieve(asked, k=min(k, self.count), show_progress=False)
        return [(int(n), float(score)) for n, score in zip(found[0], scores[0]) if score > 0]


# --- by meaning, and both -----------------------------------------------------------------------


class Dense:
    """all-MiniLM-L6-v2 by ONNX Runtime, int8, and a graph of hnswlib. `keep(texts, make)` gives the
    vectors of texts, made once: encoding is no part of building here."""

    def __init__(self, models, keep):
        import hnswlib
        import minilm
        self.hnswlib, self.keep, self.base = hnswlib, keep, None
        self.encoder = minilm.Encoder(pathlib.Path(models) / "minilm-int8.onnx",
                                      minilm.model_folder())

    @staticmethod
    def text(row):
        return ". ".join(row[field] for field in ("name", "brand", "category", "description")
                         if row[field])

    def prepare(self, rows):
        self.base = self.keep([self.text(row) for row in rows], self.encoder.encode)

    def build(self, rows):
        assert len(rows) == len(self.base)
        self.graph = self.hnswlib.Index("ip", self.base.shape[1])
        self.graph.init_index(len(self.base), ef_construction=200, M=16)
        self.graph.set_num_threads(1)
        self.graph.add_items(self.base)
        self.graph.set_ef(EF)

    def search(self, query, k):
        found, distances = self.graph.knn_query(
            self.encoder.run([self.encoder.ids(query)]), k=k)
        return [(int(n), 1 - float(distance)) for n, distance in zip(found[0], distances[0])]


def by_rank(lists):
    """Reciprocal rank fusion."""
    scores = {}
    for found in lists:
        for at, (n, _) in enumerate(found):
            scores[n] = scores.get(n, 0) + 1 / (RRF_K + at + 1)
    return scores


def by_score(lists, shares=(0.8, 0.2)):
    """Sum of the scores, each list's stretched to 0..1."""
    scores = {}
    for found, share in zip(lists, shares):
        if not found:
            continue
        low, high = found[-1][1], found[0][1]
        for n, score in found:
            part = (score - low) / (high - low) if high > low else 1
            scores[n] = scores.get(n, 0) + share * part
    return scores


class Hybrid:
    def __init__(self, lexical, dense, fuse):
        self.lexical, self.dense, self.fuse = lexical, dense, fuse

    def prepare(self, rows):
        self.dense.prepare(rows)

    def build(self, rows):
        self.lexical.build(rows)
        self.dense.build(rows)

    def search(self, query, k):
        scores = self.fuse([self.lexical.search(query, CANDIDATES),
                            self.dense.search(query, CANDIDATES)])
        return sorted(scores.items(), key=lambda item: -item[1])[:k]


PEERS = {
    "MariaDB LIKE": lambda at: Like(at["reach"]),
    "MariaDB FULLTEXT": lambda at: Fulltext(at["reach"]),
    "MariaDB FULLTEXT boolean": lambda at: FulltextBoolean(at["reach"]),
    "SQLite FTS5": lambda at: Sqlite(),
    "tantivy": lambda at: Tantivy(),
    "tantivy with total": lambda at: Tantivy(total=True),
    "tantivy, all words first": lambda at: Tantivy(tiered=True),
    "bm25s": lambda at: Bm25s(),
    "MiniLM": lambda at: Dense(at["models"], at["keep"]),
    "FTS5 .8 + MiniLM .2": lambda at: Hybrid(
        Sqlite(), Dense(at["models"], at["keep"]), by_score),
    "FTS5 + MiniLM, RRF": lambda at: Hybrid(
        Sqlite(), Dense(at["models"], at["keep"]), by_rank),
    "tantivy .8 + MiniLM .2": lambda at: Hybrid(
        Tantivy(), Dense(at["models"], at["keep"]), by_score),
    "tantivy + MiniLM, RRF": lambda at: Hybrid(
        Tantivy(), Dense(at["models"], at["keep"]), by_rank),
}
# Of a large catalogue: encoding a million texts takes an hour, LIKE some seconds a query.
BY_WORDS = ["MariaDB FULLTEXT", "MariaDB FULLTEXT boolean", "SQLite FTS5", "tantivy",
            "tantivy with total", "tantivy, all words first", "bm25s"]
