//! A detection as it is kept: what it shows to people, and what it knows besides.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use plimsoll_diag::Span;
use serde::{Deserialize, Serialize};

use crate::detection::{DetectedService, Detection, Need, Problem, Rejected, Variable};
use crate::shims::Shim;

/// A detection without trials: nothing was started to find it.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptDetection<'d> {
    name: Cow<'d, str>,
    services: Vec<KeptService<'d>>,
    needs: Cow<'d, [Need]>,
    environment: Cow<'d, [Variable]>,
    rejected: Cow<'d, [Rejected]>,
    problems: Vec<(Cow<'d, Problem>, Option<Span>)>,
    shims: Cow<'d, [Shim]>,
    files_listed: usize,
    files_read: usize,
}

#[derive(Serialize, Deserialize)]
struct KeptService<'d> {
    shown: Cow<'d, DetectedService>,
    files: Cow<'d, [Arc<Path>]>,
    routes: Cow<'d, [String]>,
    target: Cow<'d, str>,
    assumes_port: bool,
}

impl<'d> From<&'d Detection> for KeptDetection<'d> {
    fn from(detection: &'d Detection) -> Self {
        let service = |service: &'d DetectedService| KeptService {
            shown: Cow::Borrowed(service),
            files: Cow::Borrowed(&service.files),
            routes: Cow::Borrowed(&service.routes),
            target: Cow::Borrowed(&service.target),
            assumes_port: service.assumes_port,
        };
        let problem = |problem: &'d Problem| (Cow::Borrowed(problem), problem.span.clone());
        Self {
            name: Cow::Borrowed(&detection.name),
            services: detection.services.iter().map(service).collect(),
            needs: Cow::Borrowed(&detection.needs),
            environment: Cow::Borrowed(&detection.environment),
            rejected: Cow::Borrowed(&detection.rejected),
            problems: detection.problems.iter().map(problem).collect(),
            shims: Cow::Borrowed(&detection.shims),
            files_listed: detection.files_listed,
            files_read: detection.files_read,
        }
    }
}

impl From<KeptDetection<'_>> for Detection {
    fn from(kept: KeptDetection<'_>) -> Self {
        let service = |service: KeptService<'_>| DetectedService {
            files: service.files.into_owned(),
            routes: service.routes.into_owned(),
            target: service.target.into_owned(),
            assumes_port: service.assumes_port,
            ..service.shown.into_owned()
        };
        let problem = |(problem, span): (Cow<'_, Problem>, Option<Span>)| Problem {
            line: span.as_ref().map_or(problem.line, |span| span.start.line),
            span,
            ..problem.into_owned()
        };
        Self {
            name: kept.name.into_owned(),
            services: kept.services.into_iter().map(service).collect(),
            needs: kept.needs.into_owned(),
            environment: kept.environment.into_owned(),
            rejected: kept.rejected.into_owned(),
            problems: kept.problems.into_iter().map(problem).collect(),
            shims: kept.shims.into_owned(),
            also_tried: Vec::new(),
            files_listed: kept.files_listed,
            files_read: kept.files_read,
        }
    }
}
