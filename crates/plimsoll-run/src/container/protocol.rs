//! What is said over a supervisor's control socket: one JSON value a line, each way.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::ContainerState;

/// Said to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Answer with the state, now and at each change, until the container has ended.
    Watch,
    /// End the container for good: its stop signal, then SIGKILL.
    Stop {
        /// Time before SIGKILL; `None`: the specification's.
        grace: Option<Duration>,
    },
    /// End the program as a stop does, and start it again whatever the restart policy says.
    Restart,
    /// Send the program a signal.
    Kill {
        /// Its number.
        signal: i32,
    },
}

/// Said by the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The state.
    State {
        /// It.
        state: Box<ContainerState>,
    },
    /// The request was carried out, or is under way.
    Done,
    /// The request was not carried out.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Longest request: a supervisor does not gather more than this from one client.
pub(crate) const LONGEST_REQUEST: usize = 4096;

/// One value as a line.
pub(crate) fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("these types have no map with odd keys");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_way() {
        for request in [
            Request::Watch,
            Request::Stop {
                grace: Some(Duration::from_millis(1500)),
            },
            Request::Stop { grace: None },
            Request::Kill { signal: 9 },
            Request::Restart,
        ] {
            let line = line(&request);
            assert_eq!(serde_json::from_slice::<Request>(&line).unwrap(), request);
        }
    }
}
