//! Environment markers: which requirements hold for the image.

use std::str::FromStr;

use pep508_rs::{ExtraName, MarkerEnvironment, MarkerEnvironmentBuilder, MarkerTree};

use crate::oci::Architecture;
use crate::python::target::Target;

/// Tells whether a marker holds for the image.
pub(in crate::python) struct Markers {
    environment: Option<MarkerEnvironment>,
}

impl Markers {
    pub(in crate::python) fn of(target: &Target) -> Self {
        let interpreter = &target.interpreter;
        let environment = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: "cpython",
            implementation_version: interpreter.version,
            os_name: "posix",
            platform_machine: match target.architecture {
                Architecture::Amd64 => "x86_64",
                Architecture::Arm64 => "aarch64",
            },
            platform_python_implementation: "CPython",
            platform_release: "",
            platform_system: "Linux",
            platform_version: "",
            python_full_version: interpreter.version,
            python_version: interpreter.minor,
            sys_platform: "linux",
        });
        Self {
            environment: environment.ok(),
        }
    }

    /// Whether a marker is one that can be read.
    pub(in crate::python) fn is_readable(&self, marker: &str) -> bool {
        self.environment.is_some() && MarkerTree::from_str(marker).is_ok()
    }

    /// Whether a marker holds. One that cannot be read holds: too much is better than too little.
    pub(in crate::python) fn hold(&self, marker: &str, extras: &[String]) -> bool {
        let Some(environment) = &self.environment else {
            return true;
        };
        let extras: Vec<ExtraName> = extras
            .iter()
            .filter_map(|extra| ExtraName::from_str(extra).ok())
            .collect();
        match MarkerTree::from_str(marker) {
            Ok(tree) => tree.evaluate(environment, &extras),
            Err(_) => true,
        }
    }
}
