//! Forms that real projects take, each as the smallest tree that shows it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its tree has failed"
)]

mod build_variables;
mod celery;
mod chats;
mod deployments;
mod django;
mod documents;
mod frameworks;
mod generated;
mod given;
mod go_ports;
mod go_programs;
mod gunicorn;
mod handed_out;
mod insistence;
mod locks;
mod members;
mod nest;
mod node_clients;
mod node_starts;
mod one_of;
mod own_images;
mod ports;
mod projects;
mod python_places;
mod python_programs;
mod python_servers;
mod python_start;
mod remembered;
mod rust_ports;
mod rust_requests;
mod shapes;
mod stated_commands;
mod stores;
mod through;
mod transports;
mod tree;
mod upkeep;
