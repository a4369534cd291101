"""The benchmark of the encoder: ours and the peers on the same texts, in rounds.

Three files of texts: those of exactly 6 and of exactly 20 tokens ([CLS] and [SEP] counted), one at
a time, and a mix whose mean is about 37 tokens, as quickly as may be.
"""
import json
import statistics
import subprocess
import sys
import time

import curve
import environment
import machine
import process
import relevance
import texts

LENGTHS = (6, 20)
MEAN_TOKENS = 37
PEERS = ["ONNX Runtime int8", "ONNX Runtime f32", "sentence-transformers f32"]
REFERENCE = "ONNX Runtime f32"  # equal to the golden vectors within 3e-7
MINILM = environment.HERE / "minilm.py"


def say(text):
    print(text, file=sys.stderr, flush=True)


def precisions():
    """Those of ours that this processor has instructions for."""
    has = machine.instructions()
    return ["int8"] + ["bf16"] * ("avx512_bf16" in has or "amx_bf16" in has) + ["f32"]


class Peer(process.Process):
    """One peer in a process of its own; see embed_worker.py."""

    def __init__(self, name, interpreter, models):
        super().__init__(name, [interpreter, environment.HERE / "embed_worker.py", name, models])


def models(interpreter):
    """The folder with the ONNX models, written once and then kept."""
    folder = environment.STORE / f"onnx-{environment.digest(MINILM)}"
    if not folder.exists():
        say("writing the ONNX models")
        part = folder.with_suffix(".part")
        environment.run([interpreter, environment.HERE / "minilm.py", part],
                        "what does it say above?")
        part.rename(folder)
    return folder


def write(folder, name, chosen):
    path = folder / f"{name}.txt"
    path.write_text("\n".join(chosen) + "\n", encoding="utf-8")
    return path


def towards(candidates, lengths, mean, count):
    """The first texts, in their order, that keep the running mean of tokens near `mean`."""
    chosen, total = [], 0
    for text, length in zip(candidates, lengths):
        after = (total + length) / (len(chosen) + 1)
        before = total / len(chosen) if chosen else mean
        if abs(after - mean) <= max(0.5, abs(before - mean)):
            chosen.append(text)
            total += length
        if len(chosen) == count:
            break
    return chosen, total / max(1, len(chosen))


def pick_texts(folder, rows, reference, count):
    """{"6": file, "20": file, "mix": file} and what is known of the mix."""
    candidates = texts.by_digest(
        [texts.plain(row["title"]) for row in rows] + texts.prefixes(rows) +
        [part for part in (texts.description(row)[:300] for row in rows) if part])
    lengths = reference.ask("lengths", texts=write(folder, "candidates", candidates))
    files = {}
    for length in LENGTHS:
        exact = [text for text, tokens in zip(candidates, lengths) if tokens == length]
        files[str(length)] = write(folder, f"tokens-{length}", exact[:count])
    mix, mean = towards(candidates, lengths, MEAN_TOKENS, 2 * count)
    files["mix"] = write(folder, "mix", mix)
    return files, {"texts": len(mix), "tokens_mean": mean}


def ours(path, precision, threads):
    """What `aethermart embed bench` says."""
    done = environment.run(
        [environment.BINARY, "embed", "bench", "--texts", path, "--threads", threads,
         "--embed.precision", precision, "--json"], "what does it say above?",
        stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def ours_round(files, precision):
    point = {}
    for length in map(str, LENGTHS):
        answer = ours(files[length], precision, 1)
        point[f"p50_ms_{length}"] = answer["single_p50_ms"]
        point[f"p99_ms_{length}"] = answer["single_p99_ms"]
    answer = ours(files["mix"], precision, 1)
    point["texts_per_second"] = answer["texts_per_second"]
    point["tokens_per_second"] = answer["tokens_per_second"]
    return point


def peer_round(peer, files, mix, batches):
    point = {}
    for length in map(str, LENGTHS):
        answer = peer.ask("latency", texts=files[length])
        point[f"p50_ms_{length}"] = answer["p50_ms"]
        point[f"p99_ms_{length}"] = answer["p99_ms"]
        point[f"model_p50_ms_{length}"] = answer["model_p50_ms"]
    answer = peer.ask("rate", texts=files["mix"], batches=batches.get(peer.name))
    batches[peer.name] = [answer["batch"]]  # the best of the first round is kept
    point["texts_per_second"] = answer["texts_per_second"]
    point["tokens_per_second"] = answer["texts_per_second"] * mix["tokens_mean"]
    return point


def speed(files, mix, peers, rounds):
    """{name: {figure: spread}} of ours in each precision and of the peers."""
    points, batches = {}, {}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for precision in precisions():
            points.setdefault(f"AetherMart {precision}", []).append(ours_round(files, precision))
        for peer in peers:
            points.setdefault(peer.name, []).append(peer_round(peer, files, mix, batches))
    return {name: {key: curve.spread([point[key] for point in values]) for key in values[0]}
            for name, values in points.items()}


def compare(figures, ours_name, peer_name):
    """Ours by the peer, round by round; for times the other way, so that more is better."""
    one, other = figures[ours_name], figures[peer_name]
    result = {}
    for key in [f"p50_ms_{length}" for length in LENGTHS] + ["texts_per_second"]:
        pairs = list(zip(one[key]["runs"], other[key]["runs"]))
        result[key] = curve.spread([b / a if "ms" in key else a / b for a, b in pairs])
    return {"ours": ours_name, "peer": peer_name, **result}


def vectors_of(peer, name, lines, threads):
    """Vectors of a peer, worked out once and then kept."""
    content = "\n".join(lines) + "\n"
    environment.STORE.mkdir(parents=True, exist_ok=True)
    slug = "".join(c if c.isalnum() else "-" for c in peer.name)
    path = environment.STORE / f"{name}-{slug}-{environment.digest(content, MINILM)}.npy"
    if not path.exists():
        say(f"{peer.name}: {len(lines):,} texts of {name}")
        source = path.with_suffix(".txt")
        source.write_text(content, encoding="utf-8")
        peer.ask("vectors", texts=source, output=path, threads=threads)
        source.unlink()
    return path


def all_vectors(peers, folder, name, lines, threads):
    """{encoder: file} of ours in int8 and f32, made anew, and of the two of ONNX Runtime."""
    files = {}
    for precision in ("int8", "f32"):
        path = folder / f"{name}-{precision}.npy"
        environment.embed(path, lines, ("--embed.precision", precision))
        files[f"AetherMart {precision}"] = path
    for peer in peers:
        if peer.name.startswith("ONNX"):
            files[peer.name] = vectors_of(peer, name, lines, threads)
    return files


def cosines(peers, lines, folder, threads):
    """Of each encoder with the reference, on texts of the catalogue."""
    files = all_vectors(peers, folder, "cosine", lines, threads)
    return {name: peers[0].ask("cosines", one=path, other=files[REFERENCE])
            for name, path in files.items() if name != REFERENCE}


def golden(peers, path, folder, threads):
    """Of each encoder with the golden vectors; `embed` reads lines: a text with a break is out."""
    with open(path, encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    entries = [entry for entry in entries if entry["text"].strip() and
               not set(entry["text"]) & set("\n\r\0\v\f\x85\u2028\u2029")]
    kept = folder / "golden.jsonl"
    kept.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    files = all_vectors(peers, folder, "golden", [entry["text"] for entry in entries],
                        threads)
    return {name: peers[0].ask("golden", vectors=file, jsonl=kept)
            for name, file in files.items()}


def ranking_figures(peers, rows, path, folder, threads):
    """nDCG@10 by exact search of each encoder's vectors, and its loss against the reference."""
    judged = relevance.read_judgements(path)
    queries = sorted(judged)
    documents = all_vectors(peers, folder, "products", texts.product_texts(rows), threads)
    asked = all_vectors(peers, folder, "judged", queries, threads)
    ids = [row["id"] for row in rows]
    scores = {}
    for name in documents:
        rankings = peers[0].ask("rankings", documents=documents[name], queries=asked[name])
        scores[name] = [relevance.ndcg([ids[at] for at in ranking], judged[query])
                        for query, ranking in zip(queries, rankings)]
    result = {}
    for name, values in scores.items():
        counted = [value for value in values if value is not None]
        losses = [b - a for a, b in zip(values, scores[REFERENCE]) if a is not None]
        result[name] = {"ndcg": statistics.mean(counted), "queries": len(counted),
                        "loss": statistics.mean(losses),
                        "loss_error": statistics.stdev(losses) / len(losses) ** 0.5}
    return result


def catalogue(folder, rows, threads, rounds):
    """Seconds from the texts of all products to a file of their vectors, the program's start
    included."""
    lines = texts.product_texts(rows)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        environment.embed(folder / "catalogue.npy", lines, ("--embed.threads", threads))
        seconds.append(time.perf_counter() - start)
    return {"texts": len(lines), "threads": threads, "seconds": curve.spread(seconds)}
