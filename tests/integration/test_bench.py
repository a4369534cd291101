"""What the benchmarks work out of their measurements is right; no peer and no vector is needed."""
import pathlib
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))

import curve  # noqa: E402
import embed_report  # noqa: E402
import embed_run  # noqa: E402
import environment  # noqa: E402
import process  # noqa: E402
import texts  # noqa: E402
import vector_report  # noqa: E402
import vector_run  # noqa: E402


def point(effort, recall, qps, **more):
    return {"family": {}, "effort": effort, "recall": recall, "qps": qps, "p50_us": 1e6 / qps,
            "p99_us": 2e6 / qps, **more}


# --- curves ------------------------------------------------------------------------------------


def test_the_least_effort_is_found_exactly_wherever_it_lies():
    efforts = [10, 16, 24, 32, 48, 64]
    for wanted in range(10, 65):
        asked = []

        def measure(effort, at=wanted, seen=asked):
            seen.append(effort)
            return 0.95 if effort >= at else 0.94
        assert curve.least_effort(measure, efforts, 0.95) == wanted
        assert len(asked) <= len(efforts) + 5


def test_a_target_beyond_the_curve_has_no_effort():
    assert curve.least_effort(lambda effort: 0.98, [10, 20], 0.99) is None


def test_a_first_point_that_reaches_the_target_is_taken():
    assert curve.least_effort(lambda effort: 1.0, [1], 0.99) == 1


def test_the_quickest_point_that_reaches_the_target_counts():
    points = [point(10, 0.94, 9000), point(20, 0.95, 5000), point(30, 0.97, 6000),
              point(40, 0.99, 1000)]
    assert curve.at_target(points, 0.95)["effort"] == 30
    assert curve.at_target(points, 0.99)["effort"] == 40
    assert curve.at_target(points, 0.995) is None


def test_recall_counts_what_is_as_near_as_the_kth_best():
    # Two queries, k = 2: all found; one found, and one that is further away than the second best.
    assert curve.recall(2, [0.8, 0.8], [[0.9, 0.8], [0.9, 0.7]]) == 0.75
    # An equal vector under another id is as good, but more than k never count.
    assert curve.recall(2, [0.8], [[0.8, 0.8, 0.8]]) == 1.0
    assert curve.recall(2, [0.8], [[]]) == 0.0


def test_percentiles_are_values_that_occurred():
    values = list(range(1, 101))
    assert curve.percentile(values, 0.5) == 50
    assert curve.percentile(values, 0.99) == 99
    assert curve.percentile([7], 0.99) == 7
    assert curve.percentile([3, 1, 2], 1) == 3


def test_ratios_are_of_the_same_round_and_the_best_has_the_best_median():
    found = curve.ratios([100, 50, 200], {
        "steady": [50, 25, 100], "lucky once": [1000, 10, 10], "misses": [None, 1, 1]})
    assert found["best"] == "steady"
    assert found["ratio"]["runs"] == [2, 2, 2]
    assert found["each"]["lucky once"]["median"] == 5
    assert "misses" not in found["each"]


def test_without_a_peer_or_without_ours_there_is_no_ratio():
    assert curve.ratios([1], {"a": [None]}) is None
    assert curve.ratios([None], {"a": [1]}) is None
    assert curve.ratios([], {"a": []}) is None


# --- a run with answers that are known ------------------------------------------------------------


class KnownPeer(vector_run.Peer):
    """Answers as a worker would whose recall is 1 - 1/effort and whose rate is 10,000/effort."""

    def __init__(self, name="known", families=({},), slower=1):
        self.name, self.slower = name, slower
        self.seen, self.chosen, self.rounds = {}, {}, []
        self.info = {"families": list(families), "efforts": [4, 8, 16, 32, 64, 128],
                     "exact": False, "build_seconds": 2.0, "bytes_per_vector": 1690.0,
                     "overhead_us": 3.0, "restart_seconds": 0.1, "parameters": {"M": 16}}
        self.asked = []

    def ask(self, do, **request):
        self.asked.append(do)
        family, effort = request["family"], request["effort"]
        made = point(effort, 1 - 1 / effort, 10_000 / effort / self.slower, family=family)
        if do == "recall":
            del made["p50_us"], made["p99_us"]
        return {**made, "qps_single": made["qps"], "qps_batch": made["qps"]}


def measured(peer, rounds=2):
    peer.explore([0.95, 0.99])
    for _ in range(rounds):
        peer.measure([0.95, 0.99])
    peer.measure_curve()
    return vector_run.peer_summary(peer, [0.95, 0.99])


def test_a_peer_is_measured_at_the_least_effort_for_each_target():
    summary = measured(KnownPeer())
    assert summary["targets"]["0.95"]["effort"] == 20
    assert summary["targets"]["0.95"]["qps"]["runs"] == [500, 500]
    assert summary["targets"]["0.99"]["effort"] == 100
    assert {4, 8, 16, 32, 64, 128} <= {at["effort"] for at in summary["curve"]}
    assert all("p50_us" in at for at in summary["curve"])


def test_a_target_that_a_peer_misses_is_none_in_its_summary():
    peer = KnownPeer()
    peer.info["efforts"] = [4, 8, 16, 32]
    assert measured(peer)["targets"]["0.99"] is None


def test_a_miss_of_ours_is_no_point():
    answer = {"targets": [{"target": 0.95, "recall": 0.949, "qps": 9, "ef": 1},
                          {"target": 0.99, "recall": 0.991, "qps": 5, "ef": 2}]}
    assert vector_run.target_of(answer, 0.95) is None
    assert vector_run.target_of(answer, 0.99)["qps"] == 5
    assert vector_run.target_of(answer, 0.999) is None


def report_of_known():
    ours = {"n": 100, "dimension": 4, "build_seconds": 1.0, "bytes_per_vector": 530,
            "mapped_bytes_per_vector": 768, "targets": [
                {"target": 0.95, "recall": 0.951, "ef": 12, "qps": 1000, "p50_us": 50,
                 "p99_us": 90}]}
    our = vector_run.ours_summary([ours, ours], [0.95, 0.99])
    peers = {"known": measured(KnownPeer()), "slow": measured(KnownPeer(slower=2))}
    spread = curve.spread([10.0, 20.0])
    at = {"qps": spread, "qps_batch": None, "recall": 1.0, "short": 0, "queries": 7}
    result = {"title": "T", "n": 100, "dimension": 4, "queries": 7, "ours": our, "peers": peers,
              "ratios": vector_run.all_ratios(our, peers, [0.95, 0.99]),
              "filters": [{"share": 0.01, "kind": "random", "ours": at, "ratio": spread,
                           "exact (numpy f32)": {**at, "qps_batch": spread},
                           "peers": {"p, ef 64": {"qps": 3, "recall": 0.4, "short": 5,
                                                  "queries": 7}}}],
              "churn": {"share": 0.2, "ours": [0.95, 0.96], "peers": {
                  "known": {"effort": 9, "recall": [0.95, 0.94, 0.93]}}}}
    return {"date": "2026-11-26T00:00:00Z", "version": "v", "instructions": ["avx2"],
            "machine": {"cpu": "c", "cores": 2, "memory_mib": 1, "kernel": "k"},
            "peers": {"p": "1"}, "options": {"rounds": 2}, "sets": [result]}


def rows_of(document, first):
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in document.splitlines() if line.startswith(f"| {first}")]


def test_the_tables_of_the_vector_engine_say_what_was_measured():
    document = vector_report.document(report_of_known())
    at_95, at_99 = rows_of(document, "**AetherMart** |")[:2]
    assert at_95[1] == "1,000 (1,000..1,000)" and at_95[4] == "12"
    assert at_99[1] == "-"
    assert rows_of(document, "slow")[0][1] == "250 (250..250)"
    assert "**2.00 (2.00..2.00) times** the queries of the best peer, known" in document
    assert "At recall 0.99 there is nothing to compare" in document
    assert rows_of(document, "1.0% random: p, ef 64")[0][1:] == ["3", "0.4000", "5", "7"]
    # Ours has no figure before the first round: what it has stands under the rounds.
    assert rows_of(document, "known, ef 9")[0][1:] == ["0.9500", "0.9400", "0.9300"]
    assert ["**AetherMart**", "-", "0.9500", "0.9600"] in rows_of(document, "**AetherMart**")


def test_every_row_of_every_table_is_as_wide_as_its_head():
    width = None
    for line in vector_report.document(report_of_known()).splitlines():
        if not line.startswith("|"):
            width = None
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line


# --- the encoder -----------------------------------------------------------------------------


def speeds():
    def of(ms, rate):
        return {key: curve.spread([value, value]) for key, value in {
            "p50_ms_6": ms, "p99_ms_6": 2 * ms, "p50_ms_20": 3 * ms, "p99_ms_20": 6 * ms,
            "texts_per_second": rate, "tokens_per_second": 37 * rate}.items()}
    return {"AetherMart int8": of(0.5, 500), "ONNX Runtime int8": of(1.25, 200)}


def test_more_is_better_in_each_ratio_of_the_encoder():
    ratio = embed_run.compare(speeds(), "AetherMart int8", "ONNX Runtime int8")
    assert ratio["p50_ms_6"]["median"] == ratio["p50_ms_20"]["median"] == 2.5
    assert ratio["texts_per_second"]["median"] == 2.5


def test_the_tables_of_the_encoder_say_what_was_measured():
    report = {**report_of_known(), "mix": {"tokens_mean": 37.0, "texts": 10}, "speed": speeds(),
              "ratios": [embed_run.compare(speeds(), "AetherMart int8", "ONNX Runtime int8")],
              "cosine": {"AetherMart int8": {"mean": 0.995, "min": 0.98, "texts": 9}},
              "relevance": {"AetherMart int8": {"ndcg": 0.5, "loss": -0.001, "loss_error": 0.002,
                                                "queries": 60}}}
    document = embed_report.document(report)
    assert rows_of(document, "ONNX Runtime int8")[0][1] == "1.25 (1.25..1.25)"
    assert rows_of(document, "AetherMart int8 by ONNX")[0][1] == "2.50 (2.50..2.50)"
    assert ["AetherMart int8", "0.5000", "-0.0010", "0.0020", "60"] in rows_of(
        document, "AetherMart int8")


def test_a_mix_of_texts_comes_near_the_mean_asked_for():
    lengths = [5 + at * 7 % 60 for at in range(400)]
    chosen, mean = embed_run.towards([str(at) for at in range(400)], lengths, 37, 100)
    assert len(chosen) == len(set(chosen)) == 100
    assert abs(mean - 37) < 1


# --- texts -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="feed")
def read_feed():
    return texts.products()


@pytest.fixture(scope="module")
def some_rows(feed):
    return feed[:1500]


def test_the_catalogue_gives_the_number_of_texts_that_the_figures_name(feed):
    assert len(feed) == 19406


def test_mixed_texts_are_all_different_and_the_same_each_time(some_rows):
    mixed = texts.mixed_texts(some_rows, 5000)
    assert len(mixed) == len(set(mixed)) == 5000
    assert mixed == texts.mixed_texts(list(reversed(some_rows)), 5000)
    assert not any(set(text) & set("\n\r") for text in mixed)


def test_no_query_is_a_member_of_a_base(some_rows, tmp_path):
    members = set(texts.mixed_texts(some_rows, 5000)) | set(texts.product_texts(some_rows))
    judgements = tmp_path / "judgements.csv"
    judgements.write_text("query,product_id,rating\naa battery,1,3\naa battery,2,0\n")
    queries = texts.query_texts(some_rows, members, judgements, 1000)
    assert queries[0] == "aa battery"
    assert len(queries) == len(set(queries)) >= 500
    assert not members & set(queries)


def test_categories_are_those_that_the_program_gives(stack, feed):
    stored = dict(stack.sql(
        "WITH RECURSIVE paths AS ("
        "  SELECT category_id, CAST(category_name AS CHAR(400)) AS path"
        "  FROM Categories WHERE parent_id IS NULL"
        "  UNION ALL SELECT c.category_id, CONCAT(p.path, ' > ', c.category_name)"
        "  FROM Categories c JOIN paths p ON c.parent_id = p.category_id)"
        "SELECT external_id, path FROM Products JOIN paths USING (category_id)"))
    categories = texts.Categories()
    compared = {row["id"]: (categories.of(row), stored[row["id"]])
                for row in feed if row["id"] in stored}
    assert len(compared) > 100
    assert not {key: pair for key, pair in compared.items() if pair[0] != pair[1]}


# --- files and processes --------------------------------------------------------------------------


def npy(path, header):
    text = header.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
    return path


def test_the_shape_of_a_npy_file_is_read(tmp_path):
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (19406, 384), }"
    assert environment.shape(npy(tmp_path / "a.npy", head)) == (19406, 384)


def test_a_file_that_is_no_npy_is_named(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(b"not at all")
    with pytest.raises(environment.BenchError, match="a.npy is no .npy file"):
        environment.shape(path)


def test_a_text_with_a_line_break_is_refused(tmp_path):
    with pytest.raises(environment.BenchError, match="line break"):
        environment.embed(tmp_path / "v.npy", ["one", "two\nthree"])


def test_digests_tell_parts_apart():
    assert environment.digest("ab", "c") != environment.digest("a", "bc")
    assert environment.digest("ab", "c") == environment.digest("ab", "c")


def test_a_peer_that_ends_is_named_with_its_status():
    peer = process.Process("broken", [sys.executable, "-c", "import sys; sys.exit(3)"])
    with pytest.raises(environment.BenchError, match="broken ended with status 3 at \"build\""):
        peer.ask("build")
    peer.close()
