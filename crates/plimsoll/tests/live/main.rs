//! Real stacks on this machine. They need root and the package registries; each says why it skips.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that skips says why")]
#![expect(
    clippy::disallowed_methods,
    reason = "a panic with the plain error is enough in a test"
)]

mod agent_desk;
mod all_in_one;
mod archive;
mod builds;
mod compose_keys;
mod faults;
mod go_program;
mod machine;
mod peers;
mod rendered;
mod same_image;
mod settings;
mod stage;
mod trial;
mod variants;
mod watch;
