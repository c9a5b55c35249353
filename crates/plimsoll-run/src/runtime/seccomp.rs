//! The system call filter.
//!
//! Two programs are installed. The first lets the listed calls through and answers all others
//! with EPERM. The second answers calls that are newer than the list, and `clone3`, with ENOSYS:
//! C libraries then fall back to an older call, where EPERM would make them give up.

use std::collections::BTreeSet;
use std::convert::TryInto;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use super::syscalls::{ALLOWED, NEWEST_KNOWN, WITH_CAPABILITY};
use super::{StartFailure, StartStage};
use crate::kernel;

/// Flags of `clone` that make namespaces: `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`,
/// `NEWUSER`, `NEWPID`, `NEWNET`. A filter cannot look into the structure `clone3` takes.
const NAMESPACE_FLAGS: u64 = 0x7E02_0000;
/// Personalities that programs use; others switch off address randomisation and its like.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF];

/// Compiled programs.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    programs: Vec<BpfProgram>,
}

impl Filter {
    /// Compiles the profile for a container that holds `capabilities`.
    pub(crate) fn new(capabilities: &BTreeSet<String>) -> Result<Self, StartFailure> {
        let fail = |error: &dyn std::fmt::Display| StartFailure::new(StartStage::Container, error);
        let arch: TargetArch = std::env::consts::ARCH
            .try_into()
            .map_err(|error| fail(&error))?;
        let filter = SeccompFilter::new(
            rules(capabilities).map_err(|error| fail(&error))?,
            SeccompAction::Errno(libc::EPERM as u32),
            SeccompAction::Allow,
            arch,
        )
        .map_err(|error| fail(&error))?;
        let allow: BpfProgram = filter
            .try_into()
            .map_err(|error: seccompiler::BackendError| fail(&error))?;
        Ok(Self {
            programs: vec![allow, unknown_calls()],
        })
    }

    /// Puts the filter on this process and what it will execute. Without `no_new_privs` this takes
    /// CAP_SYS_ADMIN.
    pub(crate) fn install(&self) -> std::io::Result<()> {
        for program in &self.programs {
            kernel::install_filter(program)?;
        }
        Ok(())
    }
}

type Rules = std::collections::BTreeMap<i64, Vec<SeccompRule>>;

fn rules(capabilities: &BTreeSet<String>) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let condition = |argument, operator, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    };
    // AF_ALG and AF_VSOCK lead to parts of the kernel, and to the hypervisor, that containers
    // have no business with.
    rules.insert(
        libc::SYS_socket,
        vec![SeccompRule::new(vec![
            condition(0, SeccompCmpOp::Ne, libc::AF_ALG as u64)?,
            condition(0, SeccompCmpOp::Ne, libc::AF_VSOCK as u64)?,
        ])?],
    );
    rules.insert(
        libc::SYS_personality,
        PERSONALITIES
            .iter()
            .map(|value| SeccompRule::new(vec![condition(0, SeccompCmpOp::Eq, *value)?]))
            .collect::<Result<_, _>>()?,
    );
    // The flags are 64 bits wide; all namespace flags are in the lower half.
    rules.insert(
        libc::SYS_clone,
        vec![SeccompRule::new(vec![condition(
            0,
            SeccompCmpOp::MaskedEq(NAMESPACE_FLAGS),
            0,
        )?])?],
    );
    for (capability, calls) in WITH_CAPABILITY {
        if capabilities.contains(*capability) {
            for call in *calls {
                rules.insert(*call, Vec::new());
            }
        }
    }
    Ok(rules)
}

/// ENOSYS for `clone3` and for calls newer than the list.
fn unknown_calls() -> BpfProgram {
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let enosys = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let jump_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let jump_greater = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
    vec![
        // Offset 0 of the data is the call's number.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(jump_equal, 2, 0, libc::SYS_clone3 as u32),
        instruction(jump_greater, 1, 0, NEWEST_KNOWN as u32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, enosys),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_compiles_below_the_kernels_limit() {
        let all: BTreeSet<String> = WITH_CAPABILITY
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .collect();
        for capabilities in [BTreeSet::new(), all] {
            let filter = Filter::new(&capabilities).unwrap();
            for program in &filter.programs {
                assert!(program.len() < 4096, "{}", program.len());
            }
        }
    }

    #[test]
    fn the_list_has_no_call_that_opens_the_kernel() {
        let refused = [
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_move_mount,
            libc::SYS_fsopen,
            libc::SYS_open_tree,
            libc::SYS_pivot_root,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_clone3,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_delete_module,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_open_by_handle_at,
            libc::SYS_settimeofday,
        ];
        for call in refused {
            assert!(!ALLOWED.contains(&call), "{call}");
        }
        let unique: BTreeSet<_> = ALLOWED.iter().collect();
        assert_eq!(unique.len(), ALLOWED.len(), "no call is listed twice");
        assert!(ALLOWED.iter().all(|call| *call <= NEWEST_KNOWN));
    }
}
