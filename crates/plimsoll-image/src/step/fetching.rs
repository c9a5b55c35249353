//! What a step that fetches sees of this machine: trusted certificates, name servers, proxies.

use std::path::{Path, PathBuf};

use crate::clients::ClientSettings;
use crate::{Access, BindMount};

/// Where the certificates are in the sandbox.
const CERTIFICATES: &str = "/plimsoll/certificates.pem";

/// Files that name resolution reads.
const NAME_RESOLUTION: &[&str] = &["/etc/resolv.conf", "/etc/hosts"];

/// Adds what a fetching step needs.
pub(crate) fn prepare(
    settings: &ClientSettings,
    mounts: &mut Vec<BindMount>,
    environment: &mut Vec<(String, String)>,
) {
    let mut show = |source: PathBuf, target: &str| {
        mounts.push(BindMount {
            source,
            target: PathBuf::from(target),
            access: Access::ReadOnly,
        });
    };
    for path in NAME_RESOLUTION {
        if Path::new(path).is_file() {
            show(PathBuf::from(path), path);
        }
    }
    if let Some(certificates) = settings.certificates() {
        show(certificates, CERTIFICATES);
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"] {
            environment.push((name.to_string(), CERTIFICATES.to_string()));
        }
    }
    environment.extend(settings.proxy_environment());
}
