"""Requests by somebody who means harm, or a program gone wild: some ten thousand, always the same.

requests() yields paths with their query, percent-encoded, each once. What they hold: every pair of
printable ASCII characters; operators of search languages and SQL; numbers beyond all types; marks
that turn the direction of writing, controls, bytes that are no UTF-8; words and quotes without end;
emoji, heaps of combining marks; nothing but stop words; thousands of minus signs; parameters given
twice, in other spellings, with values of others. None is quick to be right: the answer may be hits or
a refusal, never a failure of the server.
"""
import itertools
import random
import string
import urllib.parse

NAMES = ["q", "in", "filter", "sort", "mode", "limit", "offset", "facets", "explain", "without",
         "literal", "fusion"]

OPERATORS = ["AND", "OR", "NOT", "NEAR/3", "&&", "||", "!", "+", "-", "--", "*", "?", "~", "~2", "^",
             "^1e9", '"', "'", "`", "(", ")", "((", "))", "[", "]", "[1 TO 5]", "{", "}", "{1 TO *]",
             ":", "name:", "_id:", "*:*", "\\", "\\\\", "/", "/.*/", "<", ">", "<=", ">=", "=", "!=",
             "|", ",", ";", "$", "#", "%", "@"]

SQL = ["' OR '1'='1", "'; DROP TABLE Products; --", "\" OR \"\"=\"", "1; SELECT SLEEP(5)",
       "') UNION SELECT password FROM mysql.user -- ", "/**/OR/**/1=1", "admin'--", "1' AND '1'='2",
       "' INTO OUTFILE '/tmp/x", "LOAD_FILE('/etc/passwd')", "@@version", "CHAR(0x41)",
       "0x53454c454354", "'||(SELECT 1)||'", "%' ESCAPE '!", "\\'; --", "BENCHMARK(1e9,MD5(1))"]

OTHERS = ["{\"$gt\": \"\"}", "[$ne]=1", "{\"$where\": \"sleep(1000)\"}", "<script>alert(1)</script>",
          "${jndi:ldap://x}", "{{7*7}}", "$(id)", "`id`", "| cat /etc/passwd", "../../../../etc/passwd",
          "file:///etc/passwd", "http://169.254.169.254/", "\r\nSet-Cookie: a=b", "%s%n%x" * 20,
          "(a+)+$", "(" * 500, "[" * 500 + "]" * 500, "a" * 40 + "!", "NaN", "Infinity", "-0",
          "null", "undefined", "None", "true", "false", "__proto__", "constructor"]

NUMBERS = ["0", "-1", "00", "007", "2147483648", "-2147483649", "9223372036854775807",
           "9223372036854775808", "18446744073709551616", "1e308", "1e309", "-1e309", "1e-400",
           "0.1", ".5", "5.", "1.2.3", "1,000,000", "1.000.000,00", "1e", "0x7fffffff", "1_000",
           "9" * 30, "9" * 400, "0." + "0" * 400 + "1", "١٢٣", "１２３", "²", "½", "Ⅻ", "٪"]

FRAMES = ["{}", "under {}", "over ${}", "${}", "{} USD", "€{}", "{} GB", "{} inch or bigger",
          "at least {}", "less than {} dollars", "between {0} and {0}", "from {0} to {0}", "{0}-{0}",
          "around {}", "{}+ stars", "{}%", "price<{}", "not {}", "{} for {}", "iphone {}", "-{}"]

# Marks of direction, joiners, spaces of all widths, fillers, the byte order mark, what is no character.
INVISIBLE = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\u200b\u200c" \
            "\u200d\u2060\ufeff\u00ad\u034f\u115f\u1160\u3164\uffa0\u00a0\u1680\u2000\u2003\u2028" \
            "\u2029\u202f\u205f\u3000\u180e\ufe0f\ufffd\ufffe\uffff\ufff9\ufffb\U000e0001\U000e007f" \
            "\U0010ffff"

EMOJI = ["😀", "👨‍👩‍👧‍👦", "👍🏿", "🇩🇪", "🇩", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️‍🔥", "🧑🏽‍💻", "☠️", "♥"]

MARKS = ["\u0301", "\u0308", "\u0327", "\u0489", "\u20dd", "\u0e31", "\u05b0", "\u3099"]

LETTERS = ["ß", "ẞ", "ı", "İ", "ﬁ", "ǆ", "ſ", "Å", "Å", "Å", "가", "각", "ﷺ", "𝔸", "𐐷", "漢字", "кот",
           "שלום", "العربية", "ไทย", "हिन्दी", "𒀱"]

STOP_WORDS = ["the", "of", "and", "for", "with", "in", "to", "a", "an", "or", "not", "without", "under",
              "best", "cheapest"]

BROKEN = [b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc3", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80",
          b"\xe2\x82", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80", b"\xf0\x9f\x98",
          b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xc3(",
          b"a\xe2(\xa1", b"\xf0(\x8c(", b"\x80" * 100, b"caf\xe9", b"\x93quoted\x94"]

FILTERS = ["price<100", "price<", "<100", "price", "", "=", "price=200..300", "price=300..200",
           "price=..", "brand=" + "|" * 100, "brand=Sony|LG|", "color!=black", "color!!=x", "price>=NaN",
           "price<1e999", "date=2024-02-30", "nothing=1", "price<100<200", "brand=\"Sony", "a" * 1024,
           "a" * 1025, "brand=" + "x|" * 400]

VALUES = ["", "0", "1", "-1", "101", "10001", "15", "16", "1e3", "999999999999999999999", "+5", " 5",
          "5 ", "true", "TRUE", "null", "[]", "{}", "products", "Products", "orders", "lexical", "rrf",
          "relevance", "-price", "--price", "price,-price", "../x", "*", "\x00", "a\x00b", "\n", "é",
          "😀", "%", "%2", "%zz"]


def quote(value):
    """A text or bytes, all of it escaped that may be."""
    return urllib.parse.quote(value, safe="")


def pairs_of_characters():
    printable = [chr(c) for c in range(0x20, 0x7f)]
    return (a + b for a, b in itertools.product(printable, repeat=2))


def controls():
    for code in itertools.chain(range(0x00, 0x20), range(0x7f, 0xa0)):
        yield chr(code)
        yield f"quiet{chr(code)}keyboard"
        yield chr(code) * 50


def operators():
    for before, behind in itertools.product(OPERATORS, repeat=2):
        if (len(before) + len(behind)) % 3 == 0:  # a third of them are enough
            yield f"{before}keyboard{behind}"
    for operator in OPERATORS:
        yield operator
        yield operator * 100
        yield f"keyboard {operator} mouse"
        yield f"{operator} " * 60


def numbers():
    return (frame.replace("{}", number).replace("{0}", number)
            for frame, number in itertools.product(FRAMES, NUMBERS))


def writing():
    for mark in INVISIBLE:
        yield from (mark, f"quiet{mark}keyboard", f"{mark}keyboard", mark * 200, f"1{mark}0{mark}0")
    for sign, mark in itertools.product(["e", "1", "-", "漢", " "], MARKS):
        yield from (sign + mark, sign + mark * 400, (sign + mark) * 100)
    for a, b in itertools.product(EMOJI + LETTERS, repeat=2):
        yield f"{a}{b}"
    for sign in EMOJI + LETTERS:
        yield sign * 100


def lengths():
    for n in (2, 31, 32, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 999, 1000, 1001, 3000):
        for piece in ("a", "9", "-", '"', "'", "(", "é", "- ", "-a ", '"a ', "a-", "a b ", "not ", "😀"):
            yield (piece * n)[:3000]
    for n in (1, 2, 5, 50, 200):
        yield '"' * n + "a" + '"' * n
        yield "\"'" * n + "a" + "'\"" * n
        yield "“" * n + "a" + "”" * n


def stop_words():
    for n in (1, 2):
        yield from map(" ".join, itertools.product(STOP_WORDS, repeat=n))
    yield " ".join(STOP_WORDS * 8)


def mixtures(chance, n):
    pieces = OPERATORS + SQL + OTHERS + NUMBERS + EMOJI + LETTERS + STOP_WORDS + list(INVISIBLE) + [
        "keyboard", "iphone 15", "wi-fi", "RTX4060", "under $100", "16 GB"]
    for _ in range(n):
        count = chance.randrange(2, 12)
        yield chance.choice(["", " "]).join(chance.choice(pieces) for _ in range(count))


def any_characters(chance, n):
    for _ in range(n):
        codes = (chance.choice([chance.randrange(0x250), chance.randrange(0xd800),
                                chance.randrange(0xe000, 0x110000)])
                 for _ in range(chance.randrange(1, 60)))
        yield "".join(map(chr, codes))


def any_bytes(chance, n):
    for _ in range(n):
        yield bytes(chance.randrange(256) for _ in range(chance.randrange(1, 40)))


def texts(chance):
    yield from pairs_of_characters()
    yield from SQL
    yield from OTHERS
    yield from controls()
    yield from operators()
    yield from numbers()
    yield from writing()
    yield from lengths()
    yield from stop_words()
    yield from mixtures(chance, 1000)
    yield from any_characters(chance, 500)
    yield from BROKEN
    yield from any_bytes(chance, 500)


def pollution(chance):
    """Queries, encoded."""
    for name, value in itertools.product(NAMES, VALUES):
        yield f"{name}={quote(value)}"
        yield f"{name}={quote(value)}&{name}={quote(value)}"
        yield f"q=keyboard&{name}[]={quote(value)}"
    for name in NAMES:
        yield from (name, f"{name}", f"{name.upper()}=1", f"{name}%00=1", f"%{ord(name[0]):02x}{name[1:]}=1",
                    f"{name}==", f"={name}", f"{name}=1;q=2", f"&&&{name}=1&&&", f"{name}.x=1",
                    "&".join([f"{name}=1"] * 300), f"{name}=%", f"{name}=%f", f"{name}=%u0041", f"{name}s=1")
    for _ in range(500):
        yield "&".join(f"{chance.choice(NAMES)}={quote(chance.choice(VALUES))}"
                       for _ in range(chance.randrange(2, 12)))
    for text in FILTERS + SQL + OPERATORS:
        yield f"filter={quote(text)}"
        yield "&".join([f"filter={quote(text)}"] * 3)
    yield "&".join(f"x{n}=1" for n in range(1000))
    yield "&".join(["filter=price<1"] * 33)


def paths(chance):
    """Other paths of the search, with what is hostile as a key."""
    keys = SQL + OTHERS + NUMBERS + EMOJI + BROKEN + [".", "..", "a/b", "a%2Fb", "a:b", "x" * 1025]
    for key in keys:
        yield f"/v1/products/{quote(key)}"
        yield f"/v1/similar/{quote(key)}?limit=5"
        yield f"/v1/suggest?q={quote(key)}"
        yield f"/v1/recommendations?customer={quote(key)}"
    for key in chance.sample(sorted(string.printable), 40):
        yield f"/v1/suggest?q={quote(key)}&limit={chance.randrange(-1, 30)}"


def requests(seed=1):
    chance = random.Random(seed)
    seen = set()
    everything = itertools.chain((f"/v1/search?q={quote(text)}" for text in texts(chance)),
                                 (f"/v1/search?{query}" for query in pollution(chance)),
                                 paths(chance))
    for request in everything:
        if request not in seen:
            seen.add(request)
            yield request
