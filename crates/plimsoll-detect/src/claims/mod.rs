//! What files other than code say about code. All of it is a claim: weighed, and contradicted
//! where the code says otherwise.

mod command;
mod compiled;
pub(crate) mod copied;
mod deployments;
mod dockerfile;
mod environment_file;
mod gunicorn_arguments;
pub(crate) mod health;
mod loaded_files;
pub(crate) mod matching;
mod node_images;
mod platform_variables;
mod review;
mod script_checks;
pub(crate) mod start_scripts;

pub(crate) use command::{Starts, inside_shell, starts, without_runner};
pub(crate) use compiled::ImageClaim;
pub(crate) use deployments::Deployments;
pub(crate) use dockerfile::{Dockerfile, Line, Stage};
pub(crate) use gunicorn_arguments::GunicornArguments;
pub(crate) use loaded_files::LoadedPaths;
pub(crate) use node_images::NodeImage;
pub(crate) use review::{Reviewed, answers, flag_contradiction, review};
pub(crate) use script_checks::require;
pub(crate) use start_scripts::Launched;
