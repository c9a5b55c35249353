//! When a health check is due, and what its result means: Docker's rules.
//!
//! One thing is added: until the moment of Docker's own first check, and in the start period,
//! the engine looks earlier and more often. Such a look can only turn a container healthy sooner;
//! its failures do not count.

use std::time::{Duration, Instant};

use super::spec::HealthSpec;
use super::state::{HealthRecord, HealthState, HealthStatus};

/// Wait before the first early look.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// Checks that are kept.
const KEPT: usize = 5;
/// Bytes of output that are kept of each.
pub(crate) const LONGEST_OUTPUT: usize = 4096;

/// The checks of one run of a container.
#[derive(Debug)]
pub(crate) struct HealthMonitor {
    spec: HealthSpec,
    started: Instant,
    due: Instant,
    look: Duration,
    state: HealthState,
}

impl HealthMonitor {
    pub(crate) fn new(spec: HealthSpec, started: Instant) -> Self {
        Self {
            spec,
            started,
            due: started + FIRST_LOOK,
            look: FIRST_LOOK,
            state: HealthState::default(),
        }
    }

    pub(crate) fn spec(&self) -> &HealthSpec {
        &self.spec
    }

    pub(crate) fn state(&self) -> &HealthState {
        &self.state
    }

    /// When the next check begins.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Takes the result of a check that ran from `began` to `ended`.
    pub(crate) fn record(&mut self, began: Instant, ended: Instant, record: HealthRecord) {
        if record.exit_code == 0 {
            self.state.status = HealthStatus::Healthy;
            self.state.failing_streak = 0;
        } else if !self.is_early(began) {
            self.state.failing_streak += 1;
            if self.state.failing_streak >= self.spec.retries.max(1) {
                self.state.status = HealthStatus::Unhealthy;
            }
        }
        self.state.log.push(record);
        let surplus = self.state.log.len().saturating_sub(KEPT);
        self.state.log.drain(..surplus);
        self.due = ended + self.wait(ended);
    }

    /// Whether a failure at this moment does not count.
    fn is_early(&self, at: Instant) -> bool {
        self.state.status == HealthStatus::Starting
            && at < self.started + self.first_regular().max(self.spec.start_period)
    }

    /// When Docker would check first, after the start.
    fn first_regular(&self) -> Duration {
        if self.spec.start_period.is_zero() {
            self.spec.interval
        } else {
            self.spec.start_interval.min(self.spec.interval)
        }
    }

    fn wait(&mut self, now: Instant) -> Duration {
        if !self.is_early(now) {
            return self.spec.interval;
        }
        let regular = if self.spec.start_period.is_zero() {
            // Not past the moment at which failures begin to count.
            (self.started + self.spec.interval).saturating_duration_since(now)
        } else {
            self.spec.start_interval.min(self.spec.interval)
        };
        self.look = self.look * 3 / 2;
        self.look.min(regular)
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::HealthTest;
    use super::super::timestamp::Timestamp;
    use super::*;

    fn record(exit_code: i32) -> HealthRecord {
        HealthRecord {
            started_at: Timestamp::now(),
            finished_at: Timestamp::now(),
            exit_code,
            output: String::new(),
        }
    }

    fn spec() -> HealthSpec {
        HealthSpec {
            interval: Duration::from_secs(10),
            retries: 2,
            ..HealthSpec::new(HealthTest::Shell("true".to_owned()))
        }
    }

    /// Runs checks of no length from the start on until `until`; gives the moments.
    fn run(
        monitor: &mut HealthMonitor,
        until: Duration,
        code: impl Fn(Duration) -> i32,
    ) -> Vec<Duration> {
        let mut moments = Vec::new();
        while monitor.due() < monitor.started + until {
            let now = monitor.due();
            let moment = now - monitor.started;
            moments.push(moment);
            monitor.record(now, now, record(code(moment)));
        }
        moments
    }

    #[test]
    fn unhealthy_not_before_docker_would_say_so() {
        let mut monitor = HealthMonitor::new(spec(), Instant::now());
        run(&mut monitor, Duration::from_secs(20), |_| 1);
        assert_eq!(monitor.state().status, HealthStatus::Starting);
        run(&mut monitor, Duration::from_millis(20_001), |_| 1);
        assert_eq!(monitor.state().status, HealthStatus::Unhealthy);
        assert_eq!(monitor.state().log.len(), KEPT);
    }

    #[test]
    fn healthy_soon_after_it_is_true() {
        let mut monitor = HealthMonitor::new(spec(), Instant::now());
        let ready = Duration::from_millis(1_200);
        let moments = run(&mut monitor, Duration::from_secs(5), |at| {
            i32::from(at < ready)
        });
        assert_eq!(monitor.state().status, HealthStatus::Healthy);
        let found = moments.iter().find(|at| **at >= ready).unwrap();
        assert!(*found < Duration::from_millis(2_000), "{found:?}");
        assert_eq!(moments.last(), Some(found), "then the interval holds");
    }

    #[test]
    fn failures_in_the_start_period_do_not_count() {
        let mut monitor = HealthMonitor::new(
            HealthSpec {
                start_period: Duration::from_secs(60),
                start_interval: Duration::from_secs(2),
                ..spec()
            },
            Instant::now(),
        );
        let moments = run(&mut monitor, Duration::from_secs(60), |_| 1);
        assert_eq!(monitor.state().status, HealthStatus::Starting);
        assert_eq!(monitor.state().failing_streak, 0);
        let widest = moments.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert_eq!(widest, Some(Duration::from_secs(2)));
    }

    #[test]
    fn success_in_the_start_period_ends_its_mercy() {
        let mut monitor = HealthMonitor::new(
            HealthSpec {
                start_period: Duration::from_secs(60),
                ..spec()
            },
            Instant::now(),
        );
        run(&mut monitor, Duration::from_millis(51), |_| 0);
        assert_eq!(monitor.state().status, HealthStatus::Healthy);
        run(&mut monitor, Duration::from_secs(59), |_| 1);
        assert_eq!(monitor.state().status, HealthStatus::Unhealthy);
    }

    #[test]
    fn one_success_heals() {
        let mut monitor = HealthMonitor::new(spec(), Instant::now());
        run(&mut monitor, Duration::from_secs(40), |_| 1);
        assert_eq!(monitor.state().status, HealthStatus::Unhealthy);
        run(&mut monitor, Duration::from_secs(55), |_| 0);
        assert_eq!(monitor.state().status, HealthStatus::Healthy);
        assert_eq!(monitor.state().failing_streak, 0);
    }
}
