//! What a stage of a Dockerfile is for, as far as its name says it.
//!
//! `build.target` of a Compose file names a stage. Where no Dockerfile builds the image, the name
//! alone tells which image is meant. Only names that mean one thing everywhere are known: what
//! `base` or `builder` hold is different in each project.

/// What is done with a stage's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StagePurpose {
    /// It runs the service for its users.
    Production,
    /// The same, as small as can be.
    Slim,
    /// The service is developed in it.
    Development,
    /// It is looked into while it runs.
    Debugging,
    /// It runs the tests.
    Tests,
}

impl StagePurpose {
    /// The purpose that a stage's name tells; `None` where it could be anything.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "prod" | "production" | "runtime" | "release" | "final" | "runner" => Self::Production,
            "slim" => Self::Slim,
            "dev" | "develop" | "development" => Self::Development,
            "debug" => Self::Debugging,
            "test" | "tests" | "testing" => Self::Tests,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_mean_one_thing_are_known() {
        for (name, purpose) in [
            ("production", Some(StagePurpose::Production)),
            ("runner", Some(StagePurpose::Production)),
            ("slim", Some(StagePurpose::Slim)),
            ("Development", Some(StagePurpose::Development)),
            ("debug", Some(StagePurpose::Debugging)),
            ("testing", Some(StagePurpose::Tests)),
            ("builder", None),
            ("base", None),
            ("dev-tools", None),
        ] {
            assert_eq!(StagePurpose::of_name(name), purpose, "{name}");
        }
    }
}
