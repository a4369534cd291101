"""Every command that README.md and docs/ show works as shown: each document's commands run in
their order on a stack of their own (fences marked `sh`; see tools/check-docs)."""
import json
import re
import shlex
import subprocess

import pytest

import stack as stack_module
from waiting import until

ROOT = stack_module.ROOT
# Shown, and run by everybody who runs these tests.
RUN_ELSEWHERE = re.compile(r"^(git clone|cd|make|sudo|apt|apt-get|tools/test|tools/check|tools/setup"
                           r"|meson|ninja)\b")
# These go on until they are interrupted.
FOLLOWING = re.compile(r"(^| )(watch|--watch|-f|--follow|serve|sync run)( |$)")


def shown():
    done = subprocess.run([ROOT / "tools/check-docs", "--list"], stdout=subprocess.PIPE, text=True,
                          check=True)
    documents = {}
    for entry in json.loads(done.stdout):
        documents.setdefault(entry["document"], []).append(entry)
    return documents


def run_line(stack, command):
    """A command as a person would type it in the tree, but on this test's stack."""
    config = f"--config {shlex.quote(str(stack.config_path))}"
    line = re.sub(r"(^|[|;&(] *)(?:build/|\./build/)?aethermart\b",
                  rf"\1{shlex.quote(str(stack_module.BINARY))} {config}", command)
    limit = 4 if FOLLOWING.search(command) else 120
    log = stack.root / "docs-command.log"
    with open(log, "wb") as out:
        child = subprocess.Popen(["bash", "-o", "pipefail", "-c", "exec " + line
                                  if FOLLOWING.search(command) else line],
                                 cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=subprocess.STDOUT, env=stack_module.environment())
        stack.children.append(child)
        try:
            status = child.wait(limit)
        except subprocess.TimeoutExpired:
            if limit == 4:
                child.terminate()
                child.wait(20)
                return 0, ""
            child.kill()
            child.wait()
            return 124, log.read_text(errors="replace")
    return status, log.read_text(errors="replace")


NEEDS_INDEX = re.compile(r"aethermart (index|search|similar|suggest|recommend|quality run)\b")


def with_index(stack):
    """Tests run without the index by meaning; a reader of its manual has one that is live."""
    stack.write_config(index={"enabled": True})
    stack.up()

    def is_live():
        status = stack.json("index", "status")["serving"]
        return status and all(c["state"] == "live" for c in status["collections"])
    until(is_live, 60, pause=0.2, what="the index is live")


def test_links_and_commands_exist():
    done = subprocess.run([ROOT / "tools/check-docs"], stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.limit(400)
@pytest.mark.parametrize("document", sorted(shown()))
def test_commands_of_a_document_run(stack, document):
    failed = []
    if NEEDS_INDEX.search((ROOT / document).read_text(encoding="utf-8")):
        with_index(stack)
    for entry in shown()[document]:
        command = entry["command"]
        if RUN_ELSEWHERE.match(command):
            continue
        status, output = run_line(stack, command)
        stack.note_processes()
        if status != 0:
            failed.append(f"{document}:{entry['line']}: {command}\n  exit status {status}: "
                          f"{output[-600:]}")
    assert not failed, "\n".join(failed)
