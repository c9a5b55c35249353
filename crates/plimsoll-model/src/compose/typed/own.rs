//! `x-plimsoll`: checked against its tables, then read.

use std::time::Duration;

use plimsoll_diag::{Diagnostic, Spanned};

use super::{Reader, elements, entries, spanned, spanned_text, text, texts};
use crate::compose::check;
use crate::compose::keys::{OWN_PROJECT, OWN_SERVICE};
use crate::compose::path::Path;
use crate::compose::shape::Record;
use crate::compose::units;
use crate::extension::{
    Backup, Budget, Data, Extension, Extensions, Kind, MigrationPhase, Objectives, Route,
    ScaleBounds, Strategy, Thresholds, Waiver,
};
use crate::yaml::{Node, Value};

/// The key.
const NAME: &str = "x-plimsoll";

/// The texts of a list.
fn spanned_texts(node: Option<&Node>) -> Vec<Spanned<String>> {
    elements(node).iter().filter_map(spanned_text).collect()
}

impl Reader<'_> {
    /// What the project and its services say.
    pub(in crate::compose) fn extensions(&mut self, model: &Node) -> Extensions {
        let mut extensions = Extensions {
            project: self
                .extension(model, &OWN_PROJECT, &Path::ROOT)
                .unwrap_or_default(),
            ..Extensions::default()
        };
        let services = Path::ROOT.child("services");
        for (key, service) in entries(model.get("services")) {
            let path = services.child(&key.text);
            if let Some(extension) = self.extension(service, &OWN_SERVICE, &path) {
                extensions.services.insert(key.text.clone(), extension);
            }
        }
        extensions
    }

    fn extension(
        &mut self,
        owner: &Node,
        record: &'static Record,
        path: &Path<'_>,
    ) -> Option<Extension> {
        let node = owner.get(NAME)?;
        let key = owner.as_map()?.key(NAME)?;
        let before = self.problems.0.len();
        check::check_at(node, record, &path.child(NAME), key, self.problems);
        if self.problems.0.len() > before {
            return None;
        }
        let kind = node.get("kind").and_then(|node| {
            let kind = match node.as_text()? {
                "web" => Kind::Web,
                "worker" => Kind::Worker,
                "job" => Kind::Job,
                "cron" => Kind::Cron,
                "database" => Kind::Database,
                "cache" => Kind::Cache,
                "model" => Kind::Model,
                _ => Kind::Mcp,
            };
            Some(spanned(kind, node))
        });
        if let (Some(kind), None) = (&kind, node.get("schedule"))
            && kind.value == Kind::Cron
        {
            self.problems.push(
                Diagnostic::error(format!("`{path}` is of kind `cron` but has no `schedule`"))
                    .at(kind.span.clone())
                    .hint("write five cron fields: schedule: \"0 3 * * *\""),
            );
        }
        Some(Extension {
            kind,
            schedule: node.get("schedule").and_then(spanned_text),
            live: node.get("live").and_then(spanned_text),
            route: node.get("route").map(|node| self.route(node)),
            strategy: node.get("strategy").map(|node| self.strategy(node)),
            scale: node.get("scale").map(|node| self.scale_bounds(node)),
            data: node.get("data").map(|node| self.data(node)),
            egress: node.get("egress").map(|node| spanned_texts(Some(node))),
            optional: spanned_texts(node.get("optional")),
            generate: spanned_texts(node.get("generate")),
            slo: node.get("slo").map(|node| self.objectives(node)),
            budget: node.get("budget").map(|node| {
                let budget = Budget {
                    image: self.own_size(node.get("image")),
                    start: self.own_duration(node.get("start")),
                };
                spanned(budget, node)
            }),
            thresholds: node.get("thresholds").map(|node| self.thresholds(node)),
            waive: elements(node.get("waive"))
                .iter()
                .map(|node| self.waiver(node))
                .collect(),
        })
    }

    fn own_duration(&mut self, node: Option<&Node>) -> Option<Duration> {
        let node = node?;
        let read = node.as_text().and_then(units::duration);
        if read.is_none() {
            self.unreadable(
                node,
                "a duration",
                "write a number and a unit: 30s, 500ms, 7d",
            );
        }
        read
    }

    fn own_size(&mut self, node: Option<&Node>) -> Option<u64> {
        let node = node?;
        let read = node
            .scalar_text()
            .and_then(|text| units::bytes(&text))
            .and_then(|bytes| u64::try_from(bytes).ok());
        if read.is_none() {
            self.unreadable(node, "a size", "write bytes, or a number with a unit: 200m");
        }
        read
    }

    fn own_number<N: std::str::FromStr>(&mut self, node: Option<&Node>) -> Option<N> {
        let node = node?;
        let read = node.scalar_text().and_then(|text| text.parse().ok());
        if read.is_none() {
            self.unreadable(node, "a number that fits", "write it without a unit");
        }
        read
    }

    fn unreadable(&mut self, node: &Node, expected: &str, hint: &str) {
        let shown = node.scalar_text().unwrap_or_default();
        self.problems.push(
            Diagnostic::error(format!("expected {expected}, found `{shown}`"))
                .at(node.span.clone())
                .hint(hint),
        );
    }

    fn route(&mut self, node: &Node) -> Spanned<Route> {
        let hosts = match node.get("host") {
            Some(host) if host.as_text().is_some() => text(Some(host)).into_iter().collect(),
            other => texts(other),
        };
        let route = Route {
            hosts,
            path: text(node.get("path")),
            port: self.own_number(node.get("port")),
            tls: match node.get("tls").map(|node| &node.value) {
                Some(Value::Bool(tls)) => Some(*tls),
                _ => None,
            },
            protocol: text(node.get("protocol")),
            sticky: text(node.get("sticky")),
            stream: text(node.get("stream")),
            max_stream: self.own_duration(node.get("max_stream")),
        };
        spanned(route, node)
    }

    fn strategy(&mut self, node: &Node) -> Spanned<Strategy> {
        let strategy = match (node.as_text(), node.get("canary")) {
            (Some("blue-green"), _) => Strategy::BlueGreen,
            (_, Some(canary)) => Strategy::Canary {
                steps: elements(canary.get("steps"))
                    .iter()
                    .filter_map(|step| self.own_number(Some(step)))
                    .collect(),
                pause: self.own_duration(canary.get("pause")),
                requests: self.own_number(canary.get("requests")),
            },
            _ => Strategy::Rolling,
        };
        spanned(strategy, node)
    }

    fn scale_bounds(&mut self, node: &Node) -> Spanned<ScaleBounds> {
        let bounds = ScaleBounds {
            min: self.own_number(node.get("min")),
            max: self.own_number(node.get("max")),
            cpu: self.own_number(node.get("cpu")),
            memory: self.own_number(node.get("memory")),
            rps: self.own_number(node.get("rps")),
            queue: self.own_number(node.get("queue")),
        };
        if let (Some(min), Some(max)) = (bounds.min, bounds.max)
            && min > max
        {
            self.problems.push(
                Diagnostic::error(format!("`min` is {min} but `max` only {max}"))
                    .at(node.span.clone()),
            );
        }
        spanned(bounds, node)
    }

    fn data(&mut self, node: &Node) -> Spanned<Data> {
        let backup = node.get("backup").map(|node| Backup {
            schedule: text(node.get("schedule")),
            retention: self.own_duration(node.get("retention")),
            pitr: matches!(
                node.get("pitr").map(|node| &node.value),
                Some(Value::Bool(true))
            ),
            drill: self.own_duration(node.get("drill")),
        });
        let phase = node.find(&["migrate", "phase"]).and_then(Node::as_text);
        let data = Data {
            engine: text(node.get("engine")),
            size: self.own_size(node.get("size")),
            backup,
            migration: phase.map(|phase| match phase {
                "contract" => MigrationPhase::Contract,
                _ => MigrationPhase::Expand,
            }),
        };
        spanned(data, node)
    }

    fn objectives(&mut self, node: &Node) -> Spanned<Objectives> {
        let objectives = Objectives {
            availability: self.own_number(node.get("availability")),
            p95: self.own_duration(node.get("p95")),
            first_token: self.own_duration(node.get("first_token")),
        };
        if let Some(share) = objectives.availability
            && !(0.0..=100.0).contains(&share)
        {
            self.problems.push(
                Diagnostic::error(format!("an availability of {share} % cannot be"))
                    .at(node.get("availability").and_then(|node| node.span.clone()))
                    .hint("write a percentage: 99.9"),
            );
        }
        spanned(objectives, node)
    }

    fn thresholds(&mut self, node: &Node) -> Spanned<Thresholds> {
        let thresholds = Thresholds {
            gpu_temperature: self.own_number(node.get("gpu_temperature")),
            gpu_utilization: self.own_number(node.get("gpu_utilization")),
            gpu_memory: self.own_number(node.get("gpu_memory")),
            memory: self.own_number(node.get("memory")),
            throttling: self.own_number(node.get("throttling")),
            certificate: self.own_duration(node.get("certificate")),
            backup: self.own_duration(node.get("backup")),
        };
        spanned(thresholds, node)
    }

    fn waiver(&mut self, node: &Node) -> Spanned<Waiver> {
        let until = text(node.get("until"));
        if let (Some(date), Some(node)) = (&until, node.get("until"))
            && !is_date(date)
        {
            self.unreadable(node, "a day", "write YYYY-MM-DD");
        }
        let waiver = Waiver {
            rule: text(node.get("rule")).unwrap_or_default(),
            reason: text(node.get("reason")).unwrap_or_default(),
            until,
        };
        spanned(waiver, node)
    }
}

fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize, low: u32, high: u32| {
        parts.next().is_some_and(|part| {
            part.len() == length
                && part
                    .parse()
                    .is_ok_and(|number: u32| (low..=high).contains(&number))
        })
    };
    part(4, 1, 9999) && part(2, 1, 12) && part(2, 1, 31) && parts.next().is_none()
}
