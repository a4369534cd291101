"""Where the benchmarks keep things, and the Python environment with the peers.

All of it lies under the user's cache folder, nothing in the repository:

  aethermart/bench-venv    the peers, in the versions that tests/bench/peers-*.txt pin
  aethermart/bench         vectors and right answers, named by a digest of what they are made of

Only the peers are Python. The vectors are made by the program itself.
"""
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import machine

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = os.environ.get("AETHERMART_BINARY", str(ROOT / "build" / "aethermart"))
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
VENV = CACHE / "aethermart" / "bench-venv"
STORE = CACHE / "aethermart" / "bench"
FORMAT = "1"  # of what lies in STORE: raised when the same name would mean something else


class BenchError(Exception):
    """Said to the user as it is; it ends the run."""


def python(name):
    """The interpreter that has what peers-NAME.txt lists; it is installed when it is not there."""
    wanted = (HERE / f"peers-{name}.txt").read_text(encoding="utf-8")
    stamp = VENV / f"installed-{name}.txt"
    binary = VENV / "bin" / "python"
    if binary.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return str(binary)
    print(f"installing the peers of peers-{name}.txt into {VENV}", file=sys.stderr, flush=True)
    if not binary.exists():
        run([sys.executable, "-m", "venv", VENV], "is python3-venv installed? tools/setup bench")
    run([binary, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "-r", HERE / f"peers-{name}.txt"], "the network, or a missing compiler: tools/setup bench")
    stamp.write_text(wanted, encoding="utf-8")
    return str(binary)


def python_with_rest(name):
    """As python(), but what cannot be installed is left out: (interpreter, {line: why})."""
    try:
        return python(name), {}
    except BenchError as error:
        if not (VENV / "bin" / "python").exists():
            raise
        print(f"{error}\none by one:", file=sys.stderr, flush=True)
    binary, missing = str(VENV / "bin" / "python"), {}
    for line in (HERE / f"peers-{name}.txt").read_text(encoding="utf-8").splitlines():
        if "==" not in line:
            continue
        done = subprocess.run([binary, "-m", "pip", "install", "--quiet",
                               "--disable-pip-version-check", line], stderr=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True, check=False)
        if done.returncode != 0:
            missing[line] = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    return binary, missing


def run(command, hint, **options):
    done = subprocess.run([str(part) for part in command], check=False, **options)
    if done.returncode != 0:
        raise BenchError(f"\"{' '.join(map(str, command))}\" ended with {done.returncode}\n"
                         f"hint: {hint}")
    return done


def versions(name, interpreter):
    """{package: version} as installed, of the packages that peers-NAME.txt names."""
    names = [line.split("==")[0].strip()
             for line in (HERE / f"peers-{name}.txt").read_text(encoding="utf-8").splitlines()
             if "==" in line]
    code = ("import sys, importlib.metadata as m\n"
            "there = {d.metadata['Name'].lower(): d.version for d in m.distributions()}\n"
            "for name in sys.argv[1:]: print(name, there.get(name.lower(), 'missing'))")
    done = run([interpreter, "-c", code, *names], "remove the environment and run again",
               stdout=subprocess.PIPE, text=True)
    return dict(line.split() for line in done.stdout.splitlines())


def digest(*parts):
    """A short name for what these texts or files hold."""
    sha = hashlib.sha256(FORMAT.encode())
    for part in parts:
        data = part.read_bytes() if isinstance(part, pathlib.Path) else str(part).encode()
        sha.update(len(data).to_bytes(8, "little") + data)
    return sha.hexdigest()[:20]


def program_version():
    done = subprocess.run([BINARY, "version"], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None


def embed(path, texts, options=()):
    """Embeds texts by the program into an .npy file; `options` go behind `aethermart embed`."""
    for text in texts:
        if "\n" in text or "\r" in text:
            raise BenchError(f"a text for {path.name} has a line break: {text!r}")
    print(f"embedding {len(texts):,} texts into {path.name}", file=sys.stderr, flush=True)
    part = path.with_suffix(".part.npy")
    run([BINARY, "embed", "--output", part, *options], "make build; what does it say above?",
        input=("\n".join(texts) + "\n").encode(), stdout=subprocess.DEVNULL)
    rows = shape(part)[0]
    if rows != len(texts):
        raise BenchError(f"{part} has {rows} vectors for {len(texts)} texts")
    part.replace(path)


def vectors(name, texts):
    """The .npy file with the vectors of texts, embedded once and then kept: they are data to search
    in, and it does not matter which version of the encoder made them."""
    STORE.mkdir(parents=True, exist_ok=True)
    path = STORE / f"{name}-{digest(*texts)}.npy"
    if not path.exists():
        embed(path, texts)
    return path


def shape(path):
    """(rows, columns) of an .npy file."""
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:6] != b"\x93NUMPY":
            raise BenchError(f"{path} is no .npy file")
        size = int.from_bytes(head[8:10] if head[6] == 1 else head[8:12], "little")
        file.seek(10 if head[6] == 1 else 12)
        fields = file.read(size).decode("latin-1")
    inner = fields.split("'shape':")[1].split("(")[1].split(")")[0]
    return tuple(int(number) for number in inner.split(",") if number.strip())


def truth(interpreter, base, queries):
    """The file with the right answers, worked out once and then kept."""
    path = STORE / f"truth-{digest(base.name, queries.name)}.npz"
    if not path.exists():
        print(f"working out the right answers of {base.name}", file=sys.stderr, flush=True)
        run([interpreter, HERE / "truth.py", base, queries, path], "what does it say above?")
    return path


def need_program(verb):
    """Says what is missing before anything long begins."""
    if not shutil.which(BINARY):
        raise BenchError(f"{BINARY} is not there\nhint: make build")
    if subprocess.run([BINARY, verb, "--help"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise BenchError(f"{BINARY} does not know \"{verb}\"\nhint: make build")


def facts(name, interpreter=None):
    """What a report begins with: when, of which program, on which machine, beside which peers."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"date": f"{now:%Y-%m-%dT%H:%M:%SZ}", "version": program_version(),
            "machine": machine.machine(), "instructions": machine.instructions(),
            "peers": versions(name, interpreter or python(name))}


def keep(name, report, document, options):
    """Prints the tables and keeps them beside all figures; a smoke run keeps nothing."""
    print(document)
    if options.quick and not options.output:
        return
    path = options.output or (ROOT / "docs" / "benchmarks" / f"{report['date'][:10]}-{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(document, encoding="utf-8")
    print(f"kept: {os.path.relpath(path)} and the .md beside it", file=sys.stderr)
