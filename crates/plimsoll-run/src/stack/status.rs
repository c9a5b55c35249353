//! What of a stack runs, and how well.

use serde::Serialize;

use super::StackPaths;
use super::record::{ContainerRecord, StackRecord};
use super::up::UpError;
use crate::container::ContainerState;
use crate::engine::ContainerHandle;

/// One container of a stack.
#[derive(Debug, Clone, Serialize)]
pub struct ContainerReport {
    /// Its name.
    pub name: String,
    /// What was recorded when it was started.
    #[serde(flatten)]
    pub record: ContainerRecord,
    /// What its supervisor says; `None`: it never got so far.
    pub state: Option<ContainerState>,
}

/// The containers of the stack, by service and index; empty when there is no stack.
///
/// # Errors
/// When the record or a state cannot be read.
pub fn status(paths: &StackPaths) -> Result<Vec<ContainerReport>, UpError> {
    let Some(record) = StackRecord::read(paths)? else {
        return Ok(Vec::new());
    };
    let mut reports: Vec<ContainerReport> = record
        .containers
        .into_iter()
        .map(|(name, record)| {
            let state = ContainerHandle::new(&paths.container(&name)).state().ok();
            ContainerReport {
                name,
                record,
                state,
            }
        })
        .collect();
    reports.sort_by(|a, b| {
        (&a.record.service, a.record.index).cmp(&(&b.record.service, b.record.index))
    });
    Ok(reports)
}
