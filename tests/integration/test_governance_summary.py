"""v_governance_summary_report says what the parts of governance say themselves."""


def report(stack):
    return {(area, measure): amount for area, measure, amount, _ in stack.sql(
        "SELECT * FROM v_governance_summary_report")}


def test_the_report_counts_what_happened(stack):
    before = report(stack)
    columns = stack.json("dictionary")
    assert before["dictionary", "columns"] == len(columns)
    assert before["dictionary", "columns that nobody classed"] == sum(
        c["class"] is None for c in columns)
    assert before["dictionary", "personal columns"] > 20
    assert before["access", "roles"] == len(stack.json("access", "show")["roles"])
    customer = stack.value("SELECT customer_id FROM Customers WHERE customer_id > 1 LIMIT 1")
    stack.run("privacy", "show", customer, "--as", "db_admin")
    stack.run("privacy", "hold", customer, "--reason", "lawsuit")
    stack.run("token", "create", "--role", "agent")
    stack.run("quality", "run", check=False)
    stack.sql("UPDATE Products SET stock_quantity = stock_quantity")
    now = report(stack)
    for key in (("audit", "looks at a person in 30 days"), ("privacy", "people whose data is held"),
                ("access", "tokens that open"), ("quality", "runs")):
        assert now[key] == before[key] + 1, key
    run = stack.json("quality", "report", check=False)
    assert now["quality", "checks of the last run that failed"] == stack.value(
        "SELECT n_failed + n_errors FROM Quality_Runs ORDER BY run_id DESC LIMIT 1")
    assert run
    assert now["lineage", "runs that ended in 7 days"] == stack.value(
        "SELECT COUNT(*) FROM data_lineage_tracker WHERE run_end = 'END'")
    stack.run("privacy", "release", customer)
    assert report(stack)["privacy", "people whose data is held"] == 0
