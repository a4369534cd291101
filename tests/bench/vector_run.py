"""The benchmark of the vector engine: ours and the peers on one set of vectors, in rounds.

The machine is noisy, so no figure of one moment is put beside one of another: in each round ours
and every peer are measured in turn, and a ratio is the median of the ratios of the rounds.
"""
import json
import subprocess
import sys

import curve
import environment
import process

K = 10
WHOLE_CURVE = 0.999   # a curve ends where this recall is reached
SHARES, KINDS = (0.01, 0.003), ("random", "near", "far")
FILTERS = [(share, kind) for kind in KINDS for share in SHARES]
SHORT_AT = 64         # the ef of the filtered walks of peers, beside the one that reaches .99
CHURN_TARGET = 0.95   # the recall at which the churn begins


def say(text):
    print(text, file=sys.stderr, flush=True)


class Peer(process.Process):
    """One peer in a process of its own; see worker.py."""

    def __init__(self, name, interpreter, base, queries, truth):
        super().__init__(name, [interpreter, environment.HERE / "worker.py", name, base, queries,
                                truth])
        self.seen = {}     # (family as JSON, effort): point
        self.chosen = {}   # target: [(family, effort)]
        self.rounds = []   # [{target: point or None}]
        self.info = {}

    def build(self):
        say(f"  {self.name}: building")
        overhead = self.ask("overhead")
        self.info = {**self.ask("build"), **overhead}

    def recall(self, family, effort):
        key = (json.dumps(family), effort)
        if key not in self.seen:
            self.seen[key] = self.ask("recall", family=family, effort=effort)
        return self.seen[key]["recall"]

    def explore(self, targets):
        """The whole curve of each family, and the least effort for each target."""
        for family in self.info["families"]:
            for effort in self.info["efforts"]:
                if self.recall(family, effort) >= WHOLE_CURVE:
                    break
            for target in targets:
                effort = curve.least_effort(lambda e, f=family: self.recall(f, e),
                                            self.info["efforts"], target)
                if effort is not None:
                    self.chosen.setdefault(target, []).append((family, effort))

    def measure(self, targets):
        """One round: the points that reach a target, the best of them for each."""
        points = {}
        for choices in self.chosen.values():
            for family, effort in choices:
                key = (json.dumps(family), effort)
                if key not in points:
                    points[key] = self.ask("point", family=family, effort=effort)
        self.rounds.append({target: curve.at_target(
            [points[(json.dumps(family), effort)]
             for family, effort in self.chosen.get(target, [])], target) for target in targets})

    def measure_curve(self):
        """Each point of the exploration again, one query at a time: for the drawing."""
        for key, point in self.seen.items():
            if "p50_us" not in point:
                self.seen[key] = self.ask("point", family=point["family"],
                                          effort=point["effort"])

    def effort_at(self, target):
        """(family, effort) of the last round at the target, or the hardest there is."""
        for values in reversed(self.rounds):
            if values.get(target):
                return values[target]["family"], values[target]["effort"]
        return self.info["families"][-1], self.info["efforts"][-1]


def ours(base, queries, targets, threads, *more):
    """What `aethermart vector bench` says."""
    command = [environment.BINARY, "vector", "bench", "--vectors", base, "--queries", queries,
               "--k", K, "--recall", ",".join(f"{target:g}" for target in targets),
               "--threads", threads, *more, "--json"]
    done = environment.run(command, "what does it say above?", stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def target_of(answer, target):
    """Ours at a target as a point, None when it was not reached."""
    for entry in answer["targets"]:
        if abs(entry["target"] - target) < 1e-9 and entry.get("qps") and \
                entry["recall"] >= target:
            return entry
    return None


def targets_summary(rounds, targets):
    """{target: {"recall", "effort", "qps", "p50_us", "p99_us"}} of [{target: point}]."""
    result = {}
    for target in targets:
        points = [values[target] for values in rounds if values[target] is not None]
        if len(points) < len(rounds) or not points:
            result[f"{target:g}"] = None
            continue
        last = points[-1]
        result[f"{target:g}"] = {
            "recall": min(point["recall"] for point in points),
            "effort": last.get("effort", last.get("ef")), "family": last.get("family", {}),
            **{key: curve.spread([point.get(key) for point in points])
               for key in ("qps", "qps_single", "qps_batch", "p50_us", "p99_us")}}
    return result


def ours_summary(answers, targets):
    rounds = [{target: target_of(answer, target) for target in targets} for answer in answers]
    last = answers[-1]
    kept = {key: value for key, value in last.items()
            if key not in ("targets", "build_seconds", "filters", "churn")}
    return {**kept, "build_seconds": curve.spread([a["build_seconds"] for a in answers]),
            "bytes_per_vector": last["bytes_per_vector"],
            "mapped_bytes_per_vector": last.get("mapped_bytes_per_vector"),
            "targets": targets_summary(rounds, targets)}


def peer_summary(peer, targets):
    return {"build_seconds": curve.spread([peer.info["build_seconds"]]),
            "bytes_per_vector": peer.info["bytes_per_vector"], "mapped_bytes_per_vector": 0,
            "parameters": peer.info["parameters"], "exact": peer.info["exact"],
            "overhead_us": peer.info["overhead_us"],
            "restart_seconds": peer.info["restart_seconds"],
            "targets": targets_summary(peer.rounds, targets),
            "curve": sorted(peer.seen.values(),
                            key=lambda p: (json.dumps(p["family"]), p["effort"]))}


def all_ratios(our, peer_results, targets):
    result = {}
    for target in map("{:g}".format, targets):
        def runs(entry, key=target):
            at = entry["targets"][key]
            return at["qps"]["runs"] if at else None
        result[target] = curve.ratios(runs(our) or [], {
            name: runs(entry) for name, entry in peer_results.items()})
    return result


def search(base, queries, truth, interpreter, options):
    """Build and search: (result, the peers with their indexes still there)."""
    targets = options["targets"]
    peers = [Peer(name, interpreter, base, queries, truth) for name in options["peers"]]
    answers = []
    for peer in peers:
        peer.build()
        peer.explore(targets)
    for number in range(options["rounds"]):
        say(f"  round {number + 1} of {options['rounds']}")
        answers.append(ours(base, queries, targets, 1))
        for peer in peers:
            peer.measure(targets)
    for peer in peers:
        peer.measure_curve()
        peer.info.update(peer.ask("restart"))
    result = {"ours": ours_summary(answers, targets),
              "peers": {peer.name: peer_summary(peer, targets) for peer in peers}}
    result["ratios"] = all_ratios(result["ours"], result["peers"], targets)
    return result, peers


def filters(base, queries, peers, rounds):
    """Each filter: ours and the exact scan in rounds, the filtered walks of the peers once."""
    result = []
    able = [peer for peer in peers if peer.info["filters"]]
    our = {at: [] for at in FILTERS}
    for number in range(rounds):
        say(f"  filters: ours, {number + 1} of {rounds}")
        answer = ours(base, queries, [CHURN_TARGET], 1,
                      "--filter-share", ",".join(f"{share:g}" for share in SHARES),
                      "--filter-kind", ",".join(KINDS))
        for entry in answer["filters"]:
            our[entry["share"], entry["kind"]].append(entry)
    for share, kind in FILTERS:
        say(f"  filter: {share:.1%} {kind}")
        exact = [peers[0].ask("exact_filter", share=share, kind=kind) for _ in range(rounds)]
        entry = {"share": share, "kind": kind, "ours": filter_spread(our[share, kind]),
                 "exact (numpy f32)": filter_spread(exact),
                 "ratio": curve.spread([a["qps"] / b["qps"]
                                        for a, b in zip(our[share, kind], exact)]),
                 "peers": {}}
        for peer in able:
            family, effort = peer.effort_at(0.99)
            for at in sorted({SHORT_AT, effort}) if not peer.info["exact"] else [effort]:
                name = peer.name if peer.info["exact"] else f"{peer.name}, ef {at}"
                entry["peers"][name] = peer.ask("filter", share=share, kind=kind, family=family,
                                                effort=at)
        result.append(entry)
    return result


def filter_spread(answers):
    return {"recall": min(a["recall"] for a in answers), "short": max(a["short"] for a in answers),
            "queries": answers[-1].get("queries"),
            "qps": curve.spread([a["qps"] for a in answers]),
            "qps_batch": curve.spread([a.get("qps_batch") for a in answers])}


def churn(base, queries, peers, rounds, names):
    """Recall after each round; last, for it uses the indexes of the peers up."""
    say("  churn")
    result = {"rounds": rounds, "share": 0.2, "peers": {}}
    answer = ours(base, queries, [CHURN_TARGET], 1, "--churn", rounds)
    result["ours"] = answer["churn"]
    for peer in peers:
        if peer.info["churns"] and peer.name in names:
            family, effort = peer.effort_at(CHURN_TARGET)
            result["peers"][peer.name] = peer.ask("churn", rounds=rounds, share=0.2,
                                                  family=family, effort=effort)
    return result
