//! Putting a base together: names of packages in, layers out.
//!
//! What was assembled before is remembered by the request; what was made of a package, by the
//! package's digest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use plimsoll_diag::ProgressEvent;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::accounts;
use super::archive::{Archive, DebianSettings, Freshness, List};
use super::content::{self, BasePurpose, RULES};
use super::deb::Deb;
use super::effects::{self, Alternative};
use super::packages::{Package, PackageIndex};
use super::request::{Assembled, BaseRequest, InstalledPackage};
use super::resolve::{Resolver, Unresolved};
use super::{DebianError, PackageError};
use crate::fetch::{FetchError, Fetcher, Headers};
use crate::layer::{Attributes, FileSet, FileSetError, write_tar};
use crate::store::{ImageLayer, Layer, Segment, Store, StoreError};
use crate::{Digest, Download, Hasher};

/// What is remembered of an assembled base.
#[derive(Serialize, Deserialize)]
struct Known {
    layers: Vec<(Digest, String)>,
    packages: Vec<InstalledPackage>,
}

/// What is remembered of a package.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Facts {
    segment: Segment,
    alternatives: Vec<Alternative>,
}

/// Assembles bases from Debian packages.
#[derive(Debug)]
pub struct Base<'a> {
    store: &'a Store,
    pub(super) fetcher: &'a Fetcher,
    pub(super) settings: &'a DebianSettings,
}

impl<'a> Base<'a> {
    /// An assembler that keeps its results in `store`.
    pub fn new(store: &'a Store, fetcher: &'a Fetcher, settings: &'a DebianSettings) -> Self {
        Self {
            store,
            fetcher,
            settings,
        }
    }

    /// The layers of a base. What was assembled before for the same request is returned as it
    /// was, without a look at the network, unless a refresh is asked for. `subject` is whose work
    /// this is, for progress.
    ///
    /// # Errors
    /// When no archive can be reached or believed, a package does not exist or is refused, or the
    /// store cannot be written.
    pub fn assemble(
        &self,
        subject: &str,
        request: &BaseRequest,
        freshness: Freshness,
    ) -> Result<Assembled, DebianError> {
        let key = request.key()?;
        if freshness == Freshness::Kept
            && let Some(known) = self.store.recall::<Known>(&key)
            && let Ok(assembled) = self.known(known)
        {
            return Ok(assembled);
        }
        match self.build(subject, request, freshness, &key) {
            // The kept index names what the archive has replaced since: look again, once.
            Err(DebianError::Gone { package, version }) if freshness == Freshness::Kept => {
                tracing::info!(
                    package,
                    version,
                    "gone from the archive; refreshing the index"
                );
                self.build(subject, request, Freshness::Refreshed, &key)
            }
            other => other,
        }
    }

    fn known(&self, known: Known) -> Result<Assembled, StoreError> {
        let layers = known.layers.into_iter().map(|(diff_id, created_by)| {
            Ok(ImageLayer {
                layer: self.store.layer(&diff_id)?,
                created_by,
            })
        });
        Ok(Assembled {
            layers: layers.collect::<Result<_, StoreError>>()?,
            packages: known.packages,
        })
    }

    fn build(
        &self,
        subject: &str,
        request: &BaseRequest,
        freshness: Freshness,
        key: &str,
    ) -> Result<Assembled, DebianError> {
        let started = |step: String| {
            self.fetcher.progress().report(ProgressEvent::Started {
                subject: subject.to_owned(),
                step,
            });
        };
        started(format!(
            "reading the index of Debian {}",
            request.suite.version()
        ));
        let archive = Archive {
            fetcher: self.fetcher,
            settings: self.settings,
            subject,
            suite: request.suite,
            architecture: request.architecture,
        };
        let lists = archive.lists(freshness)?;
        let texts: Vec<&str> = lists.iter().map(|list| list.text.as_str()).collect();
        let index = PackageIndex::read(&texts).map_err(|reason| DebianError::Malformed {
            place: format!("Packages of {}", request.suite),
            reason,
        })?;
        let groups = resolve(&index, request)?;
        let packages: Vec<Package<'_>> = groups.iter().flatten().copied().collect();
        started(format!(
            "fetching and unpacking {} packages",
            packages.len()
        ));
        let facts = self.facts(subject, &lists, &packages, request)?;
        let assembled = self.commit(request, &groups, &facts)?;
        let known = Known {
            layers: assembled
                .layers
                .iter()
                .map(|entry| (entry.layer.diff_id, entry.created_by.clone()))
                .collect(),
            packages: assembled.packages.clone(),
        };
        let needs: Vec<Digest> = known.layers.iter().map(|(diff_id, _)| *diff_id).collect();
        self.store.remember(key, &known, &needs)?;
        self.fetcher.progress().report(ProgressEvent::Finished {
            subject: subject.to_owned(),
        });
        Ok(assembled)
    }

    /// The segment of each package: made before, or fetched and made now.
    fn facts(
        &self,
        subject: &str,
        lists: &[List],
        packages: &[Package<'_>],
        request: &BaseRequest,
    ) -> Result<BTreeMap<String, Facts>, DebianError> {
        let chosen: BTreeSet<&str> = packages.iter().map(|package| package.name).collect();
        let mut facts = BTreeMap::new();
        let mut wanted: Vec<&Package<'_>> = Vec::new();
        for package in packages {
            match self
                .store
                .recall::<Facts>(&facts_key(package, &chosen, request))
            {
                Some(known) => {
                    facts.insert(package.name.to_owned(), known);
                }
                None => wanted.push(package),
            }
        }
        // The largest first: the last to end is then a small one.
        wanted.sort_by_key(|package| (std::cmp::Reverse(package.size), package.name));
        let places: Vec<Vec<Download>> = wanted
            .iter()
            .map(|package| self.places(package, lists))
            .collect();
        let files: Vec<&[Download]> = places.iter().map(Vec::as_slice).collect();
        let made = self
            .fetcher
            .download_each(subject, &files, |index, _| {
                let facts = self.unpack(wanted[index], &chosen, request);
                facts.map_err(Failure::Other)
            })
            .map_err(|failure| match failure {
                Failure::Other(error) => error,
                Failure::Fetch(error) if error.is_not_found() => gone(&wanted, lists, &error),
                Failure::Fetch(error) => error.into(),
            })?;
        let names = wanted.iter().map(|package| package.name.to_owned());
        facts.extend(names.zip(made));
        Ok(facts)
    }

    pub(super) fn places(&self, package: &Package<'_>, lists: &[List]) -> Vec<Download> {
        lists[package.list]
            .bases
            .iter()
            .map(|base| Download {
                url: format!("{}/{}", base.expose(), package.filename),
                headers: Headers::none(),
                expected: Some(package.digest),
                size: Some(package.size),
                destination: self.deb_path(&package.digest),
            })
            .collect()
    }

    pub(super) fn deb_path(&self, digest: &Digest) -> PathBuf {
        let name = format!("{}.deb", digest.hex());
        self.settings.cache.join("packages").join(name)
    }

    fn unpack(
        &self,
        package: &Package<'_>,
        chosen: &BTreeSet<&str>,
        request: &BaseRequest,
    ) -> Result<Facts, DebianError> {
        let failed = |source| DebianError::Package {
            package: package.name.to_owned(),
            source,
        };
        let bytes = fs_err::read(self.deb_path(&package.digest)).map_err(DebianError::Io)?;
        let deb = Deb::open(&bytes).map_err(failed)?;
        let mut files = content::files(&deb.data, request.purpose).map_err(failed)?;
        effects::apply(package.name, request.architecture, chosen, &mut files)
            .and_then(|()| describe(package.name, &deb, &mut files))
            .map_err(|error| failed(PackageError::Files(error)))?;
        let key = facts_key(package, chosen, request);
        let facts = Facts {
            segment: self.store.put_segment(&key, &files)?,
            alternatives: deb
                .postinst
                .as_deref()
                .map(effects::alternatives)
                .unwrap_or_default(),
        };
        self.store.remember(&key, &facts, &facts.segment.needs())?;
        Ok(facts)
    }

    fn commit(
        &self,
        request: &BaseRequest,
        groups: &[Vec<Package<'_>>],
        facts: &BTreeMap<String, Facts>,
    ) -> Result<Assembled, DebianError> {
        let mut packages = Vec::new();
        let mut parts: Vec<(Vec<Segment>, String)> = Vec::new();
        for (group, members) in groups.iter().enumerate() {
            let mut segments: Vec<Segment> = members
                .iter()
                .filter_map(|package| facts.get(package.name))
                .map(|facts| facts.segment)
                .collect();
            let mut names: Vec<&str> = match group {
                0 => Vec::new(),
                1 => request.runtime.iter().map(String::as_str).collect(),
                _ => request.extra.iter().map(String::as_str).collect(),
            };
            if group == 1 || groups[1].is_empty() && request.files.is_empty() && group == 0 {
                segments.extend(self.own_files(request)?);
            }
            let alternatives = self.alternatives(members, facts)?;
            segments.extend(alternatives);
            if members.is_empty() && (group != 1 || request.files.is_empty()) {
                continue;
            }
            if names.is_empty() {
                names.push("foundation");
            }
            let layer = parts.len();
            packages.extend(members.iter().map(|package| InstalledPackage {
                name: package.name.to_owned(),
                version: package.version.to_owned(),
                architecture: package.architecture.to_owned(),
                digest: package.digest,
                layer,
            }));
            let created_by = format!("debian {}: {}", request.suite.version(), names.join(" "));
            parts.push((segments, created_by));
        }
        let layers = parts
            .into_par_iter()
            .map(|(segments, created_by)| {
                let layer: Layer = self.store.commit_layer(&segments)?;
                Ok(ImageLayer { layer, created_by })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Assembled { layers, packages })
    }

    /// Accounts and the request's own files: in the runtime's layer, so that the foundation is the
    /// same for all; in the foundation where that is all there is.
    fn own_files(&self, request: &BaseRequest) -> Result<Vec<Segment>, DebianError> {
        let failed = |source: FileSetError| DebianError::Package {
            package: "accounts".to_owned(),
            source: PackageError::Files(source),
        };
        let accounts = accounts::files(&request.users).map_err(failed)?;
        let mut segments = vec![self.segment_of(&accounts)?];
        if !request.files.is_empty() {
            segments.push(self.segment_of(&request.files)?);
        }
        Ok(segments)
    }

    /// Links of alternatives: for each the target of the highest priority.
    fn alternatives(
        &self,
        members: &[Package<'_>],
        facts: &BTreeMap<String, Facts>,
    ) -> Result<Option<Segment>, DebianError> {
        let mut best: BTreeMap<&str, &Alternative> = BTreeMap::new();
        let offered = members
            .iter()
            .filter_map(|package| facts.get(package.name))
            .flat_map(|facts| &facts.alternatives);
        for alternative in offered {
            let known = best.entry(&alternative.link).or_insert(alternative);
            if alternative.priority > known.priority {
                *known = alternative;
            }
        }
        if best.is_empty() {
            return Ok(None);
        }
        let mut files = FileSet::new();
        for alternative in best.values() {
            files
                .symlink(&alternative.link, &alternative.target)
                .map_err(|source| DebianError::Package {
                    package: "alternatives".to_owned(),
                    source: PackageError::Files(source),
                })?;
        }
        self.segment_of(&files).map(Some)
    }

    fn segment_of(&self, files: &FileSet) -> Result<Segment, DebianError> {
        let mut hasher = Hasher::default();
        write_tar(files, &mut hasher).map_err(StoreError::Layer)?;
        let key = format!("files {}", hasher.finish());
        match self.store.segment(&key) {
            Some(segment) => Ok(segment),
            None => Ok(self.store.put_segment(&key, files)?),
        }
    }
}

/// What may go wrong while packages are fetched and unpacked.
enum Failure {
    Fetch(FetchError),
    Other(DebianError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Failure::Fetch(error)
    }
}

fn gone(wanted: &[&Package<'_>], lists: &[List], error: &FetchError) -> DebianError {
    let FetchError::Status { url, .. } = error else {
        unreachable!("only an answer can say that something is not found");
    };
    let shown = url.to_string();
    let package = wanted
        .iter()
        .find(|package| !lists.is_empty() && shown.ends_with(package.filename));
    let (package, version) = package.map_or((shown.as_str(), ""), |package| {
        (package.name, package.version)
    });
    DebianError::Gone {
        package: package.to_owned(),
        version: version.to_owned(),
    }
}

pub(super) fn resolve<'p>(
    index: &PackageIndex<'p>,
    request: &BaseRequest,
) -> Result<Vec<Vec<Package<'p>>>, DebianError> {
    let mut resolver = Resolver::new(index, &request.without);
    let foundation: Vec<String> = request
        .foundation
        .packages()
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    [&foundation[..], &request.runtime, &request.extra]
        .into_iter()
        .enumerate()
        .map(|(group, roots)| {
            resolver
                .choose(group, roots)
                .map_err(|unresolved| match unresolved {
                    Unresolved::NoPackage(package) => DebianError::NoPackage {
                        package,
                        suite: request.suite,
                        architecture: request.architecture,
                    },
                    Unresolved::Unsatisfied { package, relation } => DebianError::Unsatisfied {
                        package,
                        relation,
                        suite: request.suite,
                        architecture: request.architecture,
                    },
                })
        })
        .collect()
}

/// The digest of a package decides its segment, but for the links that another package may own.
fn facts_key(package: &Package<'_>, chosen: &BTreeSet<&str>, request: &BaseRequest) -> String {
    let owners: Vec<&str> = ["python-is-python3", "python3-minimal"]
        .into_iter()
        .filter(|owner| package.name.starts_with("python3.") && chosen.contains(owner))
        .collect();
    let compile = match request.purpose {
        BasePurpose::Run => "",
        BasePurpose::Slim => " slim",
        BasePurpose::Compile => " to compile",
    };
    format!(
        "deb {} rules {RULES} for {} beside {owners:?}{compile}",
        package.digest, request.architecture
    )
}

/// The package's entry for tools that ask which packages an image has.
fn describe(package: &str, deb: &Deb, files: &mut FileSet) -> Result<(), FileSetError> {
    let directory = "var/lib/dpkg/status.d";
    files.file(
        &format!("{directory}/{package}"),
        Attributes::FILE,
        format!("{}\n", deb.control.trim_end()),
    )?;
    if let Some(sums) = &deb.md5sums {
        let path = format!("{directory}/{package}.md5sums");
        files.file(&path, Attributes::FILE, sums.clone())?;
    }
    Ok(())
}
