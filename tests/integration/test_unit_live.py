"""Unit tests that need a MariaDB: run here, where there is one."""
import os
import subprocess

import stack as stack_module


def test_the_mapping_on_a_real_server(bare_servers):
    program = stack_module.ROOT / "build/tests/unit/test_mapping_live"
    env = dict(os.environ, AETHERMART_TEST_MARIADB_SOCKET=str(bare_servers.socket),
               AETHERMART_TEST_MARIADB_USER="root", CMOCKA_MESSAGE_OUTPUT="STDOUT")
    done = subprocess.run([program], env=env, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "[  PASSED  ]" in done.stdout
