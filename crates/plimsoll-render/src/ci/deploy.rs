//! `deploy.yml`: an environment gets images by their digests, through the chart, or stays as it is.

use serde_json::{Value, json};

use super::actions::{COSIGN, checkout, login};
use super::image::VERIFY;
use super::images::Registry;
use crate::{Input, helm};

/// What the file says of itself.
pub(super) fn about(input: &Input<'_>) -> String {
    format!(
        "\nOne environment: images go there by digest, through the chart in {}, after their\n\
         signatures were verified. What does not become ready is rolled back.\n\n\
         Secret of the environment: KUBECONFIG, of an account that may write to its namespace alone.\n",
        helm::place(input)
    )
}

/// The workflow.
pub(super) fn workflow(input: &Input<'_>, registry: &Registry) -> Value {
    let text = |description: &str| json!({ "description": description, "type": "string", "required": true });
    let mut call = json!({
        "inputs": {
            "environment": text("The environment of the repository, and of the chart's values"),
            "values": text("The short name in the name of its values"),
            "images": text("A service and its image on a line each"),
        },
        // The environment's own stands above what is passed.
        "secrets": { "KUBECONFIG": { "required": false } },
    });
    if !registry.is_githubs() {
        for name in ["REGISTRY_USERNAME", "REGISTRY_PASSWORD"] {
            call["secrets"][name] = json!({ "required": true });
        }
    }
    let mut permissions = json!({ "contents": "read" });
    if registry.is_githubs() {
        permissions["packages"] = json!("read");
    }
    let name = &input.namespace();
    let place = helm::place(input);
    let verify = VERIFY.replace('\n', "\n  ");
    let verify = format!(
        "while read -r service REFERENCE; do\n  echo \"$service: $REFERENCE\"\n  {}\ndone <<< \"${{IMAGES%$'\\n'}}\"\n",
        verify.trim_end()
    );
    let upgrade = format!(
        "arguments=()
while read -r service reference; do
  arguments+=(
    --set-string \"services.$service.image.repository=${{reference%@*}}\"
    --set-string \"services.$service.image.digest=${{reference#*@}}\"
  )
done <<< \"${{IMAGES%$'\\n'}}\"
helm upgrade {name} {place} --install \\
  --namespace {name} \\
  --values \"{place}/values-$VALUES.yaml\" \\
  \"${{arguments[@]}}\" \\
  --atomic --timeout 10m
"
    );
    json!({
        "name": "deploy",
        "on": { "workflow_call": call },
        "permissions": {},
        "jobs": {
            "deploy": {
                "name": "deploy to ${{ inputs.environment }}",
                "runs-on": "ubuntu-24.04",
                "timeout-minutes": 20,
                "environment": "${{ inputs.environment }}",
                "permissions": permissions,
                // One after the other: a deployment that is cut off leaves a half.
                "concurrency": {
                    "group": "deploy-${{ inputs.environment }}",
                    "cancel-in-progress": false,
                },
                "steps": [
                    checkout(),
                    login(registry),
                    COSIGN.step(),
                    {
                        "name": "Verify signatures",
                        "env": {
                            "IMAGES": "${{ inputs.images }}",
                            "REPOSITORY": "${{ github.repository }}",
                        },
                        "run": verify,
                    },
                    {
                        "name": "Take the cluster's address",
                        "env": { "CONTENT": "${{ secrets.KUBECONFIG }}" },
                        "run": "install -m 600 /dev/null \"$RUNNER_TEMP/kubeconfig\"\nprintf '%s' \"$CONTENT\" > \"$RUNNER_TEMP/kubeconfig\"\necho \"KUBECONFIG=$RUNNER_TEMP/kubeconfig\" >> \"$GITHUB_ENV\"\n",
                    },
                    {
                        "name": "Deploy, or roll back",
                        "env": {
                            "IMAGES": "${{ inputs.images }}",
                            "VALUES": "${{ inputs.values }}",
                        },
                        "run": upgrade,
                    },
                    {
                        "name": "Test what runs now",
                        "run": format!("helm test {name} --namespace {name} --timeout 5m\n"),
                    },
                ],
            },
        },
    })
}
