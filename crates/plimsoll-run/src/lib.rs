//! From a project and its images to a live stack.

pub mod container;
mod engine;
mod exec;
pub mod internal;
mod kernel;
mod listening;
pub mod network;
mod runtime;
mod sandbox;
pub mod stack;
mod supervisor;

pub use engine::{
    Condition, ContainerHandle, Engine, EngineError, Follow, StateStream, Synchroniser, Usage,
    Waited,
};
pub use exec::ExecSpec;
pub use listening::listening;
pub use runtime::{StartFailure, StartStage};
pub use sandbox::EngineSandbox;
