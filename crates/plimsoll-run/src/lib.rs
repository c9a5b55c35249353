//! From a project and its images to a live stack.

pub mod network;
