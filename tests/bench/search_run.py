"""The benchmark of search: ours and the peers on the shop's products, in rounds.

Each peer is a process of its own with one thread and its index in memory; in each round all of them
and ours are asked in turn, one query at a time.
"""
import json
import sys
import time

import curve
import environment
import process
import relevance
import search_ours
import search_peers

QUERIES = environment.HERE / "search-queries.txt"
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def say(text):
    print(text, file=sys.stderr, flush=True)


def queries(judgements):
    """Those that were judged, then those of the file; none twice."""
    lines = QUERIES.read_text(encoding="utf-8").splitlines()
    more = [line for line in lines if line and not line.startswith("#")]
    return list(dict.fromkeys([*judgements, *more]))


class Peer(process.Process):
    """One peer in a process of its own; see search_worker.py."""

    def __init__(self, name, interpreter, settings):
        super().__init__(name, [interpreter, environment.HERE / "search_worker.py", name,
                                settings])


def start_peers(names, interpreter, rows, folder, settings):
    """([built peers], {name: {"build_seconds", "bytes"} or {"failed"}})"""
    products = folder / "products.jsonl"
    with open(products, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    path = folder / "settings.json"
    path.write_text(json.dumps({**settings, "products": str(products)}), encoding="utf-8")
    peers, built = [], {}
    for name in names:
        say(f"building {name}")
        peer = Peer(name, interpreter, path)
        try:
            built[name] = peer.ask("build")
        except environment.BenchError as error:  # it died: of memory, of a fault of its own
            built[name] = {"failed": str(error).splitlines()[0]}
        if "failed" in built[name]:
            say(f"  left out: {built[name]['failed']}")
            peer.close()
        else:
            peers.append(peer)
    return peers, built


# --- relevance ----------------------------------------------------------------------------------


def rankings_of(peer, rows, judgements, runs):
    """{query: product ids}, which are also kept as a TREC run when there is a folder for them."""
    asked = list(judgements)
    answers = {query: [(rows[n]["id"], score) for n, score in answer] for query, answer in
               zip(asked, peer.ask("answers", queries=asked, k=relevance.DEPTH))}
    if runs:
        runs.mkdir(parents=True, exist_ok=True)
        slug = "".join(c if c.isalnum() else "-" for c in peer.name)
        relevance.write_run(runs / f"{slug}.run", slug, answers)
    return {query: [item for item, _ in answer] for query, answer in answers.items()}


def own_products():
    """Ids of the products that the shop has beside those that were looked at for judging."""
    with open(environment.ROOT / "data" / "aethermart" / "products.jsonl", encoding="utf-8") as file:
        return {json.loads(line)["id"] for line in file}


def without(rankings, ids):
    return {query: [item for item in found if item not in ids]
            for query, found in rankings.items()}


def judge(peers, shop, rows, options, folder):
    """{name: summary or {"failed"}}; ours has the difference to the best peer as well."""
    judgements = relevance.read_judgements(options.judgements)
    known = {row["id"] for row in rows}
    rankings = {peer.name: rankings_of(peer, rows, judgements, options.runs) for peer in peers}
    ours = {}
    reason = search_ours.knows(shop, "eval")
    for mode in search_ours.MODES:
        name = f"AetherMart {mode}"
        ours[name], found = ({"failed": reason}, None) if reason else search_ours.judge(
            shop, mode, options.judgements, options.runs or folder)
        if found is not None:
            rankings[name] = found
    own = own_products()
    result = {**ours, **{name: {**ours.get(name, {}), **relevance.summary(found, judgements),
                                "ndcg_at_10_shared": relevance.summary(
                                    without(found, own), judgements)["ndcg_at_10"]}
                         for name, found in rankings.items()}}
    best = max((peer.name for peer in peers), key=lambda name: result[name]["ndcg_at_10"],
               default=None)
    for name in set(ours) & set(rankings):
        if best:
            result[name]["more_than_best"] = {"peer": best, **relevance.difference(
                rankings[name], rankings[best], judgements)}
    return {"systems": result, "judgements": sum(map(len, judgements.values())),
            "judged_not_there": len({item for ratings in judgements.values() for item in ratings}
                                    - known)}


# --- speed --------------------------------------------------------------------------------------


def percentiles(times):
    return {name: curve.percentile(times, share) for name, share in PERCENTILES.items()}


def merged(points):
    """[{figure: number}] of the rounds as {figure: spread}."""
    return {key: curve.spread([point[key] for point in points]) for key in points[0]}


def our_round(session, asked, modes):
    """{name: {percentile: microseconds}}: as the server says, and as seen from here."""
    result = {}
    for mode in modes:
        times = session.latency(asked, mode)
        result[f"AetherMart {mode}"] = percentiles(times["server"])
        result[f"AetherMart {mode}, round trip"] = percentiles(times["round_trip"])
    return result


def our_stages(session, asked, modes):
    """{mode: {stage: {percentile: microseconds}}}"""
    return {mode: {stage: percentiles(times) for stage, times in
                   session.stages(asked, mode).items()} for mode in modes}


def speed(peers, shop, asked, rounds, modes=search_ours.MODES):
    """{"systems": {name: {percentile: spread}}, "stages": ..., "failed": why ours was not asked}"""
    reason = search_ours.knows(shop, "http")
    session = None if reason else search_ours.Session(shop)
    points = {}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        found = our_round(session, asked, modes) if session else {}
        for peer in peers:
            found[peer.name] = percentiles(peer.ask("latency", queries=asked, k=relevance.K))
        for name, point in found.items():
            points.setdefault(name, []).append(point)
    result = {"queries": len(asked), "systems": {name: merged(at) for name, at in points.items()},
              "failed": reason, "stages": our_stages(session, asked, modes) if session else {}}
    if session:
        session.close()
    return result


# --- a catalogue of any size --------------------------------------------------------------------

FEW = 100_000  # products up to which all peers and all modes take part


def names_for(count, wanted=None):
    """The peers that a catalogue of so many products is measured with."""
    names = list(search_peers.PEERS) if count <= FEW else search_peers.BY_WORDS
    return [name for name in names if not wanted or name in wanted]


def modes_for(count):
    return search_ours.MODES if count <= FEW else ("lexical",)


def fill(shop, count, folder):
    """Loads as many variants of the catalogue's products as make `count`: {step: seconds}."""
    missing = count - shop.count()
    if missing <= 0:
        return {}
    say(f"{missing:,} variants of the catalogue's products")
    feed = folder / "feed"
    seconds = {}
    for step, words in (
            ("generate", ("generate", "--customers", 0, "--orders", 0, "--reviews", 0,
                          "--defects", 0, "--variants", missing, "--out", feed)),
            ("load", ("load", feed))):
        start = time.perf_counter()
        shop.run(*words)
        seconds[step] = time.perf_counter() - start
    start = time.perf_counter()
    shop.wait_synced(missing)
    seconds["until in step"] = time.perf_counter() - start
    return {"variants": missing, "seconds": seconds}
