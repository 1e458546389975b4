"""The files that the house rules look at, and what every rule returns."""
import dataclasses
import os
import pathlib
import subprocess

CODE = {".h", ".cc"}
# Files without one of these suffixes (images, corpora, captured exchanges) are not text to us.
TEXT = CODE | {".py", ".proto", ".toml", ".txt", ".md", ".cmake", ".json", ".yml", ".html", ".js",
               ".css", ".sh", ".service", ".svg", ""}
NOT_TEXT_FOLDERS = ("tests/fuzz/corpus/",)


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """A breach: where it is, and a sentence that says what is allowed instead."""
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


class Tree:
    """The project's files: what git tracks or would track; in a folder without git, all of them."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.files = sorted(self._list())
        self._texts = {}

    def _list(self):
        if (self.root / ".git").exists():
            command = ["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others",
                       "--exclude-standard"]
            names = subprocess.run(command, check=True, capture_output=True).stdout.decode()
            found = {name for name in names.split("\0") if name}
            return {name for name in found if (self.root / name).is_file()}
        found = set()
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in (".build", "__pycache__")]
            for name in names:
                found.add(os.path.relpath(os.path.join(folder, name), self.root))
        return found

    def lines(self, path):
        """The lines of a text file; bytes that are not UTF-8 are replaced."""
        if path not in self._texts:
            text = (self.root / path).read_bytes().decode("utf-8", errors="replace")
            self._texts[path] = text.splitlines()
        return self._texts[path]

    def code(self):
        """C++ files, headers and sources."""
        return [path for path in self.files if suffix(path) in CODE]

    def headers(self):
        return [path for path in self.files if suffix(path) == ".h"]

    def texts(self):
        return [path for path in self.files
                if suffix(path) in TEXT and not path.startswith(NOT_TEXT_FOLDERS)]


def suffix(path):
    return pathlib.PurePosixPath(path).suffix


def folder_of(path):
    """The folder of a file, "" for one at the top."""
    return path.rpartition("/")[0]


def without_comments(lines):
    """C++ lines with // and /* */ comments and the contents of string literals blanked out.

    One number of lines in, the same number out. Good for searching, not a parser: raw strings and
    multi-line literals are not known to it.
    """
    inside = False
    for line in lines:
        out = []
        i = 0
        quote = ""
        while i < len(line):
            two = line[i:i + 2]
            if inside:
                if two == "*/":
                    inside = False
                    i += 1
            elif quote:
                if line[i] == "\\":
                    i += 1
                elif line[i] == quote:
                    quote = ""
                    out.append(line[i])
            elif two == "//":
                break
            elif two == "/*":
                inside = True
                i += 1
            elif line[i] == '"' or (line[i] == "'" and not (i and line[i - 1].isalnum())):
                quote = line[i]
                out.append(quote)
            else:
                out.append(line[i])
            i += 1
        yield "".join(out)
