//! Limits of a container's processes, as far as this process may set them.

use std::collections::BTreeSet;

use rustix::process::{Resource, getrlimit};
use serde_json::{Value, json};

use crate::container::{UlimitSpec, Warning};

/// What the runtime specification calls no limit (`RLIM_INFINITY`).
const NO_LIMIT: u64 = u64::MAX;

/// The `rlimits` of the runtime specification, and what had to be lowered.
pub(super) fn rlimits(asked: &[UlimitSpec], own: &BTreeSet<String>) -> (Vec<Value>, Vec<Warning>) {
    let may_raise = own.contains("CAP_SYS_RESOURCE");
    let mut limits = Vec::new();
    let mut warnings = Vec::new();
    for ulimit in asked {
        let Some(resource) = resource(&ulimit.name) else {
            continue;
        };
        let ceiling = ceiling(resource, may_raise);
        let given = lowered(ulimit, ceiling);
        if given != *ulimit {
            warnings.push(Warning::UlimitLowered {
                limit: ulimit.name.clone(),
                given: ceiling.unwrap_or(NO_LIMIT),
            });
        }
        limits.push(json!({
            "type": format!("RLIMIT_{}", given.name.to_ascii_uppercase()),
            "soft": given.soft.unwrap_or(NO_LIMIT),
            "hard": given.hard.unwrap_or(NO_LIMIT),
        }));
    }
    (limits, warnings)
}

/// The highest value this process may set; `None`: any.
fn ceiling(resource: Resource, may_raise: bool) -> Option<u64> {
    if !may_raise {
        return getrlimit(resource).maximum;
    }
    // Nobody may open more files than this (proc_sys_fs(5)).
    (resource == Resource::Nofile)
        .then(|| {
            fs_err::read_to_string("/proc/sys/fs/nr_open")
                .ok()?
                .trim()
                .parse()
                .ok()
        })
        .flatten()
}

fn lowered(ulimit: &UlimitSpec, ceiling: Option<u64>) -> UlimitSpec {
    let lower = |asked: Option<u64>| match ceiling {
        Some(ceiling) => Some(asked.map_or(ceiling, |asked| asked.min(ceiling))),
        None => asked,
    };
    UlimitSpec {
        name: ulimit.name.clone(),
        soft: lower(ulimit.soft),
        hard: lower(ulimit.hard),
    }
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulimit(soft: Option<u64>, hard: Option<u64>) -> UlimitSpec {
        UlimitSpec {
            name: "nofile".to_owned(),
            soft,
            hard,
        }
    }

    #[test]
    fn nothing_is_raised_above_the_ceiling() {
        let asked = ulimit(Some(50), None);
        assert_eq!(lowered(&asked, None), asked);
        assert_eq!(lowered(&asked, Some(100)), ulimit(Some(50), Some(100)));
        assert_eq!(
            lowered(&ulimit(None, Some(200)), Some(100)),
            ulimit(Some(100), Some(100))
        );
    }

    #[test]
    fn without_the_capability_the_own_limit_is_the_ceiling() {
        let own = getrlimit(Resource::Nofile).maximum.unwrap_or(NO_LIMIT);
        let (limits, warnings) = rlimits(&[ulimit(Some(1), None)], &BTreeSet::new());
        assert_eq!(limits[0]["type"], "RLIMIT_NOFILE");
        assert_eq!(limits[0]["soft"], 1);
        assert_eq!(limits[0]["hard"], own);
        assert_eq!(warnings.len(), usize::from(own != NO_LIMIT));
    }
}
