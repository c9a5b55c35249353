//! What dependencies are installed for, and where that is done.

use super::interpreter::Interpreter;
use crate::debian::Suite;
use crate::oci::Architecture;

/// What dependencies are installed for, and where that is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// The interpreter, which both processors have in one version.
    pub interpreter: Interpreter,
    /// The processor the image is for.
    pub architecture: Architecture,
    /// The processor that steps run on.
    pub host: Architecture,
}

impl Target {
    /// Whether nothing that is compiled here would run in the image.
    pub(super) fn is_foreign(&self) -> bool {
        self.architecture != self.host
    }

    /// The image's platform as uv calls it; `None` where it is this machine's own.
    pub(super) fn platform(&self) -> Option<String> {
        if !self.is_foreign() {
            return None;
        }
        let processor = match self.architecture {
            Architecture::Amd64 => "x86_64",
            Architecture::Arm64 => "aarch64",
        };
        // The newest that uv knows and the release's C library satisfies.
        let library = match self.interpreter.suite {
            Suite::Bookworm => "2_36",
            Suite::Trixie => "2_40",
        };
        Some(format!("{processor}-manylinux_{library}"))
    }

    /// Arguments that make uv choose wheels for the image.
    pub(super) fn arguments(&self) -> Vec<String> {
        match self.platform() {
            Some(platform) => vec!["--python-platform".to_string(), platform],
            None => Vec::new(),
        }
    }

    /// The directory of Debian's libraries for a processor.
    pub(super) fn libraries_of(architecture: Architecture) -> &'static str {
        match architecture {
            Architecture::Amd64 => "x86_64-linux-gnu",
            Architecture::Arm64 => "aarch64-linux-gnu",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::interpreter::INTERPRETERS;
    use super::*;

    #[test]
    fn only_a_foreign_processor_is_named() {
        let target = |architecture| Target {
            interpreter: INTERPRETERS[0],
            architecture,
            host: Architecture::Amd64,
        };
        assert_eq!(
            target(Architecture::Amd64).arguments(),
            Vec::<String>::new()
        );
        assert_eq!(
            target(Architecture::Arm64).platform().as_deref(),
            Some("aarch64-manylinux_2_40")
        );
    }
}
