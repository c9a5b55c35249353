# Compiles modules ahead of time, because the image's root is read-only: without this every start
# would compile them again. One fresh process for each group of files, files in order, so that what
# a process compiled before cannot show in the bytes. Arguments: none; groups come as lines of
# standard input's place, a file: group, tab, source path.
import os
import py_compile
import sys
from py_compile import PycInvalidationMode

groups = {}
with open(sys.argv[1], encoding="utf-8") as listing:
    for line in listing:
        group, path = line.rstrip("\n").split("\t", 1)
        groups.setdefault(group, []).append(path)


def compile_all(paths):
    for path in paths:
        target = sys.argv[2] + path if len(sys.argv) > 2 else path
        directory, name = os.path.split(target)
        stem = name[: -len(".py")] + "." + sys.implementation.cache_tag + ".pyc"
        try:
            py_compile.compile(
                path,
                cfile=os.path.join(directory, "__pycache__", stem),
                doraise=True,
                invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            )
        except (py_compile.PyCompileError, UnicodeError, ValueError):
            # Templates and tests for other Pythons are no modules of this one.
            pass


running = 0
failed = 0
for group in sorted(groups):
    if running >= (os.cpu_count() or 1):
        failed |= os.wait()[1]
        running -= 1
    if os.fork() == 0:
        try:
            compile_all(sorted(groups[group]))
        except BaseException as error:
            print(f"{group}: {error}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    running += 1
for _ in range(running):
    failed |= os.wait()[1]
sys.exit(1 if failed else 0)
