//! When a container that ended is started again: Docker's rules.

use std::time::Duration;

use plimsoll_model::Restart;

/// Shortest wait before a restart.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Longest wait before a restart.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A run of this length means the program works: the wait begins anew.
const LONG_RUN: Duration = Duration::from_secs(10);

/// Decides about restarts, one container's life long.
#[derive(Debug, Clone)]
pub(crate) struct RestartPolicy {
    policy: Restart,
    next_delay: Duration,
    restarts: u32,
}

impl RestartPolicy {
    pub(crate) fn new(policy: Restart) -> Self {
        Self {
            policy,
            next_delay: FIRST_DELAY,
            restarts: 0,
        }
    }

    /// How often the container was started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// How long to wait before the next start; `None`: it stays down. The caller does not ask
    /// when the container was stopped on request.
    pub(crate) fn after_exit(&mut self, exit_code: i32, ran_for: Duration) -> Option<Duration> {
        let again = match self.policy {
            Restart::No => false,
            Restart::Always | Restart::UnlessStopped => true,
            Restart::OnFailure { max_attempts } => {
                exit_code != 0 && max_attempts.is_none_or(|limit| self.restarts < limit)
            }
        };
        if !again {
            return None;
        }
        if ran_for >= LONG_RUN {
            self.next_delay = FIRST_DELAY;
        }
        let delay = self.next_delay;
        self.next_delay = (delay * 2).min(LONGEST_DELAY);
        self.restarts += 1;
        Some(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_each_time_up_to_a_minute() {
        let mut policy = RestartPolicy::new(Restart::Always);
        let delays: Vec<_> = (0..12)
            .map(|_| policy.after_exit(1, Duration::ZERO).unwrap().as_millis())
            .collect();
        assert_eq!(
            delays,
            [
                100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 60_000, 60_000
            ]
        );
        assert_eq!(
            policy.after_exit(1, Duration::from_secs(11)),
            Some(FIRST_DELAY)
        );
    }

    #[test]
    fn on_failure_counts_and_ignores_success() {
        let mut policy = RestartPolicy::new(Restart::OnFailure {
            max_attempts: Some(2),
        });
        assert_eq!(policy.after_exit(0, Duration::ZERO), None);
        assert!(policy.after_exit(1, Duration::ZERO).is_some());
        assert!(policy.after_exit(137, Duration::ZERO).is_some());
        assert_eq!(policy.after_exit(1, Duration::ZERO), None);
        assert_eq!(policy.restarts(), 2);
    }

    #[test]
    fn no_means_no() {
        assert_eq!(
            RestartPolicy::new(Restart::No).after_exit(1, Duration::ZERO),
            None
        );
    }
}
