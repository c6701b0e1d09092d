"""What the numbers were measured on."""

import os
import platform
import subprocess
import sys
from pathlib import Path


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor() or platform.machine()


def has_tiles() -> bool:
    """Whether the processor has AMX, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text()


def busy_seconds() -> float | None:
    """Seconds that all cores together have worked since the start; only Linux tells.

    What a hypervisor took away counts as worked.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, stat.read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def glibc() -> bool:
    """Whether the process's allocator is glibc's, so that its variables have an effect."""
    return platform.libc_ver()[0] == "glibc"


def max_rss_bytes(ru_maxrss: int) -> int:
    """`ru_maxrss` in bytes; Linux counts it in KiB, macOS in bytes."""
    return ru_maxrss if sys.platform == "darwin" else ru_maxrss * 1024


def version(framework: Path) -> str:
    """What the framework says of itself."""
    result = subprocess.run([str(framework), "--version"], capture_output=True, text=True)
    return result.stdout.strip() or "framework (version unknown)"


def describe() -> dict:
    """Processor and system."""
    return {
        "processor": processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
