"""Our side of the benchmark of search: `aethermart eval`, and the HTTP API by one connection."""
import http.client
import json
import subprocess
import time
import urllib.parse

import environment
import relevance
import search_peers

MODES = ("lexical", "vector", "hybrid")
# Between what eval says and what its run gives; it prints some six digits.
TOLERANCE = 1e-3


def judge(shop, mode, judgements_path, folder):
    """(summary, rankings) of the program's own run; the figures that `eval` says are held against
    those that its run gives, and told where they differ."""
    run = folder / f"{mode}.run"
    done = shop.start("eval", "--judgements", judgements_path, "--mode", mode, "--run", run,
                      "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        return {"failed": last_line(done.stderr) or f"exit status {done.returncode}"}, None
    judgements = relevance.read_judgements(judgements_path)
    rankings = relevance.read_run(run, judgements)
    found = relevance.summary(rankings, judgements)
    said = json.loads(done.stdout)
    found["eval_differs"] = {
        key: said.get(key) for key, value in found.items()
        if said.get(key) is None or abs(said[key] - value) > TOLERANCE}
    return found, rankings


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else None


def target(query, mode, explain=False):
    words = {"q": query, "mode": mode, "limit": 10, **({"explain": "true"} if explain else {})}
    return "/v1/search?" + urllib.parse.urlencode(words)


class Session:
    """One connection that stays open."""

    def __init__(self, shop):
        self.connection = shop.http()

    def get(self, path):
        """(answer, microseconds from before the request to behind the last byte of the body)."""
        start = time.perf_counter_ns()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        microseconds = (time.perf_counter_ns() - start) / 1e3
        if answer.status != 200:
            raise environment.BenchError(f"GET {path} is answered with {answer.status}: "
                                         f"{body[:300].decode('utf-8', 'replace')}")
        return json.loads(body), microseconds

    def latency(self, queries, mode):
        """{"server": microseconds of each query as the server says, "round_trip": as seen here}"""
        for query in queries[:search_peers.WARM_UP]:
            self.get(target(query, mode))
        server, round_trip = [], []
        for query in queries:
            answer, microseconds = self.get(target(query, mode))
            server.append(answer["took_us"])
            round_trip.append(microseconds)
        return {"server": server, "round_trip": round_trip}

    def stages(self, queries, mode):
        """{stage: microseconds of each query}; what `explain` tells, whatever stages there are, and
        all of it but the embedding."""
        result = {}
        for query in queries:
            answer, _ = self.get(target(query, mode, explain=True))
            stages = stages_of(answer)
            if "embed" in stages:
                stages["all but embed"] = answer["took_us"] - stages["embed"]
            for stage, microseconds in stages.items():
                result.setdefault(stage, []).append(microseconds)
        return result

    def close(self):
        self.connection.close()


def stages_of(answer):
    """The object "stages_us" or "stages" of the answer or of its "explain"; {} when none."""
    for place in (answer, answer.get("explain") or {}):
        for key in ("stages_us", "stages"):
            if isinstance(place.get(key), dict):
                return {stage: value for stage, value in place[key].items()
                        if isinstance(value, (int, float))}
    return {}


def footprint(shop):
    """{"memory_bytes": of `serve`, "restart_seconds": until its first answer with a hit}"""
    def answers():
        try:
            session = Session(shop)
            answer, _ = session.get(target("cable", "lexical"))
            session.close()
            return bool(answer["hits"])
        except (environment.BenchError, OSError, http.client.HTTPException):
            return False  # not yet; who asks counts the seconds
    memory = shop.worker()["memory_bytes"]
    return {"memory_bytes": memory, "restart_seconds": shop.restart_seconds(answers)}


def knows(shop, what):
    """Why the program cannot be asked: it has no such verb, or no such path; None when it can."""
    if what == "eval":
        done = shop.start("eval", "--help", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return None if done.returncode == 0 else "this program does not know `eval`"
    try:
        session = Session(shop)
        session.get(target("cable", "lexical"))
        session.close()
    except environment.BenchError as error:
        return str(error).splitlines()[0]
    return None
