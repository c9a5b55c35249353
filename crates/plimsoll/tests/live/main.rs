//! Real stacks on this machine. They need root and the package registries; each says why it skips.

mod agent_desk;
mod faults;
mod machine;
mod stage;
