"""Each header compiles alone: it includes all that it uses.

A source begins with its own header, and so is the proof wherever each source is compiled by itself (the
optimised build). The other headers are compiled here.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess

from tree import Finding

# What a compile command says that a single header does not need.
DROPPED_WITH_VALUE = {"-o", "-c", "-MF", "-MT", "-MQ", "-include"}
DROPPED = {"-MD", "-MMD", "-Winvalid-pch"}


def check(tree, build):
    flags = common_flags(build)
    headers = [path for path in tree.headers() if not is_first_of_its_source(tree, path)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda path: compile_alone(tree, path, flags), headers):
            yield from found


def is_first_of_its_source(tree, path):
    source = path.removesuffix(".h") + ".cc"
    if source not in tree.files:
        return False
    return next((line for line in tree.lines(source) if line.startswith("#include")), None) \
        == f'#include "{path}"'


def common_flags(build):
    """Compiler and flags, with the include paths of all commands: a header has no target."""
    commands = json.loads((build / "compile_commands.json").read_text())
    compiler = None
    flags = []
    for entry in commands:
        words = shlex.split(entry["command"])
        if words and words[0].endswith("ccache"):
            words = words[1:]
        if not entry["file"].endswith(".cc") or "++" not in words[0]:
            continue
        compiler = compiler or words[0]
        skip = False
        for i, word in enumerate(words[1:], 1):
            if skip:
                skip = False
            elif word in DROPPED_WITH_VALUE:
                skip = True
            elif word == "-isystem":
                pair = (word, words[i + 1])
                skip = True
                if pair not in flags:
                    flags.append(pair)
            elif word not in DROPPED and word.startswith(("-I", "-std", "-W", "-f")):
                if (word,) not in flags and not word.startswith("-fsanitize"):
                    flags.append((word,))
    return [compiler] + [word for group in flags for word in group]


def compile_alone(tree, path, flags):
    # Some test headers are for the simulation alone; the others do not care.
    simulation = ["-DGODWIT_SIMULATION"] if path.startswith("tests/") else []
    command = flags + simulation + ["-fsyntax-only", "-x", "c++", "-"]
    source = f'#include "{path}"\n'
    done = subprocess.run(command, input=source, text=True, capture_output=True, cwd=tree.root)
    if done.returncode == 0:
        return []
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return [Finding(path, 1, "does not compile alone: " + (errors or ["?"])[0])]
