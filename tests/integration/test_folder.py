"""The run-time folder: somebody else's is not touched, a copy is not taken for the original, a moved
one goes on."""
import os
import shutil
import stat
import subprocess

import pytest

import processes
from stack import BINARY, run_binary


def other_config(stack, folder):
    """A configuration beside a copy, as a copied clone has it."""
    folder.mkdir(exist_ok=True)
    path = folder / "aethermart.yaml"
    shutil.copy(stack.config_path, path)
    return path


def test_a_copied_folder_does_nothing_to_the_original(stack):
    copy = stack.root / "copy"
    config = other_config(stack, copy)
    subprocess.run(["cp", "-a", str(stack.var), str(copy / "var")], check=True)
    before = stack.pids()
    assert set(before) == {"worker", "mariadb", "mongodb"}
    for words in (["down"], ["up", "--yes"], ["reset", "--yes"], ["status"], ["connection"],
                  ["serve"]):
        done = run_binary("--config", config, *words, check=False)
        assert done.returncode == 4, (words, done)
        assert "is a copy of" in done.stderr and str(stack.var) in done.stderr, done.stderr
        assert "hint: remove the copy" in done.stderr, done.stderr
    assert stack.pids() == before
    stack.assert_in_step()
    shutil.rmtree(copy)


@pytest.mark.skipif(os.getuid() != 0, reason="only then servers' folders are elsewhere")
def test_the_linked_data_of_a_copied_folder_stays(stack):
    stack.down()
    data = stack.root / "elsewhere"
    (stack.var / "mariadb").rename(data)
    (stack.var / "mariadb").symlink_to(data)
    copy = stack.root / "copy"
    config = other_config(stack, copy)
    subprocess.run(["cp", "-a", str(stack.var), str(copy / "var")], check=True)
    assert run_binary("--config", config, "reset", "--yes", check=False).returncode == 4
    assert (data / "data" / "ibdata1").exists()
    assert (copy / "var" / "secrets").exists()


def test_somebody_elses_folder_is_not_touched(new_stack):
    theirs = new_stack.root / "theirs"
    for name in ("mongodb", "mariadb", "secrets"):
        (theirs / name).mkdir(parents=True)
        (theirs / name / "file").write_text("kept")
    theirs.chmod(0o755)
    new_stack.write_config(stack={"dir": str(theirs)})
    for words in (["up", "--yes"], ["reset", "--yes"], ["down"], ["serve"]):
        done = new_stack.run(*words, check=False)
        assert done.returncode == 4, (words, done)
        assert "is not a run-time folder" in done.stderr and "stack.dir" in done.stderr, done.stderr
    assert stat.S_IMODE(os.stat(theirs).st_mode) == 0o755
    assert sorted(p.name for p in theirs.iterdir()) == ["mariadb", "mongodb", "secrets"]
    assert (theirs / "mongodb" / "file").read_text() == "kept"
    shutil.rmtree(theirs)


def test_down_makes_no_folder(new_stack):
    assert "nothing" in new_stack.run("down").stdout
    assert new_stack.json("down") == {"stopped": 0}
    assert not new_stack.var.exists()


@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
def test_a_moved_folder_goes_on_in_its_new_place(stack, is_running):
    if not is_running:
        stack.down()
    before = stack.pids()
    stack.forget_clients()
    moved = stack.root / "moved"
    moved.mkdir()
    stack.var.rename(moved / "var")
    shutil.move(stack.config_path, moved / "aethermart.yaml")
    stack.var, stack.config_path = moved / "var", moved / "aethermart.yaml"
    stack.up()
    assert (stack.var / "aethermart.home").read_text() == f"{stack.var}\n"
    assert [pid for pid in before.values() if processes.is_alive(pid)] == []
    stack.assert_in_step()
    stack.down()
    assert processes.mentioning(stack.root) == {}


def can_have_own_mounts():
    return os.getuid() == 0 and subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/var/lib"], check=False,
        capture_output=True).returncode == 0


@pytest.mark.limit(180)
@pytest.mark.skipif(not can_have_own_mounts(), reason="wants a /var/lib of its own")
def test_a_closed_folder_and_a_strict_umask(new_stack):
    """Root's folder that the servers' account cannot enter: theirs is below /var/lib then."""
    closed = new_stack.root / "closed"
    closed.mkdir(mode=0o700)
    new_stack.write_config(stack={"dir": str(closed / "var")})
    words = f"{BINARY} --config {new_stack.config_path}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c",
         f"mount -t tmpfs -o mode=755 none /var/lib && umask 077 && {words} up --no-shop"
         f" && stat -c %a /var/lib/aethermart && readlink {closed}/var/mariadb; {words} down"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=150)
    assert "\n711\n/var/lib/aethermart/" in done.stdout, done.stdout + done.stderr
    assert processes.mentioning(new_stack.root) == {}
