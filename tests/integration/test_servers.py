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
