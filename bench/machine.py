"""What the figures depend on: machine, versions, date, and how busy it was."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import tickreel
from bench import peers
from tickreel.units import human_bytes


def describe() -> dict[str, str]:
    """Return name -> text for the header of a report."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "machine": f"{_processor()}, {platform.system()} {platform.release()}",
        "cores": f"{cores} usable of {os.cpu_count()}, {human_bytes(memory)} memory",
        "python": platform.python_version(),
        "tickreel": tickreel.__version__,
        "packages": ", ".join(f"{name} {found}" for name, found in peers.versions().items()),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load average": f"{load} (1, 5, 15 minutes; more than 0.3 makes times unsure)",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
