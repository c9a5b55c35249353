//! Names of metrics that the code of others gives: each once, so that a new version of a convention
//! is a change of one table.

/// How a library counts requests: the counter, and the label that holds the status.
pub(super) struct RequestCounter {
    pub(super) counter: &'static str,
    pub(super) status: &'static str,
}

/// Counters of requests, by the conventions of OpenTelemetry, of Prometheus clients, and of Go.
pub(super) const REQUESTS: &[RequestCounter] = &[
    RequestCounter {
        counter: "http_server_request_duration_seconds_count",
        status: "http_response_status_code",
    },
    RequestCounter {
        counter: "http_requests_total",
        status: "status",
    },
    RequestCounter {
        counter: "http_requests_total",
        status: "status_code",
    },
    RequestCounter {
        counter: "http_requests_total",
        status: "code",
    },
];

/// Histograms of the time a request takes, without `_bucket` and the like.
pub(super) const DURATIONS: &[&str] = &[
    "http_server_request_duration_seconds",
    "http_request_duration_seconds",
];

/// The buckets that both conventions have, in seconds.
pub(super) const BUCKETS: &[&str] = &[
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10",
];

/// Metrics of agents and models: OpenTelemetry's semantic conventions for generative systems, as of
/// version 1.37, still in development there.
pub(super) mod gen_ai {
    /// Time that a request to a model takes.
    pub(crate) const OPERATION: &str = "gen_ai_client_operation_duration_seconds";
    /// Tokens of a request, by `gen_ai_token_type`.
    pub(crate) const TOKENS: &str = "gen_ai_client_token_usage";
    /// Time to the first piece of an answer.
    pub(crate) const FIRST: &str = "gen_ai_server_time_to_first_token_seconds";
    /// Time that one run of an agent takes.
    pub(crate) const AGENT: &str = "gen_ai_invoke_agent_duration_seconds";
    /// Time that one call of a tool takes.
    pub(crate) const TOOL: &str = "gen_ai_execute_tool_duration_seconds";
    /// The label of the model asked.
    pub(crate) const MODEL: &str = "gen_ai_request_model";
    /// The label of the tool.
    pub(crate) const TOOL_NAME: &str = "gen_ai_tool_name";
    /// The label of the agent.
    pub(crate) const AGENT_NAME: &str = "gen_ai_agent_name";
    /// The label that says whether tokens came in or went out.
    pub(crate) const TOKEN_TYPE: &str = "gen_ai_token_type";
}
