"""`reset` on servers of the configuration: only what aethermart created goes."""
import os
import pty
import subprocess

import stack as stack_module


def typed(stack, answers, *args):
    """Runs aethermart on a terminal of its own and types the answers; returns what it printed."""
    main, side = pty.openpty()
    child = subprocess.Popen([str(stack_module.BINARY), "--config", str(stack.config_path), *args],
                             stdin=side, stdout=side, stderr=side, cwd=stack.root,
                             env=stack_module.environment(), start_new_session=True)
    os.close(side)
    os.write(main, "".join(f"{a}\n" for a in answers).encode())
    printed = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        printed += piece
    os.close(main)
    return child.wait(60), printed.decode("utf-8", "replace")


def test_another_name_deletes_nothing(engine):
    engine.run("schema", "apply")
    engine.sql("INSERT INTO Suppliers (supplier_name) VALUES ('Somebody')")
    status, printed = typed(engine, ["something"], "reset", "--no-shop")
    assert status != 0 and "nothing was deleted" in printed
    assert engine.value("SELECT COUNT(*) FROM Suppliers") == 1


def test_reset_on_named_servers_takes_only_what_was_created(engine):
    engine.sql("CREATE TABLE mine (id INT PRIMARY KEY)")
    engine.sql("INSERT INTO mine VALUES (1)")
    engine.run("schema", "apply")
    engine.run("sync", "install")
    engine.sql("INSERT INTO Suppliers (supplier_name) VALUES ('Somebody')")
    status, printed = typed(engine, ["anything", "anything_documents"], "reset", "--no-shop")
    assert status == 0, printed
    engine.run("down")
    assert engine.value("SELECT COUNT(*) FROM mine") == 1
    assert engine.value("SELECT COUNT(*) FROM Suppliers") == 0
    assert engine.value("SELECT COUNT(*) FROM schema_migrations WHERE finished_at IS NULL") == 0
