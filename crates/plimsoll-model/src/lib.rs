//! The application, typed.
//!
//! [`compose::load`] reads Compose files into a [`Project`], which is what every other part of
//! Plimsoll reads: services, networks, volumes and secrets with the meaning the Compose
//! Specification gives them. [`facts`] is what is known of a
//! service beyond that, [`extension`] what `x-plimsoll` adds, [`settings`] what
//! `plimsoll.toml` says, [`contract`] what services want of their environment, [`yaml`] the tree underneath, [`dockerfile`] what a Dockerfile says, and
//! [`BuildRecipe`] how an image comes out of a source tree. Values read from a file know their place ([`plimsoll_diag::Spanned`]).
//! Nothing here prints, reads the environment or runs anything.

pub mod compose;
pub mod contract;
pub mod dockerfile;
pub mod extension;
pub mod facts;
mod health_request;
mod node_workspace;
mod process;
mod project;
mod recipe;
pub mod settings;
mod stage;
mod text;
mod watch;
pub mod yaml;

pub use health_request::HealthRequest;
pub use node_workspace::NodeWorkspace;
pub use process::{
    BlockIo, Device, DeviceRate, DeviceRule, Hook, IpcMode, Link, LoggingDriver, PidMode, PreStart,
    PreStartRuns, Sharing, Ulimit, VolumesFrom,
};
pub use project::{
    Build, Command, Dependency, DependencyCondition, FileObject, FileSource, FileUse, HealthTest,
    Healthcheck, Limits, Mount, MountKind, Network, NetworkAttachment, NetworkMode, Port, Project,
    Propagation, Protocol, Recursion, Restart, Service, Volume, VolumeBacking,
};
pub use recipe::{
    BuildNetwork, BuildRecipe, DockerfileRecipe, DockerfileSource, GoRecipe, NodeBuild, NodeLayout,
    NodeManager, NodeServerRecipe, Pages, PythonDependencies, PythonLock, PythonRecipe, RecipeKind,
    RustRecipe, SiteProxy, StaticSiteRecipe,
};
pub use stage::StagePurpose;
pub use text::text_of;
pub use watch::{Watch, WatchAction};
