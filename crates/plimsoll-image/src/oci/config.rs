//! How a container of an image starts, and the JSON in which OCI says so.
//!
//! The writing structures fix the order of the fields: equal images give equal bytes, and so
//! equal digests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::Digest;

/// When nothing else is said, images were created at the epoch: a clock would make every build
/// another image.
pub const EPOCH: &str = "1970-01-01T00:00:00Z";

/// How a container of an image starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `65532:65532`, `postgres`, or empty for root.
    pub user: String,
    /// Variables in order.
    pub environment: Vec<(String, String)>,
    /// What always runs.
    pub entrypoint: Vec<String>,
    /// Its default arguments, or the whole command where there is no entry point.
    pub command: Vec<String>,
    /// Where it starts.
    pub working_dir: String,
    /// `8000/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// Paths that should be volumes.
    pub volumes: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `SIGINT`; `None`: `SIGTERM`.
    pub stop_signal: Option<String>,
    /// How to tell whether it is well.
    pub healthcheck: Option<Healthcheck>,
    /// What runs the shell forms of whoever builds on the image; empty: `/bin/sh -c`.
    pub shell: Vec<String>,
    /// Instructions for whoever builds on the image.
    pub on_build: Vec<String>,
}

/// How to tell whether a container is well; the fields are Docker's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// `["CMD", "program", …]`, `["CMD-SHELL", "line"]` or `["NONE"]`.
    pub test: Vec<String>,
    /// Time between two checks.
    pub interval: Option<Duration>,
    /// Longest time for one.
    pub timeout: Option<Duration>,
    /// Time after the start in which failures do not count.
    pub start_period: Option<Duration>,
    /// Time between two checks while starting.
    pub start_interval: Option<Duration>,
    /// Failures in a row that make it unhealthy.
    pub retries: Option<u32>,
}

/// One step of an image's history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

/// An image's configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// The processor.
    pub architecture: Architecture,
    /// How a container starts.
    pub config: ImageConfig,
    /// When the image was made, as RFC 3339.
    pub created: String,
    /// The layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// How the layers came about.
    pub history: Vec<History>,
}

impl ConfigFile {
    /// The canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let raw = RawFile {
            architecture: self.architecture.name().to_owned(),
            config: Some(RawConfig::from(&self.config)),
            created: Some(self.created.clone()),
            history: Some(self.history.clone()),
            os: "linux".to_owned(),
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids: self.diff_ids.clone(),
            },
        };
        serde_json::to_vec(&raw).expect("strings, numbers and maps with string keys serialise")
    }

    /// Reads the configuration file of anyone's image.
    ///
    /// # Errors
    /// When it is not one, or is for another operating system or processor.
    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let raw: RawFile = serde_json::from_slice(bytes)?;
        if raw.os != "linux" {
            let message = format!("it is for `{}`, not for linux", raw.os);
            return Err(serde::de::Error::custom(message));
        }
        Ok(Self {
            architecture: raw.architecture.parse().map_err(serde::de::Error::custom)?,
            config: raw.config.unwrap_or_default().into(),
            created: raw.created.unwrap_or_else(|| EPOCH.to_owned()),
            diff_ids: raw.rootfs.diff_ids,
            history: raw.history.unwrap_or_default(),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RawFile {
    architecture: String,
    config: Option<RawConfig>,
    created: Option<String>,
    history: Option<Vec<History>>,
    os: String,
    rootfs: RootFs,
}

#[derive(Serialize, Deserialize)]
struct RootFs {
    #[serde(rename = "type", default)]
    kind: String,
    diff_ids: Vec<Digest>,
}

#[derive(Default, Serialize, Deserialize)]
struct Empty {}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposed_ports: Option<BTreeMap<String, Empty>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entrypoint: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<RawHealthcheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volumes: Option<BTreeMap<String, Empty>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_build: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shell: Option<Vec<String>>,
}

/// Durations are nanoseconds; 0 stands for "not said".
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawHealthcheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_period: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_interval: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u32>,
}

fn stated<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn nanoseconds(duration: Option<Duration>) -> Option<u64> {
    duration.map(|duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn duration(nanoseconds: Option<u64>) -> Option<Duration> {
    nanoseconds.and_then(stated).map(Duration::from_nanos)
}

fn keys(set: &BTreeSet<String>) -> Option<BTreeMap<String, Empty>> {
    (!set.is_empty()).then(|| set.iter().map(|key| (key.clone(), Empty {})).collect())
}

impl From<&ImageConfig> for RawConfig {
    fn from(config: &ImageConfig) -> Self {
        Self {
            user: stated(config.user.clone()),
            exposed_ports: keys(&config.exposed_ports),
            env: stated(
                config
                    .environment
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect(),
            ),
            entrypoint: stated(config.entrypoint.clone()),
            cmd: stated(config.command.clone()),
            healthcheck: config.healthcheck.as_ref().map(|check| RawHealthcheck {
                test: stated(check.test.clone()),
                interval: nanoseconds(check.interval),
                timeout: nanoseconds(check.timeout),
                start_period: nanoseconds(check.start_period),
                start_interval: nanoseconds(check.start_interval),
                retries: check.retries,
            }),
            volumes: keys(&config.volumes),
            working_dir: stated(config.working_dir.clone()),
            labels: stated(config.labels.clone()),
            on_build: stated(config.on_build.clone()),
            stop_signal: config.stop_signal.clone(),
            shell: stated(config.shell.clone()),
        }
    }
}

impl From<RawConfig> for ImageConfig {
    fn from(raw: RawConfig) -> Self {
        let set =
            |map: Option<BTreeMap<String, Empty>>| map.unwrap_or_default().into_keys().collect();
        Self {
            user: raw.user.unwrap_or_default(),
            environment: raw
                .env
                .unwrap_or_default()
                .into_iter()
                .map(|line| match line.split_once('=') {
                    Some((name, value)) => (name.to_owned(), value.to_owned()),
                    None => (line, String::new()),
                })
                .collect(),
            entrypoint: raw.entrypoint.unwrap_or_default(),
            command: raw.cmd.unwrap_or_default(),
            working_dir: raw.working_dir.unwrap_or_default(),
            exposed_ports: set(raw.exposed_ports),
            volumes: set(raw.volumes),
            labels: raw.labels.unwrap_or_default(),
            stop_signal: raw.stop_signal.and_then(stated),
            shell: raw.shell.unwrap_or_default(),
            on_build: raw.on_build.unwrap_or_default(),
            healthcheck: raw.healthcheck.and_then(|check| {
                Some(Healthcheck {
                    test: check.test.and_then(stated)?,
                    interval: duration(check.interval),
                    timeout: duration(check.timeout),
                    start_period: duration(check.start_period),
                    start_interval: duration(check.start_interval),
                    retries: check.retries.and_then(stated),
                })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> ConfigFile {
        ConfigFile {
            architecture: Architecture::Amd64,
            config: ImageConfig {
                user: "65532:65532".into(),
                environment: vec![
                    ("PATH".into(), "/usr/bin".into()),
                    ("A".into(), "<&>=".into()),
                ],
                command: vec!["python3".into(), "-m".into(), "app".into()],
                working_dir: "/app".into(),
                exposed_ports: ["8000/tcp".to_owned()].into(),
                stop_signal: Some("SIGINT".into()),
                healthcheck: Some(Healthcheck {
                    test: vec!["CMD".into(), "true".into()],
                    interval: Some(Duration::from_secs(5)),
                    retries: Some(3),
                    ..Healthcheck::default()
                }),
                ..ImageConfig::default()
            },
            created: EPOCH.into(),
            diff_ids: vec![Digest::of(b"layer")],
            history: vec![History {
                created: Some(EPOCH.into()),
                created_by: Some("plimsoll".into()),
                ..History::default()
            }],
        }
    }

    #[test]
    fn the_json_is_canonical() {
        insta::assert_snapshot!(String::from_utf8(example().to_json()).unwrap(), @r#"{"architecture":"amd64","config":{"User":"65532:65532","ExposedPorts":{"8000/tcp":{}},"Env":["PATH=/usr/bin","A=<&>="],"Cmd":["python3","-m","app"],"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000,"Retries":3},"WorkingDir":"/app","StopSignal":"SIGINT"},"created":"1970-01-01T00:00:00Z","history":[{"created":"1970-01-01T00:00:00Z","created_by":"plimsoll"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85"]}}"#);
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(
            ConfigFile::from_json(&example().to_json()).unwrap(),
            example()
        );
    }

    #[test]
    fn nulls_and_unknown_fields_of_other_builders_are_borne() {
        let read = ConfigFile::from_json(
            br#"{"architecture":"arm64","variant":"v8","os":"linux","docker_version":"x",
                "config":{"Cmd":null,"Env":null,"Volumes":null,"OnBuild":[],"Healthcheck":{"Interval":0}},
                "rootfs":{"type":"layers","diff_ids":[]}}"#,
        )
        .unwrap();
        assert_eq!(read.config, ImageConfig::default());
        assert_eq!(read.architecture, Architecture::Arm64);
        let windows = br#"{"architecture":"amd64","os":"windows","rootfs":{"diff_ids":[]}}"#;
        let error = ConfigFile::from_json(windows).unwrap_err().to_string();
        assert!(error.contains("not for linux"), "{error}");
    }
}
