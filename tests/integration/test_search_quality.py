"""What people judged of the default catalogue: the search does not become worse unnoticed."""
import pathlib

import pytest

from indexed import search, wait_for_words

JUDGEMENTS = pathlib.Path(__file__).parents[1] / "data" / "icecat" / "judgements.csv"

pytestmark = [pytest.mark.index, pytest.mark.limit(300)]


def test_words_find_what_people_judged_to_fit(new_stack):
    new_stack.write_config(shop={"data": None})
    new_stack.up("--with-shop")
    wait_for_words(new_stack, 120)
    found = new_stack.json("eval", "--judgements", JUDGEMENTS, "--mode", "lexical")
    assert found["queries"] == 60
    assert found["ndcg_at_10"] >= 0.865, found
    assert found["ndcg_at_10_judged"] >= 0.935, found
    assert found["recall_at_100"] >= 0.95, found
    answer = search(new_stack, "quiet mechanical keyboard under $100", args=["--mode", "lexical"])
    assert answer["hits"]
    for hit in answer["hits"]:
        assert hit["price"] < 100 and "Keyboards" in hit["category"], hit
    assert {"price<100", "category=Keyboards"} <= {f["filter"] for f in answer["parsed"]["filters"]}
