// SPDX-License-Identifier: Apache-2.0
// Preloaded into a process, answers CPUID as another processor would: $CPU_TIER names it. Only
// libraries whose CPUID instructions patch_cpuid.py has replaced by INT3, NOP are told so; all
// others, and the processor, work as ever. x86-64 Linux only.
//
// Bits are those of the "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2A,
// CPUID, leaves 1, 7.0, 7.1 and 24h.
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define BIT(n) (1u << (n))

enum Family { kAvx512, kVnni, kAvx2, kAvx };

// What a family of instructions is in the answer to one leaf.
struct Feature {
  enum Family family;
  unsigned leaf, subleaf;
  unsigned a, b, c, d;
};

static const struct Feature kFeatures[] = {
    {kAvx512, 7, 0, 0,
     BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31),
     BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14), BIT(2) | BIT(3) | BIT(8) | BIT(23)},
    {kAvx512, 7, 1, BIT(5), 0, 0, BIT(19)},
    {kAvx512, 0x24, 0, ~0u, ~0u, ~0u, ~0u},
    // VNNI, and the tiles of AMX that multiply bytes as well.
    {kVnni, 7, 0, 0, 0, BIT(11), BIT(22) | BIT(24) | BIT(25)},
    {kVnni, 7, 1, BIT(4) | BIT(21) | BIT(23), 0, 0, BIT(4) | BIT(5) | BIT(10)},
    {kAvx2, 7, 0, 0, BIT(5), BIT(9) | BIT(10), 0},
    {kAvx2, 1, 0, 0, 0, BIT(12) | BIT(29), 0},  // FMA and F16C came with it or just before
    {kAvx, 1, 0, 0, 0, BIT(27) | BIT(28), 0},
};

// A processor is the one at hand less some families.
struct Tier {
  const char *name;
  unsigned lacks;
};

static const struct Tier kTiers[] = {
    {"native", 0},
    {"avx512", BIT(kVnni)},
    {"avxvnni", BIT(kAvx512)},
    {"avx2", BIT(kAvx512) | BIT(kVnni)},
    {"avx", BIT(kAvx512) | BIT(kVnni) | BIT(kAvx2)},
    {"sse41", BIT(kAvx512) | BIT(kVnni) | BIT(kAvx2) | BIT(kAvx)},
};

static unsigned lacks;

static void answer(int signal_number, siginfo_t *info, void *context) {
  (void)signal_number;
  (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  const unsigned char *next = (const unsigned char *)registers[REG_RIP];
  if (next[-1] != 0xCC || next[0] != 0x90) {  // somebody else's breakpoint
    signal(SIGTRAP, SIG_DFL);
    return;
  }
  const unsigned leaf = (unsigned)registers[REG_RAX];
  const unsigned subleaf = (unsigned)registers[REG_RCX];
  unsigned a, b, c, d;
  __cpuid_count(leaf, subleaf, a, b, c, d);
  for (size_t i = 0; i < sizeof kFeatures / sizeof *kFeatures; ++i) {
    const struct Feature *feature = &kFeatures[i];
    // Leaf 1 knows no subleaf.
    if (feature->leaf != leaf || (leaf != 1 && feature->subleaf != subleaf)) continue;
    if (!(lacks & BIT(feature->family))) continue;
    a &= ~feature->a;
    b &= ~feature->b;
    c &= ~feature->c;
    d &= ~feature->d;
  }
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
}

// Before the constructors of C++ libraries, which ask.
__attribute__((constructor(101))) static void start(void) {
  const char *wanted = getenv("CPU_TIER");
  const struct Tier *tier = NULL;
  for (size_t i = 0; i < sizeof kTiers / sizeof *kTiers; ++i) {
    if (wanted && strcmp(wanted, kTiers[i].name) == 0) tier = &kTiers[i];
  }
  if (!tier) {
    static const char kMessage[] = "mask_cpuid: CPU_TIER names no tier\n";
    if (write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) _exit(3);
    _exit(2);
  }
  lacks = tier->lacks;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGTRAP, &action, NULL);
}
