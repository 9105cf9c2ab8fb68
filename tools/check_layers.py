#!/usr/bin/env python3
"""Checks every #include in src/ against the layers of CMakeLists.txt: a folder includes only what it links.

A folder may include itself and whatever its link list reaches. Only `app` may include everything. The lists are
read from CMakeLists.txt, so that there is one place where the plan of the house is written down.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# Written by CMake into the build folder (cmake/ops.cmake).
GENERATED = {"op_list.inc"}


def read_layers(text):
    """{layer: [layers it links]}, from fude_layer(...) and from plain libraries named fude_X."""
    text = re.sub(r"#.*", "", text)
    layers = {}
    for name, rest in re.findall(r"fude_layer\(\s*(\w+)([^)]*)\)", text):
        uses = re.search(r"\bUSES\b(.*?)(\bEXTERNAL\b|$)", rest, re.DOTALL)
        layers[name] = uses.group(1).split() if uses else []
    for name in re.findall(r"add_library\(\s*fude_(\w+)", text):
        links = re.findall(rf"target_link_libraries\(\s*fude_{name}\b([^)]*)\)", text)
        layers[name] = re.findall(r"\bfude_(\w+)", " ".join(links))
    return layers


def reach(layers, name, path=()):
    if name in path:
        sys.exit("CMakeLists.txt: layers in a circle: " + " → ".join([*path, name]))
    found = {name}
    for used in layers[name]:
        if used not in layers:
            sys.exit(f"CMakeLists.txt: {name} uses '{used}', which is no layer")
        found |= reach(layers, used, (*path, name))
    return found


def main():
    layers = read_layers((ROOT / "CMakeLists.txt").read_text())
    if not layers:
        sys.exit("CMakeLists.txt: no fude_layer(...) found")
    layers["app"] = [name for name in layers if name != "app"]
    allowed = {name: reach(layers, name) for name in layers}

    problems, files = [], 0
    for file in sorted((ROOT / "src").rglob("*")):
        if file.suffix not in (".h", ".cc", ".inc"):
            continue
        files += 1
        text = file.read_text()
        layer = file.relative_to(ROOT / "src").parts[0]
        for match in INCLUDE.finditer(text):
            included = match.group(1)
            where = f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, match.start(1)) + 1}"
            if included in GENERATED:
                continue
            if layer not in layers:
                problems.append(f"{where}: the folder '{layer}' is no layer of CMakeLists.txt")
            elif not (ROOT / "src" / included).is_file():
                problems.append(f'{where}: "{included}" is no file below src/ (write the path from there)')
            elif included.split("/")[0] not in allowed[layer]:
                below = ", ".join(sorted(allowed[layer] - {layer})) or "nothing"
                problems.append(f'{where}: {layer} may not include "{included}"; below it are {below}')
    for problem in problems:
        print(problem)
    print(f"check_layers: {files} files, {len(layers)} layers, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
