//! How far each service has come, for those that wait for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plimsoll_model::DependencyCondition;

/// How far a service has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not started yet.
    Pending,
    /// Its containers run; whether they are healthy is not known yet.
    Started,
    /// Its containers run and its health check, where it has one, passes.
    Healthy,
    /// Its containers ended with exit code 0.
    Completed,
    /// It will not come up.
    Failed,
}

/// Why a wait ended without what was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The dependency can no longer fulfil the condition.
    Impossible,
    /// The time is over.
    TimedOut,
    /// The user wants to stop.
    Cancelled,
}

/// The stages of all services, shared by the threads that start them.
#[derive(Debug)]
pub(super) struct Board<'a> {
    stages: Mutex<BTreeMap<String, Stage>>,
    changed: Condvar,
    cancelled: &'a AtomicBool,
    deadline: Instant,
}

/// A signal handler cannot wake a condition variable; so waits look at the flag this often.
pub(super) const CANCELLATION_LOOK: Duration = Duration::from_millis(50);

impl<'a> Board<'a> {
    pub(super) fn new(cancelled: &'a AtomicBool, deadline: Instant) -> Self {
        Self {
            stages: Mutex::new(BTreeMap::new()),
            changed: Condvar::new(),
            cancelled,
            deadline,
        }
    }

    /// Records how far a service has come.
    pub(super) fn reach(&self, service: &str, stage: Stage) {
        self.stages().insert(service.to_owned(), stage);
        self.changed.notify_all();
    }

    /// Whether the user wants to stop.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// When waiting ends at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits until `dependency` fulfils `condition`.
    pub(super) fn wait_for(
        &self,
        dependency: &str,
        condition: DependencyCondition,
    ) -> Result<(), Interruption> {
        let mut stages = self.stages();
        loop {
            let stage = stages.get(dependency).copied().unwrap_or(Stage::Pending);
            match fulfils(stage, condition) {
                Some(true) => return Ok(()),
                Some(false) => return Err(Interruption::Impossible),
                None if self.is_cancelled() => return Err(Interruption::Cancelled),
                None if Instant::now() >= self.deadline => return Err(Interruption::TimedOut),
                None => {}
            }
            let (guard, _) = self
                .changed
                .wait_timeout(stages, CANCELLATION_LOOK)
                .unwrap_or_else(PoisonError::into_inner);
            stages = guard;
        }
    }

    fn stages(&self) -> MutexGuard<'_, BTreeMap<String, Stage>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the stage fulfils the condition: yes, never any more, or not yet.
fn fulfils(stage: Stage, condition: DependencyCondition) -> Option<bool> {
    match (condition, stage) {
        (_, Stage::Failed) => Some(false),
        (_, Stage::Pending) => None,
        (DependencyCondition::ServiceStarted, _) => Some(true),
        (DependencyCondition::ServiceHealthy, Stage::Healthy) => Some(true),
        (DependencyCondition::ServiceHealthy, Stage::Started) => None,
        (DependencyCondition::ServiceHealthy, Stage::Completed) => Some(false),
        (DependencyCondition::ServiceCompletedSuccessfully, Stage::Completed) => Some(true),
        (DependencyCondition::ServiceCompletedSuccessfully, Stage::Started | Stage::Healthy) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn a_wait_ends_when_another_thread_reaches_the_stage() {
        let cancelled = AtomicBool::new(false);
        let board = Board::new(&cancelled, Instant::now() + Duration::from_secs(60));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| board.wait_for("db", DependencyCondition::ServiceHealthy));
            board.reach("db", Stage::Started);
            board.reach("db", Stage::Healthy);
            assert_eq!(waiter.join().unwrap(), Ok(()));
        });
    }

    #[test]
    fn a_dependency_that_failed_ends_the_wait() {
        let cancelled = AtomicBool::new(false);
        let board = Board::new(&cancelled, Instant::now() + Duration::from_secs(60));
        board.reach("db", Stage::Failed);
        let end = board.wait_for("db", DependencyCondition::ServiceStarted);
        assert_eq!(end, Err(Interruption::Impossible));
    }

    #[test]
    fn a_service_that_ended_is_never_healthy_again() {
        let cancelled = AtomicBool::new(false);
        let board = Board::new(&cancelled, Instant::now() + Duration::from_secs(60));
        board.reach("migrate", Stage::Completed);
        let healthy = board.wait_for("migrate", DependencyCondition::ServiceHealthy);
        let completed =
            board.wait_for("migrate", DependencyCondition::ServiceCompletedSuccessfully);
        assert_eq!(
            (healthy, completed),
            (Err(Interruption::Impossible), Ok(()))
        );
    }

    #[test]
    fn a_started_service_is_not_yet_healthy() {
        let cancelled = AtomicBool::new(false);
        let board = Board::new(&cancelled, soon());
        board.reach("db", Stage::Started);
        let end = board.wait_for("db", DependencyCondition::ServiceHealthy);
        assert_eq!(end, Err(Interruption::TimedOut));
    }

    #[test]
    fn the_user_can_stop_a_wait() {
        let cancelled = AtomicBool::new(true);
        let board = Board::new(&cancelled, Instant::now() + Duration::from_secs(60));
        let end = board.wait_for("db", DependencyCondition::ServiceStarted);
        assert_eq!(end, Err(Interruption::Cancelled));
    }
}
