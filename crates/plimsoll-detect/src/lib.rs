//! From a source tree to the services it holds, with evidence.
//!
//! [`detect`] reads a [`Tree`] and gives a [`Detection`]: services, what they need, the variables
//! they read, what looks like a service but is none, and what is wrong. Code is read by its syntax
//! tree. What files such as a Dockerfile say about code is a claim to be weighed, not a fact.
//! Nothing here runs the code it reads, prints, or looks outside of the tree.

mod backing;
mod build_variables;
mod cache;
mod claims;
mod complete;
mod detection;
mod document;
mod environment_files;
mod example_port;
mod flower;
mod found;
mod gateway;
mod go;
mod handed_out;
mod location;
mod locks;
mod mcp_transport;
mod memory;
mod merge;
mod needs;
mod node;
mod operational;
mod places;
mod ports;
mod project;
mod python;
mod rust;
mod settings_file;
mod settings_port;
mod shims;
mod syntax;
mod text;
mod tree;
mod trial;

use std::path::{Path, PathBuf};

pub use complete::{
    DockerfileUse, OwnImages, build_by_dockerfiles, complete, complete_by, complete_with,
    own_images,
};
pub use detection::{
    DetectedService, Detection, Health, Need, NeedKind, OneOf, Problem, Rejected, Route,
    ServiceKind, Stream, Variable, VariableKind,
};
pub use environment_files::{EnvironmentFile, LoadedInto, Stated, fill_from_loaded};
pub use memory::{Memory, Texts, Trees};
pub use project::{fill_environment, fill_from_file, fill_jobs};
pub use shims::{Help, Shim};
pub use text::View;
pub use tree::{Bounds, File, Tree, TreeError};
pub use trial::{
    Answer, Check, Handshake, Listening, Loads, NamedTrial, Reach, Stop, Trial, Verdict,
};

/// Names of Compose files at the root of a tree.
const COMPOSE: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// Finds what a tree holds.
pub fn detect(tree: &Tree) -> Detection {
    tree.recall_whole(|| look(tree))
}

/// Looks at all of a tree.
fn look(tree: &Tree) -> Detection {
    let claims = claims::Reviewed::read(tree);
    let versions: Vec<_> = claims.files.iter().map(|file| file.python(None)).collect();
    let workspace = python::Workspace::new(tree);
    let commands: Vec<(claims::Starts, PathBuf)> = claims.commands().collect();
    let servers = python::gunicorn::configurations(&workspace, &configured(&commands));
    let claimed = |dotted: &str, path: &Path| {
        let (port, file) = claims.about(tree, dotted, path);
        let index = file.and_then(|file| {
            claims
                .files
                .iter()
                .position(|other| other.path == file.path)
        });
        let launched = claims::start_scripts::of(&claims.launched, dotted, path);
        let about = || {
            let those = commands
                .iter()
                .filter(|(starts, _)| starts.is_about(dotted));
            those.filter(|(starts, said)| {
                // A file of the same name beside the command is the one that it means.
                path.starts_with(said)
                    || starts
                        .file()
                        .is_none_or(|file| !tree.has_file(&said.join(file)))
            })
        };
        let named = about().find_map(|(starts, _)| starts.configuration());
        let served = claims.served_on(dotted, path);
        let told = claims.gunicorn_told(dotted, path);
        let told_port = told.and_then(|told| Some(told.port.as_ref()?.value));
        python::Claimed {
            port: served.or(told_port).or(port).or_else(|| launched?.port),
            served_on: served,
            told,
            served: about().next().is_some(),
            deployed: claims.deploys(dotted, path),
            gunicorn: python::gunicorn::of(&servers, &workspace, (dotted, path), named),
            python: index.and_then(|index| versions[index].as_ref()),
            launched,
        }
    };
    let (python, (node, (go, rust))) = rayon::join(
        || python::find(&workspace, &claimed),
        || {
            rayon::join(
                || node::find(tree, &|directory| claims.started_in(directory)),
                || {
                    rayon::join(
                        || {
                            go::find(tree, &|directory, program| {
                                claims.builds(directory, program)
                            })
                        },
                        || rust::find(tree, &|program| claims.starts(program)),
                    )
                },
            )
        },
    );
    let stated = workspace
        .projects
        .get(Path::new(""))
        .and_then(|project| project.name.as_ref())
        .map(|name| name.value.clone());
    let name = merge::project_name(tree, stated.as_deref());
    let mut found = python.found;
    found.extend(node.found);
    found.extend(go.found);
    found.extend(rust.found);
    let mut rejected = python.rejected;
    rejected.extend(node.rejected);
    rejected.extend(go.rejected);
    rejected.extend(rust.rejected);
    let mut problems = python.problems;
    problems.extend(node.problems);
    problems.extend(go.problems);
    problems.extend(rust.problems);
    flower::add(&claims, &mut found);
    mcp_transport::settle(&claims, &mut found);
    handed_out::join(&workspace, &claims, &mut found, &mut rejected);
    claims::require(tree, &claims, &mut found);
    // Whoever wrote a Compose file has said what runs together.
    let stated = COMPOSE.iter().any(|name| tree.has_file(Path::new(name)));
    if !stated {
        gateway::choose(&mut found, &mut rejected, &python.calls, &claims.launched);
    }
    let mut detection = merge::merge(tree, name, found, rejected, problems);
    detection.shims = shims::propose(tree, &detection, &python.calls);
    claims::review(tree, &claims, &mut detection);
    detection
}

/// Configuration files of servers that commands name.
fn configured(commands: &[(claims::Starts, PathBuf)]) -> Vec<PathBuf> {
    let named = commands
        .iter()
        .filter_map(|(starts, _)| starts.configuration());
    named.map(Path::to_owned).collect()
}
