"""The figures of the encoder as a Markdown document."""
import curve


def speed_table(figures):
    rows = []
    for name, values in figures.items():
        cells = [f"**{name}**" if name.startswith("AetherMart") else name]
        for length in ("6", "20"):
            cells += [curve.with_spread(values[f"p50_ms_{length}"], 2),
                      curve.with_spread(values[f"p99_ms_{length}"], 2),
                      curve.with_spread(values.get(f"model_p50_ms_{length}"), 2)]
        rows.append(cells + [curve.with_spread(values["texts_per_second"]),
                             curve.with_spread(values["tokens_per_second"])])
    return curve.table(["", "6 tokens p50 (ms)", "p99", "model alone p50", "20 tokens p50 (ms)",
                        "p99", "model alone p50", "texts/s", "tokens/s"], rows)


def ratio_table(ratios):
    return curve.table(
        ["", "6 tokens", "20 tokens", "texts/s"],
        [[f"{entry['ours']} by {entry['peer']}", *(
            curve.with_spread(entry[key], 2)
            for key in ("p50_ms_6", "p50_ms_20", "texts_per_second"))] for entry in ratios])


def cosine_table(cosines):
    return curve.table(["", "mean", "worst", "texts"],
                       [[name, f"{at['mean']:.5f}", f"{at['min']:.5f}", at["texts"]]
                        for name, at in cosines.items()])


def relevance_table(relevance):
    return curve.table(["", "nDCG@10", "less than f32", "standard error", "queries"],
                       [[name, f"{at['ndcg']:.4f}", f"{at['loss']:+.4f}",
                         f"{at['loss_error']:.4f}", at["queries"]]
                        for name, at in relevance.items()])


def document(report):
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in report["peers"].items())
    parts = [
        f"# Encoder, {report['date'][:10]}",
        f"{report['version']}. Machine: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_mib']:,} MiB, kernel {machine['kernel']}; "
        f"{' '.join(report['instructions'])}.",
        f"Peers: {versions}.",
        f"all-MiniLM-L6-v2, one thread; median (smallest..largest) of {report['options']['rounds']}"
        " rounds in which ours and the peers take turns. Times are from the text to the vector; "
        f"texts/s at {report['mix']['tokens_mean']:.1f} tokens a text in the mean "
        f"({report['mix']['texts']:,} texts), each peer at the size of batches that suits it best. "
        "What is measured and how: `tests/bench/README.md`.",
        "## Speed", speed_table(report["speed"]),
        "How many times as fast ours is (times: theirs by ours; rates: ours by theirs):",
        ratio_table(report["ratios"])]
    if report.get("catalogue"):
        at = report["catalogue"]
        parts.append(f"`aethermart embed` takes {curve.with_spread(at['seconds'], 1)} s for the "
                     f"{at['texts']:,} texts of the catalogue's products with {at['threads']} "
                     "threads, start and file included.")
    parts += ["## Cosine to f32, texts of the catalogue", cosine_table(report["cosine"])]
    if report.get("golden"):
        parts += ["## Cosine to the golden vectors", cosine_table(report["golden"])]
    if report.get("relevance"):
        parts += ["## Relevance: human judgements, exact search",
                  relevance_table(report["relevance"])]
    return "\n\n".join(parts) + "\n"
