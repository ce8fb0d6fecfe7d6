"""What the checks of this folder share: reading Rust source, and proving that a check finds what it looks for.

A check is a program with a function `check(root) -> [Finding]`. It prints one line a finding and leaves with status 1
if there are any. With `--self-test` it plants each of its DEFECTS in a temporary copy of the tree and fails unless
every one is found, and unless the INNOCENT look-alikes are not.
"""
import collections
import os
import re
import shutil
import sys
import tempfile

Finding = collections.namedtuple("Finding", "path line text")
# A file to add to the copy of the tree, and what the finding must say (None: there must be none in this file).
Planted = collections.namedtuple("Planted", "path text says")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
NOT_OURS = {"target", ".git", "__pycache__"}
# What a run of the fuzzer leaves behind.
NOT_OURS_AT = {"tests/fuzz/found"}


def files(root, under="", suffix=""):
    """The files below `root/under`, as paths relative to `root`, in order."""
    start = os.path.join(root, under)
    if os.path.isfile(start):
        yield under
        return
    for folder, folders, names in os.walk(start):
        here = os.path.relpath(folder, root)
        folders[:] = sorted(name for name in folders if name not in NOT_OURS and os.path.join(here, name) not in NOT_OURS_AT)
        for name in sorted(names):
            if name.endswith(suffix) and name not in NOT_OURS:
                yield os.path.relpath(os.path.join(folder, name), root)


def product(root):
    """The Rust files of what is shipped: the library, its parts and the programs."""
    for folder in ("src", "crates", "tools"):
        yield from files(root, folder, ".rs")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blank(text, start, end):
    """`text` with everything in the range but line ends replaced by blanks, so that offsets stay true."""
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


_TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*)
      | (?P<raw>\b(?:b|c)?r(?P<hash>\#*)")
      | (?P<string>(?:\b[bc])?")
      | (?P<char>\bb?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])'|'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])')
    """,
    re.X,
)


def code_only(text):
    """Rust source without comments, strings and characters (same length, same lines)."""
    out, at = [], 0
    while True:
        found = _TOKEN.search(text, at)
        if not found:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at:found.start()])
        end = found.end()
        if found["block"]:
            depth = 1
            while depth and end < len(text):
                if text.startswith("/*", end):
                    depth, end = depth + 1, end + 2
                elif text.startswith("*/", end):
                    depth, end = depth - 1, end + 2
                else:
                    end += 1
        elif found["raw"]:
            close = text.find('"' + found["hash"], end)
            end = len(text) if close < 0 else close + 1 + len(found["hash"])
        elif found["string"]:
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            end += 1
        out.append(re.sub(r"[^\n]", " ", text[found.start():end]))
        at = end


def closing(code, at):
    """The offset behind the bracket that closes the one at `at`."""
    pairs = {"{": "}", "(": ")", "[": "]"}
    opening, depth = code[at], 0
    for i in range(at, len(code)):
        if code[i] == opening:
            depth += 1
        elif code[i] == pairs[opening]:
            depth -= 1
            if not depth:
                return i + 1
    return len(code)


def without_tests(code):
    """`code` (see `code_only`) without its `#[cfg(test)]` items that have a body in braces."""
    for found in list(re.finditer(r"#\s*\[\s*cfg\s*\(\s*test\s*\)\s*\]", code)):
        body = re.compile(r"[{;]").search(code, found.end())
        if body and body[0] == "{":
            code = blank(code, found.start(), closing(code, body.start()))
    return code


def is_test_file(path):
    """A file that only a `#[cfg(test)] mod tests;` names: `tests.rs`, `aes_tests.rs`, `tests/...`."""
    return re.search(r"(?:^|/)(?:(?:\w+_)?tests\.rs$|tests/)", path) is not None


def split_group(code):
    """`a, b::{c, d}` -> [(0, 'a'), (2, ' b::{c, d}')], with offsets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(code):
        if c in "{([":
            depth += 1
        elif c in "})]":
            depth -= 1
        elif c == "," and not depth:
            parts.append((start, code[start:i]))
            start = i + 1
    parts.append((start, code[start:]))
    return [(at, part) for at, part in parts if part.strip()]


def heads(code, prefix):
    """The names that follow `prefix::` in paths and in use groups: [(offset, name, is a macro)]."""
    for found in re.finditer(r"(?<![\w:])(?:::)?\$?" + prefix + r"\s*::\s*", code):
        at = found.end()
        if code[at:at + 1] == "{":
            inside = code[at + 1:closing(code, at) - 1]
            for start, part in split_group(inside):
                name = re.match(r"\s*(?:r#)?(\w+)", part)
                if name and name[1] != "self":
                    yield at + 1 + start + name.start(1), name[1], False
        else:
            name = re.match(r"(?:r#)?(\w+)(\s*!(?!=))?", code[at:])
            if name:
                yield at, name[1], bool(name[2])


def used_names(code):
    """What the `use` items of a file bring in: [(path as a list, the name it gets)]."""
    def walk(tree, before):
        tree = tree.strip()
        group = tree.find("{")
        if group >= 0:
            path = before + [s.strip() for s in tree[:group].split("::") if s.strip()]
            for _, part in split_group(tree[group + 1:closing(tree, group) - 1]):
                yield from walk(part, path)
            return
        tree, _, alias = tree.partition(" as ")
        path = before + [s.strip() for s in tree.split("::") if s.strip()]
        if path and path[-1] == "self":
            path = path[:-1]
        if path:
            yield path, alias.strip() or path[-1]

    for found in re.finditer(r"\buse\s+([^;]+);", code):
        yield from walk(found[1], [])


def main(check, defects, innocent=(), argv=None):
    """The program that every check is."""
    argv = sys.argv[1:] if argv is None else argv
    if argv == ["--self-test"]:
        return self_test(check, defects, innocent)
    if argv:
        sys.exit(f"usage: {sys.argv[0]} [--self-test]")
    findings = check(ROOT)
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.text}")
    return 1 if findings else 0


def self_test(check, defects, innocent):
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "tree")
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_OURS), symlinks=True)
        before = set(check(copy))
        for planted in list(defects) + list(innocent):
            path = os.path.join(copy, planted.path)
            old = read(copy, planted.path) if os.path.exists(path) else None
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(planted.text)
            new = [f for f in check(copy) if f not in before]
            new = [f for f in new if f.path == planted.path]
            if planted.says is None and new:
                print(f"self-test: {planted.path} is innocent, but: {new[0].text}")
                wrong += 1
            if planted.says is not None and not any(planted.says in f.text for f in new):
                print(f"self-test: a planted defect was not found in {planted.path}: {planted.says}\n{planted.text}")
                wrong += 1
            if old is None:
                os.remove(path)
            else:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(old)
    return 1 if wrong else 0
