"""Remote providers of embeddings against a server that speaks their APIs and has faults."""
import email.utils
import json
import os
import pathlib
import subprocess
import time

import pytest

import stack as stack_module
from embed_fixture import KEY, Fixture, fault, google_error, openai_error, unit

PROBE = pathlib.Path(stack_module.BINARY).parent / "tests" / "integration" / "embed_probe"
VARIABLES = ("EMBED_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "http_proxy", "https_proxy",
             "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture
def server():
    with Fixture() as running:
        yield running


class Client:
    """Runs the probe with a configuration."""

    def __init__(self, folder, server, **options):
        self.path = folder / "aethermart.yaml"
        self.options = {"endpoint": server.url, "timeout": "10s", "retries": 3, **options}
        self.environment = {}

    def start(self, texts, *arguments, task="document"):
        lines = "".join(f"  {name}: {json.dumps(value)}\n" for name, value in self.options.items())
        self.path.write_text(f"embed:\n{lines}")
        environment = {n: v for n, v in os.environ.items() if n not in VARIABLES}
        process = subprocess.Popen(
            [str(PROBE), str(self.path), task, *arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, encoding="utf-8", errors="surrogateescape",
            env={**environment, **self.environment})
        process.stdin.write("".join(f"{text}\n" for text in texts))
        process.stdin.close()
        return process

    def ask(self, texts, *arguments, task="document"):
        process = self.start(texts, *arguments, task=task)
        output = process.stdout.read()
        assert process.wait() == 0
        assert KEY not in output
        return json.loads(output)

    def error(self, texts, *arguments, code=None, task="document"):
        answer = self.ask(texts, *arguments, task=task)
        assert "error" in answer, answer
        if code:
            assert answer["error"]["code"] == code, answer
        return {**answer["error"], "seconds": answer["seconds"]}


@pytest.fixture
def openai(folder, server):
    return Client(folder, server, provider="openai", model="some-model", dimension=8)


@pytest.fixture
def gemini(folder, server):
    client = Client(folder, server, provider="gemini", model="gemini-embedding-2", dimension=8)
    client.environment["GEMINI_API_KEY"] = KEY
    return client


def assert_vectors(answer, texts, dimension=8):
    assert "vectors" in answer, answer
    assert len(answer["vectors"]) == len(texts)
    for made, text in zip(answer["vectors"], texts):
        assert made == pytest.approx(unit(text, dimension), abs=1e-6)


def document(text):
    return f"title: none | text: {text}"


# --- what is sent ----------------------------------------------------------------------------


def test_openai_answers_in_any_order(openai, server):
    texts = [f"text {i}" for i in range(100)]
    answer = openai.ask(texts)
    assert_vectors(answer, texts)
    assert (answer["model"], answer["dimension"]) == ("openai/some-model", 8)
    assert server.paths == ["/v1/embeddings"] * 4
    assert all("Authorization" not in r["headers"] for r in server.requests), "no key, none sent"


def test_a_batch_has_as_many_texts_as_configured(openai, server):
    openai.options["batch"] = 7
    texts = [f"text {i}" for i in range(20)]
    assert_vectors(openai.ask(texts), texts)
    assert sorted(len(r["body"]["input"]) for r in server.requests) == [6, 7, 7]


def test_long_texts_are_cut_and_make_small_requests(openai, server):
    openai.options["text_max"] = "100K"
    texts = [f"{i}" + "x" * 200_000 for i in range(8)]
    assert_vectors(openai.ask(texts), [text[:102_400] for text in texts])
    assert all(len(r["body"]["input"]) <= 2 for r in server.requests)


def test_gemini_is_asked_in_batches_with_the_task_in_the_text(gemini, server):
    texts = [f"text {i}" for i in range(150)]
    answer = gemini.ask(texts)
    assert_vectors(answer, [document(text) for text in texts])
    assert server.paths == ["/v1beta/models/gemini-embedding-2:batchEmbedContents"] * 2
    assert answer["model"] == "gemini/gemini-embedding-2"


def test_a_single_query_needs_no_batch(gemini, server):
    assert_vectors(gemini.ask(["a chair"], task="query"),
                   ["task: search result | query: a chair"])
    assert server.paths == ["/v1beta/models/gemini-embedding-2:embedContent"]


def test_an_older_gemini_has_its_task_in_a_parameter(gemini, server):
    gemini.options["model"] = "gemini-embedding-001"
    assert_vectors(gemini.ask(["a", "b"]), ["a", "b"])
    assert {r["taskType"] for r in server.requests[0]["body"]["requests"]} == {
        "RETRIEVAL_DOCUMENT"}


def test_a_gemini_without_batches_is_asked_singly_from_then_on(gemini, server):
    server.has_batch = False
    texts = [f"text {i}" for i in range(10)]
    assert_vectors(gemini.ask(texts, "--calls", "3"), [document(text) for text in texts])
    batches = [path for path in server.paths if path.endswith(":batchEmbedContents")]
    assert len(batches) == 1
    assert len(server.paths) == 1 + 3 * 10
    assert server.most_active <= 4


def test_a_model_that_takes_no_dimensions_is_asked_without(openai, server):
    server.takes_dimensions = False
    assert_vectors(openai.ask(["a", "b"], "--calls", "3"), ["a", "b"])
    assert ["dimensions" in r["body"] for r in server.requests] == [True, False, False, False]


def test_a_dimension_that_a_server_does_not_give_is_an_error(openai, server):
    server.takes_dimensions = False
    openai.options["dimension"] = 5
    error = openai.error(["a"], code="CORRUPTED")
    assert "8 numbers instead of 5" in error["message"]
    assert "embed.dimension" in error["hint"]


def test_a_text_that_is_empty_has_a_vector(openai, gemini):
    assert_vectors(openai.ask(["", "b"]), [" ", "b"])
    gemini.options["model"] = "gemini-embedding-001"
    assert_vectors(gemini.ask(["", "b"]), [" ", "b"])


def test_what_is_no_utf_8_is_replaced(openai):
    assert_vectors(openai.ask(["a\udcffb"]), ["a\ufffdb"])


# --- parallel --------------------------------------------------------------------------------


def test_requests_go_out_in_parallel_within_the_bound(openai, server):
    openai.options.update(batch=1, parallel=3)
    server.delay = 0.05
    texts = [f"text {i}" for i in range(12)]
    assert_vectors(openai.ask(texts), texts)
    assert server.most_active == 3


def test_threads_share_an_embedder(openai, server):
    openai.options.update(batch=5)
    texts = [f"text {i}" for i in range(20)]
    answer = openai.ask(texts, "--threads", "6", "--calls", "5")
    assert_vectors(answer, texts)
    assert len(server.requests) == 6 * 5 * 4


def test_a_query_is_asked_once(openai, server):
    assert_vectors(openai.ask(["red chair"], "--calls", "50", task="query"), ["red chair"])
    assert len(server.requests) == 1


# --- faults that pass --------------------------------------------------------------------------


def assert_recovers(client, server, faults, texts=("a",), expected=None):
    server.faults = list(faults)
    assert_vectors(client.ask(list(texts)), expected or list(texts))
    assert len(server.requests) == len(faults) + 1
    gaps = [b["at"] - a["at"] for a, b in zip(server.requests, server.requests[1:])]
    return gaps


def test_errors_of_the_server_pass(openai, server):
    gaps = assert_recovers(openai, server, [fault("status", status=500),
                                            fault("status", status=503, body="<html>"),
                                            fault("status", status=502)])
    assert all(gap >= 0.12 for gap in gaps), "it waits before it tries again"


def test_a_connection_that_breaks_is_made_again(openai, server):
    assert_recovers(openai, server, [fault("reset"), fault("cut")])


def test_retry_after_in_seconds_is_kept(openai, server):
    gaps = assert_recovers(openai, server,
                           [fault("status", status=429, headers={"Retry-After": "2"})])
    assert 2 <= gaps[0] < 6


def test_retry_after_as_a_date_is_kept(openai, server):
    at = time.time() + 3
    date = email.utils.formatdate(at, usegmt=True)
    assert_recovers(openai, server,
                    [fault("status", status=503, headers={"Retry-After": date})])
    assert time.time() >= int(at) - 1


def test_the_delay_in_geminis_body_is_kept(gemini, server):
    body = google_error(429, "RESOURCE_EXHAUSTED",
                        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                            {"quotaId": "EmbedContentRequestsPerMinutePerProjectPerModel"}]},
                        {"@type": "type.googleapis.com/google.rpc.RetryInfo",
                         "retryDelay": "1.5s"})
    gaps = assert_recovers(gemini, server, [fault("status", status=429, body=body)],
                           expected=[document("a")])
    assert 1.5 <= gaps[0] < 5


def test_a_rate_limit_holds_back_all_requests(openai, server):
    openai.options.update(batch=1, parallel=2)
    server.faults = [fault("status", status=429, headers={"Retry-After": "1"})]
    texts = [f"text {i}" for i in range(8)]
    assert_vectors(openai.ask(texts), texts)
    first = server.requests[0]["at"]
    soon = [r for r in server.requests if r["at"] < first + 0.9]
    assert len(soon) <= 4, "one more was under way and may have been followed"


def test_a_try_that_hangs_leaves_time_for_another(openai, server):
    openai.options["timeout"] = "2s"
    assert_recovers(openai, server, [fault("silent", seconds=30)])


# --- faults that do not ------------------------------------------------------------------------


def test_a_server_that_stays_down_is_unavailable(openai, server):
    server.faults = [fault("status", status=503)] * 50
    error = openai.error(["a"], code="UNAVAILABLE")
    assert len(server.requests) == 4 and "after 4 tries" in error["message"]
    assert server.url in error["message"]


def test_nobody_listens(openai):
    with Fixture() as gone:
        openai.options.update(endpoint=gone.url, retries=1)
    error = openai.error(["a"], code="UNAVAILABLE")
    assert "could not reach openai" in error["message"]


def test_a_server_that_hangs_is_left_in_time(openai, server):
    openai.options["timeout"] = "1s"
    server.faults = [fault("silent", seconds=30)] * 9
    error = openai.error(["a"], code="TIMEOUT")
    assert error["seconds"] < 2


def test_a_server_that_drips_is_left_in_time(openai, server):
    openai.options["timeout"] = "1s"
    server.faults = [fault("drip", seconds=0.02)] * 9
    error = openai.error(["a"], code="TIMEOUT")
    assert error["seconds"] < 2


def test_a_wait_that_is_too_long_is_not_begun(openai, server):
    server.faults = [fault("status", status=429, headers={"Retry-After": "3600"})]
    error = openai.error(["a"], code="UNAVAILABLE")
    assert error["seconds"] < 1 and "1h" in error["hint"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [
    google_error(429, "RESOURCE_EXHAUSTED",
                 {"violations": [{"quotaId": "EmbedContentRequestsPerDayPerProjectPerModel"}]},
                 {"retryDelay": "1s"}),
    openai_error("insufficient_quota", "You exceeded your current quota", "insufficient_quota"),
])
def test_a_quota_that_is_used_up_is_not_asked_again(openai, server, body):
    server.faults = [fault("status", status=429, body=body)]
    error = openai.error(["a"], code="LIMIT")
    assert len(server.requests) == 1 and "quota" in error["message"]


def test_a_wrong_key_is_told_without_the_key(gemini, openai, server):
    gemini.environment["GEMINI_API_KEY"] = "wrong-key"
    error = gemini.error(["a", "b"], code="PERMISSION")
    assert "wrong-key" not in json.dumps(error)
    openai.environment["OPENAI_API_KEY"] = "wrong-key"
    error = openai.error(["a"], code="PERMISSION")
    assert "Incorrect" not in error["message"] and "wrong-key" not in json.dumps(error)
    assert len(server.requests) == 2


def test_a_model_that_is_not_there_is_told(gemini, server):
    server.faults = [fault("status", status=404, body=google_error(404, "NOT_FOUND"))] * 2
    error = gemini.error(["a", "b"], code="NOT_FOUND")
    assert "embed.model" in error["hint"]


def test_a_batch_that_is_too_large_is_told(openai, server):
    server.texts_max = 4
    error = openai.error([f"{i}" for i in range(9)], code="INVALID_ARGUMENT")
    assert "maximum allowed batch size 4" in error["message"]
    assert "embed.batch" in error["hint"]


def test_a_message_that_quotes_a_text_is_not_told_on(openai, server):
    text = "Jane Doe of Leeds, 14 Elm Road"
    server.faults = [fault("status", status=400,
                           body=openai_error("bad", f"cannot embed '{text}'"))] * 2
    error = openai.error([text], code="INVALID_ARGUMENT")
    assert "Jane" not in json.dumps(error) and "bad" in error["message"]


def test_a_redirect_is_not_followed(openai, server):
    with Fixture() as other:
        server.faults = [fault("status", status=307,
                               headers={"Location": f"{other.url}/v1/embeddings"})]
        error = openai.error(["a"], code="INVALID_ARGUMENT")
        assert "redirect" in error["message"] and not other.requests


def drop_last(answer):
    return {**answer, "data": answer["data"][:-1]}


def shorten(answer):
    for item in answer["data"]:
        item["embedding"].pop()
    return answer


def same_index(answer):
    for item in answer["data"]:
        item["index"] = 0
    return answer


def zeros(answer):
    answer["data"][0]["embedding"] = [0] * 8
    return answer


@pytest.mark.parametrize("wrong, message", [
    (fault("change", change=drop_last), "1 vectors for 2 texts"),
    (fault("change", change=shorten), "7 numbers instead of 8"),
    (fault("change", change=same_index), "twice"),
    (fault("change", change=zeros), "length 0"),
    (fault("change", change=lambda answer: {"object": "list"}), "no list"),
    (fault("raw", body='{"data": [{"index": 0, "embedding": [NaN'), "no JSON"),
    (fault("raw", body='{"data": [{"index": 0, "embedding": [1, 2'), "no JSON"),
    (fault("raw", body=""), "no JSON"),
    (fault("raw", body="x" * 4_000_000), "more than"),
])
def test_an_answer_that_is_wrong_is_refused_at_once(openai, server, wrong, message):
    server.faults = [wrong]
    error = openai.error(["a", "b"], code="CORRUPTED")
    assert message in error["message"]
    assert len(server.requests) == 1, "it was paid for; the next one would be the same"


def test_one_bad_answer_of_many_fails_the_call(openai, server):
    openai.options.update(batch=1, parallel=2)
    server.faults = [None, None, None, fault("change", change=shorten)]
    openai.error([f"text {i}" for i in range(50)], code="CORRUPTED")
    assert len(server.requests) < 10, "what had not begun is not asked"


# --- keys, encryption, who may be asked ----------------------------------------------------------


def test_a_key_comes_from_a_file_or_the_environment(openai, server, folder):
    file = folder / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    openai.options["api_key_file"] = str(file)
    assert_vectors(openai.ask(["a"]), ["a"])
    del openai.options["api_key_file"]
    for name in ("EMBED_API_KEY", "OPENAI_API_KEY"):
        openai.environment = {name: KEY}
        assert_vectors(openai.ask(["a"]), ["a"])
    assert [r["headers"]["Authorization"] for r in server.requests] == [f"Bearer {KEY}"] * 3


def test_a_key_is_not_in_the_process_list(openai, server):
    openai.environment["EMBED_API_KEY"] = KEY
    server.faults = [fault("silent", seconds=2)]
    process = openai.start(["a"])
    while not server.requests:
        time.sleep(0.01)
    line = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert process.wait() == 0
    assert KEY.encode() not in line


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(openai, server):
    with Fixture() as proxy:
        openai.environment["http_proxy"] = openai.environment["all_proxy"] = proxy.url
        assert_vectors(openai.ask(["a"]), ["a"])
        assert not proxy.requests


@pytest.fixture
def certificate(folder):
    """A PEM file with the key and the certificate of 127.0.0.1, signed by itself."""
    path = folder / "server.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", str(path), "-out", str(folder / "ca.pem")],
                   check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "ca.pem").read_text())
    return path


def test_a_certificate_is_checked(folder, certificate):
    with Fixture(certificate=str(certificate)) as server:
        client = Client(folder, server, provider="openai", model="m", dimension=8)
        error = client.error(["a"], code="UNAVAILABLE")
        assert "not trusted" in error["message"] and "embed.tls_ca" in error["hint"]
        assert not server.requests
        client.options["tls_ca"] = str(folder / "ca.pem")
        assert_vectors(client.ask(["a"]), ["a"])


def test_a_former_model_of_the_same_provider_can_be_asked(openai, server):
    openai.options.update(model="new-model", dimension=16)
    answer = openai.ask(["a"], "--as", "openai/old-model", "8")
    assert_vectors(answer, ["a"])
    assert (answer["model"], answer["dimension"]) == ("openai/old-model", 8)
    assert server.requests[0]["body"]["model"] == "old-model"


def test_a_former_provider_is_asked_only_where_the_configuration_says(gemini, server):
    error = gemini.error(["a"], "--as", "openai/old-model", "8", code="PERMISSION")
    assert "no longer" in error["message"]
    gemini.options = {"provider": "local"}
    gemini.error(["a"], "--as", "gemini/gemini-embedding-2", "8", code="PERMISSION")
    gemini.options["endpoint"] = server.url
    assert_vectors(gemini.ask(["a"], "--as", "gemini/gemini-embedding-2", "8"), [document("a")])


def test_pii_goes_to_a_remote_provider_only_when_the_configuration_says(openai):
    assert openai.ask(["a"])["pii"] is False, "this machine may hand it on"
    openai.options["pii"] = "remote"
    assert openai.ask(["a"])["pii"] is True
