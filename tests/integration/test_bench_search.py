"""What the benchmark of search works out is right: metrics, runs, fusion, our side's answers."""
import http.server
import json
import math
import pathlib
import socketserver
import sys
import threading
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))

import curve  # noqa: E402
import environment  # noqa: E402
import relevance  # noqa: E402
import search_ours  # noqa: E402
import search_peers  # noqa: E402
import search_report  # noqa: E402
import search_run  # noqa: E402
import shop  # noqa: E402

RATINGS = {"a": 3, "b": 1, "c": 0}


# --- metrics, worked out by hand ------------------------------------------------------------------


def test_ndcg_of_a_perfect_and_of_a_reversed_ranking():
    assert relevance.ndcg(["a", "b", "c"], RATINGS) == pytest.approx(1)
    # (2^1-1)/log2(2) + (2^3-1)/log2(3), by the ideal of 7/log2(2) + 1/log2(3)
    assert relevance.ndcg(["b", "a", "c"], RATINGS) == pytest.approx(
        (1 + 7 / 1.5849625) / (7 + 1 / 1.5849625))
    assert relevance.ndcg(["x"] * 10 + ["a"], RATINGS) == 0
    assert relevance.ndcg(["c"], {"c": 0}) is None


def test_the_ideal_has_what_was_not_found_and_is_cut_as_well():
    ratings = {str(at): 3 for at in range(12)}
    assert relevance.ndcg(["0"], ratings) == pytest.approx(
        7 / sum(7 / math.log2(at + 2) for at in range(10)))


def test_condensed_rankings_know_only_what_was_judged():
    ranking = ["x"] * 40 + ["a", "y", "c", "b"]
    assert relevance.condensed(ranking, RATINGS) == ["a", "c", "b"]
    # a first, b third: (7 + 1/log2(4)) / (7 + 1/log2(3))
    assert relevance.ndcg(relevance.condensed(ranking, RATINGS), RATINGS) == pytest.approx(
        7.5 / (7 + 1 / math.log2(3)))


def test_first_relevant_recall_and_share_judged():
    ranking = ["x", "c", "b", "y"]
    assert relevance.reciprocal_rank(ranking, RATINGS) == pytest.approx(1 / 3)
    assert relevance.reciprocal_rank(["c", "x"], RATINGS) == 0
    assert relevance.recall(ranking, RATINGS) == 0.5
    assert relevance.recall(["x"] * 100 + ["a"], RATINGS) == 0
    assert relevance.judged(ranking, RATINGS) == 0.5
    assert relevance.judged([], RATINGS) is None


def test_means_are_over_queries_that_have_something_to_find():
    found = relevance.summary({"q": ["a", "b"], "nothing": ["c"]}, {
        "q": RATINGS, "silent": {"a": 2}, "nothing": {"c": 0}})
    assert found["queries"] == 2
    assert found["ndcg_at_10"] == pytest.approx(0.5)
    assert found["mrr"] == 0.5
    assert found["recall_at_100"] == 0.5
    assert found["judged_at_10"] == 1  # of the one that showed something


def test_a_difference_has_the_error_of_its_queries():
    judged = {"q": {"a": 1}, "r": {"a": 1}}
    found = relevance.difference({"q": ["a"], "r": ["a"]}, {"q": ["a"]}, judged)
    assert found["mean"] == 0.5
    assert found["error"] == pytest.approx(0.5)  # deviation of 0 and 1 by the root of 2


# --- TREC runs ----------------------------------------------------------------------------------


def test_a_run_comes_back_in_the_order_of_its_ranks(tmp_path):
    path = tmp_path / "a.run"
    relevance.write_run(path, "tag", {"gps watch": [("p1", 2.5), ("p2", 1)], "aa": [("p3", 9)]})
    assert path.read_text().splitlines() == [
        "gps_watch Q0 p1 1 2.500000 tag", "gps_watch Q0 p2 2 1.000000 tag",
        "aa Q0 p3 1 9.000000 tag"]
    path.write_text("gps_watch Q0 p2 2 1 t\ngps_watch Q0 p1 1 2 t\n")
    assert relevance.read_run(path, ["gps watch", "aa"]) == {"gps watch": ["p1", "p2"]}


@pytest.mark.parametrize("line", ["gps_watch Q0 p1 1 2.5\n", "other Q0 p1 1 2.5 t\n"])
def test_a_line_that_is_not_of_the_run_is_named(tmp_path, line):
    path = tmp_path / "a.run"
    path.write_text("gps_watch Q0 p1 1 2.5 t\n" + line)
    with pytest.raises(ValueError, match="a.run:2"):
        relevance.read_run(path, ["gps watch"])


def test_queries_that_a_run_could_not_tell_apart_are_refused(tmp_path):
    with pytest.raises(ValueError, match="the same in a TREC run"):
        relevance.write_run(tmp_path / "a.run", "t", {"a b": [], "a_b": []})


def test_judgements_are_read_by_query(tmp_path):
    path = tmp_path / "j.csv"
    path.write_text('query,product_id,rating\n"usb, c",1,3\nb,2,0\n"usb, c",3,1\n')
    assert relevance.read_judgements(path) == {"usb, c": {"1": 3, "3": 1}, "b": {"2": 0}}


# --- peers --------------------------------------------------------------------------------------


def row(name, **fields):
    return {"name": name, "brand": "", "category": "", "description": "", "attributes": "",
            **fields}


def test_sqlite_finds_any_word_and_weighs_the_name_most():
    peer = search_peers.Sqlite()
    peer.build([row("Mouse", description="for a keyboard"), row("Keyboard"), row("Cable")])
    found = peer.search("keyboards", 10)
    assert [n for n, _ in found] == [1, 0]
    assert found[0][1] > found[1][1] > 0
    assert peer.search('"-()', 10) == []
    assert [n for n, _ in peer.search("cable NOT AND", 10)] == [2]


def test_fusion_by_score_stretches_each_list():
    fused = search_peers.by_score([[(1, 30.0), (2, 20.0), (3, 10.0)], [(3, 0.9), (4, 0.1)]])
    assert fused == pytest.approx({1: 0.8, 2: 0.4, 3: 0.2, 4: 0.0})
    assert search_peers.by_score([[], [(4, 0.3)]]) == {4: 0.2}


def test_fusion_by_rank_adds_reciprocals():
    fused = search_peers.by_rank([[(1, 9), (2, 8)], [(2, 1)]])
    assert fused == pytest.approx({1: 1 / 61, 2: 1 / 62 + 1 / 61})


def test_a_package_that_is_missing_is_a_reason_and_no_end(tmp_path):
    peers, built = search_run.start_peers(
        ["tantivy", "SQLite FTS5"], sys.executable, [row("Mouse", id="p")], tmp_path, {})
    try:
        assert [peer.name for peer in peers][-1] == "SQLite FTS5"
        assert "failed" in built["tantivy"] or len(peers) == 2
        assert peers[-1].ask("answers", queries=["mouse"], k=10)[0][0][0] == 0
        assert len(peers[-1].ask("latency", queries=["mouse"] * 3, k=10)) == 3
    finally:
        for peer in peers:
            peer.close()


def test_attributes_are_said_as_the_peers_read_them():
    assert shop.attributes({"usb_version": 3.1, "backlight": True, "nfc": False, "x": None}) == (
        "usb version: 3.1, backlight")
    assert shop.attributes(None) == ""


# --- our side -----------------------------------------------------------------------------------


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        self.server.asked.append((self.client_address, asked))
        body = {"took_us": 40 + len(asked["q"]), "hits": [{"external_id": "p"}]}
        if asked.get("explain"):
            body["explain"] = {"stages": {"parse": 3, "words": 20, "plan": "scan"}}
        status = 500 if asked["q"] == "broken" else 200
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def get_request(self):
        connection, _ = super().get_request()
        self.connections += 1
        return connection, f"connection {self.connections}"


@pytest.fixture(name="server")
def run_server(tmp_path):
    server = Server(str(tmp_path / "serve.sock"), Answers)
    server.asked, server.connections = [], 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_latency_is_taken_by_one_connection(server, tmp_path):
    session = search_ours.Session(shop.Shop(tmp_path))
    found = session.latency(["a&b", "cable"], "lexical")
    stages = session.stages(["a&b", "cable"], "hybrid")
    session.close()
    assert found["server"] == [43, 45]
    assert all(seen > 0 for seen in found["round_trip"])
    assert stages == {"parse": [3, 3], "words": [20, 20]}
    assert server.connections == 1
    assert server.asked[0][1] == {"q": "a&b", "mode": "lexical", "limit": "10"}
    assert server.asked[-1][1]["explain"] == "true"


def test_an_answer_that_is_an_error_ends_the_measurement(server, tmp_path):
    session = search_ours.Session(shop.Shop(tmp_path))
    with pytest.raises(environment.BenchError, match="answered with 500"):
        session.get(search_ours.target("broken", "lexical"))
    session.close()
    assert search_ours.knows(shop.Shop(tmp_path), "http") is None


def test_without_a_socket_the_reason_is_told(tmp_path):
    assert "serve.sock is not there" in search_ours.knows(shop.Shop(tmp_path), "http")


class ShopWithEval:
    """Writes a run and says figures, as `aethermart eval` does."""

    def __init__(self, said):
        self.said = said

    def start(self, *words, **_):
        pathlib.Path(words[words.index("--run") + 1]).write_text("q Q0 a 1 1 t\nq Q0 b 2 1 t\n")

        class Done:
            returncode, stdout, stderr = 0, json.dumps(self.said), ""
        return Done


def test_what_eval_says_is_held_against_its_run(tmp_path):
    judgements = tmp_path / "j.csv"
    judgements.write_text("query,product_id,rating\nq,a,3\nq,b,1\n")
    right = {"queries": 1, "ndcg_at_10": 1, "ndcg_at_10_judged": 1, "mrr": 1, "recall_at_100": 1,
             "judged_at_10": 1}
    found, rankings = search_ours.judge(ShopWithEval(right), "lexical", judgements, tmp_path)
    assert found["eval_differs"] == {} and rankings == {"q": ["a", "b"]}
    found, _ = search_ours.judge(ShopWithEval({**right, "mrr": 0.9}), "lexical", judgements,
                                 tmp_path)
    assert found["eval_differs"] == {"mrr": 0.9} and found["mrr"] == 1


# --- the report -----------------------------------------------------------------------------------


def report():
    figures = {"ndcg_at_10": 0.8, "ndcg_at_10_shared": 0.85, "ndcg_at_10_judged": 0.9, "mrr": 0.7, "recall_at_100": 0.6,
               "judged_at_10": 0.5, "queries": 60}
    spread = {key: curve.spread([10.0, 30.0]) for key in ("p50", "p95", "p99")}
    return {"date": "2026-11-26T00:00:00Z", "version": "v", "instructions": ["avx2"],
            "machine": {"cpu": "c", "cores": 2, "memory_mib": 1, "kernel": "k"},
            "peers": {"p": "1"}, "sqlite": "3", "mariadb": "10", "options": {"rounds": 2},
            "missing": {"p2==1": "no such version"}, "result": {
                "products": 20000, "filled": {"variants": 7, "seconds": {"load": 2.5}},
                "built": {"peer": {"build_seconds": 1.0, "bytes": 2 ** 21},
                          "other": {"failed": "ImportError: no other"}},
                "relevance": {"judgements": 9, "judged_not_there": 1, "systems": {
                    "AetherMart lexical": {**figures, "eval_differs": {"mrr": 0.71},
                                           "more_than_best": {"peer": "peer", "mean": 0.04,
                                                              "error": 0.02}},
                    "AetherMart vector": {"failed": "no eval"}, "peer": figures}},
                "speed": {"queries": 130, "systems": {"AetherMart lexical": spread}, "failed": None,
                          "stages": {"lexical": {"parse": {"p50": 3, "p95": 4, "p99": 5}}}},
                "footprint": {"memory_bytes": 2 ** 28, "restart_seconds": 1.25}}}


def test_the_report_says_what_was_measured_and_what_was_not():
    document = search_report.document(report())
    assert ("| **AetherMart lexical** | 0.8000 | 0.8500 | 0.9000 | 0.7000 | 0.6000 | 0.5000 | 60 |"
            in document)
    assert "+0.0400 nDCG@10 against peer, standard error 0.0200" in document
    assert "`eval` says 0.71 for mrr; its run gives 0.7000" in document
    for missing in ("AetherMart vector. no eval", "other. ImportError: no other",
                    "p2==1. no such version"):
        assert f"- Not measured: {missing}" in document
    assert "| **AetherMart lexical** | 20 (10..30) |" in document
    assert "7 are variants of the catalogue's (load 2.5 s)" in document
    assert "256 MiB" in document and "1.25 s after its start" in document


def test_own_products_are_left_out_of_the_second_figure():
    own = search_run.own_products()
    assert len(own) > 100 and "AM-PC-001" in own
    assert search_run.without({"q": ["1", "AM-PC-001", "2"]}, own) == {"q": ["1", "2"]}


def test_queries_are_many_and_none_stands_twice():
    asked = search_run.queries({"usb c hub 4 ports": {}, "aa": {}})
    assert asked[:2] == ["usb c hub 4 ports", "aa"]
    assert len(asked) == len(set(asked)) >= 60
    assert not any(query.startswith("#") for query in asked)
