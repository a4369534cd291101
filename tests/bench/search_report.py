"""The figures of search as a Markdown document."""
import curve

RELEVANCE = [("ndcg_at_10", "nDCG@10"), ("ndcg_at_10_shared", "without own"),
             ("ndcg_at_10_judged", "cond nDCG@10"), ("mrr", "MRR"),
             ("recall_at_100", "recall@100"), ("judged_at_10", "judged@10")]


def bold(name):
    return f"**{name}**" if name.startswith("AetherMart") else name


def relevance_table(systems):
    return curve.table(
        ["", *(title for _, title in RELEVANCE), "queries"],
        [[bold(name), *(curve.number(at.get(key), 4) for key, _ in RELEVANCE),
          at.get("queries", "-")] for name, at in systems.items()])


def differences(systems):
    """What ours has more than the best peer, and where `eval` says something else."""
    lines = []
    for name, at in systems.items():
        more = at.get("more_than_best")
        if more:
            lines.append(f"- {name}: {more['mean']:+.4f} nDCG@10 against {more['peer']}, standard "
                         f"error {curve.number(more['error'], 4)} of the differences by query.")
        for key, said in (at.get("eval_differs") or {}).items():
            lines.append(f"- {name}: `eval` says {said} for {key}; its run gives {at[key]:.4f}.")
    return "\n".join(lines)


def left_out(entries):
    """A line for everything that is not in the tables, with the reason."""
    return "\n".join(f"- Not measured: {name}. {reason}"
                     for name, reason in entries.items() if reason)


def speed_table(systems):
    return curve.table(["", "p50 (µs)", "p95 (µs)", "p99 (µs)"],
                       [[bold(name), *(curve.with_spread(at[key]) for key in ("p50", "p95", "p99"))]
                        for name, at in systems.items()])


def stage_table(stages):
    rows = [[f"{mode}: {stage}", *(curve.number(at[key]) for key in ("p50", "p95", "p99"))]
            for mode, found in stages.items() for stage, at in found.items()]
    return curve.table(["", "p50 (µs)", "p95 (µs)", "p99 (µs)"], rows) if rows else (
        "No stage times were told.")


def build_table(built):
    return curve.table(["", "build (s)", "memory (MiB)"], [
        [name, curve.number(at["build_seconds"], 1),
         curve.number(at["bytes"] / 2 ** 20 if at["bytes"] is not None else None)]
        for name, at in built.items() if "failed" not in at])


def catalogue_line(result):
    text = f"{result['products']:,} products"
    filled = result.get("filled")
    if filled:
        steps = ", ".join(f"{step} {seconds:,.1f} s" for step, seconds in filled["seconds"].items())
        text += f", of which {filled['variants']:,} are variants of the catalogue's ({steps})"
    return text + "."


def footprint_line(at):
    return (f"`serve` has {at['memory_bytes'] / 2 ** 20:,.0f} MiB in all (synchronisation and all "
            f"collections included), and answers {at['restart_seconds']:.2f} s after its start.")


def document(report):
    machine, result = report["machine"], report["result"]
    versions = ", ".join(f"{name} {version}" for name, version in report["peers"].items())
    parts = [
        f"# Search, {report['date'][:10]}",
        f"{report['version']}. Machine: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_mib']:,} MiB, kernel {machine['kernel']}; "
        f"{' '.join(report['instructions'])}.",
        f"Peers: {versions}, SQLite {report['sqlite']}, MariaDB {report['mariadb']}.",
        catalogue_line(result) + " What is measured and how, and the fields' weights of each peer: "
        "`tests/bench/README.md`."]
    missing = left_out({**report["missing"],
                        **{name: at["failed"] for name, at in result["built"].items()
                           if "failed" in at}})
    if missing:
        parts.append(missing)
    if result.get("relevance"):
        systems = result["relevance"]["systems"]
        parts += ["## Relevance: human judgements",
                  f"{result['relevance']['judgements']:,} judgements, of which "
                  f"{result['relevance']['judged_not_there']} are of products that the shop does "
                  "not have.", relevance_table(
                      {name: at for name, at in systems.items() if "ndcg_at_10" in at}),
                  "Without own: of the products that the judges had before them. The shop has some of "
                  "its own besides, which nobody judged.",
                  differences(systems), left_out({name: at["failed"]
                                                  for name, at in systems.items()
                                                  if "failed" in at})]
    speed = result["speed"]
    parts += ["## Speed",
              f"{speed['queries']} queries, one after the other, ten hits each; median "
              f"(smallest..largest) of {report['options']['rounds']} rounds in which ours and the "
              "peers take turns. Peers are called in their process: Python's overhead is in it. "
              "Ours is the time that the server tells; round trip: over its Unix socket, HTTP and "
              "JSON in Python included.", speed_table(speed["systems"]),
              left_out({"AetherMart": speed["failed"]})]
    if not speed["failed"]:
        parts += ["Where ours goes, by stage:", stage_table(speed["stages"]),
                  footprint_line(result["footprint"])]
    parts += ["## Building, one thread; vectors are there already", build_table(result["built"])]
    return "\n\n".join(part for part in parts if part) + "\n"
