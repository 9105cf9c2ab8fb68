"""What the benchmarks' reports have in common: where something was measured, by which command, and how it spreads."""

import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def machine():
    cpu = {}
    for line in subprocess.run(["lscpu"], stdout=subprocess.PIPE, text=True).stdout.splitlines():
        key, _, value = line.partition(":")
        cpu[key.strip()] = value.strip()
    flags = cpu.get("Flags", "").split()
    sets = [name for name in ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16") if name in flags]
    family = f"family {cpu.get('CPU family')}, model {cpu.get('Model')}"
    return f"{cpu.get('Model name')} ({family}), {cpu.get('CPU(s)')} CPUs, {' '.join(sets)}; {platform.platform()}"


def commit():
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.strip()


def shown(command):
    """A command without this machine's folders: a path below the repository as it is from there, a program of a virtual
    environment as VENV's, another absolute path by its last part."""
    def shorter(found):
        path = pathlib.Path(found[0])
        if (path.parent.parent / "pyvenv.cfg").exists():
            return f"VENV/{path.parent.name}/{path.name}"
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name

    return re.sub(r"(?<![^\s='\"])/[^\s='\"]+", shorter, shlex.join(str(word) for word in command))


def own_command():
    """That of the script that runs."""
    return shown(["python3", pathlib.Path(sys.argv[0]).resolve(), *sys.argv[1:]])


def number(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def spread(value, low, high, text=number):
    """1.52 (1.48–1.60)"""
    return text(value) + ("" if low == high else f" ({text(low)}–{text(high)})")


def measured(name, samples, unit, digits=3):
    """A row as `fude bench --json` has it."""
    value, low, high = (round(x, digits) for x in (statistics.median(samples), min(samples), max(samples)))
    return {"name": name, "value": value, "unit": unit, "low": low, "high": high}
