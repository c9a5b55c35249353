//! What an image of a Python application is started with.

use std::collections::BTreeSet;
use std::path::Path;

use super::build::Build;
use super::environment::ENVIRONMENT;
use super::packing::APPLICATION;
use crate::base;
use crate::oci::ImageConfig;

impl Build<'_> {
    /// How the image starts.
    pub(super) fn config(&self) -> ImageConfig {
        let path = format!("{ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin");
        let mut environment: Vec<(String, String)> = [
            ("PATH", path.as_str()),
            ("VIRTUAL_ENV", ENVIRONMENT),
            ("PYTHONUNBUFFERED", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("HOME", base::HOME),
            ("LANG", "C.UTF-8"),
            ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .to_vec();
        for (name, value) in &self.recipe.environment {
            environment.retain(|(known, _)| known != name);
            environment.push((name.clone(), value.clone()));
        }
        let working_dir = Path::new(APPLICATION).join(&self.recipe.working_dir);
        ImageConfig {
            user: base::USER.to_string(),
            environment,
            command: self.recipe.command.clone(),
            working_dir: working_dir.display().to_string(),
            exposed_ports: exposed(&self.recipe.ports),
            ..ImageConfig::default()
        }
    }
}

/// `8000` → `8000/tcp`.
pub(crate) fn exposed(ports: &[u16]) -> BTreeSet<String> {
    ports.iter().map(|port| format!("{port}/tcp")).collect()
}
