//! Health checks as probes.
//!
//! Docker restarts nothing that is unhealthy, so a health check becomes a startup and a readiness
//! probe. A liveness probe is there only where `x-plimsoll.live` names a path that depends on
//! nothing else.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{Probe, ProbeTest, Workload};

/// Readiness fails when health does; liveness waits this many times longer.
const LIVENESS_PATIENCE: u32 = 3;

/// The probes of a container, by key.
pub(super) fn probes(one: &Workload<'_>) -> Map<String, Value> {
    let mut probes = Map::new();
    if let Some(probe) = &one.probe {
        let action = action(&probe.test);
        probes.insert("startupProbe".to_owned(), startup(probe, &action));
        probes.insert(
            "readinessProbe".to_owned(),
            timed(
                &action,
                seconds(probe.interval),
                seconds(probe.timeout),
                probe.retries.max(1),
            ),
        );
    }
    let live = one
        .extension
        .and_then(|extension| extension.live.as_ref())
        .map(|live| live.value.clone());
    if let (Some(path), Some(listener)) = (live, one.main()) {
        let action = json!({ "httpGet": { "path": path, "port": listener.port } });
        let retries = one.probe.as_ref().map_or(3, |probe| probe.retries.max(1));
        probes.insert(
            "livenessProbe".to_owned(),
            timed(&action, 10, 5, retries * LIVENESS_PATIENCE),
        );
    }
    probes
}

fn action(test: &ProbeTest) -> Value {
    match test {
        ProbeTest::Http { port, path } => json!({ "httpGet": { "path": path, "port": port } }),
        ProbeTest::Tcp { port } => json!({ "tcpSocket": { "port": port } }),
        ProbeTest::Exec(words) => json!({ "exec": { "command": words } }),
        ProbeTest::Shell(line) => json!({ "exec": { "command": ["sh", "-c", line] } }),
    }
}

/// As long as the start period and the retries after it last.
fn startup(probe: &Probe, action: &Value) -> Value {
    let period = seconds(probe.start_interval.min(probe.interval));
    let whole = probe.start_period + probe.interval * probe.retries.max(1);
    let failures = whole.as_secs().div_ceil(u64::from(period)).max(1);
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    timed(action, period, seconds(probe.timeout), failures)
}

fn timed(action: &Value, period: u32, timeout: u32, failures: u32) -> Value {
    let mut probe = action.as_object().cloned().unwrap_or_default();
    probe.insert("periodSeconds".to_owned(), json!(period));
    probe.insert("timeoutSeconds".to_owned(), json!(timeout));
    probe.insert("failureThreshold".to_owned(), json!(failures));
    Value::Object(probe)
}

/// Whole seconds, one at least.
fn seconds(duration: Duration) -> u32 {
    let rounded = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    u32::try_from(rounded.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_startup_probe_lasts_as_long_as_docker_waits() {
        let probe = Probe {
            test: ProbeTest::Tcp { port: 5432 },
            interval: Duration::from_secs(10),
            timeout: Duration::from_millis(1500),
            retries: 3,
            start_period: Duration::from_secs(60),
            start_interval: Duration::from_secs(5),
            span: None,
        };
        let startup = startup(&probe, &action(&probe.test));
        assert_eq!(startup["periodSeconds"], 5);
        assert_eq!(startup["failureThreshold"], 18);
        assert_eq!(startup["timeoutSeconds"], 2);
        assert_eq!(startup["tcpSocket"]["port"], 5432);
    }
}
