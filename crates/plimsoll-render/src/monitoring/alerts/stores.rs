//! Alerts on data stores: connections, memory, backups that are missing.

use plimsoll_model::facts::NeedKind;

use super::super::Watched;
use super::super::thresholds::bound;
use super::{Alert, Runbook, Severity, fires, quiet};

const CONNECTIONS: Runbook = Runbook {
    impact: "When no connection is left, services that need the database fail.",
    look: &[(
        "docker compose exec SERVICE psql --command 'select application_name, state, count(*) from pg_stat_activity group by 1, 2'",
        "who holds connections, and whether they work",
    )],
    fix: &[
        "Lower the pool size of the service that holds most of them.",
        "Raise `max_connections` only when memory allows it.",
    ],
};

const CACHE: Runbook = Runbook {
    impact: "Redis drops keys or refuses to write, as its policy says.",
    look: &[(
        "docker compose exec SERVICE redis-cli info memory",
        "what is used, and the limit",
    )],
    fix: &["Raise `maxmemory`, or let keys end earlier."],
};

const BACKUP: Runbook = Runbook {
    impact: "What was written since the last backup would be lost with the volume.",
    look: &[(
        "docker compose ps",
        "whether the store and what backs it up run",
    )],
    fix: &[
        "Take a backup now, then find out why the scheduled one did not run.",
        "Check that there is room where backups are kept.",
    ],
};

const DRILL: Runbook = Runbook {
    impact: "The newest backup could not be restored: it may be worth nothing.",
    look: &[("docker compose ps", "whether the store runs")],
    fix: &["Restore an older backup into a throwaway store, and compare the counts of rows."],
};

pub(super) fn alerts(watched: &Watched<'_>) -> Vec<Alert> {
    let has = |kind| {
        watched
            .stores()
            .any(|one| one.store.is_some_and(|store| store.kind == Some(kind)))
    };
    let mut alerts = Vec::new();
    if has(NeedKind::Postgres) {
        alerts.push(connections());
    }
    if has(NeedKind::Redis) {
        alerts.push(cache());
    }
    if watched.stores().next().is_some() {
        alerts.push(backup());
        alerts.push(drill());
    }
    alerts
}

fn connections() -> Alert {
    let used = r#"pg_stat_activity_count{service="postgres",instance="a",state="active"}"#;
    let most = r#"pg_settings_max_connections{service="postgres",instance="a"}"#;
    Alert {
        name: "ConnectionsNearLimit",
        group: "stores",
        expr: "sum by (service, instance) (pg_stat_activity_count)\n/ on (service, instance)\nmax by (service, instance) (pg_settings_max_connections)\n> 0.8".to_owned(),
        hold: Some("5m"),
        severity: Severity::Warning,
        labels: Vec::new(),
        summary: "{{ $labels.service }} has few connections left".to_owned(),
        description: "{{ $value | humanizePercentage }} of the connections of {{ $labels.service }} are taken.".to_owned(),
        runbook: CONNECTIONS,
        cases: vec![
            fires(
                "1m",
                &[(used, "90x20"), (most, "100x20")],
                "10m",
                &[("service", "postgres"), ("instance", "a")],
                "90%",
            ),
            quiet("1m", &[(used, "20x20"), (most, "100x20")], "10m"),
        ],
    }
}

fn cache() -> Alert {
    let used = r#"redis_memory_used_bytes{service="redis",instance="a"}"#;
    let most = r#"redis_memory_max_bytes{service="redis",instance="a"}"#;
    Alert {
        name: "CacheNearLimit",
        group: "stores",
        expr: format!(
            "redis_memory_used_bytes / (redis_memory_max_bytes > 0) > {}",
            bound("memory")
        ),
        hold: Some("10m"),
        severity: Severity::Warning,
        labels: Vec::new(),
        summary: "{{ $labels.service }} is near its memory limit".to_owned(),
        description: "{{ $labels.service }} takes {{ $value | humanizePercentage }} of the memory it may take.".to_owned(),
        runbook: CACHE,
        cases: vec![
            fires(
                "1m",
                &[(used, "99x20"), (most, "100x20")],
                "15m",
                &[("service", "redis"), ("instance", "a")],
                "99%",
            ),
            quiet("1m", &[(used, "99x20"), (most, "0x20")], "15m"),
        ],
    }
}

fn backup() -> Alert {
    let series = r#"plimsoll_backup_last_success_timestamp_seconds{service="postgres"}"#;
    Alert {
        name: "BackupTooOld",
        group: "backups",
        expr: format!(
            "time() - max by (service) (plimsoll_backup_last_success_timestamp_seconds) > {}",
            bound("backup_seconds")
        ),
        hold: Some("10m"),
        severity: Severity::Critical,
        labels: Vec::new(),
        summary: "The newest backup of {{ $labels.service }} is too old".to_owned(),
        description:
            "The newest backup of {{ $labels.service }} is {{ $value | humanizeDuration }} old."
                .to_owned(),
        runbook: BACKUP,
        cases: vec![
            // The clock of a test begins at zero: the backup was made 100 days before minute 20.
            fires(
                "1m",
                &[(series, "-8638800x40")],
                "20m",
                &[("service", "postgres")],
                "100d 0h 0m 0s",
            ),
            quiet("1m", &[(series, "0+60x40")], "20m"),
        ],
    }
}

fn drill() -> Alert {
    let series = r#"plimsoll_restore_drill_success{service="postgres"}"#;
    Alert {
        name: "RestoreDrillFailed",
        group: "backups",
        expr: "max by (service) (plimsoll_restore_drill_success) == 0".to_owned(),
        hold: Some("5m"),
        severity: Severity::Critical,
        labels: Vec::new(),
        summary: "The newest backup of {{ $labels.service }} could not be restored".to_owned(),
        description: "The last trial of restoring {{ $labels.service }} failed.".to_owned(),
        runbook: DRILL,
        cases: vec![
            fires(
                "1m",
                &[(series, "0x20")],
                "10m",
                &[("service", "postgres")],
                "",
            ),
            quiet("1m", &[(series, "1x20")], "10m"),
        ],
    }
}
