//! A project's services as a running stack.
//!
//! This module decides what runs, in which order, and with which permissions. How a container is
//! made is [`crate::container`]'s matter, how networks are is [`crate::network`]'s. Nothing here
//! prints: progress goes to a [`plimsoll_diag::Progress`], results are data.

mod attachment;
mod board;
mod down;
mod failure;
mod hardening;
mod hooks;
mod lock;
mod logs;
mod mounts;
mod order;
mod paths;
mod ports;
mod pre_start;
mod record;
mod resources;
mod run_once;
mod specification;
mod start;
mod status;
mod up;
mod volumes;

pub use down::{DownReport, DownRequest, VolumesFate, down};
pub use lock::{LockError, StackLock};
pub use logs::{LogRequest, ServiceLine, follow_lines, present_lines};
pub use order::{StartOrder, start_order, start_order_of_these};
pub use paths::{StackPaths, known_projects};
pub use ports::taken_ports;
pub use record::{ContainerRecord, PublishedRecord, StackRecord};
pub use run_once::{Partner, RunRequest, run_once};
pub use specification::{ImageDefaults, ImageOrigin, NamedImages, ServiceImage, user_of_image};
pub use status::{ContainerReport, status};
pub use up::{ServiceFailure, ServiceOutcome, ServiceReport, UpError, UpReport, UpRequest, up};
