//! Which dashboards there are, and what stands on them.

use plimsoll_model::facts::NeedKind;

use super::super::Watched;
use super::super::names::{DURATIONS, REQUESTS, gen_ai};
use super::{Board, Panel, Source};

/// The dashboards of a project: only those that something in it fills.
pub(super) fn boards(watched: &Watched<'_>) -> Vec<Board> {
    let mut boards = vec![services(), containers(), logs()];
    if watched.stores().next().is_some() {
        boards.push(stores(watched));
    }
    if watched.models {
        boards.push(agents());
    }
    if watched.gpu {
        boards.push(gpu());
    }
    boards
}

fn panel(
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    queries: Vec<(String, &'static str)>,
) -> Panel {
    Panel {
        title,
        description,
        unit,
        queries,
        bound: None,
    }
}

fn one(query: impl Into<String>, legend: &'static str) -> Vec<(String, &'static str)> {
    vec![(query.into(), legend)]
}

fn rate(metric: &str, matchers: &str) -> String {
    format!("rate({metric}{{$scope{matchers}}}[$__rate_interval])")
}

fn services() -> Board {
    let mut counters: Vec<&str> = REQUESTS.iter().map(|one| one.counter).collect();
    counters.dedup();
    let all = counters
        .iter()
        .map(|counter| rate(counter, ""))
        .collect::<Vec<_>>()
        .join(" or ");
    let failed = REQUESTS
        .iter()
        .map(|one| rate(one.counter, &format!(",{}=~\"5..\"", one.status)))
        .collect::<Vec<_>>()
        .join(" or ");
    let slow = |quantile: &str| {
        let buckets = DURATIONS
            .iter()
            .map(|name| rate(&format!("{name}_bucket"), ""))
            .collect::<Vec<_>>()
            .join(" or ");
        format!("histogram_quantile({quantile}, sum by (service, le) ({buckets}))")
    };
    Board {
        name: "services",
        title: "Services",
        source: Source::Prometheus,
        of: "up",
        panels: vec![
            panel(
                "Requests",
                "Requests a second to each service",
                "reqps",
                one(format!("sum by (service) ({all})"), "{{service}}"),
            ),
            panel(
                "Errors",
                "Share of requests answered with a status of 500 or above",
                "percentunit",
                one(
                    format!("sum by (service) ({failed}) / sum by (service) ({all})"),
                    "{{service}}",
                ),
            ),
            panel(
                "Duration",
                "Time in which half, 95 % and 99 % of requests are answered",
                "s",
                vec![
                    (slow("0.5"), "{{service}} half"),
                    (slow("0.95"), "{{service}} 95 %"),
                    (slow("0.99"), "{{service}} 99 %"),
                ],
            ),
            panel(
                "Saturation",
                "Requests that each service works on at once",
                "short",
                one(
                    "sum by (service) (http_server_active_requests{$scope} or http_requests_in_progress{$scope})",
                    "{{service}}",
                ),
            ),
            panel(
                "Health",
                "1 when the health check of the service answers, seen from outside",
                "bool_yes_no",
                one("min by (service) (probe_success{$scope})", "{{service}}"),
            ),
            panel(
                "Health check duration",
                "Time that the health check takes, seen from outside",
                "s",
                one(
                    "max by (service) (probe_duration_seconds{$scope})",
                    "{{service}}",
                ),
            ),
        ],
    }
}

fn containers() -> Board {
    let mut memory = panel(
        "Memory of limit",
        "Share of the memory a container may take",
        "percentunit",
        one(
            "max by (service) (container_memory_working_set_bytes{$scope} / (container_spec_memory_limit_bytes{$scope} > 0))",
            "{{service}}",
        ),
    );
    memory.bound = Some("memory");
    let mut throttled = panel(
        "Throttling",
        "Share of periods in which a container was held back from the processor",
        "percentunit",
        one(
            format!(
                "sum by (service) ({}) / sum by (service) ({})",
                rate("container_cpu_cfs_throttled_periods_total", ""),
                rate("container_cpu_cfs_periods_total", "")
            ),
            "{{service}}",
        ),
    );
    throttled.bound = Some("throttling");
    Board {
        name: "containers",
        title: "Containers",
        source: Source::Prometheus,
        of: "container_last_seen",
        panels: vec![
            panel(
                "Processor",
                "Processors that each service keeps busy",
                "short",
                one(
                    format!(
                        "sum by (service) ({})",
                        rate("container_cpu_usage_seconds_total", "")
                    ),
                    "{{service}}",
                ),
            ),
            throttled,
            panel(
                "Memory",
                "Memory that each service holds and that cannot be taken back",
                "bytes",
                one(
                    "sum by (service) (container_memory_working_set_bytes{$scope})",
                    "{{service}}",
                ),
            ),
            memory,
            panel(
                "Network",
                "Bytes a second that each service takes in and gives out",
                "Bps",
                vec![
                    (
                        format!(
                            "sum by (service) ({})",
                            rate("container_network_receive_bytes_total", "")
                        ),
                        "{{service}} in",
                    ),
                    (
                        format!(
                            "sum by (service) ({})",
                            rate("container_network_transmit_bytes_total", "")
                        ),
                        "{{service}} out",
                    ),
                ],
            ),
            panel(
                "Disk",
                "Bytes a second that each service reads and writes",
                "Bps",
                vec![
                    (
                        format!(
                            "sum by (service) ({})",
                            rate("container_fs_reads_bytes_total", "")
                        ),
                        "{{service}} read",
                    ),
                    (
                        format!(
                            "sum by (service) ({})",
                            rate("container_fs_writes_bytes_total", "")
                        ),
                        "{{service}} written",
                    ),
                ],
            ),
            panel(
                "Starts",
                "How often containers of a service were started in the last hour",
                "short",
                one(
                    "sum by (service) (changes(container_start_time_seconds{$scope}[1h]))",
                    "{{service}}",
                ),
            ),
            panel(
                "Killed for memory",
                "Processes killed because a container's memory was used up",
                "short",
                one(
                    "sum by (service) (increase(container_oom_events_total{$scope}[$__rate_interval]))",
                    "{{service}}",
                ),
            ),
        ],
    }
}

fn stores(watched: &Watched<'_>) -> Board {
    let has = |kind| {
        watched
            .stores()
            .any(|one| one.store.is_some_and(|store| store.kind == Some(kind)))
    };
    let mut panels = vec![panel(
        "Reachable",
        "1 when the store accepts connections",
        "bool_yes_no",
        one("min by (service) (up{$scope,service!=\"\"})", "{{service}}"),
    )];
    if has(NeedKind::Postgres) {
        panels.extend([
            panel(
                "PostgreSQL connections",
                "Connections by state, and how many there may be",
                "short",
                vec![
                    (
                        "sum by (service, state) (pg_stat_activity_count{$scope})".to_owned(),
                        "{{service}} {{state}}",
                    ),
                    (
                        "max by (service) (pg_settings_max_connections{$scope})".to_owned(),
                        "{{service}} most",
                    ),
                ],
            ),
            panel(
                "PostgreSQL transactions",
                "Transactions a second, kept and undone",
                "ops",
                vec![
                    (
                        format!(
                            "sum by (service) ({})",
                            rate("pg_stat_database_xact_commit", "")
                        ),
                        "{{service}} kept",
                    ),
                    (
                        format!(
                            "sum by (service) ({})",
                            rate("pg_stat_database_xact_rollback", "")
                        ),
                        "{{service}} undone",
                    ),
                ],
            ),
            panel(
                "PostgreSQL size",
                "Size of each database",
                "bytes",
                one(
                    "max by (service, datname) (pg_database_size_bytes{$scope})",
                    "{{service}} {{datname}}",
                ),
            ),
        ]);
    }
    if has(NeedKind::Redis) {
        panels.extend([
            panel(
                "Redis commands",
                "Commands a second",
                "ops",
                one(
                    format!(
                        "sum by (service) ({})",
                        rate("redis_commands_processed_total", "")
                    ),
                    "{{service}}",
                ),
            ),
            panel(
                "Redis memory",
                "Memory in use",
                "bytes",
                one(
                    "max by (service) (redis_memory_used_bytes{$scope})",
                    "{{service}}",
                ),
            ),
            panel(
                "Redis clients",
                "Clients that are connected",
                "short",
                one(
                    "max by (service) (redis_connected_clients{$scope})",
                    "{{service}}",
                ),
            ),
        ]);
    }
    Board {
        name: "stores",
        title: "Data stores",
        source: Source::Prometheus,
        of: "up{service!=\"\"}",
        panels,
    }
}

fn agents() -> Board {
    let quantile = |metric: &str, by: &str| {
        format!(
            "histogram_quantile(0.95, sum by (service, {by}, le) ({}))",
            rate(&format!("{metric}_bucket"), "")
        )
    };
    let (model, tool, agent) = (gen_ai::MODEL, gen_ai::TOOL_NAME, gen_ai::AGENT_NAME);
    Board {
        name: "agents",
        title: "Agents and models",
        source: Source::Prometheus,
        of: "gen_ai_client_operation_duration_seconds_count",
        panels: vec![
            panel(
                "Model requests",
                "Requests a second to each model",
                "reqps",
                one(
                    format!(
                        "sum by (service, {model}) ({})",
                        rate(&format!("{}_count", gen_ai::OPERATION), "")
                    ),
                    "{{service}} {{gen_ai_request_model}}",
                ),
            ),
            panel(
                "Model errors",
                "Share of requests to models that fail",
                "percentunit",
                one(
                    format!(
                        "sum by (service, {model}) ({}) / sum by (service, {model}) ({})",
                        rate(&format!("{}_count", gen_ai::OPERATION), ",error_type!=\"\""),
                        rate(&format!("{}_count", gen_ai::OPERATION), "")
                    ),
                    "{{service}} {{gen_ai_request_model}}",
                ),
            ),
            panel(
                "Tokens",
                "Tokens a second, taken in and given out",
                "short",
                one(
                    format!(
                        "sum by (service, {model}, {}) ({})",
                        gen_ai::TOKEN_TYPE,
                        rate(&format!("{}_sum", gen_ai::TOKENS), "")
                    ),
                    "{{service}} {{gen_ai_request_model}} {{gen_ai_token_type}}",
                ),
            ),
            panel(
                "Model duration",
                "Time in which 95 % of requests to a model end",
                "s",
                one(
                    quantile(gen_ai::OPERATION, model),
                    "{{service}} {{gen_ai_request_model}}",
                ),
            ),
            panel(
                "First token",
                "Time in which 95 % of answers begin",
                "s",
                one(
                    quantile(gen_ai::FIRST, model),
                    "{{service}} {{gen_ai_request_model}}",
                ),
            ),
            panel(
                "Tools",
                "Time in which 95 % of the calls of a tool end",
                "s",
                one(
                    quantile(gen_ai::TOOL, tool),
                    "{{service}} {{gen_ai_tool_name}}",
                ),
            ),
            panel(
                "Agents",
                "Time in which 95 % of the runs of an agent end",
                "s",
                one(
                    quantile(gen_ai::AGENT, agent),
                    "{{service}} {{gen_ai_agent_name}}",
                ),
            ),
        ],
    }
}

fn gpu() -> Board {
    let with = |mut panel: Panel, bound| {
        panel.bound = Some(bound);
        panel
    };
    Board {
        name: "gpu",
        title: "GPU",
        source: Source::Prometheus,
        of: "DCGM_FI_DEV_GPU_TEMP",
        panels: vec![
            with(
                panel(
                    "Temperature",
                    "Temperature of each GPU",
                    "celsius",
                    one("max by (gpu) (DCGM_FI_DEV_GPU_TEMP{$scope})", "GPU {{gpu}}"),
                ),
                "gpu_temperature",
            ),
            with(
                panel(
                    "Utilization",
                    "Load of each GPU",
                    "percent",
                    one("avg by (gpu) (DCGM_FI_DEV_GPU_UTIL{$scope})", "GPU {{gpu}}"),
                ),
                "gpu_utilization",
            ),
            with(
                panel(
                    "Memory",
                    "Share of each GPU's memory in use",
                    "percentunit",
                    one(
                        "max by (gpu) (DCGM_FI_DEV_FB_USED{$scope} / (DCGM_FI_DEV_FB_USED{$scope} + DCGM_FI_DEV_FB_FREE{$scope}))",
                        "GPU {{gpu}}",
                    ),
                ),
                "gpu_memory",
            ),
            panel(
                "Power",
                "What each GPU draws",
                "watt",
                one(
                    "max by (gpu) (DCGM_FI_DEV_POWER_USAGE{$scope})",
                    "GPU {{gpu}}",
                ),
            ),
        ],
    }
}

fn logs() -> Board {
    let of = "{service_name=~\"$service\"}";
    Board {
        name: "logs",
        title: "Logs",
        source: Source::Loki,
        of: "",
        panels: vec![
            panel(
                "Lines",
                "Lines a second that each service writes",
                "short",
                one(
                    format!("sum by (service_name) (rate({of}[$__auto]))"),
                    "{{service_name}}",
                ),
            ),
            panel(
                "Errors",
                "Lines a second that say error",
                "short",
                one(
                    format!(
                        "sum by (service_name) (rate({of} |~ \"(?i)error|exception|fatal\" [$__auto]))"
                    ),
                    "{{service_name}}",
                ),
            ),
            panel("All lines", "What the services wrote", "none", one(of, "")),
        ],
    }
}
