"""Embedded servers that cannot be started: what is said, and that nothing else is taken for them."""
import pytest

import processes


@pytest.mark.limit(180)
def test_the_socket_of_another_mariadb_is_not_taken_for_its_own(stack):
    """One runs on the data that nobody knows of: its pid file is gone."""
    stranger = stack.pid("mariadb")
    (stack.var / "run" / "mariadb.pid").unlink()
    stack.write_config(stack={"start_timeout": "4s", "stop_timeout": "2s"})
    done = stack.run("up", check=False)
    assert done.returncode in (5, 10) and "mariadb" in done.stderr, done
    assert "its log ends with" in done.stderr, done.stderr
    assert processes.is_alive(stranger)
    processes.end(stranger, 30)
    stack.down()
    stack.write_config(stack={"start_timeout": "60s", "stop_timeout": "60s"})
    stack.up()
    stack.assert_in_step()


def program(folder, text):
    path = folder / "server"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_why_the_system_tables_could_not_be_made_is_said(new_stack):
    disk_full = program(new_stack.root, "echo 'No space left on device' >&2; exit 1")
    new_stack.write_config(stack={"mariadb_server": disk_full})
    message = new_stack.fails("up", "--yes")
    assert "its log ends with" in message and "No space left on device" in message, message


@pytest.mark.parametrize("server", ["mariadb", "mongodb"])
def test_nothing_is_started_when_a_program_is_missing(new_stack, server):
    new_stack.write_config(stack={f"{server}_server": "/nonexistent/server"})
    done = new_stack.run("up", "--yes", check=False)
    assert done.returncode == 3 and f"stack.{server}_server" in done.stderr, done
    assert not (new_stack.var / "mariadb").exists()
    assert processes.mentioning(new_stack.root) == {}
