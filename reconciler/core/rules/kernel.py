"""What both hosts' hardware, kernel and clock have in common."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.versions import version_tuple
from reconciler.model.command import Seconds
from reconciler.model.world import HostFacts

CLOCK_LIMIT: Seconds = 5.0
"""Difference of two clocks that programs are told of."""
X86_INSTRUCTIONS = frozenset(
    (
        "fpu", "tsc", "cx8", "cmov", "mmx", "fxsr", "sse", "sse2", "ht", "pni", "ssse3", "sse4_1",
        "sse4_2", "sse4a", "cx16", "movbe", "popcnt", "aes", "pclmulqdq", "xsave", "xsaveopt", "xsavec",
        "xgetbv1", "xsaves", "osxsave", "avx", "avx2", "f16c", "fma", "fma4", "xop", "tbm", "lwp",
        "rdrand", "rdseed", "adx", "bmi1", "bmi2", "abm", "lahf_lm", "3dnow", "3dnowext", "mmxext",
        "rtm", "hle", "erms", "fsrm", "fsgsbase", "rdtscp", "clflush", "clflushopt", "clwb", "clzero",
        "cldemote", "sha_ni", "sha512", "sm3", "sm4", "gfni", "vaes", "vpclmulqdq", "avx512f",
        "avx512dq", "avx512ifma", "avx512pf", "avx512er", "avx512cd", "avx512bw", "avx512vl",
        "avx512vbmi", "avx512_vbmi2", "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq",
        "avx512_4vnniw", "avx512_4fmaps", "avx512_vp2intersect", "avx512_bf16", "avx512_fp16",
        "avx_vnni", "avx_ifma", "avx_vnni_int8", "avx_ne_convert", "amx_tile", "amx_bf16", "amx_int8",
        "amx_fp16", "rdpid", "movdiri", "movdir64b", "enqcmd", "serialize", "waitpkg", "ptwrite", "pku",
        "ospke", "mpx", "user_shstk", "cmpccxadd", "prefetchw",
    )
)  # fmt: skip
"""Flags of /proc/cpuinfo that programs can notice. The others (mitigations, virtualisation, power) are the
kernel's business and differ between hosts that are alike for programs."""


@rule("arch.differs")
def arch(case: Case) -> Iterator[Said]:
    """Memory images only make sense on the architecture they were dumped on."""
    if case.moves and case.source and case.destination and case.source.arch != case.destination.arch:
        yield Said(
            f"{case.source.name} is {case.source.arch}, {case.destination.name} is {case.destination.arch}",
            "choose a host of the same architecture, or stop the workload and let it be created there",
        )


@rule("cpu.features")
def cpu(case: Case) -> Iterator[Said]:
    """A process may use every CPU feature it found at its start; on a CPU that lacks one it dies, sometimes
    much later. Only features that programs can use are compared."""
    if not (case.moves and case.source and case.destination) or not case.destination.cpu_flags:
        return
    lacking = set(case.source.cpu_flags) - set(case.destination.cpu_flags)
    if case.source.arch in ("x86_64", "i686"):
        lacking &= X86_INSTRUCTIONS
    if lacking:
        yield Said(
            f"the CPU of {case.destination.name} lacks {together(sorted(lacking), 6)}",
            "choose a host with the same CPU features, or stop the workload and let it be created there",
        )


@rule("kernel.older", warns=True)
def kernel_older(case: Case) -> Iterator[Said]:
    """The destination runs an older Linux series. What the workload uses may not exist there; the restore then
    fails and the workload is put back."""
    if not (case.moves and case.source and case.destination):
        return
    here, there = case.source.version("kernel"), case.destination.version("kernel")
    if there and version_tuple(there)[:2] < version_tuple(here)[:2]:
        yield Said(
            f"Linux is {there} on {case.destination.name} and {here} on {case.source.name}",
            f"upgrade the kernel of {case.destination.name}, or try and be put back",
        )


@rule("cgroup.mode")
def cgroup(case: Case) -> Iterator[Said]:
    """One host has unified control groups (v2), the other not. The limits and the freezer state in the images have
    no place in the other hierarchy, and the restore fails."""
    if not (case.moves and case.source and case.destination):
        return
    here, there = case.source.cgroup_version, case.destination.cgroup_version
    if here and there and here != there:
        yield Said(
            f"{case.source.name} uses control groups v{here}, {case.destination.name} v{there}",
            "boot the older one with systemd.unified_cgroup_hierarchy=1",
        )


def clock_alone(host: HostFacts) -> Iterator[Said]:
    """For `doctor`: against the controller's clock."""
    if abs(host.clock_offset_s) > CLOCK_LIMIT:
        yield Said(
            f"the clock of {host.name} is {host.clock_offset_s:+.0f} s from this machine's",
            "systemctl enable --now systemd-timesyncd (or chrony)",
        )


@rule("clock.offset", warns=True, alone=clock_alone)
def clock(case: Case) -> Iterator[Said]:
    """Programs see the wall clock jump by the difference between the two hosts' clocks."""
    if not (case.moves and case.source and case.destination):
        return
    offset = case.destination.clock_offset_s - case.source.clock_offset_s
    if abs(offset) > CLOCK_LIMIT:
        yield Said(
            f"the clock of {case.destination.name} is {offset:+.0f} s from that of {case.source.name}",
            "synchronise the clocks on both: systemctl enable --now systemd-timesyncd (or chrony)",
        )
