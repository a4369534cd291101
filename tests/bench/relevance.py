"""How good rankings are against what people judged: nDCG, MRR, recall; and runs as TREC files.

Pure functions of plain lists and dicts. Where definitions differ between tools, these hold here:

  gain        2^rating - 1, discounted by log2(rank + 1); what nobody judged gains nothing
  ideal       the best order of all judged products, found or not
  condensed   unjudged products taken out of the ranking before it is cut: it says nothing of
              products that nobody looked at, where the plain figure counts them as bad
  relevant    a rating above 0; MRR looks at the first such product, recall counts them
  judged@10   share of judged ones among the first ten shown, however few they are
  mean        over the queries with at least one relevant product; with none there is nothing to
              find. An empty answer counts 0; it has no judged@10.
"""
import csv
import math
import statistics

DEPTH = 100  # of rankings: recall is taken there, and condensed rankings are cut from it
K = 10


def read_judgements(path):
    """{query: {product id: rating}} of a CSV file query,product_id,rating; in its order."""
    result = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            result.setdefault(row["query"], {})[row["product_id"]] = int(row["rating"])
    return result


def relevant(ratings):
    return {item for item, rating in ratings.items() if rating > 0}


def ndcg(ranking, ratings, k=K):
    """Of product ids in rank order; None when nothing relevant is rated."""
    def gain(rated):
        return sum((2 ** rating - 1) / math.log2(at + 2) for at, rating in enumerate(rated[:k]))
    ideal = gain(sorted(ratings.values(), reverse=True))
    if ideal == 0:
        return None
    return gain([ratings.get(item, 0) for item in ranking]) / ideal


def condensed(ranking, ratings):
    return [item for item in ranking if item in ratings]


def reciprocal_rank(ranking, ratings):
    for at, item in enumerate(ranking):
        if ratings.get(item, 0) > 0:
            return 1 / (at + 1)
    return 0.0


def recall(ranking, ratings, k=DEPTH):
    wanted = relevant(ratings)
    return len(wanted & set(ranking[:k])) / len(wanted) if wanted else None


def judged(ranking, ratings, k=K):
    """None when nothing is shown."""
    shown = ranking[:k]
    return sum(item in ratings for item in shown) / len(shown) if shown else None


def mean(values):
    values = [value for value in values if value is not None]
    return statistics.mean(values) if values else None


def summary(rankings, judgements):
    """Means of {query: product ids in rank order}; a query that is not in it found nothing."""
    asked = {query: ratings for query, ratings in judgements.items() if relevant(ratings)}
    pairs = [(rankings.get(query, []), ratings) for query, ratings in asked.items()]
    return {
        "queries": len(pairs),
        "ndcg_at_10": mean(ndcg(*pair) for pair in pairs),
        "ndcg_at_10_judged": mean(ndcg(condensed(*pair), pair[1]) for pair in pairs),
        "mrr": mean(reciprocal_rank(*pair) for pair in pairs),
        "recall_at_100": mean(recall(*pair) for pair in pairs),
        "judged_at_10": mean(judged(*pair) for pair in pairs),
    }


def difference(ours, theirs, judgements):
    """What ours has more in nDCG@10, query by query: {"mean", "error"}, the standard error."""
    values = [ndcg(ours.get(query, []), ratings) - ndcg(theirs.get(query, []), ratings)
              for query, ratings in judgements.items() if relevant(ratings)]
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
    return {"mean": mean(values), "error": error}


# --- TREC runs ----------------------------------------------------------------------------------


def query_id(query):
    """The fields of a run are parted by spaces, so that none can stand in a query's name."""
    return "_".join(query.split())


def query_ids(queries):
    """{query id: query}; ValueError when two queries have the same."""
    result = {}
    for query in queries:
        other = result.setdefault(query_id(query), query)
        if other != query:
            raise ValueError(f"\"{query}\" and \"{other}\" are the same in a TREC run")
    return result


def write_run(path, tag, answers):
    """Of {query: [(product id, score), ...]} in rank order: query id, Q0, id, rank, score, tag."""
    query_ids(answers)
    with open(path, "w", encoding="utf-8") as file:
        for query, answer in answers.items():
            for at, (item, score) in enumerate(answer):
                file.write(f"{query_id(query)} Q0 {item} {at + 1} {score:.6f} {tag}\n")


def read_run(path, queries):
    """{query: product ids in rank order}; ValueError when a line is not of these queries."""
    names = query_ids(queries)
    found = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            if len(fields) != 6 or fields[0] not in names:
                raise ValueError(f"{path}:{number}: no line of a TREC run of these queries")
            found.setdefault(names[fields[0]], []).append((int(fields[3]), fields[2]))
    return {query: [item for _, item in sorted(items)] for query, items in found.items()}
