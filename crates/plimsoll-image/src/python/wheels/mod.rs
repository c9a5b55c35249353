//! Wheels straight from the index to segments.
//!
//! Where a requirement names one version and the hashes of its files, nothing is left to decide:
//! the wheel is fetched and unpacked (a large one in files, all others in memory), its modules are
//! compiled and its segment is written, each wheel as soon as it is there. A wheel that was packed
//! before, for whatever project, is not even fetched. Everything else, and everything that is
//! unusual, is left to uv, which then also says what is wrong.

mod archive;
mod choice;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod large;
mod tags;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use fs_err as fs;
use rayon::prelude::*;

use self::archive::{File as Installed, Places, Unpacked};
use self::choice::{File, Reading, Wanted};
use self::tags::Tags;
use super::PythonError;
use super::build::{Build, RULES};
use super::bytecode::{self, Module};
use super::environment::{ENVIRONMENT, below_root, is_module, site_packages};
use super::install::Bytecode;
use super::interpreter::Interpreter;
use super::libraries::Loads;
use super::locks::Markers;
use super::pinned::{Entry, Pinned};
use super::uv::{BUILD_USER, Uv};
use crate::Digest;
use crate::fetch::{Download, FetchError, Headers};
use crate::layer::{Attributes, Content, FileSet, Node};
use crate::step::scratch::Scratch;
use crate::store::Segment;
use crate::toolchain::zip;
use crate::variant::slim;
use crate::workshop::Memory;

/// A wheel that is larger is unpacked from its file, others in memory.
const LARGEST_IN_MEMORY: u64 = 64 << 20;

/// How many unpacked wheels wait for the compiler.
const WAITING: usize = 6;

/// A distribution that was packed.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// `fastapi-0.121.0`.
    pub name: String,
    /// Its files.
    pub segment: Segment,
    /// What its files load.
    pub loads: Loads,
}

/// What became of a set of requirements.
#[derive(Debug, Default)]
pub(super) struct Wheels {
    /// What was packed.
    pub packed: Vec<Packed>,
    /// What uv has to install.
    pub rest: Pinned,
}

/// Why wheels were not packed.
#[derive(Debug)]
enum Refusal {
    /// uv may do better, or say better what is wrong.
    Left(String),
    /// It would do no better.
    Failed(PythonError),
}

/// A wheel that is not packed yet.
struct Missing {
    entry: Entry,
    key: String,
    file: File,
}

/// An unpacked wheel on its way.
struct Wheel {
    key: String,
    unpacked: Unpacked,
    loads: Loads,
    /// Where its large files are.
    spool: Option<PathBuf>,
}

impl Build<'_> {
    /// Packs the wheels that requirements pin.
    ///
    /// # Errors
    /// When the store or a step fails; what cannot be fetched is left to uv.
    pub(super) fn wheels(&self, requirements: &str) -> Result<Wheels, PythonError> {
        let mut rest = Pinned::parse(requirements);
        let Some(index) = self.plain_index()? else {
            return Ok(Wheels {
                rest,
                ..Wheels::default()
            });
        };
        let (tags, markers) = (Tags::of(&self.target), Markers::of(&self.target));
        let mut wanted = Vec::new();
        let read = rest.take(|entry| !matches!(Wanted::read(entry, &markers), Reading::Other));
        for entry in &read {
            if let Reading::Wanted(one) = Wanted::read(entry, &markers) {
                wanted.push((entry.clone(), one));
            }
        }
        let context = &self.recipe.context;
        let known = choice::in_lock(context, &self.python.dependencies, &index);
        let asks = AtomicBool::new(true);
        let files = self.workshop.fetcher.at_once(&wanted, |(_, wanted)| {
            let place = (wanted.name.clone(), wanted.version.clone());
            let listed = known.get(&place).map(Vec::as_slice).unwrap_or_default();
            match wanted.best(listed, &tags) {
                Some(file) => Some(file.clone()),
                None => self.listed(wanted, &tags, &index, &asks),
            }
        });
        // One service at a time: what two have in common is then made once, and each alone keeps
        // all processors busy.
        self.workshop.locks.alone("wheels", || {
            let mut packed = Vec::new();
            let mut missing = Vec::new();
            for ((entry, _), file) in wanted.into_iter().zip(files) {
                let Some(file) = file else {
                    rest.add(entry);
                    continue;
                };
                let key = self.wheel_key(&file.digest);
                match self.known_wheel(&key) {
                    Some(known) => packed.push(known),
                    None => missing.push(Missing { entry, key, file }),
                }
            }
            match self.pack_wheels(&missing) {
                Ok((made, unfit)) => {
                    packed.extend(made);
                    for (missing, unfit) in missing.into_iter().zip(unfit) {
                        if let Some(reason) = unfit {
                            tracing::debug!(file = missing.file.name, reason, "left to uv");
                            rest.add(missing.entry);
                        }
                    }
                    Ok(Wheels { packed, rest })
                }
                Err(Refusal::Failed(error)) => Err(error),
                Err(Refusal::Left(reason)) => {
                    tracing::debug!(%reason, "wheels are left to uv");
                    Ok(Wheels {
                        packed: Vec::new(),
                        rest: Pinned::parse(requirements),
                    })
                }
            }
        })
    }

    /// The machine's index, if files can be asked for there without more ado.
    fn plain_index(&self) -> Result<Option<String>, PythonError> {
        // What a project says of indexes is uv's to follow.
        if !self.fetching()?.is_empty() {
            return Ok(None);
        }
        let index = self.workshop.registries.python()?;
        let url = index.url.expose();
        let is_plain = index.extra.is_none() && !url.contains('@');
        Ok(is_plain.then(|| url.to_string()))
    }

    /// A file that only the index's page tells, remembered once it is known.
    /// `asks` is for as long as the index's pages tell anything.
    fn listed(&self, wanted: &Wanted, tags: &Tags, index: &str, asks: &AtomicBool) -> Option<File> {
        let store = self.workshop.store;
        let hashes: Vec<String> = wanted.digests.iter().map(Digest::hex).collect();
        let memo = format!(
            "wheel of {} {} {} for Python {} on {} from {index}",
            wanted.name,
            wanted.version,
            hashes.join(" "),
            self.target.interpreter.minor,
            self.target.architecture,
        );
        if self.workshop.memory == Memory::Use
            && let Some(known) = store.recall(&memo)
        {
            return Some(known);
        }
        if !asks.load(Ordering::Relaxed) {
            return None;
        }
        let files = wanted.on_page(self.workshop.fetcher, index);
        if files.is_none() {
            asks.store(false, Ordering::Relaxed);
        }
        let files = files?;
        let file = wanted.best(&files, tags)?.clone();
        // Without the note the page is asked for again.
        let _ = store.remember(&memo, &file, &[]);
        Some(file)
    }

    /// What the segment of a wheel follows from.
    fn wheel_key(&self, digest: &Digest) -> String {
        format!(
            "wheel {} {:?} {} {} {RULES}{}",
            digest.hex(),
            self.options.bytecode,
            self.target.interpreter.minor,
            self.steps
                .version_of(&self.target.interpreter.packages()[0])
                .unwrap_or_default(),
            match self.is_slim() {
                true => " slim",
                false => "",
            },
        )
    }

    fn known_wheel(&self, key: &str) -> Option<Packed> {
        let store = self.workshop.store;
        if self.workshop.memory == Memory::Ignore {
            return None;
        }
        let segment = store.segment(key)?;
        let loads: Loads = store.recall(&loads_key(key))?;
        Some(Packed {
            name: loads.name.clone(),
            segment,
            loads,
        })
    }

    /// Fetches wheels and packs them, each as soon as it is there; of each that is not packed, why.
    fn pack_wheels(
        &self,
        missing: &[Missing],
    ) -> Result<(Vec<Packed>, Vec<Option<String>>), Refusal> {
        if missing.is_empty() {
            return Ok(Default::default());
        }
        let workshop = self.workshop;
        let scratch = workshop.scratch().map_err(failed)?;
        let downloads: Vec<Download> = missing
            .iter()
            .map(|Missing { file, .. }| Download {
                url: file.url.clone(),
                headers: Headers::none(),
                expected: Some(file.digest),
                size: file.size,
                destination: scratch.path().join(format!("{}.whl", file.digest.hex())),
            })
            .collect();
        let choices: Vec<&[Download]> = downloads.iter().map(std::slice::from_ref).collect();
        let packages = site_packages(&self.target.interpreter);
        let places = Places {
            packages: &packages,
            minor: self.target.interpreter.minor,
        };
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::scope(|scope| {
            let packing = scope.spawn(|| self.pack_arriving(receiver));
            let fetched = workshop.fetcher.download_each(
                workshop.subject,
                &choices,
                |index, _| -> Result<Option<String>, FetchError> {
                    let archive = &downloads[index].destination;
                    Ok(match unpack(&missing[index].key, archive, &places) {
                        Ok(wheel) => {
                            // When the other side has gone, its own error is the one that counts.
                            let _ = sender.send(wheel);
                            None
                        }
                        Err(reason) => Some(reason),
                    })
                },
            );
            drop(sender);
            let packed = match packing.join() {
                Ok(packed) => packed,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            match (fetched, packed) {
                (_, Err(error)) => Err(Refusal::Failed(error)),
                (Err(error), Ok(_)) => Err(Refusal::Left(error.to_string())),
                (Ok(unfit), Ok(packed)) => Ok((packed, unfit)),
            }
        })
    }

    /// Compiles and packs what arrives: while the compiler is at work, the next ones gather.
    fn pack_arriving(&self, wheels: Receiver<Wheel>) -> Result<Vec<Packed>, PythonError> {
        if self.options.bytecode == Bytecode::Sources {
            let arriving = wheels.into_iter().par_bridge();
            return arriving
                .map(|wheel| self.pack_wheel(wheel, BTreeMap::new()))
                .collect();
        }
        self.with_interpreter(|uv, scratch| {
            let packed = Mutex::new(Vec::new());
            let failed = Mutex::new(None);
            std::thread::scope(|scope| {
                while let Ok(first) = wheels.recv() {
                    let batch: Vec<Wheel> =
                        std::iter::once(first).chain(wheels.try_iter()).collect();
                    let compiled = self.compile_wheels(uv, scratch, &batch)?;
                    // Packing one batch and compiling the next go on at once.
                    let (packed, failed) = (&packed, &failed);
                    scope.spawn(move || {
                        let made: Result<Vec<Packed>, PythonError> = batch
                            .into_par_iter()
                            .zip(compiled)
                            .map(|(wheel, compiled)| self.pack_wheel(wheel, compiled))
                            .collect();
                        match made {
                            Ok(made) => lock(packed).extend(made),
                            Err(error) => *lock(failed) = Some(error),
                        }
                    });
                }
                Ok::<_, PythonError>(())
            })?;
            match failed.into_inner().unwrap_or_default() {
                Some(error) => Err(error),
                None => Ok(packed.into_inner().unwrap_or_default()),
            }
        })
    }

    fn compile_wheels(
        &self,
        uv: &Uv<'_>,
        scratch: &Scratch,
        wheels: &[Wheel],
    ) -> Result<Vec<BTreeMap<String, Vec<u8>>>, PythonError> {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let work = scratch.directory(&format!("compile-{number}"), BUILD_USER)?;
        let bundles: Vec<Vec<Module<'_>>> = wheels
            .iter()
            .map(|wheel| {
                let files = wheel.unpacked.files.iter();
                let modules = files.filter(|(path, _)| is_module(path));
                modules
                    .filter_map(|(path, file)| {
                        Some(Module {
                            path: format!("{ENVIRONMENT}/{path}"),
                            source: file.bytes()?,
                        })
                    })
                    .collect()
            })
            .collect();
        bytecode::compile(uv, &bundles, &self.target.interpreter, &work)
    }

    /// Writes the segment of a wheel.
    fn pack_wheel(
        &self,
        wheel: Wheel,
        compiled: BTreeMap<String, Vec<u8>>,
    ) -> Result<Packed, PythonError> {
        let Wheel {
            key,
            unpacked,
            loads,
            spool,
        } = wheel;
        let mut left_out = Default::default();
        if self.is_slim() {
            let text = |path: &str| {
                let file = unpacked.files.get(path)?;
                String::from_utf8(file.bytes()?.to_vec()).ok()
            };
            let names = unpacked.files.keys().map(String::as_str);
            left_out = slim::python_extras(names, text);
        }
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for (path, file) in unpacked.files {
            let attributes = match file.executable {
                true => Attributes::PROGRAM,
                false => Attributes::FILE,
            };
            nodes.insert(path, Node::File(attributes, file.content));
        }
        for (path, bytes) in compiled {
            let path = path.strip_prefix(ENVIRONMENT).unwrap_or(&path);
            let node = Node::File(Attributes::FILE, Content::Bytes(bytes));
            nodes.insert(path.trim_start_matches('/').to_string(), node);
        }
        let mut set = FileSet::new();
        for (path, node) in nodes {
            if !left_out.contains(&path) {
                set.insert(&format!("{}/{path}", below_root(ENVIRONMENT)), node)?;
            }
        }
        let store = self.workshop.store;
        let segment = store.put_segment(&key, &set)?;
        drop(set);
        if let Some(spool) = spool {
            fs::remove_dir_all(spool)?;
        }
        store.compress_early(&segment)?;
        store.remember(&loads_key(&key), &loads, &segment.needs())?;
        Ok(Packed {
            name: unpacked.name,
            segment,
            loads,
        })
    }
}

/// Unpacks a fetched wheel. The error is why it is left to uv.
fn unpack(key: &str, archive: &Path, places: &Places<'_>) -> Result<Wheel, String> {
    let told = |error: std::io::Error| error.to_string();
    let is_large = fs::metadata(archive).map_err(told)?.len() > LARGEST_IN_MEMORY;
    let spool = is_large.then(|| archive.with_extension("files"));
    let unpacked = match &spool {
        Some(spool) => large::unpack(archive, spool, places)?,
        None => {
            let bytes = fs::read(archive).map_err(told)?;
            archive::unpack(&zip::entries(&bytes)?, places)?
        }
    };
    // Its segment is kept instead.
    fs::remove_file(archive).map_err(told)?;
    let mut loads = Loads::named(&unpacked.name);
    for (path, entry) in &unpacked.files {
        look_at(&mut loads, path, entry).map_err(told)?;
    }
    Ok(Wheel {
        key: key.to_string(),
        unpacked,
        loads,
        spool,
    })
}

/// An installed wheel's name, and its files: path below the environment, whether it may be
/// started, what it holds.
pub(super) type Laid = (String, Vec<(String, bool, Content)>);

/// What an installation of the wheel at `archive` leaves in the environment. The error is a short
/// reason to let the installer judge.
pub(super) fn laid_out(archive: &Path, interpreter: &Interpreter) -> Result<Laid, String> {
    let bytes = fs::read(archive).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST_IN_MEMORY {
        return Err("it is large".to_string());
    }
    let places = Places {
        packages: &site_packages(interpreter),
        minor: interpreter.minor,
    };
    let unpacked = archive::unpack(&zip::entries(&bytes)?, &places)?;
    let files = unpacked.files.into_iter();
    let files = files.map(|(path, file)| (path, file.executable, file.content));
    Ok((unpacked.name, files.collect()))
}

fn look_at(loads: &mut Loads, path: &str, file: &Installed) -> std::io::Result<()> {
    match &file.content {
        Content::File(place) => loads.look_at(path, file.executable, &mut fs::File::open(place)?),
        _ => {
            let bytes = file.bytes().unwrap_or_default();
            loads.look_at(path, file.executable, &mut Cursor::new(bytes))
        }
    }
    Ok(())
}

fn failed(error: std::io::Error) -> Refusal {
    Refusal::Failed(error.into())
}

fn loads_key(key: &str) -> String {
    format!("loads of {key}")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
