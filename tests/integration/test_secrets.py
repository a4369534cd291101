"""No password and no token is in a log, a process list, an error message or a readable file."""
import os
import pathlib
import stat

import pytest

import processes


def secrets_of(stack):
    """The texts of all secret files and of the token."""
    files = [p for p in (stack.var / "secrets").rglob("*") if p.is_file()]
    files += list(stack.var.glob("*.token"))
    found = {}
    for path in files:
        text = path.read_text(errors="replace").strip()
        if len(text) >= 8:
            found[path] = text
    assert len(found) >= 3, found.keys()
    return found


def test_secret_files_are_for_their_owner_only(stack):
    for path in secrets_of(stack):
        assert stat.S_IMODE(os.stat(path).st_mode) in (0o600, 0o400), path


def test_no_process_shows_a_secret(stack):
    secrets = secrets_of(stack)
    stack.run("shell", "mariadb", "--", "-e", "SELECT 1")
    for pid in stack.pids().values():
        line = " ".join(processes.arguments(pid))
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        for path, text in secrets.items():
            assert text not in line, (pid, path)
            assert text not in environment, (pid, path)


def test_no_log_holds_a_secret(stack):
    secrets = secrets_of(stack)
    stack.kill("mongodb")
    stack.sql("UPDATE Products SET price = price + 1 LIMIT 1")
    stack.up()
    stack.wait_synced(60)
    outputs = [stack.run("status").stdout, stack.run("connection").stdout,
               stack.run("config", "show", "--origin").stdout, stack.run("logs").stdout]
    outputs += [p.read_text(errors="replace") for p in stack.var.rglob("*.log")]
    for path, text in secrets.items():
        for output in outputs:
            if path.name == "http.token" or text not in output:
                assert text not in output, path
            else:
                # `connection` may print a URI for MongoDB's clients; nothing else holds one.
                assert output == outputs[1], path


def test_no_row_value_is_logged(stack):
    stack.insert("Customers", first_name="Unmistakable", last_name="Valuetext",
                 email="unmistakable@example.org", registration_date="2026-01-01")
    stack.wait_synced()
    for path in stack.var.rglob("*.log"):
        text = path.read_text(errors="replace")
        assert "Unmistakable" not in text and "unmistakable@" not in text, path


def test_a_wrong_password_is_not_repeated(stack):
    where = stack.connection()["mariadb"]
    if not where.get("socket"):
        pytest.skip("no socket")
    other = stack.root / "other.yaml"
    other.write_text(f"mariadb:\n  socket: {where['socket']}\n  user: {where['user']}\n"
                     f"  database: {where['database']}\n")
    done = stack.run("schema", "status", "--config", str(other), check=False,
                     env={"MARIA_DB_PASS": "wrong-pass-word"})
    assert done.returncode > 0
    assert "wrong-pass-word" not in done.stdout + done.stderr


def test_the_worker_may_not_change_the_shop(stack):
    """mongo_sync_user reads the tables and owns the queues, no more."""
    grants = " ".join(str(r[0]) for host in stack.sql(
        "SELECT Host FROM mysql.user WHERE User = 'mongo_sync_user'")
        for r in stack.sql(f"SHOW GRANTS FOR mongo_sync_user@'{host[0]}'"))
    assert "ALL PRIVILEGES" not in grants and "SUPER" not in grants
    assert "GRANT OPTION" not in grants and "DROP" not in grants
