# Compiles modules ahead of time, because the image's root is read-only: without this every start
# would compile them again. One fresh process for each group of files, files in order, so that what
# a process compiled before cannot show in the bytes. Arguments: a directory, and how many groups
# lie in it. `sources-N` has the modules of a group, `compiled-N` gets their bytecode; both as a
# line with the path in the image, a line with a length, and that many bytes.
import gc
import importlib._bootstrap_external
import importlib.machinery
import importlib.util
import os
import sys

BYTECODE = importlib._bootstrap_external


def compiled(path, source):
    # As `py_compile` does with `unchecked-hash`.
    loader = importlib.machinery.SourceFileLoader("<py_compile>", path)
    try:
        code = loader.source_to_code(source, path)
    except Exception:
        # Templates and tests for other Pythons are no modules of this one.
        return None
    return BYTECODE._code_to_hash_pyc(code, importlib.util.source_hash(source), False)


def compile_group(given, made):
    with open(given, "rb") as given, open(made, "wb") as made:
        while line := given.readline():
            path = line[:-1].decode()
            code = compiled(path, given.read(int(given.readline())))
            if code is not None:
                directory, name = os.path.split(path)
                name = name[: -len(".py")] + "." + sys.implementation.cache_tag + ".pyc"
                target = os.path.join(directory, "__pycache__", name)
                made.write(f"{target}\n{len(code)}\n".encode())
                made.write(code)


# What compiling leaves behind is gone with its process.
gc.disable()
directory = sys.argv[1]
running = 0
failed = 0
# The largest first, so that none is left to run alone at the end.
groups = range(int(sys.argv[2]))
for group in sorted(groups, key=lambda group: -os.path.getsize(f"{directory}/sources-{group}")):
    if running >= (os.cpu_count() or 1):
        failed |= os.wait()[1]
        running -= 1
    if os.fork() == 0:
        try:
            compile_group(f"{directory}/sources-{group}", f"{directory}/compiled-{group}")
        except BaseException as error:
            print(f"{group}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    running += 1
for _ in range(running):
    failed |= os.wait()[1]
sys.exit(1 if failed else 0)
