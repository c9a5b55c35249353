//! `image.yml`: one image, from its Dockerfile to a signed index of both architectures that has been
//! run as it was published. It is called by other workflows.

use serde_json::{Value, json};

use super::actions::{
    ATTEST, BUILD, BUILDX, COSIGN, METADATA, SARIF, TRIVY, checkout, login, named, only_if,
};
use super::images::Registry;

/// Each architecture on machines of its own: nothing is emulated.
pub(super) fn architectures() -> Value {
    json!({ "include": [
        { "architecture": "amd64", "runner": "ubuntu-24.04" },
        { "architecture": "arm64", "runner": "ubuntu-24.04-arm" },
    ] })
}

/// What the file says of itself.
pub(super) fn about(registry: &Registry) -> String {
    let mut text = "\nOne image: built for both architectures without emulation, scanned, and, outside of pull\n\
         requests, published as one index, signed, and looked at as it was published. An image gets its\n\
         tags only after its scan has passed.\n"
        .to_owned();
    if !registry.is_githubs() {
        text.push_str(&format!(
            "\nSecrets: REGISTRY_USERNAME and REGISTRY_PASSWORD, for {}.\n",
            registry.host
        ));
    }
    text
}

/// The workflow.
pub(super) fn workflow(registry: &Registry) -> Value {
    let text = |description: &str| json!({ "description": description, "type": "string", "required": true });
    let optional =
        |description: &str| json!({ "description": description, "type": "string", "default": "" });
    let mut call = json!({
        "inputs": {
            "name": text("The image's name"),
            "context": text("The directory that the Dockerfile copies from"),
            "file": text("The Dockerfile"),
            "target": optional("The stage to build"),
            "arguments": optional("Build arguments, NAME=VALUE on a line each"),
            "publish": {
                "description": "Whether it is published, or only built and scanned",
                "type": "boolean",
                "required": true,
            },
            "root": {
                "description": "Whether it may run as root",
                "type": "boolean",
                "default": false,
            },
        },
        "outputs": {
            "reference": {
                "description": "The published image, by its digest",
                "value": "${{ jobs.publish.outputs.reference }}",
            },
        },
    });
    if !registry.is_githubs() {
        call["secrets"] = json!({
            "REGISTRY_USERNAME": { "required": true },
            "REGISTRY_PASSWORD": { "required": true },
        });
    }
    json!({
        "name": "image",
        "on": { "workflow_call": call },
        "permissions": {},
        "jobs": {
            "build": build(registry),
            "publish": publish(registry),
            "check": check(registry),
        },
    })
}

/// The image's full name: registries know small letters only.
fn name(registry: &Registry) -> Value {
    let step = match &registry.path {
        None => json!({
            "env": { "REPOSITORY": "${{ github.repository }}", "NAME": "${{ inputs.name }}" },
            "run": format!("echo \"name={}/${{REPOSITORY,,}}/$NAME\" >> \"$GITHUB_OUTPUT\"\n", registry.host),
        }),
        Some(path) => {
            let separator = if path.is_empty() { "" } else { "/" };
            json!({
                "env": { "NAME": "${{ inputs.name }}" },
                "run": format!("echo \"name={}/{path}{separator}$NAME\" >> \"$GITHUB_OUTPUT\"\n", registry.host),
            })
        }
    };
    named(step, "Name the image", Some("image"))
}

fn packages(registry: &Registry, access: &str) -> Value {
    if registry.is_githubs() {
        json!({ "packages": access })
    } else {
        json!({})
    }
}

fn permissions(first: Value, rest: Value) -> Value {
    let mut all = first;
    if let (Some(all), Value::Object(rest)) = (all.as_object_mut(), rest) {
        all.extend(rest);
    }
    all
}

fn build(registry: &Registry) -> Value {
    let reference = "${{ inputs.publish && format('{0}@{1}', steps.image.outputs.name, steps.build.outputs.digest) || format('{0}:check', steps.image.outputs.name) }}";
    let scan = |with: Value| {
        let mut step = TRIVY.with(with);
        // The scanner takes the first architecture that it knows unless it is told another.
        step["env"] = json!({ "TRIVY_PLATFORM": "linux/${{ matrix.architecture }}" });
        step
    };
    json!({
        "name": "build for ${{ matrix.architecture }}",
        "runs-on": "${{ matrix.runner }}",
        "timeout-minutes": 30,
        "permissions": permissions(
            json!({ "contents": "read", "security-events": "write" }),
            packages(registry, "write"),
        ),
        "strategy": { "matrix": architectures() },
        "outputs": {
            "amd64": "${{ steps.digest.outputs.amd64 }}",
            "arm64": "${{ steps.digest.outputs.arm64 }}",
        },
        "steps": [
            checkout(),
            name(registry),
            BUILDX.step(),
            only_if(login(registry), "inputs.publish"),
            named(
                METADATA.with(json!({ "images": "${{ steps.image.outputs.name }}" })),
                "Describe it",
                Some("metadata"),
            ),
            named(
                BUILD.with(json!({
                    "context": "${{ inputs.context }}",
                    "file": "${{ inputs.file }}",
                    "target": "${{ inputs.target }}",
                    "platforms": "linux/${{ matrix.architecture }}",
                    "build-args": "VERSION=${{ steps.metadata.outputs.version }}\nREVISION=${{ github.sha }}\n${{ inputs.arguments }}\n",
                    "labels": "${{ steps.metadata.outputs.labels }}",
                    "pull": true,
                    "no-cache": "${{ github.event_name == 'schedule' }}",
                    "cache-from": "type=gha,scope=${{ inputs.name }}-${{ matrix.architecture }}",
                    "cache-to": "type=gha,mode=max,scope=${{ inputs.name }}-${{ matrix.architecture }}",
                    "provenance": "${{ inputs.publish && 'mode=max' || 'false' }}",
                    "sbom": "${{ inputs.publish }}",
                    "outputs": "${{ inputs.publish && format('type=image,name={0},push-by-digest=true,name-canonical=true,push=true', steps.image.outputs.name) || format('type=docker,name={0}:check', steps.image.outputs.name) }}",
                })),
                "Build it",
                Some("build"),
            ),
            {
                "name": "Tell its digest",
                "id": "digest",
                "env": {
                    "ARCHITECTURE": "${{ matrix.architecture }}",
                    "DIGEST": "${{ steps.build.outputs.digest }}",
                },
                "run": "echo \"$ARCHITECTURE=$DIGEST\" >> \"$GITHUB_OUTPUT\"\n",
            },
            named(
                scan(json!({
                    "image-ref": reference,
                    "format": "sarif",
                    "output": "scan.sarif",
                    "limit-severities-for-sarif": true,
                    "severity": "CRITICAL,HIGH,MEDIUM",
                })),
                "Scan it",
                None,
            ),
            // A pull request from a fork, or of Dependabot, may not write findings.
            named(
                only_if(
                    SARIF.with(json!({
                        "sarif_file": "scan.sarif",
                        "category": "${{ inputs.name }}-${{ matrix.architecture }}",
                    })),
                    "github.event.pull_request.head.repo.fork != true && github.actor != 'dependabot[bot]'",
                ),
                "Tell what the scan found",
                None,
            ),
            named(
                scan(json!({
                    "image-ref": reference,
                    "severity": "CRITICAL",
                    "ignore-unfixed": true,
                    "exit-code": "1",
                    "skip-setup-trivy": true,
                })),
                "Refuse critical findings that have a fix",
                None,
            ),
        ],
    })
}

fn publish(registry: &Registry) -> Value {
    let index = "arguments=()
while read -r tag; do
  arguments+=(--tag \"$tag\")
done <<< \"$TAGS\"
docker buildx imagetools create \"${arguments[@]}\" \"$NAME@$AMD64\" \"$NAME@$ARM64\"
digest=$(docker buildx imagetools inspect \"${TAGS%%$'\\n'*}\" --format '{{.Manifest.Digest}}')
echo \"digest=$digest\" >> \"$GITHUB_OUTPUT\"
echo \"reference=$NAME@$digest\" >> \"$GITHUB_OUTPUT\"
";
    json!({
        "if": "inputs.publish",
        "needs": "build",
        "runs-on": "ubuntu-24.04",
        "timeout-minutes": 15,
        "permissions": permissions(
            json!({ "id-token": "write", "attestations": "write" }),
            packages(registry, "write"),
        ),
        "outputs": { "reference": "${{ steps.index.outputs.reference }}" },
        "steps": [
            name(registry),
            BUILDX.step(),
            login(registry),
            named(
                METADATA.with(json!({
                    "images": "${{ steps.image.outputs.name }}",
                    "flavor": "latest=false\n",
                    "tags": "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=ref,event=branch\ntype=sha,format=long\n",
                })),
                "Choose its tags",
                Some("metadata"),
            ),
            {
                "name": "Publish one index of both architectures",
                "id": "index",
                "env": {
                    "NAME": "${{ steps.image.outputs.name }}",
                    "TAGS": "${{ steps.metadata.outputs.tags }}",
                    "AMD64": "${{ needs.build.outputs.amd64 }}",
                    "ARM64": "${{ needs.build.outputs.arm64 }}",
                },
                "run": index,
            },
            COSIGN.step(),
            {
                "name": "Sign it",
                "env": { "REFERENCE": "${{ steps.index.outputs.reference }}" },
                "run": "cosign sign --yes \"$REFERENCE\"\n",
            },
            named(
                ATTEST.with(json!({
                    "subject-name": "${{ steps.image.outputs.name }}",
                    "subject-digest": "${{ steps.index.outputs.digest }}",
                    "push-to-registry": true,
                    "create-storage-record": false,
                })),
                "Attest where it came from",
                None,
            ),
        ],
    })
}

/// Verifies the signature of what `REFERENCE` names.
pub(super) const VERIFY: &str = "cosign verify \\
  --certificate-oidc-issuer https://token.actions.githubusercontent.com \\
  --certificate-identity-regexp \"^https://github.com/$REPOSITORY/.github/workflows/image.yml@\" \\
  \"$REFERENCE\" > /dev/null
";

fn check(registry: &Registry) -> Value {
    let look = "docker pull --quiet \"$REFERENCE\"
docker image inspect --format '{{.Os}}/{{.Architecture}}, user {{.Config.User}}' \"$REFERENCE\"
if [ \"$(docker image inspect --format '{{.Architecture}}' \"$REFERENCE\")\" != \"$ARCHITECTURE\" ]; then
  echo \"::error::the index has no image for $ARCHITECTURE\"
  exit 1
fi
user=$(docker image inspect --format '{{.Config.User}}' \"$REFERENCE\")
case ${user%%:*} in
  '' | 0 | root)
    if [ \"$ROOT\" != true ]; then
      echo \"::error::the image runs as root\"
      exit 1
    fi
    echo \"::warning::the image runs as root\"
    ;;
esac
";
    json!({
        "name": "check for ${{ matrix.architecture }}",
        "needs": "publish",
        "runs-on": "${{ matrix.runner }}",
        "timeout-minutes": 15,
        "permissions": packages(registry, "read"),
        "strategy": { "matrix": architectures() },
        "steps": [
            login(registry),
            COSIGN.step(),
            {
                "name": "Verify its signature",
                "env": {
                    "REFERENCE": "${{ needs.publish.outputs.reference }}",
                    "REPOSITORY": "${{ github.repository }}",
                },
                "run": VERIFY,
            },
            {
                "name": "Look at what was published",
                "env": {
                    "ARCHITECTURE": "${{ matrix.architecture }}",
                    "REFERENCE": "${{ needs.publish.outputs.reference }}",
                    "ROOT": "${{ inputs.root }}",
                },
                "run": look,
            },
        ],
    })
}
