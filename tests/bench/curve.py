"""What the benchmarks make of their measurements: targets on a curve, medians, ratios, tables.

Pure functions of plain lists and dicts, so that tests can try them without a peer or a vector.

A point of a curve is a dict with at least "family" (what of the settings is fixed), "effort" (what
is turned up: ef, nprobe), "recall" and "qps".
"""
import math
import statistics


def recall(found, truth_scores, scores):
    """Share of the k best that were found, over all queries.

    `truth_scores`: for each query the k-th best exact score; `scores`: for each query the exact
    scores of what was found. A vector as near as the k-th best counts as one of the best: equal
    texts have equal vectors, and it is no fault to find the other one. `found` is k.
    """
    hits = sum(min(found, sum(score >= worst - 1e-6 for score in row))
               for worst, row in zip(truth_scores, scores))
    return hits / (found * len(truth_scores))


def least_effort(measure, efforts, target):
    """The smallest whole effort with a recall that reaches the target, or None.

    `measure(effort)` gives the recall and is asked as seldom as can be: at the given efforts until
    one reaches the target, then between it and the one before by halving.
    """
    below = 0
    for effort in efforts:
        if measure(effort) >= target:
            break
        below = effort
    else:
        return None
    above = effort
    low = max(below, efforts[0] - 1)
    while above - low > 1:
        middle = (above + low) // 2
        if measure(middle) >= target:
            above = middle
        else:
            low = middle
    return above


def at_target(points, target):
    """The quickest point with a recall that reaches the target, or None."""
    reaching = [point for point in points if point["recall"] >= target]
    return max(reaching, key=lambda point: point["qps"]) if reaching else None


def spread(values):
    """{"median", "min", "max", "runs"} of numbers, None when there are none."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": values}


def percentile(values, share):
    """The value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def ratios(ours, peers):
    """Ours by the best peer, round by round: {"best", "ratio": spread, "each": {peer: spread}}.

    `ours`: a number a round; `peers`: {name: a number a round, None where not reached}. The best
    is the peer with the highest median, so that a lucky round makes nobody the best. None when
    there is nothing to compare.
    """
    complete = {name: values for name, values in peers.items()
                if values and all(value is not None for value in values)}
    if not complete or not ours or any(value is None for value in ours):
        return None
    best = max(complete, key=lambda name: statistics.median(complete[name]))
    each = {name: spread([a / b for a, b in zip(ours, values)])
            for name, values in complete.items()}
    return {"best": best, "ratio": each[best], "each": each}


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def with_spread(value, digits=0):
    """`12,600 (11,900..12,900)` of a spread; one run has none to show."""
    if value is None:
        return "-"
    text = number(value["median"], digits)
    if len(value["runs"]) > 1:
        text += f" ({number(value['min'], digits)}..{number(value['max'], digits)})"
    return text


def table(head, rows):
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(head) + " |",
             "| --- |" + " ---: |" * (len(head) - 1)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)
