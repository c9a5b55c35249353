//! The order in which workloads come up: a service's wave is one above the highest that it waits for.

use std::collections::BTreeMap;

use crate::Workload;

/// The wave of each workload.
pub(super) fn waves(all: &[Workload<'_>]) -> Vec<u32> {
    let index: BTreeMap<&str, usize> = all
        .iter()
        .enumerate()
        .map(|(at, one)| (one.name(), at))
        .collect();
    let mut waves = vec![0; all.len()];
    // Dependencies have no cycle: the longest chain is shorter than the list.
    for _ in 0..all.len() {
        let mut changed = false;
        for (at, one) in all.iter().enumerate() {
            let wanted = one
                .service
                .depends_on
                .keys()
                .filter_map(|name| index.get(name.as_str()))
                .map(|&other| waves[other] + 1)
                .max()
                .unwrap_or(0);
            if wanted > waves[at] {
                waves[at] = wanted;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    waves
}
