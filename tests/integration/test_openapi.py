"""The description of the HTTP API: valid, and true of the worker that gives it."""
import copy
import json
import os
import pathlib
import sys
import urllib.parse

import pytest

import web

# tools/setup test puts it there.
VALIDATOR = (pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
             / "aethermart" / "openapi-validator-0.5.7")

# What a body has to say; the customers of an empty shop do not exist.
BODIES = {"POST /v1/orders": {"customer_id": 1, "lines": [{"product_id": 1, "quantity": 1}]}}
TEXT = "text/plain", "application/x-ndjson"  # answers that are no JSON document


@pytest.fixture
def worker(stack):
    return Worker(stack)


class Worker:
    """A worker, and what it says of itself."""

    def __init__(self, stack):
        self.address = web.address_of(stack)
        self.token = web.token_of(stack)
        answer = web.ask(self.address, "/v1/openapi.json")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        self.document = json.loads(answer.text)

    def operations(self):
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                yield Operation(self, path, method.upper(), operation)


class Operation:
    """One route. `refuses` tells of a wrong request, `answers` of a right one."""

    def __init__(self, worker, path, method, described):
        self.worker, self.path, self.method, self.described = worker, path, method, described
        self.parameters = described["parameters"]
        self.name = f"{method} {path}"
        self.takes_body = "requestBody" in described
        self.valid = [(p, sample(p["schema"])) for p in self.parameters if p["required"]]
        self.valid += [(p, sample(p["schema"])) for p in self.parameters
                       if "Exactly one" in p["description"]][:1]

    def ask(self, given, extra="", **options):
        """`given`: pairs of parameter and text or bytes."""
        path = self.path
        for parameter, value in given:
            if parameter["in"] == "path":
                path = path.replace("{%s}" % parameter["name"], urllib.parse.quote(value, safe=""))
        query = [(p["name"], v) for p, v in given if p["in"] == "query"]
        url = f"{path}?{urllib.parse.urlencode(query)}{extra}"
        options.setdefault("token", self.worker.token)
        options.setdefault("headers", {p["name"]: v for p, v in given if p["in"] == "header"})
        if self.takes_body:
            options.setdefault("body", json.dumps(BODIES[self.name]).encode())
        options.setdefault("method", self.method)
        return web.ask(self.worker.address, url, **options)

    def refuses(self, given, name, extra=""):
        problem = web.assert_problem(self.ask(given, extra), 400)
        assert problem["code"] == "INVALID_ARGUMENT"
        assert name in [e["parameter"] for e in problem["errors"]], (self.name, name, problem)
        assert "400" in self.described["responses"]

    def replaced(self, parameter, *values):
        """The right request, with other values of one parameter."""
        return [(p, v) for p, v in self.valid if p is not parameter] + \
            [(parameter, v) for v in values]


def sample(schema):
    if schema["type"] == "array":
        return sample(schema["items"])
    if "enum" in schema:
        return schema["enum"][0]
    return {"string": "1", "boolean": "true"}.get(schema["type"], str(schema.get("minimum")))


def wrong_values(schema):
    """Values that the schema excludes."""
    if schema["type"] == "array":
        return wrong_values(schema["items"])
    if "enum" in schema:
        return ["", "no such choice", schema["enum"][0].upper()]
    if schema["type"] == "boolean":
        return ["", "maybe", "2"]
    if schema["type"] in ("integer", "number"):
        return ["", "x", str(schema["minimum"] - 1), str(schema["maximum"] + 1), "9" * 30]
    return ["x" * (schema["maxLength"] + 1), b"\xff", "a\0b"] + [""] * (schema["minLength"] > 0)


def edge_values(schema):
    """Values that it just includes."""
    if schema["type"] == "array":
        return edge_values(schema["items"])
    if "enum" in schema:
        return schema["enum"]
    if schema["type"] == "boolean":
        return ["true", "false"]
    if schema["type"] in ("integer", "number"):
        return [str(schema["minimum"]), str(schema["maximum"])]
    return ["x" * schema["maxLength"], "x" * max(1, schema["minLength"])]


def validation_errors(document):
    if not VALIDATOR.is_dir():
        pytest.fail(f"{VALIDATOR} is not there: run tools/setup test", pytrace=False)
    sys.path.append(str(VALIDATOR))
    try:
        from openapi_spec_validator import openapi_v31_spec_validator
        return [error.message for error in openapi_v31_spec_validator.iter_errors(document)]
    finally:
        sys.path.remove(str(VALIDATOR))


def assert_as_described(operation, answer):
    """Status, type of content and form are among those of the description."""
    import jsonschema
    response = operation.described["responses"].get(str(answer.status))
    assert response, (operation.name, answer)
    content_type = answer.headers["Content-Type"].split(";")[0]
    assert content_type in response["content"], (operation.name, answer)
    if content_type not in TEXT:
        schema = response["content"][content_type]["schema"]
        schemas = operation.worker.document["components"]["schemas"]
        jsonschema.Draft202012Validator(
            {**schema, "components": {"schemas": schemas}}).validate(json.loads(answer.text))
    if content_type == web.PROBLEM:
        web.assert_problem(answer)


def test_the_description_is_valid_openapi(worker):
    assert worker.document["openapi"].startswith("3.1.")
    assert validation_errors(worker.document) == []
    broken = copy.deepcopy(worker.document)
    broken["paths"]["/v1/similar/{id}"]["get"]["parameters"].pop(0)
    del broken["paths"]["/v1/status"]["get"]["responses"]["200"]["description"]
    assert len(validation_errors(broken)) > 1, "the validator sees what is wrong"


def test_every_route_refuses_as_described(worker):
    operations = list(worker.operations())
    assert len(operations) >= 14
    for operation in operations:
        for method in ("DELETE", "PATCH", "BREW"):
            answer = operation.ask(operation.valid, method=method)
            web.assert_problem(answer, 405)
            assert operation.method in answer.headers["Allow"].split(", ")
        answer = operation.ask(operation.valid, token=None, reads=False)
        if {} in operation.described["security"] or not operation.described["security"]:
            assert answer.status in (200, 401, 503), operation.name
        else:
            assert answer.status == 401 and "401" in operation.described["responses"]
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        announced = {"Content-Length": str(2 << 20 if operation.takes_body else 1)}
        web.assert_problem(operation.ask(operation.valid, headers=announced, body=None), 413)
        operation.refuses(operation.valid, "nonsense", "&nonsense=1")
        for parameter, _ in operation.valid:
            if parameter["in"] in ("query", "header"):
                operation.refuses(operation.replaced(parameter), parameter["name"])


def test_every_parameter_has_the_range_that_is_described(worker):
    for operation in worker.operations():
        for parameter in operation.parameters:
            schema, name = parameter["schema"], parameter["name"]
            for value in wrong_values(schema):
                if parameter["in"] == "header" and value == "a\0b":
                    continue  # no header can have it
                if value or parameter["in"] != "path":
                    operation.refuses(operation.replaced(parameter, value), name)
            if parameter["in"] == "query":
                once_too_often = schema.get("maxItems", 1) + 1
                operation.refuses(
                    operation.replaced(parameter, *[sample(schema)] * once_too_often), name)
            if "Exactly one" in parameter["description"]:
                continue  # beside the other one it would be wrong
            for value in edge_values(schema):
                answer = operation.ask(operation.replaced(parameter, value))
                assert answer.status != 400, (operation.name, name, value, answer)


def test_every_route_answers_as_described(worker):
    for operation in worker.operations():
        is_stream = "application/x-ndjson" in operation.described["responses"].get(
            "200", {"content": {}})["content"]
        answer = operation.ask(operation.valid, reads=not is_stream)
        assert_as_described(operation, answer)
        if operation.method == "GET" and not is_stream:
            head = operation.ask(operation.valid, method="HEAD")
            assert (head.status, head.text) == (answer.status, ""), operation.name


def test_all_that_is_wrong_is_told_at_once(worker):
    answer = web.ask(worker.address, "/v1/search?limit=x&limt=1&mode=magic&offset=-1&q=%ff",
                     worker.token)
    problem = web.assert_problem(answer, 400)
    assert [e["parameter"] for e in problem["errors"]] == ["limit", "limt", "mode", "offset", "q"]
    assert '"limit"' in problem["errors"][1]["detail"], "the nearest name"
