//! `x-plimsoll`: what Compose cannot say.
//!
//! Standard keys come first; a key stands here only when there is no standard one. Unknown keys
//! are errors. The JSON schema is made from these tables.

use super::super::shape::*;

const fn record(name: &'static str, fields: &'static [Field]) -> Record {
    Record {
        name,
        fields,
        required: &[],
        extra: Extra::No,
        print: Print::Usual,
    }
}

static WAIVER: Record = Record {
    name: "waiver",
    fields: &[
        own("rule", &TEXT, "Identifier of the rule that is waived."),
        own("reason", &TEXT, "Why; shown in every report."),
        own("until", &TEXT, "Last day it holds, as YYYY-MM-DD."),
    ],
    required: &["rule", "reason"],
    extra: Extra::No,
    print: Print::Usual,
};

static WAIVERS: Shape = Shape::List(&Shape::Record(&WAIVER));

static THRESHOLDS: Record = record(
    "thresholds",
    &[
        own(
            "gpu_temperature",
            &NUMBER,
            "Temperature of a GPU, in degrees Celsius; 80.",
        ),
        own("gpu_utilization", &NUMBER, "Load of a GPU, in percent; 95."),
        own(
            "gpu_memory",
            &NUMBER,
            "Memory of a GPU in use, in percent; 90.",
        ),
        own(
            "memory",
            &NUMBER,
            "Memory in use, in percent of a container's limit; 90.",
        ),
        own(
            "throttling",
            &NUMBER,
            "Periods in which a container was held back from the processor, in percent; 25.",
        ),
        own(
            "certificate",
            &TEXT,
            "Time that a certificate is still valid; 14d.",
        ),
        own("backup", &TEXT, "Age of the newest backup; 26h."),
    ],
);

static SLO: Record = record(
    "slo",
    &[
        own(
            "availability",
            &NUMBER,
            "Share of requests that succeed, in percent.",
        ),
        own(
            "p95",
            &TEXT,
            "Time in which 95 % of requests are answered: 300ms.",
        ),
        own(
            "first_token",
            &TEXT,
            "Time to the first token of a stream: 2s.",
        ),
    ],
);

static BUDGET: Record = record(
    "budget",
    &[
        own("image", &WHOLE, "Largest size of the image: 200m."),
        own("start", &TEXT, "Longest time until healthy: 5s."),
    ],
);

static ROUTE: Record = record(
    "route",
    &[
        own(
            "host",
            &TEXT_OR_TEXTS,
            "Host names that lead to the service.",
        ),
        own(
            "path",
            &TEXT,
            "Beginning of the paths that lead to it; `/` when unset.",
        ),
        own(
            "port",
            &WHOLE,
            "Port in the container; the only one when unset.",
        ),
        own("tls", &BOOLEAN, "Whether it is served over TLS."),
        own(
            "protocol",
            &Shape::Word(&["http", "grpc", "tcp"]),
            "What the service speaks.",
        ),
        own(
            "sticky",
            &Shape::Word(&["cookie", "header", "none"]),
            "What ties a client to a container.",
        ),
        own(
            "stream",
            &Shape::Word(&["sse", "ws", "grpc"]),
            "Kind of its long answers.",
        ),
        own(
            "max_stream",
            &TEXT,
            "How long a stream may go on when its container is replaced.",
        ),
    ],
);

static CANARY: Record = record(
    "canary",
    &[
        own(
            "steps",
            &Shape::List(&Shape::Bounded(1, 100)),
            "Shares of the traffic in percent, one after the other.",
        ),
        own("pause", &TEXT, "How long each step is watched."),
        own(
            "requests",
            &WHOLE,
            "Requests on each side without which no step is judged.",
        ),
    ],
);

static STRATEGY: Record = record(
    "strategy",
    &[own(
        "canary",
        &Shape::Record(&CANARY),
        "A growing share of the traffic goes to the new version.",
    )],
);

static SCALE: Record = record(
    "scale",
    &[
        own("min", &WHOLE, "Containers at least."),
        own("max", &WHOLE, "Containers at most."),
        own(
            "cpu",
            &Shape::Bounded(1, 100),
            "Processor load to keep, in percent.",
        ),
        own(
            "memory",
            &Shape::Bounded(1, 100),
            "Memory use to keep, in percent.",
        ),
        own("rps", &NUMBER, "Requests a second to one container."),
        own("queue", &NUMBER, "Waiting jobs to one container."),
    ],
);

static BACKUP: Record = record(
    "backup",
    &[
        own("schedule", &TEXT, "When, as five cron fields."),
        own("retention", &TEXT, "How long copies are kept: 30d."),
        own(
            "pitr",
            &BOOLEAN,
            "Whether any moment between copies can be restored.",
        ),
        own("drill", &TEXT, "How often a restore is tried: 7d."),
    ],
);

static MIGRATE: Record = record(
    "migrate",
    &[own(
        "phase",
        &Shape::Word(&["expand", "contract"]),
        "Whether the migration keeps the former version working.",
    )],
);

static DATA: Record = record(
    "data",
    &[
        own(
            "engine",
            &TEXT,
            "What keeps the data: postgres, mysql, redis, sqlite…",
        ),
        own("size", &WHOLE, "Room for it: 10g."),
        own("backup", &Shape::Record(&BACKUP), "Copies of the data."),
        own(
            "migrate",
            &Shape::Record(&MIGRATE),
            "How its schema changes.",
        ),
    ],
);

/// `x-plimsoll` of a service.
pub(in super::super) static OWN_SERVICE: Record = record(
    "x-plimsoll",
    &[
        own(
            "kind",
            &Shape::Word(&[
                "web", "worker", "job", "cron", "database", "cache", "model", "mcp",
            ]),
            "What the service is.",
        ),
        own(
            "schedule",
            &TEXT,
            "When a service of kind `cron` runs, as five cron fields.",
        ),
        own(
            "live",
            &TEXT,
            "Path that answers as long as the process lives, whatever it depends on.",
        ),
        own(
            "route",
            &Shape::Record(&ROUTE),
            "How requests reach the service.",
        ),
        own(
            "strategy",
            &Shape::Either(&[
                Shape::Word(&["rolling", "blue-green"]),
                Shape::Record(&STRATEGY),
            ]),
            "How a new version replaces the former.",
        ),
        own(
            "scale",
            &Shape::Record(&SCALE),
            "How many containers, by load.",
        ),
        own("data", &Shape::Record(&DATA), "The data it keeps."),
        own(
            "egress",
            &UNIQUE_TEXTS,
            "Hosts and networks it may reach; empty means none.",
        ),
        own(
            "optional",
            &UNIQUE_TEXTS,
            "Variables that it starts without, although its code seems to need them.",
        ),
        own("slo", &Shape::Record(&SLO), "What it promises."),
        own("budget", &Shape::Record(&BUDGET), "What it may cost."),
        own("waive", &WAIVERS, "Rules that do not hold for it."),
    ],
);

/// `x-plimsoll` of the whole project.
pub(in super::super) static OWN_PROJECT: Record = record(
    "x-plimsoll",
    &[
        own(
            "egress",
            &UNIQUE_TEXTS,
            "Hosts and networks that services may reach unless they say otherwise.",
        ),
        own(
            "slo",
            &Shape::Record(&SLO),
            "What services promise unless they say otherwise.",
        ),
        own(
            "budget",
            &Shape::Record(&BUDGET),
            "What services may cost unless they say otherwise.",
        ),
        own(
            "generate",
            &UNIQUE_TEXTS,
            "Variables that get a value made up on this machine where nothing sets them: passwords that only the stack itself uses.",
        ),
        own(
            "thresholds",
            &Shape::Record(&THRESHOLDS),
            "Bounds past which somebody is told.",
        ),
        own("waive", &WAIVERS, "Rules that do not hold for the project."),
    ],
);
