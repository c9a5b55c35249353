//! A registry in memory, for tests: it keeps what is pushed and gives it back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::Digest;
use crate::fetch::test_server::{Reply, Request, TestServer};

/// How a registry lists what refers to a manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Listing {
    /// It knows nothing of referrers.
    #[default]
    None,
    /// With what each is, and it says so when one is pushed.
    Whole,
    /// As some do: with the kind of each one's configuration, and it says nothing.
    Vague,
}

/// What it holds. Repositories share nothing but what is mounted.
#[derive(Default)]
pub(super) struct Shelves {
    pub blobs: BTreeMap<(String, String), Vec<u8>>,
    /// By tag and by digest.
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    pub uploads: BTreeMap<String, Vec<u8>>,
    /// Whether it lists referrers itself.
    pub referrers: Listing,
    sessions: usize,
}

/// What a test puts before the registry's own answers: `Some` is answered instead.
type Fault = dyn Fn(&Request, &mut Shelves) -> Option<Reply> + Send + Sync;

/// A running one.
pub(super) struct FakeRegistry {
    pub server: TestServer,
    shelves: Arc<Mutex<Shelves>>,
}

impl FakeRegistry {
    pub(super) fn start() -> Self {
        Self::with_fault(|_, _| None)
    }

    pub(super) fn with_fault(
        fault: impl Fn(&Request, &mut Shelves) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let shelves = Arc::new(Mutex::new(Shelves::default()));
        let fault: Box<Fault> = Box::new(fault);
        let server = {
            let shelves = Arc::clone(&shelves);
            TestServer::start(move |request| {
                let mut shelves = shelves.lock().unwrap();
                let faulty = fault(request, &mut shelves);
                let mut reply = faulty.unwrap_or_else(|| shelves.answer(request));
                if request.method == "HEAD" {
                    reply.body.clear();
                }
                reply
            })
        };
        Self { server, shelves }
    }

    pub(super) fn host(&self) -> String {
        self.server.url("").replace("http://", "")
    }

    pub(super) fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap()
    }

    /// How many requests of a method had a path with this part.
    pub(super) fn count(&self, method: &str, part: &str) -> usize {
        self.server
            .requests()
            .iter()
            .filter(|request| request.method == method && request.path.contains(part))
            .count()
    }
}

impl Shelves {
    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let query: BTreeMap<&str, &str> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let path = path.strip_prefix("/v2/").unwrap_or(path);
        if let Some(name) = path.strip_suffix("/tags/list") {
            return self.tags(name);
        }
        for kind in ["/blobs/uploads/", "/blobs/", "/manifests/", "/referrers/"] {
            if let Some((name, rest)) = path.split_once(kind) {
                return match kind {
                    "/blobs/uploads/" => self.upload(request, name, rest, &query),
                    "/blobs/" => match self.blobs.get(&(name.into(), rest.into())) {
                        Some(blob) => Reply::file(request, blob),
                        None => Reply::new(404, "{}"),
                    },
                    "/manifests/" => self.manifest(request, name, rest),
                    _ if self.referrers != Listing::None => self.referrers(name, rest),
                    _ => Reply::new(404, "404 page not found"),
                };
            }
        }
        Reply::new(404, "{}")
    }

    fn upload(
        &mut self,
        request: &Request,
        name: &str,
        session: &str,
        query: &BTreeMap<&str, &str>,
    ) -> Reply {
        let located = |session: &str, kept: usize, status: u16| {
            let location = format!("/v2/{name}/blobs/uploads/{session}?state=1");
            Reply::new(status, "")
                .with("location", &location)
                .with("range", &format!("0-{}", kept.saturating_sub(1)))
        };
        if request.method == "POST" {
            if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
                let there = self.blobs.get(&((*from).into(), (*digest).into())).cloned();
                if let Some(blob) = there {
                    self.blobs.insert((name.into(), (*digest).into()), blob);
                    return Reply::new(201, "");
                }
            }
            self.sessions += 1;
            let session = format!("s{}", self.sessions);
            self.uploads.insert(session.clone(), Vec::new());
            return located(&session, 0, 202);
        }
        let Some(kept) = self.uploads.get_mut(session) else {
            return Reply::new(404, r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#);
        };
        match request.method.as_str() {
            "GET" => located(session, kept.len(), 204),
            "PATCH" => {
                let start = format!("{}-", kept.len());
                if !request.headers["content-range"].starts_with(&start) {
                    return located(session, kept.len(), 416);
                }
                kept.extend(&request.body);
                located(session, kept.len(), 202)
            }
            "PUT" => {
                kept.extend(&request.body);
                let digest = query["digest"];
                let bytes = self.uploads.remove(session).unwrap();
                if Digest::of(&bytes).to_string() != digest {
                    return Reply::new(400, r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#);
                }
                self.blobs.insert((name.into(), digest.into()), bytes);
                Reply::new(201, "")
            }
            _ => Reply::new(405, ""),
        }
    }

    fn manifest(&mut self, request: &Request, name: &str, reference: &str) -> Reply {
        let key = (name.to_string(), reference.to_string());
        match request.method.as_str() {
            "PUT" => {
                let json: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                let missing = named(&json).into_iter().find(|digest| {
                    let key = (name.to_string(), digest.clone());
                    !self.blobs.contains_key(&key) && !self.manifests.contains_key(&key)
                });
                if let Some(missing) = missing {
                    return Reply::new(404, format!(r#"{{"errors":[{{"code":"{missing}"}}]}}"#));
                }
                let digest = Digest::of(&request.body).to_string();
                let kept = (
                    request.headers["content-type"].clone(),
                    request.body.clone(),
                );
                self.manifests.insert((name.into(), digest), kept.clone());
                self.manifests.insert(key, kept);
                match json["subject"]["digest"].as_str() {
                    Some(subject) if self.referrers == Listing::Whole => {
                        Reply::new(201, "").with("oci-subject", subject)
                    }
                    _ => Reply::new(201, ""),
                }
            }
            "DELETE" => {
                let Some((_, gone)) = self.manifests.get(&key).cloned() else {
                    return Reply::new(404, "{}");
                };
                self.manifests
                    .retain(|(repository, _), (_, bytes)| repository != name || *bytes != gone);
                Reply::new(202, "")
            }
            _ => match self.manifests.get(&key) {
                Some((kind, bytes)) => Reply::new(200, bytes.clone())
                    .with("content-type", kind)
                    .with("docker-content-digest", &Digest::of(bytes).to_string()),
                None => Reply::new(404, "{}"),
            },
        }
    }

    fn tags(&self, name: &str) -> Reply {
        let tags: Vec<&String> = self
            .manifests
            .keys()
            .filter(|(repository, tag)| repository == name && !tag.starts_with("sha256:"))
            .map(|(_, tag)| tag)
            .collect();
        Reply::new(
            200,
            serde_json::json!({"name": name, "tags": tags}).to_string(),
        )
    }

    fn referrers(&self, name: &str, subject: &str) -> Reply {
        let found: Vec<serde_json::Value> = self
            .manifests
            .iter()
            .filter(|((repository, key), _)| repository == name && key.starts_with("sha256:"))
            .filter_map(|((_, digest), (kind, bytes))| {
                let json: serde_json::Value = serde_json::from_slice(bytes).ok()?;
                (json["subject"]["digest"] == subject).then(|| {
                    serde_json::json!({
                        "mediaType": kind, "digest": digest, "size": bytes.len(),
                        "artifactType": match self.referrers {
                            Listing::Vague => &json["config"]["mediaType"],
                            _ => &json["artifactType"],
                        },
                        "annotations": json["annotations"],
                    })
                })
            })
            .collect();
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": crate::oci::media_type::INDEX, "manifests": found,
        });
        Reply::new(200, index.to_string())
    }
}

/// What a manifest or index needs, but for its subject.
fn named(json: &serde_json::Value) -> Vec<String> {
    let lists = ["layers", "manifests"]
        .into_iter()
        .filter_map(|list| json[list].as_array());
    let entries = lists.flatten().chain([&json["config"]]);
    entries
        .filter_map(|entry| entry["digest"].as_str().map(str::to_owned))
        .collect()
}
