/* SPDX-License-Identifier: MIT OR Apache-2.0
 * accel.c++: does KVM really work here?
 *
 * /dev/kvm may be there, open, and let every guest hang as soon as it enters long mode (nested machines do that). So a
 * guest of a few hundred bytes is run, which enters long mode, works a little and leaves with a code of its own. Only
 * that code, and no later than emulation brings it, means yes: a nested KVM may work and be slower than none. QEMU's
 * accel=kvm:tcg is no answer: it falls back when KVM cannot be opened, not when it hangs.
 */
#include "accel.h"

#include "fail.h"
#include "file.h"

#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The guest: an ELF file that is its own single segment at 2 MiB, with page tables in the zeroed rest of it. */
asm(R"(
    .pushsection .rodata
    .balign 8
    .globl capos_kvm_guest, capos_kvm_guest_end
    .set base, 0x200000
    .set tables, base + 0x1000
capos_kvm_guest:
    .ascii "\177ELF\2\1\1"
    .zero 9
    .short 2, 62
    .long 1
    .quad base + (guest_start - capos_kvm_guest), 64, 0
    .long 0
    .short 64, 56, 2, 0, 0, 0
    .long 1, 7                        # PT_LOAD, rwx
    .quad 0, base, base, capos_kvm_guest_end - capos_kvm_guest, 0x10000, 0x1000
    .long 4, 4                        # PT_NOTE
    .quad guest_note - capos_kvm_guest, base + (guest_note - capos_kvm_guest), base + (guest_note - capos_kvm_guest)
    .quad 24, 24, 4
guest_note:
    .long 4, 8, 18                    # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad base + (guest_start - capos_kvm_guest)
guest_gdt:
    .quad 0, 0x00af9b000000ffff       # 64-bit code
guest_gdt_pointer:
    .short 15
    .long base + (guest_gdt - capos_kvm_guest)
    .code32
guest_start:
    movl $(tables + 0x1003), tables
    movl $(tables + 0x2003), tables + 0x1000
    movl $0x000083, tables + 0x2000   # 2 MiB pages: 0 and 2 MiB
    movl $0x200083, tables + 0x2008
    movl $0x20, %eax
    movl %eax, %cr4
    movl $tables, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx            # EFER.LME
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lgdt base + (guest_gdt_pointer - capos_kvm_guest)
    ljmp $8, $(base + (guest_long - capos_kvm_guest))
    .code64
guest_long:
    movl $1000, %ecx                  # leave the guest often, as a driver does
1:  outb %al, $0x80
    loop 1b
    movl $10000000, %ecx              # and stay in it for a while
1:  loop 1b
    movl $0xf4, %edx
    movl $42, %eax
    outb %al, %dx
1:  hlt
    jmp 1b
capos_kvm_guest_end:
    .popsection
)");

extern "C" const char capos_kvm_guest[];
extern "C" const char capos_kvm_guest_end[];

namespace capos
{

static constexpr int GUEST_CODE = 2 * 42 + 1; /* as QEMU ends for isa-debug-exit */
static constexpr int PROBE_MS = 3000;
static constexpr int STEP_MS = 20;

[[noreturn]] static void become_probe(const std::string &guest, const std::string &accel)
{
    const char *qemu = getenv("QEMU");
    std::string machine = "microvm,accel=" + accel;
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) {
        dup2(null, fd);
    }
    execlp(qemu != nullptr ? qemu : "qemu-system-x86_64", "qemu", "-machine", machine.c_str(), "-m", "16",
           "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-device",
           "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", guest.c_str(), nullptr);
    _exit(127);
}

/* The wait status of the guest's QEMU; one that took longer than `limit_ms` was killed. */
static int run_probe(const std::string &guest, const std::string &accel, int limit_ms)
{
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        become_probe(guest, accel);
    }
    int status = -1;
    for (int waited = 0; pid > 0 && waitpid(pid, &status, WNOHANG) == 0; waited += STEP_MS) {
        if (waited >= limit_ms) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
        usleep(STEP_MS * 1000);
    }
    return status;
}

static bool guest_arrives(const State &state, const std::string &accel, int limit_ms)
{
    std::string guest = state.root + "/kvm-guest." + std::to_string(getpid());
    File(guest, O_WRONLY | O_CREAT | O_TRUNC, 0600)
        .write(capos_kvm_guest, static_cast<size_t>(capos_kvm_guest_end - capos_kvm_guest));
    int status = run_probe(guest, accel, limit_ms);
    unlink(guest.c_str());
    return WIFEXITED(status) && WEXITSTATUS(status) == GUEST_CODE;
}

/* The answer stands in STATE/kvm behind the boot's id, since another kernel may answer otherwise. */
static bool kvm_works(const State &state)
{
    using Clock = std::chrono::steady_clock;
    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        return false;
    }
    std::string file = state.root + "/kvm";
    std::string boot = read_file("/proc/sys/kernel/random/boot_id").value_or("unknown\n");
    std::string known = read_file(file).value_or("");
    if (known == boot + "works\n" || known == boot + "broken\n") {
        return known == boot + "works\n";
    }
    Clock::time_point start = Clock::now();
    bool emulates = guest_arrives(state, "tcg", PROBE_MS);
    long took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
    bool works = guest_arrives(state, "kvm", emulates ? static_cast<int>(took_ms) + STEP_MS : PROBE_MS);
    write_file_atomically(file, boot + (works ? "works\n" : "broken\n"));
    return works;
}

std::string choose_accel(const Args &args, const State &state)
{
    const char *wish = getenv("CAPOS_ACCEL");
    std::string accel = args.get("--accel", wish != nullptr && *wish != '\0' ? wish : "auto");
    if (accel == "probe-tcg") {
        /* For the test: the guest itself, where emulation is certain to work. */
        return guest_arrives(state, "tcg", PROBE_MS) ? "tcg" : "none";
    }
    if (accel != "auto" && accel != "tcg" && accel != "kvm") {
        misuse("--accel is '" + accel + "', not auto, tcg or kvm");
    }
    return accel != "auto" ? accel : kvm_works(state) ? "kvm" : "tcg";
}

} // namespace capos
