//! A service of Railway, as its configuration in the repository says it.

use serde_json::{Value, json};

use super::Tenant;

/// The file that the service's setting "config file" names; variables are set in the project.
pub(super) fn configuration(tenant: &Tenant<'_>) -> Value {
    let mut deploy = json!({
        "numReplicas": 1,
        "restartPolicyType": "ON_FAILURE",
        "restartPolicyMaxRetries": 10,
    });
    if let Some(path) = tenant.health() {
        deploy["healthcheckPath"] = json!(path);
        deploy["healthcheckTimeout"] = json!(120);
    }
    json!({
        "build": {
            "builder": "DOCKERFILE",
            "dockerfilePath": format!("docker/{}.Dockerfile", tenant.one.name()),
        },
        "deploy": deploy,
    })
}
