"""Fixtures of the integration tests: each test has servers and a folder of its own.

stack    a whole AetherMart with a small shop, live and in step. It is a copy of one that was
         brought up, loaded, migrated and cleanly stopped once for the whole run, so that it costs
         seconds. @pytest.mark.fresh or @pytest.mark.shop(customers=…) build one from nothing.
new_stack  the same before `up`: a folder and a configuration.
named    the same on servers that the test starts and the configuration names: nothing is in them.
engine   servers that AetherMart did not start, without the shop: a test brings its own tables and
         mappings.
shop     a connection to the shop's schema in MariaDB alone; one server for all tests of a file.

All folders of a run are below one short path in /dev/shm or /tmp (a Unix socket's path has 107
bytes), readable by the unprivileged account that the servers run as.
"""
import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import embedding_server  # noqa: E402
import engine as engine_module  # noqa: E402
import named as named_module  # noqa: E402
import ordering  # noqa: E402
import processes  # noqa: E402
import servers  # noqa: E402
import stack as stack_module  # noqa: E402

SESSION = "AETHERMART_TEST_SESSION"  # the run's folder, told to the workers of xdist
KEEP = bool(os.environ.get("AETHERMART_TEST_KEEP"))
LIMIT_SECONDS = 120
MEMORY_MIN = 8 << 30  # bytes
LINES_KEPT = 120  # of each long product file


# --- the run's folder ------------------------------------------------------------------------


def place_for_stacks():
    """In memory where there is much: making and removing hundreds of stacks keeps a disk busy. What
    is tested is what a killed process leaves, and that is the same."""
    with contextlib.suppress(OSError):
        memory = os.statvfs("/dev/shm")
        if (memory.f_bavail * memory.f_frsize > MEMORY_MIN and os.access("/dev/shm", os.W_OK)
                and not memory.f_flag & os.ST_NOEXEC):  # some tests bring programs of their own
            return "/dev/shm"
    return "/tmp"


def pytest_configure(config):
    # Another program that was killed may have left a file in /dev/shm which the driver warns of.
    os.environ["MONGOC_DISABLE_SHM"] = "1"
    if SESSION not in os.environ:
        folder = tempfile.mkdtemp(prefix="am-", dir=place_for_stacks())
        os.chmod(folder, 0o755)
        os.environ[SESSION] = folder
        config.owns_session_folder = True


def pytest_unconfigure(config):
    if not getattr(config, "owns_session_folder", False):
        return
    folder = os.environ.pop(SESSION)
    left = processes.mentioning(folder)
    for pid, line in left.items():
        print(f"left behind, ended now: {pid} {line}", file=sys.stderr)
        processes.end(pid)
    if KEEP and any(pathlib.Path(folder).glob("t*")):
        print(f"kept: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def session_folder():
    return pathlib.Path(os.environ[SESSION])


@contextlib.contextmanager
def built_once(folder):
    """Yields True to the first process of the run that comes here, which then builds `folder`;
    the others wait for it. A builder that failed leaves the reason, and nobody tries again."""
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        failed = pathlib.Path(f"{folder}.failed")
        if failed.exists():
            pytest.fail(f"{folder.name} could not be built: {failed.read_text()}", pytrace=False)
        done = pathlib.Path(f"{folder}.done")
        try:
            yield not done.exists()
        except BaseException as error:
            failed.write_text(f"{error}")
            raise
        done.touch()


# --- order -----------------------------------------------------------------------------------


def limit_of(item):
    mark = item.get_closest_marker("limit")
    return mark.args[0] if mark else LIMIT_SECONDS


def pytest_collection_modifyitems(items):
    """What may take long begins first, so that no process works on alone at the end. xdist gives
    each process a quarter of its share at once, as a run of items: they are dealt out like cards."""
    items.sort(key=limit_of, reverse=True)
    processes_ = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    at_once = max(2, len(items) // (4 * processes_)) * processes_
    items[:at_once] = [item for i in range(processes_) for item in items[:at_once][i::processes_]]


# --- time limits and reports -----------------------------------------------------------------


class OutOfTime(BaseException):
    """Not an Exception: a test that retries on errors must not swallow it."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    seconds = limit_of(item)

    def late(*_):
        signal.alarm(60)  # for the tear-down, should that hang too
        raise OutOfTime(f"ran longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.has_failed = True
        for name in ("stack", "new_stack", "engine", "named"):
            value = getattr(item, "funcargs", {}).get(name)
            if hasattr(value, "logs"):
                report.sections.append((f"logs of {name}", value.logs()))


@pytest.fixture
def folder(request, session_folder):
    """An empty folder with a short path for one test, removed when it passes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=session_folder))
    path.chmod(0o755)
    yield path
    if not (KEEP and getattr(request.node, "has_failed", False)):
        stack_module.remove_tree(path)


# --- the shop's stack ------------------------------------------------------------------------


def small_catalogue(target):
    """The shipped data with its long product files cut to some hundred lines, spread over them."""
    source = stack_module.ROOT / "data"
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        copy_to = target / path.relative_to(source)
        copy_to.parent.mkdir(parents=True, exist_ok=True)
        if ".jsonl" not in path.name:
            shutil.copy(path, copy_to)
            continue
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            kept = lines.readlines()
        step = max(1, len(kept) // LINES_KEPT)
        with opener(copy_to, "wt", encoding="utf-8") as out:
            out.writelines(kept[::step])


@pytest.fixture(scope="session")
def catalogue(session_folder):
    """The folder of the small product files."""
    path = session_folder / "catalogue"
    with built_once(path) as mine:
        if mine:
            small_catalogue(path)
    return path


def shop_config(catalogue, options=None, index=False):
    """Without an index, unless the test is about it: an encoder in each worker would cost the
    others their time."""
    return {
        "stack": {"dir": "var", **stack_module.SERVERS},
        "shop": {"data": [str(catalogue)], **stack_module.SHOP, **(options or {})},
        "index": {"enabled": index},
    }


def check_binary():
    if not stack_module.BINARY.exists():
        pytest.fail(f"{stack_module.BINARY} does not exist: run ninja -C build", pytrace=False)


@pytest.fixture(scope="session")
def loaded(session_folder, catalogue):
    """The folder `var` of a stack that was brought up, proved equal and cleanly stopped."""
    check_binary()
    path = session_folder / "loaded"
    with built_once(path) as mine:
        if mine:
            path.mkdir()
            path.chmod(0o755)
            stack = stack_module.Stack(path, shop_config(catalogue))
            try:
                stack.up()
                stack.assert_in_step(60)
            except BaseException as error:
                raise AssertionError(f"{error}\n{stack.logs(15)}") from error
            finally:
                stack.close()
    return path / "var"


def own_port(session_folder):
    """A free port that no other test of this run gets."""
    with open(session_folder / "ports", "a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        port = int(counter.read() or 10000 + os.getpid() % 5000)
        while True:
            port += 1
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    break
        counter.truncate(0)
        counter.write(str(port))
        return port


def move_state(var, source, session_folder):
    """A copied stack remembers the folder and the ports of the first: it gets its own, and the mark
    of a folder that was not copied."""
    (var / "aethermart.home").write_text(f"{var}\n")
    path = var / "stack.json"
    state = json.loads(path.read_text().replace(str(source), str(var)))
    for server in ("mariadb", "mongodb"):
        state[server]["port"] = own_port(session_folder)
    path.write_text(json.dumps(state))


def copy_tree(source, target):
    """With owners, modes and holes, and without copying blocks where the file system can."""
    subprocess.run(["cp", "-a", "--reflink=auto", "--sparse=always", str(source), str(target)],
                   check=True)


@pytest.fixture
def new_stack(request, folder, catalogue):
    """A folder with a configuration; nothing was started."""
    check_binary()
    mark = request.node.get_closest_marker("shop")
    config = shop_config(catalogue, mark.kwargs if mark else None,
                         index=request.node.get_closest_marker("index") is not None)
    stack = stack_module.Stack(folder, config)
    try:
        yield stack
    finally:
        stack.close()


@pytest.fixture
def stack(request, new_stack, session_folder):
    """Live and in step."""
    fresh = any(map(request.node.get_closest_marker, ("fresh", "shop")))
    if not fresh:
        loaded = request.getfixturevalue("loaded")
        copy_tree(loaded, new_stack.var)
        move_state(new_stack.var, loaded, session_folder)
    new_stack.up()
    new_stack.wait_synced(60)
    return new_stack


# --- the general engine ----------------------------------------------------------------------


@pytest.fixture(scope="session")
def empty_mariadb(session_folder):
    path = session_folder / "mariadb-template"
    with built_once(path) as mine:
        if mine:
            servers.make_template(path)
    return path


@pytest.fixture
def bare_servers(folder, empty_mariadb):
    """A MariaDB and a MongoDB server that AetherMart did not start, without any database."""
    both = servers.Servers(folder, empty_mariadb)
    try:
        yield both.start()
    finally:
        both.close()


@pytest.fixture(scope="session")
def shop_mariadb(session_folder, empty_mariadb):
    """A data folder of MariaDB with the shop's schema and nothing in it."""
    check_binary()
    path = session_folder / "shop-template"
    with built_once(path) as mine:
        if mine:
            path.mkdir()
            path.chmod(0o755)
            ordering.make_template(path, empty_mariadb)
    return path / "mariadb"


@pytest.fixture(scope="module")
def shop_server(session_folder, shop_mariadb):
    """A MariaDB server with the shop's schema for the tests of one file: each makes rows of its
    own and looks at no others."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="t", dir=session_folder))
    path.chmod(0o755)
    with ordering.running(path, shop_mariadb) as both:
        yield both
    stack_module.remove_tree(path)


@pytest.fixture
def shop(shop_server):
    """See ordering.py. What must always hold is proved at the end of each test."""
    made = ordering.Shop(shop_server)
    try:
        yield made
        made.check()
    finally:
        made.close()


@pytest.fixture
def customer(shop):
    return shop.customer()


@pytest.fixture
def product(shop):
    return shop.product("10.00", 100)


@pytest.fixture
def named(bare_servers, catalogue):
    """A shop whose configuration names servers that run; nothing is in them yet."""
    check_binary()
    made = named_module.Named(bare_servers, {"data": [str(catalogue)], **stack_module.SHOP})
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def engine(bare_servers):
    """See engine.py. The servers run; tables, mappings and the worker are the test's."""
    check_binary()
    made = engine_module.Engine(bare_servers)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def provider():
    """A remote provider of embeddings, which a test may make slow, wrong or away."""
    server = embedding_server.EmbeddingServer()
    yield server
    server.close()
