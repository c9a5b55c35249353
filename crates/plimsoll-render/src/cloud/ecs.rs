//! A task of AWS ECS on Fargate.

use serde_json::{Value, json};

use super::Tenant;
use crate::dockerfile::USER;

/// Sizes of tasks: units of a processor, and the memory in MiB from which and up to which each goes.
const SIZES: [(u64, u64, u64); 5] = [
    (256, 512, 2048),
    (512, 1024, 4096),
    (1024, 2048, 8192),
    (2048, 4096, 16_384),
    (4096, 8192, 30_720),
];

/// The task's definition. `${AWS_ACCOUNT}` and `${AWS_REGION}` are filled in by `envsubst`.
pub(super) fn task(tenant: &Tenant<'_>) -> Value {
    let (units, memory) = size(tenant.cpus(), tenant.mebibytes());
    let one = tenant.one;
    let name = tenant.name();
    let parameter = "arn:aws:ssm:${AWS_REGION}:${AWS_ACCOUNT}:parameter";
    let secrets: Vec<Value> = tenant
        .kept
        .iter()
        .map(|key| json!({ "name": key, "valueFrom": format!("{parameter}/{name}/{key}") }))
        .collect();
    let environment: Vec<Value> = tenant
        .plain
        .iter()
        .map(|(key, value)| json!({ "name": key, "value": value }))
        .collect();
    let ports: Vec<Value> = tenant
        .port()
        .into_iter()
        .map(|port| {
            json!({ "name": "http", "containerPort": port, "protocol": "tcp", "appProtocol": "http" })
        })
        .collect();
    let mut container = json!({
        "name": one.name(),
        "image": one.image,
        "essential": true,
        "user": USER.to_string(),
        "readonlyRootFilesystem": true,
        "linuxParameters": { "initProcessEnabled": true, "capabilities": { "drop": ["ALL"] } },
        "mountPoints": [{ "sourceVolume": "tmp", "containerPath": "/tmp" }],
        "portMappings": ports,
        "environment": environment,
        "secrets": secrets,
        "stopTimeout": 30,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": format!("/ecs/{}", tenant.input.namespace()),
                "awslogs-region": "${AWS_REGION}",
                "awslogs-stream-prefix": one.name(),
                "awslogs-create-group": "true",
            },
        },
    });
    if let Some(command) = tenant.command() {
        container["command"] = json!(command);
    }
    if let (Some(words), Some(probe)) = (one.health_command(), &one.probe) {
        let mut command = vec!["CMD".to_owned()];
        command.extend(words);
        container["healthCheck"] = json!({
            "command": command,
            "interval": probe.interval.as_secs().clamp(5, 300),
            "timeout": probe.timeout.as_secs().clamp(2, 60),
            "retries": probe.retries.clamp(1, 10),
            "startPeriod": probe.start_period.as_secs().clamp(60, 300),
        });
    }
    json!({
        "family": name,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": units.to_string(),
        "memory": memory.to_string(),
        "runtimePlatform": { "cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX" },
        "executionRoleArn": format!("arn:aws:iam::${{AWS_ACCOUNT}}:role/{}-execution", tenant.input.namespace()),
        "volumes": [{ "name": "tmp" }],
        "containerDefinitions": [container],
    })
}

/// The smallest size that has this much.
fn size(cpus: f64, mebibytes: u64) -> (u64, u64) {
    let fits =
        |(units, _, most): &&(u64, u64, u64)| *units as f64 >= cpus * 1024.0 && mebibytes <= *most;
    match SIZES.iter().find(fits) {
        Some((units, least, _)) => (
            *units,
            mebibytes.next_multiple_of(1024).clamp(*least, u64::MAX),
        ),
        None => (4096, 30_720),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_that_is_offered() {
        assert_eq!(size(0.5, 128), (512, 1024));
        assert_eq!(size(1.0, 512), (1024, 2048));
        assert_eq!(size(0.25, 3000), (512, 3072));
        assert_eq!(size(64.0, 1), (4096, 30_720));
    }
}
