"""The figures of the vector engine as a Markdown document."""
import curve


def target_cells(entry, key):
    at = entry["targets"][key]
    if at is None:
        return ["-"] * 6
    family = "".join(f", {name} {value}" for name, value in at["family"].items())
    effort = "-" if entry.get("exact") else f"{at['effort']}{family}"
    return [curve.with_spread(at["qps"]), curve.with_spread(at["qps_single"]),
            curve.with_spread(at["qps_batch"]), effort,
            curve.with_spread(at["p50_us"]), curve.with_spread(at["p99_us"])]


def search_table(result, key):
    rows = []
    for name, entry in [("**AetherMart**", result["ours"]), *result["peers"].items()]:
        recall = entry["targets"][key]["recall"] if entry["targets"][key] else None
        times = ((result["ratios"][key] or {}).get("each") or {}).get(name)
        rows.append([name, *target_cells(entry, key), curve.number(recall, 4),
                     curve.with_spread(times, 2)])
    return curve.table(["", "queries a second", "one at a time", "all in one call", "ef",
                        "p50 (µs)", "p99 (µs)", "recall@10", "AetherMart by it"], rows)


def build_table(result):
    rows = []
    for name, entry in [("**AetherMart**", result["ours"]), *result["peers"].items()]:
        parameters = ", ".join(f"{key} {value}"
                               for key, value in entry.get("parameters", {}).items())
        rows.append([name, parameters or "-", curve.with_spread(entry["build_seconds"], 1),
                     curve.number(entry["bytes_per_vector"]),
                     curve.number(entry["mapped_bytes_per_vector"]),
                     curve.number(entry.get("restart_seconds"), 2),
                     curve.number(entry.get("overhead_us"), 1)])
    return curve.table(["", "parameters", "build (s)", "anonymous bytes a vector",
                        "mapped bytes a vector", "restart (s)", "call overhead (µs)"], rows)


def ratio_line(key, ratio):
    if ratio is None:
        return f"At recall {key} there is nothing to compare: ours or every peer misses it."
    return (f"At recall {key} ours does **{curve.with_spread(ratio['ratio'], 2)} times** the "
            f"queries of the best peer, {ratio['best']}.")


def filter_table(filters):
    rows = []
    for entry in filters:
        what = f"{entry['share']:.1%} {entry['kind']}"
        for name in ("ours", "exact (numpy f32)"):
            at = entry[name]
            rows.append([f"{what}: {'**AetherMart**' if name == 'ours' else name}",
                         curve.with_spread(at["qps"]), curve.number(at["recall"], 4),
                         at["short"], at["queries"] or "-"])
            if at["qps_batch"]:
                rows.append([f"{what}: {name}, all queries in one product",
                             curve.with_spread(at["qps_batch"]), curve.number(at["recall"], 4),
                             at["short"], at["queries"]])
        for name, at in entry["peers"].items():
            rows.append([f"{what}: {name}", curve.number(at["qps"]),
                         curve.number(at["recall"], 4), at["short"], at["queries"]])
    return curve.table(["filter", "queries a second", "recall@10", "short answers", "of"], rows)


def filter_ratios(filters):
    return "\n".join(f"- {entry['share']:.1%} {entry['kind']}: ours does "
                     f"{curve.with_spread(entry['ratio'], 2)} times the queries of the exact scan."
                     for entry in filters)


def churn_table(churn):
    rows = [["**AetherMart**", *(curve.number(value, 4) for value in churn["ours"])]]
    for name, entry in churn["peers"].items():
        rows.append([f"{name}, ef {entry['effort']}",
                     *(curve.number(value, 4) for value in entry["recall"])])
    width = max(len(row) for row in rows)
    # Without the recall before the first round, a row has one less: it belongs to the right.
    rows = [[row[0], *["-"] * (width - len(row)), *row[1:]] for row in rows]
    return curve.table(["", *("fresh" if at == 0 else str(at) for at in range(width - 1))], rows)


def set_part(result):
    parts = [f"## {result['title']}",
             f"{result['n']:,} vectors of {result['dimension']} dimensions, "
             f"{result['queries']:,} queries."]
    for key in result["ratios"]:
        parts += [f"### Recall@10 of at least {key}", search_table(result, key),
                  ratio_line(key, result["ratios"][key])]
    parts += ["### Building", build_table(result)]
    if result.get("filters"):
        parts += ["### Filters", filter_table(result["filters"]), filter_ratios(result["filters"])]
    if result.get("churn"):
        parts += [f"### Churn: recall@10 after each round of deleting and inserting again "
                  f"{result['churn']['share']:.0%}", churn_table(result["churn"])]
    return "\n\n".join(parts)


def document(report):
    machine, options = report["machine"], report["options"]
    versions = ", ".join(f"{name} {version}" for name, version in report["peers"].items())
    head = [
        f"# Vector engine, {report['date'][:10]}",
        f"{report['version']}. Machine: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_mib']:,} MiB, kernel {machine['kernel']}; "
        f"{' '.join(report['instructions'])}.",
        f"Peers: {versions}.",
        f"One thread each, for building and for searching; median (smallest..largest) of "
        f"{options['rounds']} rounds in which ours and the peers take turns; peers are built once. "
        "A peer's figure is the better of one query at a time and all queries in one call; p50 and "
        "p99 are of one at a time and include the overhead of the call from Python, which is told "
        "beside. What is measured and how: `tests/bench/README.md`."]
    return "\n\n".join(head + [set_part(result) for result in report["sets"]]) + "\n"
