//! Alerts on containers and volumes: restarts, memory, processor, room on disks.

use super::super::thresholds::bound;
use super::{Alert, Runbook, Severity, fires, quiet};

const LABELS: &str = r#"service="api",name="shop-api-1""#;

const LOOPING: Runbook = Runbook {
    impact: "The service is away for a while again and again.",
    look: &[
        (
            "docker compose ps --all SERVICE",
            "the exit code of the last run",
        ),
        (
            "docker compose logs --tail 100 SERVICE",
            "the last words before it ended",
        ),
    ],
    fix: &[
        "A missing or malformed variable ends a service at once: compare with `docs/environment.md`.",
        "Exit code 137 means that it was killed, most often for memory: see `OOMKilled`.",
    ],
};

const KILLED: Runbook = Runbook {
    impact: "What the service was working on is lost.",
    look: &[(
        "docker compose stats --no-stream",
        "how much memory it takes, and its limit",
    )],
    fix: &[
        "Raise `deploy.resources.limits.memory` of the service, or run fewer workers in it.",
        "When memory grows without end, look for what holds on to it.",
    ],
};

const THROTTLED: Runbook = Runbook {
    impact: "Answers come later than they could.",
    look: &[(
        "docker compose stats --no-stream",
        "how much of the processor each service takes",
    )],
    fix: &["Raise `deploy.resources.limits.cpus` of the service, or run more of it."],
};

const MEMORY: Runbook = Runbook {
    impact: "None yet; at its limit the service is killed.",
    look: &[(
        "docker compose stats --no-stream",
        "how much memory it takes, and its limit",
    )],
    fix: &["Raise `deploy.resources.limits.memory` of the service before it is killed."],
};

const VOLUME: Runbook = Runbook {
    impact: "Stores stop writing when the disk is full.",
    look: &[
        ("df --human-readable", "which file system fills up"),
        (
            "docker system df --verbose",
            "which volumes and images take room",
        ),
    ],
    fix: &[
        "Remove images that nothing runs: `docker image prune --all`.",
        "Make the disk larger, or shorten how long logs, metrics and backups are kept.",
    ],
};

pub(super) fn alerts() -> Vec<Alert> {
    vec![looping(), killed(), throttled(), memory(), volume()]
}

fn looping() -> Alert {
    let series = format!("container_start_time_seconds{{{LABELS}}}");
    let alert = "{{ $labels.service }} restarts again and again";
    Alert {
        name: "CrashLooping",
        group: "containers",
        expr: "sum by (service) (changes(container_start_time_seconds{service!=\"\"}[15m])) > 3"
            .to_owned(),
        hold: None,
        severity: Severity::Critical,
        labels: Vec::new(),
        summary: alert.to_owned(),
        description: "{{ $labels.service }} was started {{ $value }} times anew in 15 minutes."
            .to_owned(),
        runbook: LOOPING,
        cases: vec![
            fires(
                "1m",
                &[(&series, "0+60x20")],
                "15m",
                &[("service", "api")],
                "15",
            ),
            quiet("1m", &[(&series, "100x10 160x10")], "15m"),
        ],
    }
}

fn killed() -> Alert {
    let series = format!("container_oom_events_total{{{LABELS}}}");
    Alert {
        name: "OOMKilled",
        group: "containers",
        expr: "sum by (service) (increase(container_oom_events_total{service!=\"\"}[10m])) > 0"
            .to_owned(),
        hold: None,
        severity: Severity::Warning,
        labels: Vec::new(),
        summary: "{{ $labels.service }} ran out of memory".to_owned(),
        description: "A process of {{ $labels.service }} was killed because the container's memory was used up.".to_owned(),
        runbook: KILLED,
        cases: vec![
            fires("1m", &[(&series, "0x5 1x10")], "10m", &[("service", "api")], ""),
            quiet("1m", &[(&series, "1x20")], "15m"),
        ],
    }
}

fn throttled() -> Alert {
    let of = |metric: &str| format!("container_cpu_cfs_{metric}_total{{{LABELS}}}");
    let (held, all) = (of("throttled_periods"), of("periods"));
    Alert {
        name: "CPUThrottling",
        group: "containers",
        expr: format!(
            "sum by (service) (rate(container_cpu_cfs_throttled_periods_total{{service!=\"\"}}[5m]))\n/\nsum by (service) (rate(container_cpu_cfs_periods_total{{service!=\"\"}}[5m]))\n> {}",
            bound("throttling")
        ),
        hold: Some("15m"),
        severity: Severity::Warning,
        labels: Vec::new(),
        summary: "{{ $labels.service }} is held back from the processor".to_owned(),
        description: "{{ $labels.service }} was held back in {{ $value | humanizePercentage }} of the periods.".to_owned(),
        runbook: THROTTLED,
        cases: vec![
            fires(
                "1m",
                &[(&held, "0+300x40"), (&all, "0+600x40")],
                "30m",
                &[("service", "api")],
                "50%",
            ),
            quiet("1m", &[(&held, "0+6x40"), (&all, "0+600x40")], "30m"),
        ],
    }
}

fn memory() -> Alert {
    let used = format!("container_memory_working_set_bytes{{{LABELS}}}");
    let limit = format!("container_spec_memory_limit_bytes{{{LABELS}}}");
    Alert {
        name: "MemoryNearLimit",
        group: "containers",
        expr: format!(
            "max by (service) (\n  container_memory_working_set_bytes{{service!=\"\"}}\n  / (container_spec_memory_limit_bytes{{service!=\"\"}} > 0)\n)\n> {}",
            bound("memory")
        ),
        hold: Some("10m"),
        severity: Severity::Warning,
        labels: Vec::new(),
        summary: "{{ $labels.service }} is near its memory limit".to_owned(),
        description: "{{ $labels.service }} takes {{ $value | humanizePercentage }} of the memory it may take.".to_owned(),
        runbook: MEMORY,
        cases: vec![
            fires(
                "1m",
                &[(&used, "99x30"), (&limit, "100x30")],
                "20m",
                &[("service", "api")],
                "99%",
            ),
            // No limit is no share of one.
            quiet("1m", &[(&used, "99x30"), (&limit, "0x30")], "20m"),
            quiet("1m", &[(&used, "10x30"), (&limit, "100x30")], "20m"),
        ],
    }
}

fn volume() -> Alert {
    let of = |metric: &str| {
        format!(
            "node_filesystem_{metric}_bytes{{instance=\"node-exporter:9100\",device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/\"}}"
        )
    };
    let (free, size) = (of("avail"), of("size"));
    let kept = "fstype!~\"tmpfs|overlay|squashfs|ramfs\"";
    Alert {
        name: "VolumeFillingUp",
        group: "volumes",
        expr: format!(
            "min by (instance, device) (\n  node_filesystem_avail_bytes{{{kept}}} / node_filesystem_size_bytes{{{kept}}}\n) < 0.2\nand on (instance, device)\nmin by (instance, device) (\n  predict_linear(node_filesystem_avail_bytes{{{kept}}}[6h], 4 * 86400)\n) < 0"
        ),
        hold: Some("1h"),
        severity: Severity::Critical,
        labels: Vec::new(),
        summary: "{{ $labels.device }} fills up".to_owned(),
        description: "{{ $value | humanizePercentage }} of {{ $labels.device }} is free; as it grows now, it is full within four days.".to_owned(),
        runbook: VOLUME,
        cases: vec![
            fires(
                "5m",
                &[(&free, "600-5x120"), (&size, "1000x120")],
                "9h",
                &[("instance", "node-exporter:9100"), ("device", "/dev/sda1")],
                "6%",
            ),
            // Little room, yet it does not get less.
            quiet("5m", &[(&free, "150x120"), (&size, "1000x120")], "9h"),
        ],
    }
}
