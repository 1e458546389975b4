"""Rules about the tree itself: top level, READMEs, CMake, fuzz corpora, links in documentation."""
import fnmatch
import pathlib
import posixpath
import re
import urllib.parse

from tree import Finding, folder_of, suffix

TOP = {"CMakeLists.txt", "dataplane", "scheduler", "codec", "api", "monitoring", "tests", "bench",
       "README.md"}
# Folders below tests/ mirror the tree; these are parts of their own and explain themselves.
TEST_PARTS = {"tests", "tests/sim"}
SOURCES = {".h", ".cc", ".proto"}


def check(tree):
    yield from top(tree)
    yield from readmes(tree)
    yield from in_cmake(tree)
    yield from corpora(tree)
    yield from links(tree)


def top(tree):
    for name in sorted({path.split("/")[0] for path in tree.files}):
        if not name.startswith(".") and name not in TOP:
            yield Finding(name, 1, "the visible top level is fixed: " + ", ".join(sorted(TOP)))


def readmes(tree):
    """A folder with sources has a README.md or SPEC.md, or its parent's README names it."""
    files = set(tree.files)
    folders = {folder_of(path) for path in tree.files if suffix(path) in SOURCES}
    wanted = {folder for folder in folders if not folder.startswith("tests")} | (
        TEST_PARTS & {folder_of(path) for path in tree.files})
    for folder in sorted(wanted):
        parent, _, name = folder.rpartition("/")
        above = f"{parent}/README.md".lstrip("/")
        if {f"{folder}/README.md", f"{folder}/SPEC.md"} & files:
            continue
        if above in files and any(f"{name}/" in line for line in tree.lines(above)):
            continue
        yield Finding(folder, 1, "a folder with sources has a README.md (or is a small room that "
                                 f"{above} describes as `{name}/`)")


def in_cmake(tree):
    """Every .cc is named by the nearest CMakeLists.txt, or globbed by its godwit_library."""
    files = set(tree.files)
    # A list may also name a file elsewhere by its whole path, as optional parts do.
    elsewhere = {path for lists in tree.files if posixpath.basename(lists) == "CMakeLists.txt"
                 for path in re.findall(r"\$\{PROJECT_SOURCE_DIR\}/([^\s)]+)",
                                        "\n".join(tree.lines(lists)))}
    for path in tree.files:
        if suffix(path) != ".cc" or path in elsewhere:
            continue
        lists = nearest_lists(path, files)
        if not lists:
            yield Finding(path, 1, "no CMakeLists.txt in this folder or above it")
            continue
        text = re.sub(r"#.*", "", "\n".join(tree.lines(lists)))
        relative = posixpath.relpath(path, folder_of(lists) or ".")
        if not (named(text, relative) or "godwit_library(" in text and path[:6] != "tests/"):
            yield Finding(path, 1, f"is not built: {lists} does not name {relative}")


def nearest_lists(path, files):
    """The nearest CMakeLists.txt above a file that builds something, else the nearest one."""
    folder = folder_of(path)
    while folder:
        if f"{folder}/CMakeLists.txt" in files:
            return f"{folder}/CMakeLists.txt"
        folder = folder_of(folder)
    return None


def named(text, relative):
    words = re.findall(r'[^\s()"]+', text)
    stripped = [re.sub(r"^\$\{\w+\}/", "", word) for word in words]
    if any(relative == word or word.endswith("/" + relative) for word in stripped):
        return True
    # A loop over names: foreach(name a b) ... ${name}_test.cc
    loops = re.findall(r"foreach\(\s*(\w+)\s+([^)]*)\)", text)
    for variable, values in loops:
        for value in values.split():
            if any(word.replace("${%s}" % variable, value) == relative for word in words):
                return True
    return "GLOB" in text and any(fnmatch.fnmatch(relative, word) for word in words if "*" in word)


def corpora(tree):
    """Every fuzz target replays a corpus, and every corpus has a target."""
    with_inputs = {path.split("/")[3] for path in tree.files
                   if path.startswith("tests/fuzz/corpus/") and path.count("/") >= 4}
    targets = {}
    for path in tree.files:
        if path.startswith("tests/") and posixpath.basename(path) == "CMakeLists.txt":
            for number, line in enumerate(tree.lines(path), 1):
                match = re.match(r"\s*godwit_fuzz\(\s*(\w+)", line)
                if match:
                    targets[match[1]] = (path, number)
    for name, (path, number) in sorted(targets.items()):
        if name not in with_inputs:
            yield Finding(path, number, f"fuzz target {name} has no tests/fuzz/corpus/{name}/")
    for name in sorted(with_inputs - set(targets)):
        yield Finding(f"tests/fuzz/corpus/{name}", 1, f"no godwit_fuzz({name} ...) replays it")


def links(tree):
    """Every relative link in Markdown leads to a file or folder of the project."""
    files = set(tree.files)
    folders = {folder for path in files for folder in map(str, pathlib.PurePosixPath(path).parents)}
    for path in tree.files:
        if suffix(path) == ".md":
            for number, target in link_targets(tree.lines(path)):
                place = posixpath.normpath(posixpath.join(folder_of(path), target))
                if place not in files and place not in folders:
                    yield Finding(path, number, f"the link to {target} leads nowhere")


def link_targets(lines):
    fenced = False
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for target in re.findall(r"\]\(\s*<?([^)\s>]+)", re.sub(r"`[^`]*`", "", line)):
            target = urllib.parse.unquote(target.partition("#")[0])
            if target and not re.match(r"[a-z][a-z0-9+.\-]*:", target):
                yield number, target
