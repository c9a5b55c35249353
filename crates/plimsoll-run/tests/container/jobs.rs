//! Services that others wait for to complete, live.

use std::time::Instant;

use plimsoll_diag::Spanned;
use plimsoll_model::{Command, Dependency, DependencyCondition, Service};
use plimsoll_run::stack::{ServiceOutcome, UpError};

use crate::fixture::Tests;
use crate::stack::{Stack, service};

pub const TESTS: Tests = &[
    ("jobs::a_job_is_waited_for", completed),
    ("jobs::a_job_that_fails_is_told", failed),
];

/// A service, and a job that it waits for.
fn services(job: &str) -> Vec<Service> {
    let words = ["sh", "-c", job].map(str::to_owned).to_vec();
    let migrate = Service {
        command: Some(Spanned::unplaced(Command(words))),
        ..service("migrate")
    };
    let mut web = service("web");
    web.depends_on.insert(
        "migrate".to_owned(),
        Spanned::unplaced(Dependency {
            condition: DependencyCondition::ServiceCompletedSuccessfully,
            required: true,
            restart: false,
        }),
    );
    vec![migrate, web]
}

fn completed() {
    // Long enough to be seen while it runs.
    let stack = Stack::new(services("sleep 2"));
    let report = stack.up().unwrap();
    let outcomes: Vec<_> = report
        .services
        .iter()
        .map(|one| (one.service.as_str(), one.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("migrate", ServiceOutcome::Completed),
            ("web", ServiceOutcome::Started)
        ]
    );
}

fn failed() {
    let stack = Stack::new(services("sleep 1; echo no database; exit 7"));
    let began = Instant::now();
    let Err(UpError::Services(failures)) = stack.up() else {
        panic!("a job that fails is a failure");
    };
    let job = failures
        .iter()
        .find(|one| one.service == "migrate")
        .unwrap();
    let message = &job.diagnostic.message;
    assert!(
        message.starts_with("`migrate` exited with code 7"),
        "{message}"
    );
    assert_eq!(job.last_lines, ["no database"]);
    // Well before the stack's time is over.
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}
