//! `images.yml`: what happens on a change: tests, images, the stack of what was published, and the
//! way from staging to production.

use serde_json::{Map, Value, json};

use super::actions::{BUILD, BUILDX, checkout, named};
use super::images::{Image, Registry, Tests};
use super::stack;
use crate::{Input, Workload};

/// What the file says of itself.
pub(super) fn about(images: &[Image]) -> String {
    let plural = if images.len() == 1 { "" } else { "s" };
    format!(
        "\n{} image{plural}. A pull request builds, tests and scans; a change of the main branch publishes,\n\
         runs the stack from what was published, and deploys it to staging; a tag like v1.2.3 promotes\n\
         the digests that staging has seen in the same run to production. Once a week everything is\n\
         built anew, for the base images' updates.\n\n\
         Deployments wait until the repository's variable DEPLOY is `true`.\n",
        images.len()
    )
}

/// Not in a pull request.
const PUBLISHED: &str = "github.event_name != 'pull_request'";

/// The workflow.
pub(super) fn workflow(
    input: &Input<'_>,
    all: &[Workload<'_>],
    images: &[Image],
    registry: &Registry,
) -> Value {
    let mut jobs = Map::new();
    let tested: Vec<&Image> = images
        .iter()
        .filter(|image| image.tests.is_some())
        .collect();
    if !tested.is_empty() {
        jobs.insert("test".to_owned(), test(&tested));
    }
    for image in images {
        jobs.insert(image.job(), call(image, registry, !tested.is_empty()));
    }
    let mut before: Vec<String> = images.iter().map(Image::job).collect();
    if let Some(job) = stack::job(input, all, images, registry) {
        jobs.insert("stack".to_owned(), job);
        before.push("stack".to_owned());
    }
    jobs.insert(
        "staging".to_owned(),
        deploy(
            images,
            registry,
            &before,
            ("staging", "staging"),
            &format!("{PUBLISHED} && github.event_name != 'schedule' && vars.DEPLOY == 'true'"),
        ),
    );
    before.push("staging".to_owned());
    jobs.insert(
        "production".to_owned(),
        deploy(
            images,
            registry,
            &before,
            ("production", "prod"),
            "startsWith(github.ref, 'refs/tags/v') && vars.DEPLOY == 'true'",
        ),
    );
    json!({
        "name": "images",
        "on": {
            "push": { "branches": ["main", "master"], "tags": ["v*"] },
            "pull_request": {},
            "schedule": [{ "cron": "17 4 * * 1" }],
            "workflow_dispatch": {},
        },
        "permissions": {},
        "concurrency": {
            "group": "images-${{ github.ref }}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "jobs": jobs,
    })
}

/// The project's own tests, inside of the image that they are about.
fn test(images: &[&Image]) -> Value {
    let cases: Vec<Value> = images
        .iter()
        .map(|image| {
            json!({
                "name": image.name,
                "context": image.context,
                "file": image.file,
                // pytest ends with 5 when it finds no test.
                "none": if image.tests == Some(Tests::Python) { 5 } else { 0 },
            })
        })
        .collect();
    json!({
        "name": "test ${{ matrix.name }}",
        "runs-on": "ubuntu-24.04",
        "timeout-minutes": 30,
        "permissions": { "contents": "read" },
        "strategy": { "fail-fast": false, "matrix": { "include": cases } },
        "steps": [
            checkout(),
            BUILDX.step(),
            named(
                BUILD.with(json!({
                    "context": "${{ matrix.context }}",
                    "file": "${{ matrix.file }}",
                    "target": "test",
                    "load": true,
                    "tags": "${{ matrix.name }}:test",
                    "provenance": false,
                    "cache-from": "type=gha,scope=${{ matrix.name }}-test",
                    "cache-to": "type=gha,mode=max,scope=${{ matrix.name }}-test",
                })),
                "Build the image of the tests",
                None,
            ),
            {
                "name": "Run them",
                "env": { "IMAGE": "${{ matrix.name }}:test", "NONE": "${{ matrix.none }}" },
                "run": "status=0\ndocker run --rm \"$IMAGE\" || status=$?\nif [ \"$status\" = \"$NONE\" ]; then\n  exit 0\nfi\nexit \"$status\"\n",
            },
        ],
    })
}

fn call(image: &Image, registry: &Registry, is_tested: bool) -> Value {
    let mut with = Map::new();
    with.insert("name".to_owned(), json!(image.name));
    with.insert("context".to_owned(), json!(image.context));
    with.insert("file".to_owned(), json!(image.file));
    if let Some(target) = &image.target {
        with.insert("target".to_owned(), json!(target));
    }
    if !image.arguments.is_empty() {
        let lines: String = image
            .arguments
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        with.insert("arguments".to_owned(), json!(lines));
    }
    with.insert(
        "publish".to_owned(),
        json!(format!("${{{{ {PUBLISHED} }}}}")),
    );
    if image.is_own {
        with.insert("root".to_owned(), json!(true));
    }
    let mut permissions = json!({
        "contents": "read",
        "security-events": "write",
        "id-token": "write",
        "attestations": "write",
    });
    if registry.is_githubs() {
        permissions["packages"] = json!("write");
    }
    let mut job = json!({ "name": image.name });
    if is_tested {
        job["needs"] = json!("test");
    }
    job["permissions"] = permissions;
    job["uses"] = json!("./.github/workflows/image.yml");
    job["with"] = Value::Object(with);
    with_secrets(job, registry)
}

fn deploy(
    images: &[Image],
    registry: &Registry,
    needs: &[String],
    (environment, values): (&str, &str),
    condition: &str,
) -> Value {
    let lines: String = images
        .iter()
        .flat_map(|image| {
            image.services.iter().map(|service| {
                format!(
                    "{service} ${{{{ needs.{}.outputs.reference }}}}\n",
                    image.job()
                )
            })
        })
        .collect();
    let mut permissions = json!({ "contents": "read" });
    if registry.is_githubs() {
        permissions["packages"] = json!("read");
    }
    let mut job = json!({
        "if": condition,
        "needs": needs,
        "permissions": permissions,
        "uses": "./.github/workflows/deploy.yml",
        "with": { "environment": environment, "values": values, "images": lines },
    });
    job["secrets"] = json!({ "KUBECONFIG": "${{ secrets.KUBECONFIG }}" });
    with_secrets(job, registry)
}

/// A workflow that is called sees the secrets that it is given.
fn with_secrets(mut job: Value, registry: &Registry) -> Value {
    if !registry.is_githubs() {
        for name in ["REGISTRY_USERNAME", "REGISTRY_PASSWORD"] {
            job["secrets"][name] = json!(format!("${{{{ secrets.{name} }}}}"));
        }
    }
    job
}
