//! What a decoder process takes from itself before it reads a stranger's byte: files, network, other processes,
//! memory and time. Whoever takes over a codec finds nothing to take along and no way out.

use std::{collections::BTreeMap, io};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope,
};
use libc::{
    CLONE_THREAD, CLONE_VM, ENOSYS, EPERM, MAP_ANONYMOUS, PROT_EXEC, RLIMIT_CPU, SYS_brk, SYS_clock_getres,
    SYS_clock_gettime, SYS_clock_nanosleep, SYS_clone, SYS_clone3, SYS_close, SYS_exit, SYS_exit_group,
    SYS_fstat, SYS_futex, SYS_getpid, SYS_getrandom, SYS_gettid, SYS_madvise, SYS_mmap, SYS_mprotect,
    SYS_mremap, SYS_munmap, SYS_nanosleep, SYS_ppoll, SYS_prlimit64, SYS_read, SYS_readv,
    SYS_restart_syscall, SYS_rseq, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
    SYS_sched_getaffinity, SYS_sched_yield, SYS_set_robust_list, SYS_sigaltstack, SYS_tgkill, SYS_write,
    SYS_writev,
};
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit, getpid, set_dumpable_behavior, setrlimit},
    time::{ClockId, clock_gettime},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};
use serde::{Deserialize, Serialize};

/// Standard input, output and error.
const DESCRIPTORS: u64 = 3;

/// What holds. Where a kernel lacks one, the other still does, and the operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// System calls are filtered: nothing can be opened, connected to, or started.
    pub seccomp: bool,
    /// The file system and the network are out of reach.
    pub landlock: bool,
}

/// Limits this process for good.
///
/// # Errors
/// When a limit cannot be set.
pub(super) fn enter(memory_max_bytes: u64) -> io::Result<Sandbox> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let both = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, both(memory_max_bytes))?;
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Fsize, both(0))?;
    let landlock = enter_landlock();
    // One for the C library, which looks at the processors when a codec starts threads.
    setrlimit(Resource::Nofile, both(DESCRIPTORS + 1))?;
    let seccomp = enter_seccomp();
    Ok(Sandbox { seccomp, landlock })
}

/// The next work may take so much processor time; then the kernel ends the process.
pub(super) fn allow_processor_seconds(seconds: u64) -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec.cast_unsigned();
    let current = Some(used.saturating_add(seconds).saturating_add(1));
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum: None })?)
}

fn enter_landlock() -> bool {
    let abi = ABI::V6;
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

fn enter_seccomp() -> bool {
    let Ok(architecture) = TargetArch::try_from(std::env::consts::ARCH) else { return false };
    // The C library falls back to `clone`, whose flags a filter can see, when `clone3` is not there.
    let without_clone3 = program(
        BTreeMap::from([(SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(ENOSYS as u32),
        architecture,
    );
    let allowed = rules().and_then(|rules| {
        program(rules, SeccompAction::Errno(EPERM as u32), SeccompAction::Allow, architecture)
    });
    let (Some(without_clone3), Some(allowed)) = (without_clone3, allowed) else { return false };
    apply_filter(&without_clone3).and_then(|()| apply_filter(&allowed)).is_ok()
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
    architecture: TargetArch,
) -> Option<BpfProgram> {
    SeccompFilter::new(rules, otherwise, matched, architecture).ok()?.try_into().ok()
}

/// Every system call that may be made: memory, threads, time, and the pipes that are open.
fn rules() -> Option<Rules> {
    let always = [
        SYS_brk,
        SYS_clock_getres,
        SYS_clock_gettime,
        SYS_clock_nanosleep,
        // Refused by the other filter in a way that the C library understands.
        SYS_clone3,
        SYS_close,
        SYS_exit,
        SYS_exit_group,
        SYS_fstat,
        SYS_futex,
        SYS_getpid,
        SYS_getrandom,
        SYS_gettid,
        SYS_madvise,
        SYS_mremap,
        SYS_munmap,
        SYS_nanosleep,
        SYS_ppoll,
        SYS_restart_syscall,
        SYS_rseq,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_rt_sigreturn,
        SYS_sched_getaffinity,
        SYS_sched_yield,
        SYS_set_robust_list,
        SYS_sigaltstack,
    ];
    let mut rules: Rules = always.into_iter().map(|call| (call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_poll, Vec::new());
    let us = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let thread = (CLONE_THREAD | CLONE_VM) as u64;
    // Whatever else was handed down is of no use: only standard input is read, only output and error are written, and
    // no file is mapped.
    for call in [SYS_read, SYS_readv] {
        rules.insert(call, vec![rule(&[(0, SeccompCmpOp::Eq, 0)])?]);
    }
    for call in [SYS_write, SYS_writev] {
        rules.insert(call, vec![rule(&[(0, SeccompCmpOp::Eq, 1)])?, rule(&[(0, SeccompCmpOp::Eq, 2)])?]);
    }
    // No memory becomes code.
    let (executable, anonymous) = (PROT_EXEC as u64, MAP_ANONYMOUS as u64);
    rules.insert(
        SYS_mmap,
        vec![rule(&[
            (2, SeccompCmpOp::MaskedEq(executable), 0),
            (3, SeccompCmpOp::MaskedEq(anonymous), anonymous),
        ])?],
    );
    rules.insert(SYS_mprotect, vec![rule(&[(2, SeccompCmpOp::MaskedEq(executable), 0)])?]);
    // Threads, no processes.
    rules.insert(SYS_clone, vec![rule(&[(0, SeccompCmpOp::MaskedEq(thread), thread)])?]);
    // `abort` signals this process, and nothing else can be signalled.
    rules.insert(SYS_tgkill, vec![rule(&[(0, SeccompCmpOp::Eq, us)])?]);
    rules.insert(
        SYS_prlimit64,
        vec![rule(&[(0, SeccompCmpOp::Eq, 0), (1, SeccompCmpOp::Eq, u64::from(RLIMIT_CPU))])?],
    );
    Some(rules)
}

/// All of these conditions: which argument, how it compares, with what.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Option<SeccompRule> {
    let condition = |(argument, operator, value): &(u8, SeccompCmpOp, u64)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Qword, operator.clone(), *value).ok()
    };
    SeccompRule::new(conditions.iter().map(condition).collect::<Option<Vec<_>>>()?).ok()
}
